"""Aria's method calls for money: collection, external payments, payments on an invoice, transactions, reasons."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import today
from accounts.models import Receipt
from accounts.rights import COLLECT, ROW_RIGHTS
from billing_site.errors import BillingError
from invoices.api.account_scope import account_no_of
from invoices.api.serializers.money import TransHistoryArguments, aria_history_row, document_number, history_request
from invoices.aria.arguments import (
    CollectFromAccountArguments,
    CollectFromAccountMArguments,
    ExternalPaymentArguments,
    InvoiceDetailsArguments,
    InvoiceOfAccountArguments,
    NewReasonCodeArguments,
    ReasonCodesArguments,
    TransHistoryMArguments,
)
from invoices.aria.documents import collection_error, number, proc_fields
from invoices.kinds import PaymentType
from invoices.models import Invoice, LedgerEntry
from invoices.models.collection import PROC_FIELDS
from invoices.services.collecting.collecting import collect_account, finish_collecting
from invoices.services.documents.collection_results import Collected
from invoices.services.documents.reasons import add_reason, reasons_of
from invoices.services.lists.invoice_history import document_of_account, document_of_transaction, payments_on_invoice
from invoices.services.money.ledger.entry_facts import EntryFacts, facts_of
from invoices.services.money.ledger.history import description, transaction_history, transaction_type
from invoices.services.money.ledger.open_items import invoices_of_charges
from invoices.services.money.ledger.payments import record_external_payment

CHARGE_FIELD = "specific_charge_transaction_id"
PAYMENT_NAMES = {"amount": "payment_amount", "received_on": "payment_received_date", "reference": "reference_code"}
COLLECTION_NAMES = {"amount": "amount_to_collect"}
REASON_NAMES = {"type": "reason_code_type", "code": "reason_code", "name": "reason_code_name"}
"""Aria's field names, by ours."""

COLLECTED = ("transaction_id", *PROC_FIELDS)
COLLECTED_M = (*COLLECTED, "proc_initial_auth_txn_id", "collection_errors", "proc_fraud_filtering_info")
NOT_KEPT_OF_PAYMENTS = (
    "client_payment_method_id",
    "payment_option",
    "payment_terms_no",
    "payment_terms_name",
    "payment_terms_type",
    "client_payment_term_id",
    "ean_gln_num",
    "ean_gln_requisition_num",
    "bill_email",
)
"""Aria's output fields of a payment for data that we do not store. They are null."""


def _finish_collecting(call: Call, receipt: Receipt) -> list[Collected]:
    return finish_collecting(call.client, receipt.invoice_no or 0, receipt.created_at, call.caller, today(call.client))


class CollectingMethods:
    @method_call(
        CollectFromAccountArguments,
        outputs=COLLECTED,
        names=COLLECTION_NAMES,
        refused_act="collection.refused",
        right=COLLECT,
        resume=_finish_collecting,
        answer=lambda call, outcomes: _collected_fields(outcomes),
    )
    def collect_from_account(self, call: Call) -> list[Collected]:
        return _collect(call)

    @method_call(
        CollectFromAccountMArguments,
        outputs=COLLECTED_M,
        names=COLLECTION_NAMES,
        refused_act="collection.refused",
        right=COLLECT,
        resume=_finish_collecting,
        answer=lambda call, outcomes: _with_errors(outcomes),
    )
    def collect_from_account_m(self, call: Call) -> list[Collected]:
        return _collect(call)


_records_payment = method_call(
    ExternalPaymentArguments,
    outputs=("transaction_id",),
    names=PAYMENT_NAMES,
    refused_act="money.refused",
    right=COLLECT,
    resume=lambda call, receipt: receipt.row_no,
    answer=lambda call, transaction_id: {"transaction_id": transaction_id},
)


class PaymentMethods:
    @_records_payment
    def record_external_payment(self, call: Call) -> int:
        return _pay(call)

    @_records_payment
    def record_external_payment_m(self, call: Call) -> int:
        return _pay(call)

    @method_call(InvoiceDetailsArguments, outputs=("invoice_payments",), refused_act="details.refused", writes=never)
    def get_payments_on_invoice(self, call: Call) -> Mapping[str, Any]:
        return _payments(document_of_transaction(call.client, account_no_of(call), call.arguments["src_transaction_id"]))

    @method_call(
        InvoiceOfAccountArguments,
        outputs=("invoice_payment_details", "invoice_payments"),
        refused_act="details.refused",
        writes=never,
    )
    def get_payments_on_invoice_m(self, call: Call) -> Mapping[str, Any]:
        """Our addition: `invoice_payments`, the same rows under the older call's name."""
        payments = _payments(document_of_account(call.client, account_no_of(call), call.arguments["invoice_no"]))
        return {**payments, "invoice_payment_details": payments["invoice_payments"]}


