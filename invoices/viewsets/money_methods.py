"""Aria's method calls of money: collecting, payments from outside, what has paid an invoice, transactions, reasons."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from accounts.clock import today
from accounts.method_calls import Call, method_call, never
from accounts.models import Account, Receipt
from accounts.rights import COLLECT, ROW_RIGHTS
from accounts.services import find_account_no
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import ZERO, asked_amount
from invoices.kinds import PaymentType
from invoices.models import Invoice, LedgerEntry
from invoices.serializers.aria_arguments import (
    CollectFromAccountArguments,
    CollectFromAccountMArguments,
    ExternalPaymentArguments,
    InvoiceDetailsArguments,
    InvoiceOfAccountArguments,
    NewReasonCodeArguments,
    ReasonCodesArguments,
    TransHistoryMArguments,
)
from invoices.serializers.aria_documents import PROC_FIELDS, number, proc_fields
from invoices.serializers.money import TransHistoryArguments, aria_history_row, history_request
from invoices.services.collecting.collecting import begun_together, collect_invoices, collected_before
from invoices.services.collecting.outcomes import Collected
from invoices.services.invoice_history import document_of_account, document_of_transaction, payments_on_invoice
from invoices.services.ledger.history import description, transaction_history, transaction_type
from invoices.services.ledger.open_items import open_charges
from invoices.services.ledger.payments import record_external_payment
from invoices.services.reasons import add_reason, reasons_of

COLLECTED = ("transaction_id", *PROC_FIELDS)


class CollectingMethods:
    @method_call(
        CollectFromAccountArguments,
        outputs=COLLECTED,
        refused_act="collection.refused",
        right=COLLECT,
        again=lambda view, call, receipt: _collected_before(call, receipt),
    )
    def collect_from_account(self, call: Call) -> Mapping[str, Any]:
        return _collect(call, find_account_no(call.client, call.arguments["account_no"]))

    @method_call(
        CollectFromAccountMArguments,
        outputs=COLLECTED,
        refused_act="collection.refused",
        right=COLLECT,
        again=lambda view, call, receipt: _collected_before(call, receipt),
    )
    def collect_from_account_m(self, call: Call) -> Mapping[str, Any]:
        return _collect(call, _account_no(call))


class PaymentMethods:
    @method_call(
        ExternalPaymentArguments,
        outputs=("transaction_id",),
        refused_act="money.refused",
        right=COLLECT,
        again=lambda view, call, receipt: {"transaction_id": receipt.row_no},
    )
    def record_external_payment(self, call: Call) -> Mapping[str, Any]:
        return _pay(call)

    @method_call(
        ExternalPaymentArguments,
        outputs=("transaction_id",),
        refused_act="money.refused",
        right=COLLECT,
        again=lambda view, call, receipt: {"transaction_id": receipt.row_no},
    )
    def record_external_payment_m(self, call: Call) -> Mapping[str, Any]:
        return _pay(call)

    @method_call(InvoiceDetailsArguments, outputs=("invoice_payments",), refused_act="details.refused", writes=never)
    def get_payments_on_invoice(self, call: Call) -> Mapping[str, Any]:
        return _payments(document_of_transaction(call.client, _account_no(call), call.arguments["src_transaction_id"]))

    @method_call(InvoiceOfAccountArguments, outputs=("invoice_payments",), refused_act="details.refused", writes=never)
    def get_payments_on_invoice_m(self, call: Call) -> Mapping[str, Any]:
        return _payments(document_of_account(call.client, _account_no(call), call.arguments["invoice_no"]))


class TransactionMethods:
    @method_call(TransHistoryArguments, outputs=("history",), refused_act="history.refused", writes=never)
    def get_acct_trans_history(self, call: Call) -> Mapping[str, Any]:
        return _transactions(call, call.arguments["account_no"])

    @method_call(TransHistoryMArguments, outputs=("history",), refused_act="history.refused", writes=never)
    def get_acct_trans_history_m(self, call: Call) -> Mapping[str, Any]:
        return _transactions(call, _account_no(call))


class ReasonMethods:
    @method_call(ReasonCodesArguments, outputs=("reason_codes",), refused_act="reason.refused", writes=never)
    def get_reason_code_m(self, call: Call) -> Mapping[str, Any]:
        asked = call.arguments
        rows = reasons_of(call.client, asked.get("reason_code_type"), asked.get("reason_code"))
        return {
            "reason_codes": [
                {
                    "reason_code_type": row.type,
                    "reason_code": row.code,
                    "reason_code_name": row.name,
                    "is_active": int(row.is_active),
                    "is_own": int(row.client_id is not None),
                }
                for row in rows
            ]
        }

    @method_call(
        NewReasonCodeArguments,
        outputs=("reason_code",),
        refused_act="reason.refused",
        right=ROW_RIGHTS["add", "invoices.reasoncode"],
        again=lambda view, call, receipt: {"reason_code": call.arguments["reason_code"]},
    )
    def create_reason_code_m(self, call: Call) -> Mapping[str, Any]:
        asked = call.arguments
        type, code, name = asked["reason_code_type"], asked["reason_code"], asked["reason_code_name"]
        reason = add_reason(client=call.client, caller=call.caller, type=type, code=code, name=name)
        return {"reason_code": reason.code}


def _account_no(call: Call) -> int:
    return find_account_no(call.client, call.arguments.get("acct_no"), call.arguments.get("client_acct_id"))


def _collect(call: Call, account_no: int) -> Mapping[str, Any]:
    """Collects all that is due of the account, invoice by invoice, the oldest first. What fails first is the call's failure."""
    charges = open_charges([account_no]).get(account_no, [])
    due = sum((charge.due for charge in charges), ZERO)
    currency = Account.objects.values_list("currency", flat=True).get(pk=account_no)
    _check_amount(call.arguments.get("amount_to_collect"), due, currency)
    numbers = [charge.invoice_no for charge in charges]
    outcomes = collect_invoices(client=call.client, invoice_nos=numbers, caller=call.caller, today=today(call.client))
    return _told(sorted(outcomes, key=lambda one: one.invoice_no))


