"""Serializers of invoices, tax rates and billing runs, and the arguments of generating and deciding on invoices."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.api.fields import NO_ACCOUNT, NO_INVOICE, IdentityName, ReceiptIdField
from accounts.api.serializers import ClientRowSerializer
from billing_site.common.fields import ErrorCodeField, ErrorMessageField, LongField, ShortListField, TrueFalseField
from billing_site.common.limits import COMMENTS_LENGTH, REMARK_LENGTH
from billing_site.errors import ErrorCode, message_of
from invoices.api.serializers.money import AmountField, AttemptSerializer, CollectedSerializer
from invoices.calculation import rounded
from invoices.document import Document, columns_of
from invoices.fingerprints import fingerprint
from invoices.kinds import DocumentState, Flag, InvoiceKind, LineType, PostingStatus
from invoices.models import CreditDetail, Invoice, InvoiceLine, Statement, TaxDetail, TaxRate
from invoices.plan.facts import BillingRequest
from invoices.services.actions import Allowed
from invoices.services.documents.outcomes import Outcome, Refused, Settled
from invoices.services.documents.tax_answers import answer_on
from invoices.services.planning.flags import flags_of
from invoices.services.planning.out_of_date import changes_since

INVOICES_AT_ONCE = 1000
CLIENT_NOTES_LENGTH = 1000
FINGERPRINT_LENGTH = 300


def validate_invoice_mode(mode: int) -> None:
    if mode not in (0, 1):
        raise ValidationError(ErrorCode.INVALID_INVOICE_MODE.message, code="invoice_mode")


def validate_client_notes(notes: str) -> None:
    if len(notes) > CLIENT_NOTES_LENGTH:
        raise ValidationError(ErrorCode.NOTES_TOO_LONG.message, code="client_notes")


class PreviewArguments(serializers.Serializer):
    """The account and cycle to bill. The service checks the range of alt_bill_day."""

    acct_no = LongField(no_such=NO_ACCOUNT)
    alt_bill_day = LongField(max_digits=14, required=False, allow_null=True)
    invoice_mode = LongField(no_such="invoice_mode", required=False, allow_null=True, validators=[validate_invoice_mode])


class GenerationArguments(PreviewArguments):
    force_pending = TrueFalseField(required=False, allow_null=True)


class GenInvoiceArguments(GenerationArguments):
    invoice_mode = LongField(no_such="invoice_mode", required=False, default=0, validators=[validate_invoice_mode])
    force_pending = TrueFalseField(required=False, default=False)
    client_receipt_id = ReceiptIdField()


FINAL = _("Bill today what plans that have ended have left, without waiting for the next bill date.")


class FinalField(TrueFalseField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, "help_text": FINAL, **options})


class CyclePreviewArguments(PreviewArguments):
    final = FinalField()


class CreationArguments(GenerationArguments):
    """`collect` overrides the client's setting for an invoice that is issued at once. `fingerprint` is of the preview that
    was seen."""

    collect = TrueFalseField(required=False, allow_null=True)
    fingerprint = serializers.CharField(max_length=FINGERPRINT_LENGTH, required=False)
    final = FinalField()


def billing_request(arguments: Mapping[str, Any], today: date) -> BillingRequest:
    """Return the billing request. Defaults: the current cycle, the account's own bill day, pending only if a setting
    requires it."""
    return BillingRequest(
        today,
        advance=arguments.get("invoice_mode") == 1,
        alt_bill_day=arguments.get("alt_bill_day"),
        force_pending=bool(arguments.get("force_pending")),
        final=bool(arguments.get("final")),
    )


class RemarkArguments(serializers.Serializer):
    reason = serializers.CharField(max_length=REMARK_LENGTH, required=False, allow_blank=True)
    client_notes = serializers.CharField(required=False, allow_blank=True, validators=[validate_client_notes])
    custom_status_label = serializers.CharField(max_length=100, required=False, allow_blank=True)


class RemarkChangeArguments(RemarkArguments):
    """An empty text clears the note or the custom status. Members that are left out stay as they are."""

    posting_status = serializers.ChoiceField(PostingStatus.choices, required=False)


class ApprovalArguments(RemarkArguments):
    """`fingerprint` is of the document that was seen. `collect` overrides the client's setting."""

    collect = TrueFalseField(required=False, allow_null=True)
    fingerprint = serializers.CharField(max_length=FINGERPRINT_LENGTH, required=False)


