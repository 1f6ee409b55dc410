"""Serializers of rebills: requests, preview and chain."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from accounts.api.fields import NO_INVOICE
from accounts.kinds import CreditTo
from billing_site.common.fields import (
    DayField,
    DigitsField,
    ErrorCodeField,
    ErrorMessageField,
    GivenSerializer,
    LongField,
    RateNumberField,
    ShortListField,
    TrueFalseField,
    UnitsNumberField,
    rows_of,
)
from billing_site.common.limits import (
    COMMENTS_LENGTH,
    DOCUMENT_COMMENTS_LENGTH,
    LINE_COMMENTS_LENGTH,
    LINES_AT_ONCE,
    PO_NUM_LENGTH,
)
from invoices.api.serializers.documents import ContentSerializer, PlannedTaxSerializer, document_of
from invoices.api.serializers.money import CollectedSerializer, MoneyField, PlannedAmountField, amount_text
from invoices.api.serializers.undoing import OpenAfterSerializer, UndoneDocumentSerializer
from invoices.services.documents.approval_rules import rebill_approval_amount, rebill_needs_approval
from invoices.services.documents.chains import Step
from rebills.plan import RebillPlan
from rebills.plan.differences import CATEGORY, RETAX, Difference, TaxedAgain
from rebills.services.requests import RebillOutcome, RebillRequest, RefusedRebill, RequestedLine, RequestedUsage, SettledRebill
from rebills.services.undoing import UndoPlan, undo_needs_approval

REBILLS_AT_ONCE = 1000


class PercentField(DigitsField):
    """A percentage that is taken off. The service refuses one below 0 or above 100."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=20, decimal_places=10, **options)


class LineArguments(GivenSerializer):
    """A line by number. What is not sent stays as on the original. A number above the original's last one adds a line."""

    line_no = LongField()
    service_no = LongField(required=False)
    client_service_id = serializers.CharField(max_length=100, required=False)
    po_num = serializers.CharField(max_length=PO_NUM_LENGTH, required=False)
    bill_from_location_no = LongField(required=False)
    ship_from_location_no = LongField(required=False)
    bill_to_address_seq = LongField(required=False)
    ship_to_address_seq = LongField(required=False)


class ChangedLineArguments(LineArguments):
    """A requested change of a line.

    `description`, `period_start` and `period_end` are printed only and do not change the amount. A negative `amount` is a
    discount: it reduces the lines of its service, and if it exceeds them, all other lines. `discount_percent` is taken off the
    line's rate, or off its amount if it has no rate. `retax` looks the line's tax rates up again, as they are today for the
    original's tax date.
    """

    exclude = TrueFalseField(required=False, default=False)
    rate_per_unit = RateNumberField(required=False)
    units = UnitsNumberField(required=False)
    amount = MoneyField(required=False)
    discount_percent = PercentField(required=False)
    retax = TrueFalseField(required=False, default=False)
    comments = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)
    description = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)
    period_start = DayField(required=False)
    period_end = DayField(required=False)


class UsageCorrectionArguments(GivenSerializer):
    """The corrected total units of a metered charge, from which its bands, minimum and maximum are recalculated.

    The charge is named by one of its lines, or by plan instance, service and first day, as far as needed to name only one.
    """

    units = UnitsNumberField()
    line_no = LongField(required=False)
    plan_instance_no = LongField(required=False)
    service_no = LongField(required=False)
    client_service_id = serializers.CharField(max_length=100, required=False)
    period_start = DayField(required=False)
    comments = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)


class RebillPreviewArguments(GivenSerializer):
    """A rebill to preview.

    `unlisted_lines` says whether lines that are not sent are left out or carried unchanged. `credit_to` says where payments go
    that the rebill does not take. `discount_percent` is taken off all lines, except those with one of their own. `retax` looks
    the tax rates of all lines up again, as they are today for the original's tax date.
    """

    invoice_no = LongField(no_such=NO_INVOICE)
    lines = rows_of(ChangedLineArguments(), most=LINES_AT_ONCE, required=False)
    usage_corrections = rows_of(UsageCorrectionArguments(), most=LINES_AT_ONCE, required=False)
    unlisted_lines = serializers.ChoiceField(choices=["exclude", "carry"], required=False)
    reason_code = LongField(max_digits=4, required=False)
    comments = serializers.CharField(max_length=DOCUMENT_COMMENTS_LENGTH, required=False)
    collect = TrueFalseField(required=False)
    keep_due_date = TrueFalseField(required=False)
    statement_address_seq = LongField(required=False)
    credit_to = serializers.ChoiceField(choices=CreditTo.choices, required=False)
    discount_percent = PercentField(required=False)
    retax = TrueFalseField(required=False, default=False)