def _check_amount(asked: Decimal | None, due: Decimal, currency: str) -> None:
    if asked is not None and asked_amount(asked, currency) != due:
        detail = f"amount_to_collect: {due.normalize():f} is due, and is collected whole"
        raise BillingError(ErrorCode.ABOVE_WHAT_IS_OPEN, detail, field="amount_to_collect")


def _collected_before(call: Call, receipt: Receipt) -> Mapping[str, Any]:
    numbers = begun_together(receipt.invoice_no or 0, receipt.created_at)
    return _told(collected_before(call.client, numbers, call.caller, today(call.client)))


def _told(outcomes: Sequence[Collected]) -> Mapping[str, Any]:
    for one in outcomes:
        if one.error is not None:
            raise one.error
    attempts = [one.attempt for one in outcomes if one.attempt is not None]
    return {"transaction_id": attempts[0].payment_id, **proc_fields(attempts[0])} if attempts else {}


def _pay(call: Call) -> Mapping[str, Any]:
    """Ours: a payment from outside is of the type OTHER; chosen invoices are paid up to what is due on each."""
    asked = call.arguments
    account_no = _account_no(call)
    payment = record_external_payment(
        client=call.client,
        account_no=account_no,
        caller=call.caller,
        today=today(call.client),
        amount=asked["payment_amount"],
        type=PaymentType.OTHER,
        received_on=asked.get("payment_received_date"),
        reference=asked["reference_code"],
        comments=asked["comments"],
        invoices=_chosen(account_no, asked.get("invoice_no", []), asked["payment_amount"]),
    )
    return {"transaction_id": payment.pk}


def _chosen(account_no: int, invoice_nos: Sequence[int], amount: Decimal) -> dict[int, Decimal]:
    """What each of the named invoices is paid of an amount, in their order."""
    due = {charge.invoice_no: charge.due for charge in open_charges([account_no]).get(account_no, [])}
    chosen: dict[int, Decimal] = {}
    for invoice_no in invoice_nos:
        if invoice_no not in due:
            raise BillingError(
                ErrorCode.INVOICE_NOT_FOUND, f"invoice_no {invoice_no}, nothing is due on it", field="invoice_no"
            )
        chosen[invoice_no] = min(due[invoice_no], amount - sum(chosen.values(), ZERO))
    return {invoice_no: part for invoice_no, part in chosen.items() if part > ZERO}


def _payments(invoice: Invoice) -> Mapping[str, Any]:
    return {"invoice_payments": [_payment_row(entry, amount) for entry, amount in payments_on_invoice(invoice)]}


def _payment_row(entry: LedgerEntry, applied: Decimal) -> dict[str, Any]:
    payment = getattr(entry, "payment", None)
    return {
        "transaction_id": entry.pk,
        "transaction_type": transaction_type(entry),
        "description": description(entry),
        "amount": number(-entry.amount, entry.account.currency),
        "applied_amount": number(applied, entry.account.currency),
        "currency_code": entry.account.currency,
        "transaction_date": str(entry.entry_date),
        "is_voided": "true" if entry.is_voided else "false",
        "statement_no": None,
        "payment_type": payment.get_type_display() if payment else None,
        "payment_src_description": (payment.reference or payment.gateway or None) if payment else None,
        "payment_src_suffix": None,
        "client_receipt_id": None,
    }


def _transactions(call: Call, account_no: int) -> Mapping[str, Any]:
    request = history_request(call.arguments)
    entries = transaction_history(client=call.client, account_no=account_no, request=request)
    return {"history": [aria_history_row(entry) for entry in entries]}