class ManyArguments(RemarkArguments):
    invoice_nos = ShortListField(child=LongField(no_such=NO_INVOICE), allow_empty=False, max_length=INVOICES_AT_ONCE)


class CollectArguments(serializers.Serializer):
    invoice_nos = ShortListField(child=LongField(no_such=NO_INVOICE), allow_empty=False, max_length=INVOICES_AT_ONCE)


class ManyApprovalArguments(ManyArguments):
    collect = TrueFalseField(required=False, allow_null=True)
    fingerprints = serializers.DictField(child=serializers.CharField(max_length=FINGERPRINT_LENGTH), required=False)

    def validate_fingerprints(self, seen: Mapping[str, str]) -> dict[int, str]:
        return {LongField().to_internal_value(number): text for number, text in seen.items()}


class PlainDecimalField(serializers.ReadOnlyField):
    """A rate, factor or number of units as text, without trailing zeros."""

    def to_representation(self, value: Any) -> str:
        return f"{value.normalize():f}"


class TermsSerializer(serializers.Serializer):
    """The part of a document that it has once, stored or planned."""

    class Meta:
        model = Invoice

    acct_no = serializers.ReadOnlyField(source="account_id")
    kind = serializers.ReadOnlyField()
    currency = serializers.ReadOnlyField()
    bill_date = serializers.ReadOnlyField()
    bill_day = serializers.ReadOnlyField()
    period_start = serializers.ReadOnlyField()
    period_end = serializers.ReadOnlyField()
    tax_date = serializers.ReadOnlyField()
    invoice_date = serializers.ReadOnlyField()
    payment_terms_days = serializers.ReadOnlyField()
    due_date = serializers.ReadOnlyField()
    net_amount = AmountField()
    tax_amount = AmountField()
    total_amount = AmountField()