class RebillArguments(RebillPreviewArguments):
    """A rebill to issue. `fingerprint` is of the preview that was seen. If the rebill differs from it, nothing is written
    (90003)."""

    reason_code = LongField(max_digits=4)
    fingerprint = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)


class UndoArguments(GivenSerializer):
    """Why a rebill is undone: a reason of type rebill. `fingerprint` is of the preview that was seen. If the undo would differ
    from it, nothing is written (90003)."""

    reason_code = LongField(max_digits=4)
    comments = serializers.CharField(max_length=COMMENTS_LENGTH, required=False, default="")
    fingerprint = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)


class ChainArguments(serializers.Serializer):
    invoice_no = LongField(no_such=NO_INVOICE)


class ManyRebillArguments(serializers.Serializer):
    rebills = ShortListField(child=RebillArguments(), allow_empty=False, max_length=REBILLS_AT_ONCE)


def rebill_request(arguments: Mapping[str, Any], path: str = "") -> RebillRequest:
    unlisted = arguments.get("unlisted_lines")
    lines = arguments.get("lines", [])
    return RebillRequest(
        arguments["invoice_no"],
        arguments.get("reason_code"),
        tuple(RequestedLine(path=f"{path}lines[{place}]", **line) for place, line in enumerate(lines)),
        carries_unlisted=None if unlisted is None else unlisted == "carry",
        comments=arguments.get("comments", ""),
        collect=arguments.get("collect"),
        keeps_due_date=arguments.get("keep_due_date"),
        statement_contact_no=arguments.get("statement_address_seq"),
        fingerprint=arguments.get("fingerprint", ""),
        usage_corrections=tuple(
            RequestedUsage(path=f"{path}usage_corrections[{place}]", **one)
            for place, one in enumerate(arguments.get("usage_corrections", []))
        ),
        retax=arguments.get("retax", False),
        credit_to=arguments.get("credit_to", ""),
        discount_percent=arguments.get("discount_percent"),
    )


class AmountsSerializer(serializers.Serializer):
    net_amount = PlannedAmountField(source="net")
    tax_amount = PlannedAmountField(source="tax")
    total_amount = PlannedAmountField(source="total")


class DifferenceSerializer(serializers.Serializer):
    """A line of an invoice beside its line on the rebill, with the differences.

    `taxed_again` says why tax rates were looked up again: an address moved to another place, the tax category changed, or
    `retax` was requested.
    """

    line_no = serializers.IntegerField(allow_null=True)
    rebill_line_no = serializers.IntegerField(allow_null=True)
    description = serializers.CharField(allow_blank=True)
    excluded = serializers.BooleanField(source="is_excluded")
    recounted = serializers.BooleanField(source="is_recounted")
    changes = serializers.ListField(child=serializers.CharField())
    taxed_again = serializers.SerializerMethodField()
    comments = serializers.CharField(allow_blank=True)
    original = AmountsSerializer()
    rebill = AmountsSerializer()
    difference = AmountsSerializer()

    def get_taxed_again(self, row: Difference) -> list[str]:
        return [_taxed_again(why) for why in row.taxed_again]


class MoneySerializer(serializers.Serializer):
    """What happens to the account's money when the rebill is issued."""

    carried = PlannedAmountField()
    from_credit = PlannedAmountField()
    to_other_invoices = PlannedAmountField()
    left_as_credit = PlannedAmountField()
    refunded = PlannedAmountField()
    due = PlannedAmountField()
    collect_now = PlannedAmountField()
    balance_before = PlannedAmountField()
    balance_after = PlannedAmountField()


class PlannedContentSerializer(ContentSerializer):
    """The rebill as it would be stored. It has a fingerprint of its own only when stored."""

    def to_representation(self, plan: RebillPlan) -> dict[str, Any]:
        return {**super().to_representation(document_of(plan.content)), "fingerprint": None}


class RebillPreviewSerializer(PlannedTaxSerializer):
    """Original, memo, rebill and difference side by side, the account's money, and the rebill as it would be stored.

    `context` has the currency and the client.
    """

    invoice_no = serializers.IntegerField(source="facts.invoice_no")
    acct_no = serializers.IntegerField(source="facts.account_no")
    currency = serializers.CharField(source="facts.currency.code")
    original = AmountsSerializer()
    credit_memo = AmountsSerializer(source="credited")
    rebill = AmountsSerializer()
    difference = AmountsSerializer()
    lines = DifferenceSerializer(source="differences", many=True)
    excluded_lines = serializers.ListField(child=serializers.IntegerField())
    recounted_lines = serializers.ListField(child=serializers.IntegerField())
    money = MoneySerializer()
    waits_for_approval = serializers.SerializerMethodField()
    document = PlannedContentSerializer(source="*")
    fingerprint = serializers.CharField()

    def get_waits_for_approval(self, plan: RebillPlan) -> bool:
        approval_amount = rebill_approval_amount(plan.original.total, plan.rebill.total)
        return rebill_needs_approval(self.context["client"], approval_amount, plan.tax_answer)


