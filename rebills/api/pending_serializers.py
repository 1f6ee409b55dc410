"""Serializers of pending documents: their adjustments and versions."""

from collections.abc import Mapping
from typing import Any

from django_filters.filterset import FilterSet
from rest_framework import serializers

from billing_site.common.fields import (
    ChoicesFilter,
    DayField,
    GivenSerializer,
    LongField,
    LongFilter,
    UnitsNumberField,
    rows_of,
)
from billing_site.common.limits import DOCUMENT_COMMENTS_LENGTH, LINE_COMMENTS_LENGTH, LINES_AT_ONCE
from invoices.api.serializers.documents import ContentSerializer, document_of
from invoices.api.serializers.undoing import DocumentAmountField
from invoices.kinds import InvoiceStatus
from invoices.models import Adjustment, Invoice
from rebills.api.serializers import AmountsSerializer, ChangedLineArguments, DifferenceSerializer, PercentField
from rebills.plan.differences import Amounts
from rebills.services.adjusting import AdjustPlan, AdjustRequest, AdjustState
from rebills.services.requests import RequestedLine, RequestedUsage
from rebills.services.versions import ShownVersion


class PendingFilter(FilterSet):
    acct_no = LongFilter("account")
    status = ChoicesFilter(InvoiceStatus)

    class Meta:
        model = Invoice
        fields = ()


class AdjustedUsageArguments(GivenSerializer):
    """The total units of a metered charge, from which its bands, minimum and maximum are recalculated.

    The charge is named by one of its lines, or by plan instance, service and first day, as far as needed to name only one.
    """

    units = UnitsNumberField()
    line_no = LongField(required=False)
    plan_instance_no = LongField(required=False)
    service_no = LongField(required=False)
    period_start = DayField(required=False)
    comments = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)


class AdjustPreviewArguments(GivenSerializer):
    """All adjustments that a pending document is to have. Those that are not sent are withdrawn.

    `lines` name lines by their number as generated; a number above the last one adds a line. What is not sent of a line stays
    as generated. `discount_percent` is taken off all lines that were generated, except those with one of their own.
    """

    lines = rows_of(ChangedLineArguments(), most=LINES_AT_ONCE, required=False)
    usage_corrections = rows_of(AdjustedUsageArguments(), most=LINES_AT_ONCE, required=False)
    discount_percent = PercentField(required=False)


class AdjustArguments(AdjustPreviewArguments):
    """Adjustments to make, and why: a reason of type rebill. `fingerprint` is of the preview that was seen. If the document has
    changed since, nothing is written (90003)."""

    reason_code = LongField(max_digits=4)
    comments = serializers.CharField(max_length=DOCUMENT_COMMENTS_LENGTH, required=False)
    fingerprint = serializers.CharField(max_length=LINE_COMMENTS_LENGTH)


def adjust_request(invoice_no: int, arguments: Mapping[str, Any]) -> AdjustRequest:
    lines, usage = arguments.get("lines", []), arguments.get("usage_corrections", [])
    return AdjustRequest(
        invoice_no,
        tuple(RequestedLine(path=f"lines[{place}]", **line) for place, line in enumerate(lines)),
        tuple(RequestedUsage(path=f"usage_corrections[{place}]", **one) for place, one in enumerate(usage)),
        arguments.get("reason_code"),
        arguments.get("comments", ""),
        arguments.get("fingerprint", ""),
        arguments.get("discount_percent"),
    )


class ChangeSerializer(serializers.Serializer):
    """A changed column of a line. Empty before: the line is added; empty after: it is left out."""

    column = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField(allow_null=True)


class AdjustmentSerializer(serializers.ModelSerializer):
    """A current adjustment: who made it and why, what was requested, and what it changes.

    `line_no` is the number as generated, 0 for a discount on all lines. If it is empty, the adjustment no longer fits, and
    `why_not` says why.
    """

    requested = serializers.DictField(source="change", read_only=True)
    changes = ChangeSerializer(many=True, read_only=True)

    class Meta:
        model = Adjustment
        fields = (
            "line_no",
            "title",
            "requested",
            "changes",
            "why_not",
            "reason_code",
            "comments",
            "made_by",
            "made_at",
            "from_version",
        )


class PendingSerializer(serializers.ModelSerializer):
    """A document that is pending, or was changed while it was. `version` is 1 as it was generated."""

    invoice_no = serializers.IntegerField(source="pk")
    acct_no = serializers.IntegerField(source="account_id")
    net_amount = DocumentAmountField()
    tax_amount = DocumentAmountField()
    total_amount = DocumentAmountField()

    class Meta:
        model = Invoice
        fields = (
            "invoice_no",
            "acct_no",
            "kind",
            "status",
            "version",
            "currency",
            "net_amount",
            "tax_amount",
            "total_amount",
            "generated_by",
            "generated_at",
        )


class PendingDetailSerializer(PendingSerializer):
    """The same, with its adjustments, and the document as it was generated without them."""

    adjustments = serializers.SerializerMethodField()
    generated = serializers.SerializerMethodField()

    class Meta:
        model = Invoice
        fields = (*PendingSerializer.Meta.fields, "adjustments", "generated")

    def get_adjustments(self, invoice: Invoice) -> list[dict[str, Any]]:
        state: AdjustState = self.context["state"]
        return list(AdjustmentSerializer(state.adjustments, many=True).data)

    def get_generated(self, invoice: Invoice) -> dict[str, Any]:
        state: AdjustState = self.context["state"]
        return dict(ContentSerializer(document_of(state.generated.content)).data)


class AdjustedContentSerializer(ContentSerializer):
    """The document as it would be stored."""

    def to_representation(self, plan: AdjustPlan) -> dict[str, Any]:
        return super().to_representation(document_of(plan.content))


class AdjustPreviewSerializer(serializers.Serializer):
    """What was generated, what the document would be, and the difference, line by line. `context` has the currency."""

    invoice_no = serializers.IntegerField(source="invoice.pk")
    version = serializers.IntegerField(source="generated.version")
    currency = serializers.CharField(source="invoice.currency")
    generated = AmountsSerializer(source="plan.original")
    adjusted = AmountsSerializer(source="plan.rebill")
    difference = AmountsSerializer(source="plan.difference")
    lines = DifferenceSerializer(source="plan.differences", many=True)
    document = AdjustedContentSerializer(source="*")
    fingerprint = serializers.CharField()


class VersionSerializer(serializers.Serializer):
    """A version of a document, and its differences from the version before, line by line: `original` is the version before,
    `rebill` this one."""

    version = serializers.IntegerField(source="row.version_no")
    act = serializers.CharField(source="row.act")
    made_by = serializers.CharField(source="row.made_by")
    made_at = serializers.DateTimeField(source="row.made_at")
    reason_code = serializers.IntegerField(source="row.reason_code", allow_null=True)
    comments = serializers.CharField(source="row.comments", allow_blank=True)
    amounts = serializers.SerializerMethodField()
    differences = serializers.SerializerMethodField()

    def get_amounts(self, version: ShownVersion) -> dict[str, Any]:
        terms = version.content.terms
        return dict(AmountsSerializer(Amounts(terms.net_amount, terms.tax_amount), context=self.context).data)

    def get_differences(self, version: ShownVersion) -> list[dict[str, Any]]:
        changed = [row for row in version.differences if row.changes]
        return list(DifferenceSerializer(changed, many=True, context=self.context).data)


class VersionsSerializer(serializers.Serializer):
    versions = VersionSerializer(many=True)