class InvoiceSerializer(TermsSerializer):
    invoice_no = serializers.ReadOnlyField(source="id")
    status = serializers.ReadOnlyField()
    state = serializers.ChoiceField(DocumentState.choices, read_only=True)
    document_number = serializers.ReadOnlyField()
    amount_due = serializers.SerializerMethodField()
    corrects = serializers.ReadOnlyField(source="corrects_id")
    chain_root = serializers.ReadOnlyField(source="chain_root_id")
    memo = serializers.ReadOnlyField(source="memo_id")
    rb_no = serializers.IntegerField(read_only=True, allow_null=True)
    rb_status = serializers.SerializerMethodField()
    rb_flag = serializers.SerializerMethodField()
    rebill_waiting = serializers.IntegerField(read_only=True, allow_null=True)
    orig_invoice_no = serializers.SerializerMethodField()
    rb_reason_cd = serializers.SerializerMethodField()
    reason_code = serializers.ReadOnlyField()
    comments = serializers.ReadOnlyField()
    void_reason_code = serializers.ReadOnlyField()
    generated_by = serializers.ReadOnlyField()
    generated_by_name = IdentityName(source="generated_by")
    generated_at = serializers.ReadOnlyField()
    approved_by = serializers.ReadOnlyField()
    approved_by_name = IdentityName(source="approved_by")
    approved_at = serializers.ReadOnlyField()
    custom_status_label = serializers.ReadOnlyField()
    client_notes = serializers.ReadOnlyField()
    posting_status = serializers.ReadOnlyField()
    posting_user = serializers.ReadOnlyField()
    posting_at = serializers.ReadOnlyField()
    flags = serializers.SerializerMethodField()
    out_of_date = serializers.SerializerMethodField()
    missing_tax_data = serializers.SerializerMethodField()
    tax_exemption = serializers.SerializerMethodField()
    tax_exemption_reason = serializers.SerializerMethodField()

    def get_flags(self, invoice: Any) -> list[str]:
        """The reasons to review the document: all flags if it is pending, else the flags of its tax."""
        return [flag.value for flag in flags_of(invoice)]

    def get_out_of_date(self, invoice: Any) -> list[str]:
        """What changed since a pending document was generated, oldest change first. Regenerate the document to include the
        changes."""
        if Flag.OUT_OF_DATE not in flags_of(invoice):
            return []
        return [change.text for change in changes_since([invoice.pk]).get(invoice.pk, [])]

    def get_missing_tax_data(self, invoice: Any) -> str:
        """What is missing for its tax, in words."""
        return answer_on(invoice).missing

    def get_tax_exemption(self, invoice: Any) -> str:
        """Why the customer was exempt: exempt, reverse_charge, intra_community, export or not_subject. Else none."""
        return invoice.tax_exemption or answer_on(invoice).exemption

    def get_tax_exemption_reason(self, invoice: Any) -> str:
        return invoice.tax_exemption_reason or answer_on(invoice).reason

    def get_rb_status(self, invoice: Any) -> str:
        """Whether it was rebilled, in Aria's words."""
        return "True" if invoice.rb_no else "False"

    def get_rb_flag(self, invoice: Any) -> int:
        """1 for a rebill."""
        return int(invoice.kind == InvoiceKind.REBILL)

    def get_orig_invoice_no(self, invoice: Any) -> int | None:
        return invoice.corrects_id if invoice.kind == InvoiceKind.REBILL else None

    def get_rb_reason_cd(self, invoice: Any) -> int | None:
        return invoice.reason_code if invoice.kind == InvoiceKind.REBILL else None

    def get_amount_due(self, invoice: Any) -> str | None:
        """Null if nothing can be due: a credit memo, or a document that is not issued."""
        due = invoice.amount_due
        return None if due is None else f"{rounded(due, invoice.billing_currency):f}"


class PlannedTaxSerializer(serializers.Serializer):
    """Tax flags of a planned document, under the same names as for a stored one."""

    flags = serializers.SerializerMethodField()
    missing_tax_data = serializers.CharField(source="tax_answer.missing", allow_blank=True)
    tax_exemption = serializers.CharField(source="tax_answer.exemption")
    tax_exemption_reason = serializers.CharField(source="tax_answer.reason", allow_blank=True)

    def get_flags(self, plan: Any) -> list[str]:
        return [flag.value for flag in plan.tax_answer.flags]


class AgainArguments(serializers.Serializer):
    """Whether the new invoice for these periods is pending, and whether it is collected when issued."""

    force_pending = TrueFalseField(default=False)
    collect = TrueFalseField(required=False)


class WaiverArguments(serializers.Serializer):
    """Why the periods are not billed again."""

    comments = serializers.CharField(max_length=COMMENTS_LENGTH, required=False, allow_blank=True, default="")


class StatementArguments(serializers.Serializer):
    """The number of a contact of the account. Without it, the previous recipient."""

    statement_address_seq = LongField(required=False)


