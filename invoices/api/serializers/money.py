"""Serializers of payments, credits, refunds, transactions and collection, and arguments of acts on money."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers
from rest_framework.fields import get_attribute

from accounts.api.fields import NO_ACCOUNT, NO_INVOICE, NO_REASON, IdentityName, ReceiptIdField
from accounts.api.serializers import RowSerializer
from accounts.kinds import CreditTo
from accounts.validators import validate_currency
from billing_site.common.currencies import currency_of, rounded_to
from billing_site.common.fields import DayField, DigitsField, LongField, TrueFalseField, rows_of
from billing_site.common.limits import COMMENTS_LENGTH, DOCUMENT_COMMENTS_LENGTH, LINES_AT_ONCE
from billing_site.errors import ErrorCode
from invoices.calculation import rounded
from invoices.kinds import PaymentType, ReasonType
from invoices.models import CollectionAttempt, LedgerEntry, ReasonCode
from invoices.models.collection import PROC_FIELDS
from invoices.services.correcting.credit_memos import CreditRequest
from invoices.services.documents.collection_results import Collected
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.entry_facts import EntryFacts
from invoices.services.money.ledger.history import DEFAULT_RECORDS, MOST_RECORDS, HistoryRequest, description, transaction_type

SHARES_AT_ONCE = 1000
MOST_DECIMALS_READ = 20
"""Decimals of an amount before it is rounded. Doubles have no more, and 1e-999999999 written out would fill the memory."""


class MoneyField(DigitsField):
    """A requested amount. The service, which knows the currency, checks sign and smallest unit.

    The decimals of a computed double (66.66666666666667) are kept, so that the service can round them.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=15, decimal_places=4, **options)

    def validate_precision(self, value: Decimal) -> Decimal:
        super().validate_precision(value)
        return rounded_to(value, MOST_DECIMALS_READ)

    def quantize(self, value: Decimal) -> Decimal:
        return value