class TransactionMethods:
    @method_call(TransHistoryArguments, outputs=("history",), refused_act="history.refused", writes=never)
    def get_acct_trans_history(self, call: Call) -> Mapping[str, Any]:
        return _transactions(call, account_no_of(call))

    @method_call(TransHistoryMArguments, outputs=("history",), refused_act="history.refused", writes=never)
    def get_acct_trans_history_m(self, call: Call) -> Mapping[str, Any]:
        return _transactions(call, account_no_of(call))


class ReasonMethods:
    @method_call(ReasonCodesArguments, outputs=("reason_codes",), refused_act="reason.refused", writes=never)
    def get_reason_code_m(self, call: Call) -> Mapping[str, Any]:
        arguments = call.arguments
        rows = reasons_of(call.client, arguments.get("reason_code_type"), arguments.get("reason_code"))
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
        names=REASON_NAMES,
        refused_act="reason.refused",
        right=ROW_RIGHTS["add", "invoices.reasoncode"],
        answer=lambda call, nothing: {"reason_code": call.arguments["reason_code"]},
    )
    def create_reason_code_m(self, call: Call) -> None:
        arguments = call.arguments
        type, code, name = arguments["reason_code_type"], arguments["reason_code"], arguments["reason_code_name"]
        add_reason(client=call.client, caller=call.caller, type=type, code=code, name=name)


def _collect(call: Call) -> list[Collected]:
    """Collect what is due from the account, or on the named invoices, or a part of it. Return one outcome per invoice."""
    account_no = account_no_of(call)
    return collect_account(
        client=call.client,
        account_no=account_no,
        caller=call.caller,
        today=today(call.client),
        invoice_nos=_named_invoices(call, account_no),
        amount=call.arguments.get("amount_to_collect"),
    )


def _named_invoices(call: Call, account_no: int) -> list[int]:
    """Return the invoices that a call names, by number or by the transaction of their charge."""
    arguments = call.arguments
    rows = arguments.get("invoice_no") or arguments.get("specific_invoices_list") or []
    charges = [row[CHARGE_FIELD] for row in arguments.get(CHARGE_FIELD, [])]
    return [row["invoice_no"] for row in rows] or invoices_of_charges(account_no, charges, CHARGE_FIELD)


def _with_errors(outcomes: Sequence[Collected]) -> Mapping[str, Any]:
    """Return the answer. If it failed, all failures are in `collection_errors`."""
    try:
        return _collected_fields(outcomes)
    except BillingError as error:
        failures = [one.error for one in outcomes if one.error is not None]
        error.outputs = {**error.outputs, "collection_errors": [collection_error(one.code, one.message) for one in failures]}
        raise


def _collected_fields(outcomes: Sequence[Collected]) -> Mapping[str, Any]:
    """Return the gateway's answer to the first attempt. Raises the first failure."""
    for one in outcomes:
        if one.error is not None:
            one.error.outputs = proc_fields(one.attempt)
            raise one.error
    attempts = [one.attempt for one in outcomes if one.attempt is not None]
    return {"transaction_id": attempts[0].payment_id, **proc_fields(attempts[0])} if attempts else {}


def _pay(call: Call) -> int:
    """Record an external payment, of type OTHER. Named invoices are paid in their order, each up to its amount due."""
    arguments = call.arguments
    account_no = account_no_of(call)
    payment = record_external_payment(
        client=call.client,
        account_no=account_no,
        caller=call.caller,
        today=today(call.client),
        amount=arguments["payment_amount"],
        type=PaymentType.OTHER,
        received_on=arguments.get("payment_received_date"),
        reference=arguments["reference_code"],
        comments=arguments["comments"],
        pays=_named_invoices(call, account_no),
    )
    transaction_id: int = payment.pk
    return transaction_id


def _payments(invoice: Invoice) -> Mapping[str, Any]:
    payments = payments_on_invoice(invoice)
    facts = facts_of(invoice.client, [entry for entry, _ in payments])
    return {"invoice_payments": [_payment_row(entry, amount, facts[entry.pk]) for entry, amount in payments]}


def _payment_row(entry: LedgerEntry, applied: Decimal, facts: EntryFacts) -> dict[str, Any]:
    """Return a payment or credit that paid an invoice. `applied` is the part that paid this invoice."""
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
        "client_receipt_id": facts.receipt_id or None,
        "seq_statement_id": document_number(entry),
        "payment_method_no": payment.payment_method_id if payment else None,
        "reason_code": entry.reason_code if facts.reason else None,
        "reason_description": facts.reason or None,
        **dict.fromkeys(NOT_KEPT_OF_PAYMENTS),
    }


def _transactions(call: Call, account_no: int) -> Mapping[str, Any]:
    request = history_request(call.arguments)
    entries = transaction_history(client=call.client, account_no=account_no, request=request)
    facts = facts_of(call.client, entries)
    return {"history": [aria_history_row(entry, facts[entry.pk]) for entry in entries]}