def _taxed_again(why: TaxedAgain) -> str:
    """Return in words why the tax rates of a line were looked up again."""
    if why.what == RETAX:
        return "retax was requested"
    name = "tax category" if why.what == CATEGORY else f"{why.what.replace('_', '-')} address"
    return f"{name} {why.before} -> {why.after}"


class RebillOutcomeSerializer(serializers.Serializer):
    """The result of one of several rebills."""

    invoice_no = serializers.IntegerField()
    rebill_no = serializers.IntegerField(allow_null=True)
    acct_no = serializers.IntegerField(source="account_no", allow_null=True)
    waits_for_approval = serializers.BooleanField()
    error_code = ErrorCodeField(source="error")
    error_msg = ErrorMessageField(source="error")
    collection = CollectedSerializer(allow_null=True)


def rebilled_row(outcome: RebillOutcome) -> dict[str, Any]:
    """Return what RebillOutcomeSerializer shows of a request."""
    settled = outcome if isinstance(outcome, SettledRebill) else None
    return {
        "invoice_no": outcome.request.invoice_no,
        "rebill_no": None if settled is None else settled.rebill_no,
        "account_no": outcome.account_no,
        "waits_for_approval": settled is not None and settled.recorded.is_pending,
        "error": outcome.error if isinstance(outcome, RefusedRebill) else None,
        "collection": None if settled is None else settled.collection,
    }


class RebillOutcomesSerializer(serializers.Serializer):
    outcomes = RebillOutcomeSerializer(many=True)


class StepSerializer(serializers.Serializer):
    """A document of a chain, with the difference to the amount of the document before it."""

    invoice_no = serializers.IntegerField(source="document.pk")
    kind = serializers.CharField(source="document.kind")
    status = serializers.CharField(source="document.status")
    document_number = serializers.CharField(source="document.document_number", allow_blank=True)
    corrects = serializers.IntegerField(source="document.corrects_id", allow_null=True)
    total_amount = serializers.SerializerMethodField()
    difference = serializers.SerializerMethodField()
    reason_code = serializers.IntegerField(source="document.reason_code", allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    comments = serializers.CharField(source="document.comments", allow_blank=True)
    generated_by = serializers.CharField(source="document.generated_by")
    generated_at = serializers.DateTimeField(source="document.generated_at")
    approved_by = serializers.CharField(source="document.approved_by", allow_blank=True)
    approved_at = serializers.DateTimeField(source="document.approved_at", allow_null=True)

    def get_total_amount(self, step: Step) -> str:
        return amount_text(step.document.total_amount, step.document.currency)

    def get_difference(self, step: Step) -> str:
        return amount_text(step.difference, step.document.currency)


class ChainSerializer(serializers.Serializer):
    """All corrections of an invoice, from the first invoice on. Any document of the chain may be named."""

    root = serializers.IntegerField(source="root.pk")  # type: ignore[assignment]
    acct_no = serializers.IntegerField(source="root.account_id")
    currency = serializers.CharField(source="root.currency")
    documents = StepSerializer(source="steps", many=True)


class UndoPreviewSerializer(serializers.Serializer):
    """What an undo would do. `reversed` are the documents that get a reversal each; `due` has the original, the rebill, then
    other invoices of the account whose open amounts change. `context` has the currency and the client."""

    rebill_no = serializers.IntegerField(source="rebill.pk")
    invoice_no = serializers.IntegerField(source="original.pk")
    acct_no = serializers.IntegerField(source="rebill.account_id")
    currency = serializers.CharField(source="rebill.currency")
    reversed = UndoneDocumentSerializer(many=True)
    due = OpenAfterSerializer(many=True)
    balance_before = PlannedAmountField()
    balance_after = PlannedAmountField()
    waits_for_approval = serializers.SerializerMethodField()
    fingerprint = serializers.CharField()

    def get_waits_for_approval(self, plan: UndoPlan) -> bool:
        return undo_needs_approval(self.context["client"], plan)


class UndoneSerializer(serializers.Serializer):
    """An undone rebill. `invoice_no` is the original, which counts as before the rebill; `reversals` are the documents that
    offset the rebill and its memo."""

    rebill_no = serializers.IntegerField(source="rebill.pk")
    invoice_no = serializers.IntegerField(source="rebill.corrects_id")
    acct_no = serializers.IntegerField(source="rebill.account_id")
    currency = serializers.CharField(source="rebill.currency")
    status = serializers.CharField(source="rebill.status")
    reversals = UndoneDocumentSerializer(many=True)