class CommentsField(serializers.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": COMMENTS_LENGTH, "required": False, "allow_blank": True, "default": "", **options})


class CurrencyField(serializers.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=3, validators=[validate_currency], **options)


class AllField(TrueFalseField):
    """Requests the whole amount. Without it, a missing amount never means all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, default=False, **options)


class ShareArguments(serializers.Serializer):
    """An amount for one invoice."""

    invoice_no = LongField(no_such=NO_INVOICE)
    amount = MoneyField()


class AppliedArguments(serializers.Serializer):
    """The invoices to pay, each at most once. The remainder pays the oldest open ones."""

    invoices = rows_of(ShareArguments(), most=SHARES_AT_ONCE, required=False)

    def validate_invoices(self, shares: list[Mapping[str, Any]]) -> dict[int, Decimal]:
        chosen = {share["invoice_no"]: share["amount"] for share in shares}
        if len(chosen) != len(shares):
            raise serializers.ValidationError("An invoice appears twice. Give each invoice once.")
        return chosen


class MovedArguments(AppliedArguments):
    """The invoices that the payment is to pay, each with its amount, and the invoice that it is taken from.

    Without `from_invoice` its unapplied part is used first, then what it pays of other invoices, the newest first.
    """

    invoices = rows_of(ShareArguments(), most=SHARES_AT_ONCE, min_length=1)
    from_invoice = LongField(no_such=NO_INVOICE, required=False)


class ReasonArguments(serializers.Serializer):
    reason_code = LongField(max_digits=4)
    comments = CommentsField()


def why_of(arguments: Mapping[str, Any]) -> Why:
    return Why(arguments["reason_code"], arguments["comments"])


class VoidArguments(ReasonArguments):
    """Why a document is voided. `credit_to` says where the payments go that paid it."""

    credit_to = serializers.ChoiceField(choices=CreditTo.choices, required=False)


class PaymentArguments(AppliedArguments):
    """A payment of an account, for one invoice (`invoice_no`), for several with an amount each (`invoices`), or for the oldest.

    `currency` is what the payer meant. If it is not the account's, the payment is refused.
    """

    acct_no = LongField(no_such=NO_ACCOUNT)
    amount = MoneyField()
    currency = CurrencyField(required=False)
    invoice_no = LongField(no_such=NO_INVOICE, required=False)
    type = serializers.ChoiceField(choices=PaymentType.choices)
    reference = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    received_on = DayField(required=False)
    comments = CommentsField()

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if "invoice_no" in values and "invoices" in values:
            raise serializers.ValidationError({"invoices": "Give invoice_no or invoices, not both."})
        return values


class CashCreditArguments(AppliedArguments, ReasonArguments):
    acct_no = LongField(no_such=NO_ACCOUNT)
    amount = MoneyField()
    currency = CurrencyField(required=False)


class OffArguments(ReasonArguments):
    """A write-off or dispute of an amount, or of `all` that is due."""

    invoice_no = LongField(no_such=NO_INVOICE)
    amount = MoneyField(required=False)
    all = AllField()


class RefundArguments(ReasonArguments):
    """A refund of an amount, or of `all` that was not refunded."""

    amount = MoneyField(required=False)
    all = AllField()


class MemoLineArguments(serializers.Serializer):
    line_no = LongField()
    amount = MoneyField(required=False)


class MemoPreviewArguments(serializers.Serializer):
    """Lines, each with an amount or all that is left of it; or an amount of the whole invoice; or `all` that is left. A charge
    is credited with its tax; a line of a tax credits the tax alone.
    `credit_to` says where the payments go that the memo replaces."""

    invoice_no = LongField(no_such=NO_INVOICE)
    lines = rows_of(MemoLineArguments(), most=LINES_AT_ONCE, required=False)
    amount = MoneyField(required=False)
    all = AllField()
    credit_to = serializers.ChoiceField(choices=CreditTo.choices, required=False)

    def validate_lines(self, lines: list[Mapping[str, Any]]) -> dict[int, Decimal | None]:
        amounts = {line["line_no"]: line.get("amount") for line in lines}
        if len(amounts) != len(lines):
            raise serializers.ValidationError("A line appears twice. Give each line once.")
        return amounts


class MemoArguments(MemoPreviewArguments, ReasonArguments):
    comments = CommentsField(max_length=DOCUMENT_COMMENTS_LENGTH)


def credit_request(arguments: Mapping[str, Any]) -> CreditRequest:
    return CreditRequest(arguments.get("lines", {}), arguments.get("amount"), arguments["all"])


class VoidInvoiceArguments(serializers.Serializer):
    """Aria's void_invoice. Our addition: client_receipt_id."""

    acct_no = LongField(no_such=NO_ACCOUNT, required=False)
    invoice_no = LongField(no_such=NO_INVOICE)
    reason_code = LongField(no_such=NO_REASON)
    comments = serializers.CharField(max_length=500, required=False, default="")
    client_receipt_id = ReceiptIdField()


class TransHistoryArguments(serializers.Serializer):
    """Aria's get_acct_trans_history."""

    account_no = LongField(no_such=NO_ACCOUNT)
    transaction_type = LongField(max_digits=8, required=False)
    start_date = DayField(required=False)
    end_date = DayField(required=False)
    record_limit = LongField(max_digits=12, required=False, default=DEFAULT_RECORDS)
    offset = LongField(max_digits=12, required=False, default=0)
    include_void_transactions = TrueFalseField(required=False, default=True)

    def validate_record_limit(self, limit: int) -> int:
        if not 1 <= limit <= MOST_RECORDS:
            raise serializers.ValidationError(f"From 1 to {MOST_RECORDS}.")
        return limit

    def validate_offset(self, offset: int) -> int:
        if not 0 <= offset <= 2**31:
            raise serializers.ValidationError("From 0.")
        return offset


def history_request(arguments: Mapping[str, Any]) -> HistoryRequest:
    return HistoryRequest(
        arguments.get("transaction_type"),
        arguments.get("start_date"),
        arguments.get("end_date"),
        arguments["include_void_transactions"],
        arguments["record_limit"],
        arguments["offset"],
    )


def amount_text(amount: Decimal, currency: str) -> str:
    return f"{rounded(amount, currency_of(currency)):f}"


class AmountField(serializers.ReadOnlyField):
    """An amount as text, in the precision of its document's currency."""

    def get_attribute(self, instance: Any) -> str | None:
        amount: Decimal | None = get_attribute(instance, self.source_attrs)
        return None if amount is None else amount_text(amount, get_attribute(instance, ["currency"]))


class PlannedAmountField(serializers.ReadOnlyField):
    """An amount of a planned document as text, in the precision of the currency in `context`."""

    def to_representation(self, amount: Decimal) -> str:
        return amount_text(amount, self.context["currency"])


def aria_history_row(entry: LedgerEntry, facts: EntryFacts) -> dict[str, Any]:
    """Return a transaction under Aria's names, with amounts as numbers. Our addition: `running_balance`, the balance after
    it."""
    voided = getattr(entry, "voided_by", None)
    currency = entry.account.currency
    return {
        "transaction_id": entry.pk,
        "transaction_type": transaction_type(entry),
        "transaction_desc": description(entry),
        "transaction_amount": float(rounded(entry.amount, currency_of(currency))),
        "transaction_applied_amount": float(rounded(facts.applied, currency_of(currency))),
        "transaction_currency": currency,
        "transaction_create_date": str(entry.entry_date),
        "transaction_void_date": str(voided.entry_date) if voided else None,
        "statement_no": None,
        "transaction_void_reason": str(voided.reason_code) if voided else None,
        "client_receipt_id": facts.receipt_id or None,
        "transaction_comments": entry.comments or None,
        "transaction_source_id": entry.voids_id or entry.invoice_id,
        "transaction_ref_code": entry.payment.reference or None if hasattr(entry, "payment") else None,
        "credit_reason_code_description": facts.reason or None,
        "csr_comments": (entry.comments or None) if facts.reason else None,
        "seq_statement_id": document_number(entry),
        "invoice_no": entry.invoice_id,
        "running_balance": float(rounded(entry.balance_after, currency_of(currency))),
    }


def document_number(entry: LedgerEntry) -> str | None:
    """Return the printed number of the transaction's document, if it has one."""
    return (entry.invoice.document_number or None) if entry.invoice is not None else None


class EntryAmountField(serializers.ReadOnlyField):
    """An amount of a transaction as text, in the precision of the account's currency."""

    def get_attribute(self, instance: LedgerEntry) -> str:
        return amount_text(get_attribute(instance, self.source_attrs), instance.account.currency)


class TransactionSerializer(serializers.Serializer):
    """A ledger entry. A positive amount raises what the account owes."""

    class Meta:
        model = LedgerEntry

    transaction_id = serializers.ReadOnlyField(source="id")
    acct_no = serializers.ReadOnlyField(source="account_id")
    entry_no = serializers.ReadOnlyField()
    kind = serializers.ReadOnlyField()
    transaction_type = serializers.SerializerMethodField()
    description = serializers.SerializerMethodField()
    currency = serializers.ReadOnlyField(source="account.currency")
    amount = EntryAmountField()
    balance_after = EntryAmountField()
    invoice_no = serializers.ReadOnlyField(source="invoice_id")
    voids = serializers.ReadOnlyField(source="voids_id")
    voided_by = serializers.SerializerMethodField()
    entry_date = serializers.ReadOnlyField()
    reason_code = serializers.ReadOnlyField()
    comments = serializers.ReadOnlyField()
    created_by = serializers.ReadOnlyField()
    created_by_name = IdentityName(source="created_by")
    created_at = serializers.ReadOnlyField()

    def get_transaction_type(self, entry: LedgerEntry) -> int:
        return transaction_type(entry)

    def get_description(self, entry: LedgerEntry) -> str:
        return description(entry)

    def get_voided_by(self, entry: LedgerEntry) -> int | None:
        voided = getattr(entry, "voided_by", None)
        return voided.pk if voided else None


class CreditSerializer(TransactionSerializer):
    """A payment or credit with its unapplied amount, and what it was applied to."""

    unapplied = serializers.SerializerMethodField()
    applied = serializers.SerializerMethodField()

    def get_unapplied(self, entry: Any) -> str:
        return amount_text(-entry.amount - entry.taken, entry.account.currency)

    def get_applied(self, entry: LedgerEntry) -> list[dict[str, Any]]:
        sums: dict[int, Decimal] = {}
        for part in entry.taken_by.all():
            if part.debit.invoice_id is not None:
                sums[part.debit.invoice_id] = sums.get(part.debit.invoice_id, Decimal(0)) + part.amount
        currency = entry.account.currency
        return [{"invoice_no": number, "amount": amount_text(amount, currency)} for number, amount in sums.items() if amount]


class PaymentSerializer(CreditSerializer):
    type = serializers.ReadOnlyField(source="payment.type")
    reference = serializers.ReadOnlyField(source="payment.reference")
    gateway = serializers.ReadOnlyField(source="payment.gateway")
    gateway_payment_id = serializers.ReadOnlyField(source="payment.gateway_payment_id")


class RefundSerializer(TransactionSerializer):
    payment = serializers.ReadOnlyField(source="refund.payment_id")
    status = serializers.ReadOnlyField(source="refund.status")
    gateway_refund_id = serializers.ReadOnlyField(source="refund.gateway_refund_id")
    proc_status_code = serializers.ReadOnlyField(source="refund.proc_status_code")
    proc_status_text = serializers.ReadOnlyField(source="refund.proc_status_text")


class AttemptSerializer(serializers.ModelSerializer):
    """A collection attempt, without the token and key that were sent to the gateway."""

    invoice_no = serializers.ReadOnlyField(source="invoice_id")
    payment = serializers.ReadOnlyField(source="payment_id")
    amount = serializers.SerializerMethodField()
    requested_by_name = IdentityName(source="requested_by")

    class Meta:
        model = CollectionAttempt
        fields = (
            "id",
            "invoice_no",
            "attempt_no",
            "status",
            "amount",
            "currency",
            "gateway",
            "payment",
            "error_code",
            "message",
            *PROC_FIELDS,
            "requested_by",
            "requested_by_name",
            "requested_at",
            "started_at",
            "settled_at",
        )

    def get_amount(self, attempt: CollectionAttempt) -> str | None:
        return None if attempt.amount is None else amount_text(attempt.amount, attempt.currency)


class CollectedSerializer(serializers.Serializer):
    """The result of collecting an invoice. "Nothing due" and "below the threshold" are successes; the message says so."""

    invoice_no = serializers.IntegerField()
    acct_no = serializers.IntegerField(source="account_no", allow_null=True)
    result = serializers.CharField(source="result.value")
    error_code = serializers.IntegerField()
    error_msg = serializers.SerializerMethodField()
    attempt = AttemptSerializer(allow_null=True)

    def get_error_msg(self, one: Collected) -> str:
        return one.message or ErrorCode.OK.message


class CollectedOutcomesSerializer(serializers.Serializer):
    outcomes = CollectedSerializer(many=True)


class LineCreditSerializer(serializers.Serializer):
    line_no = serializers.IntegerField()
    amount = PlannedAmountField()


class TaxCreditSerializer(LineCreditSerializer):
    tax_line_no = serializers.IntegerField()


class LeftSerializer(serializers.Serializer):
    line_no = serializers.IntegerField()
    max_credit_amount = PlannedAmountField(source="left")


class FreedMoneySerializer(serializers.Serializer):
    """Where the payments go that a memo replaces. `freed` is their sum."""

    credit_to = serializers.CharField()
    freed = PlannedAmountField()
    to_other_invoices = PlannedAmountField()
    left_as_credit = PlannedAmountField()
    refunded = PlannedAmountField()


class MemoPreviewSerializer(serializers.Serializer):
    """What a memo would credit, as positive amounts, and what remains of each line. `context` has the currency."""

    invoice_no = serializers.IntegerField()
    currency = serializers.CharField()
    lines = LineCreditSerializer(source="memo.lines", many=True)
    taxes = TaxCreditSerializer(source="memo.taxes", many=True)
    net_amount = PlannedAmountField(source="memo.net_amount")
    tax_amount = PlannedAmountField(source="memo.tax_amount")
    total_amount = PlannedAmountField(source="memo.total_amount")
    money = FreedMoneySerializer()
    left = LeftSerializer(many=True)


class ReasonCodeSerializer(RowSerializer):
    """`is_own` is true for the client's own reasons, false for reasons that all clients have."""

    type = serializers.ChoiceField(choices=ReasonType.choices)
    code = LongField(max_digits=4)
    is_active = TrueFalseField(required=False, default=True)
    is_own = serializers.SerializerMethodField()

    class Meta:
        model = ReasonCode
        fields = ("id", "type", "code", "name", "is_active", "is_own")

    def get_is_own(self, reason: ReasonCode) -> bool:
        return reason.client_id is not None

    def create(self, validated_data: Mapping[str, Any]) -> Any:
        return super().create({**validated_data, "client": self.context["request"].auth.client})
