"""Aria's method calls that give money back, write it off, void transactions, and change remarks of invoices."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.api.fields import NO_ACCOUNT, NO_INVOICE, NO_REASON, NO_TRANSACTION, ReceiptIdField
from accounts.api.serializers import AccountArguments
from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import today
from accounts.rights import APPROVE, CORRECT
from accounts.staff import name_of, names_of
from billing_site.common.fields import FlagField, GivenSerializer, LongField, TrueFalseField, rows_of
from billing_site.common.limits import COMMENTS_LENGTH
from billing_site.errors import BillingError, ErrorCode
from invoices.api.account_scope import account_no_of
from invoices.api.serializers.documents import validate_client_notes
from invoices.api.serializers.money import SHARES_AT_ONCE, MoneyField
from invoices.aria.arguments import PlanScope
from invoices.aria.documents import number
from invoices.aria.unsupported import ANOTHER_PAYMENT_METHOD
from invoices.calculation import ZERO
from invoices.kinds import EntryKind, PaymentType, PostingStatus, RefundStatus
from invoices.models import LedgerEntry, Refund
from invoices.services.correcting.remarks import change_remarks
from invoices.services.correcting.write_offs import write_off
from invoices.services.lists.invoice_history import MOST_INVOICES, applied_to, document_of_account, document_of_transaction
from invoices.services.money.ledger.acts import Why, account_currency, check_entry_of
from invoices.services.money.ledger.entry_facts import facts_of
from invoices.services.money.ledger.history import description, transaction_type, with_voids
from invoices.services.money.ledger.payments import add_cash_credit
from invoices.services.money.ledger.refunds import preview_refund, refund_payment, refundable_payments, refunds_of
from invoices.services.money.ledger.voids import void_transaction

CLEARED = "~"
"""What Aria's clients send to clear a text."""

EXTERNAL_PAYMENT = -1
PAY_METHOD_IDS = {PaymentType.CARD.value: 1, PaymentType.ELECTRONIC_CHECK.value: 2, PaymentType.BANK_TRANSFER.value: 26}
"""Aria's numbers of the ways to pay. Any other payment was received outside a gateway."""

CREDIT_NAMES = {"amount": "credit_amount", "reason_code": "credit_reason_cd", "invoices": "specific_invoices"}
REFUND_NAMES = {"amount": "total_refund_amount", "transaction_id": "payment_transaction_id"}
"""Aria's field names, by ours."""

CREDITED = ("credit_no", "created_by", "created_date", "amount", "reason_code", "reason_text", "applied_cash_credits")
REFUNDED = (
    "applied_total_refund_amount",
    "applied_total_reversal_amount",
    "reversed_invoice_transactions",
    "out_transaction_id_2",
)