class BounceArguments(serializers.Serializer):
    """Why an e-mail came back, as the mail server says it."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")


class StatementSerializer(serializers.Serializer):
    class Meta:
        model = Statement

    id = serializers.ReadOnlyField()
    invoice_no = serializers.ReadOnlyField(source="invoice_id")
    copy_of = serializers.ReadOnlyField(source="copy_of_id")
    status = serializers.ReadOnlyField()
    email = serializers.ReadOnlyField()
    error_code = serializers.ReadOnlyField()
    error_msg = serializers.SerializerMethodField()
    requested_by = serializers.ReadOnlyField()
    requested_by_name = IdentityName(source="requested_by")
    requested_at = serializers.ReadOnlyField()
    settled_at = serializers.ReadOnlyField()
    tries = serializers.ReadOnlyField()
    next_try_at = serializers.ReadOnlyField()
    message_id = serializers.ReadOnlyField()
    provider_id = serializers.ReadOnlyField()

    def get_error_msg(self, statement: Any) -> str:
        return message_of(statement.error_code, statement.message)


class LineSerializer(serializers.Serializer):
    class Meta:
        model = InvoiceLine

    line_no = serializers.ReadOnlyField()
    line_type = serializers.ReadOnlyField()
    description = serializers.ReadOnlyField()
    service = serializers.ReadOnlyField(source="service_id")
    plan_instance = serializers.ReadOnlyField(source="plan_instance_id")
    plan_name = serializers.ReadOnlyField()
    gl_code = serializers.ReadOnlyField()
    tax_category = serializers.ReadOnlyField()
    units = PlainDecimalField()
    rate_per_unit = PlainDecimalField()
    unit_code = serializers.ReadOnlyField()
    price_units = PlainDecimalField()
    list_rate_per_unit = PlainDecimalField()
    rate_schedule_no = serializers.ReadOnlyField()
    tier_no = serializers.ReadOnlyField()
    tier_from = PlainDecimalField()
    tier_to = PlainDecimalField()
    percent = PlainDecimalField()
    base_amount = AmountField()
    explanation = serializers.ReadOnlyField()
    order_no = serializers.ReadOnlyField()
    coupon_code = serializers.ReadOnlyField()
    proration_factor = PlainDecimalField()
    proration_text = serializers.ReadOnlyField()
    period_total_days = serializers.ReadOnlyField()
    proration_remaining_days = serializers.ReadOnlyField()
    amount = AmountField()
    period_start = serializers.ReadOnlyField()
    period_end = serializers.ReadOnlyField()
    po_num = serializers.ReadOnlyField()
    order_line = serializers.CharField(read_only=True)
    accounting_reference = serializers.CharField(read_only=True)
    object_reference = serializers.CharField(read_only=True)
    is_return = serializers.BooleanField(read_only=True)
    source_line_no = serializers.ReadOnlyField()
    rb_excluded = serializers.BooleanField(read_only=True, allow_null=True)
    rb_line_comments = serializers.CharField(read_only=True)
    bill_from_location = serializers.ReadOnlyField(source="bill_from_location_id")
    ship_from_location = serializers.ReadOnlyField(source="ship_from_location_id")
    bill_to_contact = serializers.ReadOnlyField(source="bill_to_contact_id")
    ship_to_contact = serializers.ReadOnlyField(source="ship_to_contact_id")


class CreditDetailSerializer(serializers.Serializer):
    """The amount by which a credit line reduces a charge line."""

    class Meta:
        model = CreditDetail

    credit_line_no = serializers.ReadOnlyField()
    credited_line_no = serializers.ReadOnlyField()
    amount = AmountField()


class TaxDetailSerializer(serializers.Serializer):
    class Meta:
        model = TaxDetail

    tax_line_no = serializers.ReadOnlyField()
    taxed_line_no = serializers.ReadOnlyField()
    authority = serializers.ReadOnlyField()
    authority_level = serializers.ReadOnlyField()
    jurisdiction = serializers.ReadOnlyField()
    percent = PlainDecimalField()
    is_inclusive = serializers.ReadOnlyField()
    taxable_amount = AmountField()
    amount = AmountField()
    vat_category = serializers.ReadOnlyField()
    exemption_reason = serializers.ReadOnlyField()


class ContentSerializer(serializers.Serializer):
    """Lines, credits and taxes of a document, and the fingerprint that an approval can send."""

    seller = serializers.DictField(read_only=True)
    bill_to = serializers.DictField(read_only=True)
    lines = LineSerializer(many=True)
    credit_details = CreditDetailSerializer(many=True)
    tax_details = TaxDetailSerializer(many=True)
    fingerprint = serializers.CharField(read_only=True, allow_null=True)


def document_of(content: Document) -> dict[str, Any]:
    """Return a document's values by name. Previews and stored documents both use this, so they look the same."""
    currency = content.terms.currency
    parts = (("lines", content.lines), ("credit_details", content.credits), ("tax_details", content.taxes))
    document = {
        **columns_of(content.terms),
        **columns_of(content.parties),
        **{name: [{**columns_of(row), "currency": currency} for row in rows] for name, rows in parts},
        "fingerprint": fingerprint(content),
    }
    for line in document["lines"]:
        line["rb_line_comments"] = line["comments"]
        line["rb_excluded"] = None
    return document