class CommentsField(serializers.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": COMMENTS_LENGTH, "required": False, "default": "", **options})


class WriteOffArguments(AccountArguments):
    """create_writeoff_or_dispute_m: all that is open on an invoice. Our addition: `amount`, a part of it."""

    invoice_no = LongField(no_such=NO_INVOICE)
    reason_code = LongField(no_such=NO_REASON)
    comments = serializers.CharField(max_length=COMMENTS_LENGTH)
    do_dispute = FlagField(required=False, default=False)
    amount = MoneyField(required=False)
    client_receipt_id = ReceiptIdField()

    unsupported = ("writeoff_date",)


class CreditedInvoiceRow(GivenSerializer):
    invoice_no = LongField(no_such=NO_INVOICE)
    invoice_credit_amount = MoneyField()


class CashCreditArguments(AccountArguments):
    """apply_cash_credit, of the named invoices or of the oldest open ones. Our addition: client_receipt_id."""

    credit_amount = MoneyField(required=False)
    credit_reason_cd = LongField(no_such=NO_REASON)
    comments = CommentsField()
    specific_invoices = rows_of(CreditedInvoiceRow(), most=SHARES_AT_ONCE, required=False)
    client_receipt_id = ReceiptIdField()

    unsupported = ("specific_transactions",)

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        rows = values.get("specific_invoices", [])
        shares = {row["invoice_no"]: row["invoice_credit_amount"] for row in rows}
        if len(shares) != len(rows):
            raise serializers.ValidationError({"specific_invoices": "An invoice appears twice. Give each invoice once."})
        if not shares and "credit_amount" not in values:
            raise serializers.ValidationError({"credit_amount": "Give credit_amount or specific_invoices."}, code="required")
        amount = values.get("credit_amount", sum(shares.values(), ZERO))
        return {**values, "credit_amount": amount, "specific_invoices": shares}


class RefundArguments(AccountArguments):
    """issue_refund_to_acct: an amount of a payment, or with `auto_calc_refund` all that is left of it."""

    payment_transaction_id = LongField(no_such=NO_TRANSACTION)
    total_refund_amount = MoneyField(required=False)
    auto_calc_refund = TrueFalseField(required=False, default=False)
    refund_check_number = serializers.CharField(max_length=40, required=False)
    reason_code = LongField(no_such=NO_REASON)
    comments = CommentsField()
    do_write = TrueFalseField(required=False, default=True)
    client_receipt_id = ReceiptIdField()

    unsupported = (
        *ANOTHER_PAYMENT_METHOD,
        "invoice_trans_to_reverse",
        "is_unlinked_refund",
        "soft_descriptor",
        "soft_descriptor_customer_service",
    )


class RefundableArguments(PlanScope):
    """get_refundable_payments_m. The sum of unapplied payments is always there."""

    without_effect = ("include_unapplied_payments",)


class RefundDetailsArguments(AccountArguments):
    """get_refund_details."""

    include_voided = TrueFalseField(required=False, default=False)

    unsupported = ("aria_event_no",)


class VoidTransactionArguments(AccountArguments):
    """void_transaction."""

    account_no = LongField(no_such=NO_ACCOUNT, required=False)
    transaction_id = LongField(no_such=NO_TRANSACTION)
    reason_code = LongField(no_such=NO_REASON)
    comments = serializers.CharField(max_length=COMMENTS_LENGTH)
    client_receipt_id = ReceiptIdField()

    unsupported = ("discard_invoice_usage",)


class UpdateInvoiceArguments(AccountArguments):
    """update_acct_invoice_m: the note, custom status and posting status of a document. A value of ~ clears a
    text. Posting status 1 is posted, 0 is not posted."""

    src_transaction_id = LongField(no_such=NO_INVOICE)
    custom_status_label = serializers.CharField(max_length=100, required=False)
    client_notes = serializers.CharField(required=False, validators=[validate_client_notes])
    posting_status_cd = FlagField(required=False)
    client_receipt_id = ReceiptIdField()


class WriteOffMethods:
    @method_call(
        WriteOffArguments,
        outputs=("writeoff_transactions",),
        refused_act="money.refused",
        right=CORRECT,
        resume=lambda call, receipt: receipt.row_no,
        answer=lambda call, number: {"writeoff_transactions": _off_rows([number])},
    )
    def create_writeoff_or_dispute_m(self, call: Call) -> int:
        arguments = call.arguments
        invoice_no = document_of_account(call.client, account_no_of(call), arguments["invoice_no"]).pk
        entry = write_off(
            client=call.client,
            invoice_no=invoice_no,
            caller=call.caller,
            today=today(call.client),
            why=Why(arguments["reason_code"], arguments["comments"]),
            amount=arguments.get("amount"),
            everything="amount" not in arguments,
            kind=EntryKind.DISPUTE if arguments["do_dispute"] else EntryKind.WRITE_OFF,
        )
        return int(entry.pk)

    @method_call(AccountArguments, outputs=("writeoff_dispute_details",), refused_act="details.refused", writes=never)
    def get_acct_writeoff_or_disputes_m(self, call: Call) -> Mapping[str, Any]:
        """Those that are not voided, the newest first, at most 999."""
        kinds = (EntryKind.WRITE_OFF, EntryKind.DISPUTE)
        entries = LedgerEntry.objects.filter(account=account_no_of(call), kind__in=kinds, voided_by=None)
        return {
            "writeoff_dispute_details": _off_rows(list(entries.order_by("-pk").values_list("pk", flat=True)[:MOST_INVOICES]))
        }


_credits_cash = method_call(
    CashCreditArguments,
    outputs=CREDITED,
    names=CREDIT_NAMES,
    refused_act="money.refused",
    right=CORRECT,
    resume=lambda call, receipt: receipt.row_no,
    answer=lambda call, number: _credited(call, number),
)


class CashCreditMethods:
    @_credits_cash
    def apply_cash_credit(self, call: Call) -> int:
        return _credit(call)

    @_credits_cash
    def apply_cash_credit_m(self, call: Call) -> int:
        return _credit(call)


_refunds = method_call(
    RefundArguments,
    outputs=REFUNDED,
    names=REFUND_NAMES,
    refused_act="money.refused",
    right=CORRECT,
    writes=lambda arguments: arguments["do_write"],
    resume=lambda call, receipt: receipt.row_no,
    answer=lambda call, number: _refunded(call, number),
)

_shows_refunds = method_call(RefundDetailsArguments, outputs=("refund_details",), refused_act="details.refused", writes=never)


class RefundMethods:
    @_refunds
    def issue_refund_to_acct(self, call: Call) -> int | None:
        return _refund(call)

    @_refunds
    def issue_refund_to_acct_m(self, call: Call) -> int | None:
        return _refund(call)

    @_shows_refunds
    def get_refund_details(self, call: Call) -> Mapping[str, Any]:
        return _refund_details(call)

    @_shows_refunds
    def get_refund_details_m(self, call: Call) -> Mapping[str, Any]:
        return _refund_details(call)

    @method_call(
        RefundableArguments,
        outputs=("refundable_payments", "unapplied_payment_summary"),
        refused_act="details.refused",
        writes=never,
    )
    def get_refundable_payments_m(self, call: Call) -> Mapping[str, Any]:
        account_no = account_no_of(call)
        payments, currency = refundable_payments(account_no), account_currency(account_no)
        unapplied = sum((one.unapplied for one in payments), ZERO)
        rows = [
            {
                "payment_transaction_id": one.entry.pk,
                "payment_date": str(one.entry.entry_date),
                "payment_description": description(one.entry),
                "payment_amount": number(-one.entry.amount, currency),
                "payment_refunded_amount": number(one.refunded, currency),
                "payment_refundable_amount": number(-one.entry.amount - one.refunded, currency),
            }
            for one in payments
        ]
        return {"refundable_payments": rows, "unapplied_payment_summary": number(unapplied, currency)}


_voids = method_call(
    VoidTransactionArguments,
    outputs=("new_transaction_id",),
    refused_act="money.refused",
    right=CORRECT,
    resume=lambda call, receipt: receipt.row_no,
    answer=lambda call, number: {"new_transaction_id": number},
)


class VoidTransactionMethods:
    @_voids
    def void_transaction(self, call: Call) -> int:
        return _void(call)

    @_voids
    def void_transaction_m(self, call: Call) -> int:
        return _void(call)


_remarks = method_call(
    UpdateInvoiceArguments,
    outputs=(),
    names={"posting_status": "posting_status_cd", "invoice_no": "src_transaction_id"},
    refused_act="invoice.remark_refused",
    right=APPROVE,
    answer=lambda call, nothing: {},
)


class RemarkMethods:
    @_remarks
    def update_acct_invoice(self, call: Call) -> None:
        _remark(call)

    @_remarks
    def update_acct_invoice_m(self, call: Call) -> None:
        _remark(call)


def _off_rows(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return write-offs and disputes. A dispute has no end of its own: voiding it makes the amount due again."""
    entries = LedgerEntry.objects.select_related("account", "invoice").in_bulk(numbers)
    return [_off_row(entries[one]) for one in numbers]


def _off_row(entry: LedgerEntry) -> dict[str, Any]:
    assert entry.invoice is not None, "a write-off names its invoice"
    is_dispute, currency = entry.kind == EntryKind.DISPUTE, entry.account.currency
    return {
        "writeoff_transaction_id": entry.pk,
        "invoice_no": entry.invoice_id,
        "original_amount": number(entry.invoice.total_amount, currency),
        "amount": number(-entry.amount, currency),
        "date": str(entry.entry_date),
        "writeoff_reasoncode": entry.reason_code,
        "dispute_creation_date": str(entry.entry_date) if is_dispute else None,
        "dispute_ind": int(is_dispute),
        "can_unsettle": "false",
    }


def _credit(call: Call) -> int:
    arguments = call.arguments
    entry = add_cash_credit(
        client=call.client,
        account_no=account_no_of(call),
        caller=call.caller,
        today=today(call.client),
        amount=arguments["credit_amount"],
        why=Why(arguments["credit_reason_cd"], arguments["comments"]),
        invoices=arguments["specific_invoices"] or None,
    )
    return int(entry.pk)


def _credited(call: Call, number_of: int) -> Mapping[str, Any]:
    entry = with_voids(LedgerEntry.objects.all()).get(pk=number_of)
    currency = entry.account.currency
    return {
        "credit_no": entry.pk,
        "created_by": name_of(entry.created_by),
        "created_date": str(entry.entry_date),
        "amount": number(-entry.amount, currency),
        "reason_code": entry.reason_code,
        "reason_text": facts_of(call.client, [entry])[entry.pk].reason or None,
        "applied_cash_credits": [
            {
                "transaction_type": transaction_type(charge),
                "transaction_name": description(charge),
                "applied_transaction_id": charge.pk,
                "applied_amount": number(amount, currency),
            }
            for charge, amount in applied_to(entry.pk)
        ],
    }


def _refund(call: Call) -> int | None:
    """Refund, and return the transaction. None if the call asks for a preview only."""
    arguments = call.arguments
    transaction_id = check_entry_of(account_no_of(call), arguments["payment_transaction_id"], "payment_transaction_id")
    if not arguments["do_write"]:
        return None
    check = arguments.get("refund_check_number")
    comments = " ".join(filter(None, (f"Check {check}." if check else "", arguments["comments"])))
    refund = refund_payment(
        client=call.client,
        transaction_id=transaction_id,
        caller=call.caller,
        today=today(call.client),
        why=Why(arguments["reason_code"], comments),
        amount=arguments.get("total_refund_amount"),
        everything=arguments["auto_calc_refund"],
    )
    return int(refund.pk)


def _refunded(call: Call, number_of: int | None) -> Mapping[str, Any]:
    """Return the output fields of a refund. Refuses (90027) one that the gateway has refused."""
    arguments = call.arguments
    if number_of is None:
        preview = preview_refund(
            client=call.client,
            transaction_id=arguments["payment_transaction_id"],
            amount=arguments.get("total_refund_amount"),
            everything=arguments["auto_calc_refund"],
        )
        return _refund_fields(None, preview.amount)
    refund = Refund.objects.select_related("entry").get(pk=number_of)
    if refund.status == RefundStatus.FAILED:
        raise BillingError(ErrorCode.REFUND_REFUSED, refund.proc_status_text)
    return _refund_fields(refund.pk, refund.entry.amount)


def _refund_fields(transaction_id: int | None, amount: Decimal) -> dict[str, Any]:
    """No invoice lines are reversed (ours): a charge is credited by a memo, which frees the payment."""
    return {
        "applied_total_refund_amount": float(amount),
        "applied_total_reversal_amount": 0.0,
        "out_transaction_id_2": transaction_id,
    }


def _refund_details(call: Call) -> Mapping[str, Any]:
    """Return the refunds, the newest first, at most 999. Without voided ones, unless the call asks for them."""
    account_no = account_no_of(call)
    refunds = refunds_of(account_no, with_voided=call.arguments["include_voided"])
    entries = [refund.entry for refund in refunds]
    facts, names = facts_of(call.client, entries), names_of({entry.created_by for entry in entries})
    currency = account_currency(account_no)
    return {
        "refund_details": [
            _refund_row(refund, currency, names[refund.entry.created_by], facts[refund.pk].reason) for refund in refunds
        ]
    }


def _refund_row(refund: Refund, currency: str, user: str, reason: str) -> dict[str, Any]:
    entry, payment = refund.entry, refund.payment
    return {
        "refund_transaction_id": refund.pk,
        "refund_transaction_id_2": refund.pk,
        "refund_amount": number(entry.amount, currency),
        "create_date": str(entry.entry_date),
        "create_user": user,
        "reason_code": entry.reason_code,
        "reason_label": reason or None,
        "reason_description": entry.comments or None,
        "ref_payment_transaction_id": payment.pk,
        "ref_payment_transaction_type": transaction_type(payment.entry),
        "ref_payment_transaction_desc": description(payment.entry),
        "ref_payment_amount": number(-payment.entry.amount, currency),
        "ref_payment_ref_code": payment.reference or None,
        "bill_seq_no": payment.payment_method_id,
        "pay_method_id": PAY_METHOD_IDS.get(str(payment.type), EXTERNAL_PAYMENT),
        "pay_method_name": str(payment.get_type_display()),
        "is_voided_ind": int(entry.is_voided),
    }


def _void(call: Call) -> int:
    arguments = call.arguments
    void = void_transaction(
        client=call.client,
        transaction_id=check_entry_of(account_no_of(call), arguments["transaction_id"], "transaction_id"),
        caller=call.caller,
        today=today(call.client),
        reason_code=arguments["reason_code"],
        comments=arguments["comments"],
    )
    return int(void.pk)


def _remark(call: Call) -> None:
    arguments = call.arguments
    invoice = document_of_transaction(call.client, account_no_of(call), arguments["src_transaction_id"])
    texts = {name: arguments[name] for name in ("client_notes", "custom_status_label") if name in arguments}
    changes = {name: "" if text == CLEARED else text for name, text in texts.items()}
    if "posting_status_cd" in arguments:
        posted = arguments["posting_status_cd"]
        changes["posting_status"] = PostingStatus.POSTED if posted else PostingStatus.UNPOSTED
    change_remarks(client=call.client, invoice_no=invoice.pk, caller=call.caller, changes=changes)