def mark_excluded(document: Mapping[str, Any], excluded: Sequence[int] | None) -> None:
    """Mark each line of a rebilled invoice as excluded or kept by the rebill. Tax lines are not marked."""
    for line in document["lines"]:
        if excluded is not None and line["line_type"] != LineType.TAX:
            line["rb_excluded"] = line["line_no"] in excluded


class InTheWaySerializer(serializers.Serializer):
    type = serializers.CharField()
    number = serializers.IntegerField()
    name = serializers.CharField()


class ActionSerializer(serializers.Serializer):
    """An action on a document: whether it is possible, or why not, what blocks it, and what to do instead."""

    action = serializers.CharField(source="action.value")
    allowed = serializers.SerializerMethodField()
    error_code = ErrorCodeField(source="error")
    reason = ErrorMessageField(source="error", done="", allow_blank=True)
    in_the_way = InTheWaySerializer(allow_null=True)
    instead = serializers.CharField(allow_blank=True)

    def get_allowed(self, one: Allowed) -> bool:
        return one.error is None


class OutcomeSerializer(serializers.Serializer):
    """The result of a decision on one of several documents. `new_invoice_no` replaced it if it was regenerated. While
    `approvals_missing` other people must still approve it, it stays pending."""

    invoice_no = serializers.IntegerField()
    new_invoice_no = serializers.IntegerField(allow_null=True, read_only=True)
    acct_no = serializers.IntegerField(source="account_no", allow_null=True)
    error_code = ErrorCodeField(source="error")
    error_msg = ErrorMessageField(source="error")
    collection = CollectedSerializer(allow_null=True)
    approvals_missing = serializers.IntegerField()


def decided_row(invoice_no: int, outcome: Outcome) -> dict[str, Any]:
    """Return what OutcomeSerializer shows of the document that was asked for."""
    settled = outcome if isinstance(outcome, Settled) else None
    return {
        "invoice_no": invoice_no,
        "new_invoice_no": None if settled is None or settled.invoice_no == invoice_no else settled.invoice_no,
        "account_no": outcome.account_no,
        "error": outcome.error if isinstance(outcome, Refused) else None,
        "collection": None if settled is None else settled.collection,
        "approvals_missing": 0 if settled is None else settled.recorded.approvals_missing,
    }


class OutcomesSerializer(serializers.Serializer):
    outcomes = OutcomeSerializer(many=True)


class DocumentSerializer(InvoiceSerializer, ContentSerializer):
    """A whole document: terms, lines, taxes, its later history, and available actions."""

    collection = AttemptSerializer(allow_null=True)
    statement = StatementSerializer(allow_null=True)
    to_bill_again = serializers.ListField(
        child=serializers.CharField(),
        help_text="Periods of a voided invoice that no other invoice bills and that are not due again.",
    )
    available_actions = ActionSerializer(many=True)


class PreviewSerializer(TermsSerializer, ContentSerializer):
    """A document that would be generated."""


class TaxRateSerializer(ClientRowSerializer):
    class Meta:
        model = TaxRate
        fields = (
            "id",
            "name",
            "country",
            "region",
            "category",
            "percent",
            "vat_category",
            "exemption_reason",
            "taxed_at",
            "valid_from",
            "valid_to",
        )
