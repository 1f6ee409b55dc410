"""Aria's method calls that generate, decide on, read and void invoices."""

import base64
from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string

from accounts import rights
from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import today
from accounts.models import Account, Receipt
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.api.account_scope import GROUP_FIELDS, SCOPE_FIELDS, account_no_of, check_scope
from invoices.api.serializers.documents import GenInvoiceArguments, billing_request
from invoices.api.serializers.money import VoidInvoiceArguments
from invoices.aria.arguments import (
    GenInvoiceMArguments,
    InvoiceDetailsArguments,
    InvoiceHistoryArguments,
    InvoiceHistoryMArguments,
    InvoiceOfAccountArguments,
    ManagePendingArguments,
    PendingInvoiceArguments,
    PendingInvoiceMArguments,
    StatementOfInvoiceArguments,
    VoidMArguments,
)
from invoices.aria.documents import (
    aria_document,
    credit_row,
    detail_rows,
    document_markers,
    generated_row,
    history_row,
    settled_fields,
)
from invoices.kinds import ISSUED_STATUSES, DecisionAct, InvoiceStatus
from invoices.models import Invoice, LedgerEntry
from invoices.models.collection import PROC_FIELDS
from invoices.services.approving.deciding import decide_on_one
from invoices.services.billing.generating import ACT_REFUSED, generate_invoice
from invoices.services.documents.document_storage import stored_contents
from invoices.services.documents.outcomes import NothingToBill
from invoices.services.documents.rebill_markers import excluded_lines
from invoices.services.documents.remarks import Remarks
from invoices.services.issuing.after_issue import finish_issued
from invoices.services.lists.invoice_history import (
    InvoiceHistoryRequest,
    credit_restriction,
    document_of_account,
    document_of_transaction,
    invoice_history,
    pending_document_no,
    pending_invoice_no,
    pending_invoices,
)
from invoices.services.printing.files import file_of_document
from invoices.services.printing.pdf import PDF
from invoices.services.printing.printed import statement_context, statement_parts
from invoices.services.undoing.voiding import void_invoice

DIRECTIVES = {1: DecisionAct.APPROVE, 2: DecisionAct.DISCARD, 3: DecisionAct.REGENERATE}
"""Aria's action directives."""

MANAGED = (
    "new_invoice_no",
    "collection_error_code",
    "collection_error_msg",
    "statement_error_code",
    "statement_error_msg",
    *PROC_FIELDS,
)
GENERATED = ("invoice_no", "out_acct_no", "out_client_acct_id", "out_billing_group_no", "out_client_billing_group_id")
MARKERS = (
    "is_pending_ind",
    "custom_status_label",
    "client_notes",
    "invoice_type_cd",
    "from_date",
    "to_date",
    "orig_invoice_no",
    "rb_no",
    "rb_status",
    "rb_flag",
    "rb_reason_cd",
    "rb_comments",
)

NOT_KEPT_OF_DOCUMENTS = (
    "custom_status_desc",
    "client_billing_group_no",
    "billing_group_no_2",
    "acct_locale_name",
    "acct_locale_no_2",
)
"""Aria's output fields for data that we do not store. They are null."""


def finish_document(call: Call, receipt: Receipt) -> int | None:
    """Finish an interrupted call: collect and send its document if that is not done yet, and return the document's number."""
    if receipt.invoice_no is not None:
        finish_issued(call.client, [receipt.invoice_no], call.caller, today(call.client))
    return receipt.invoice_no


class GeneratingMethods:
    @method_call(
        GenInvoiceArguments,
        outputs=("invoice_no", "third_party_errors"),
        refused_act=ACT_REFUSED,
        right=rights.GENERATE,
        resume=finish_document,
        answer=lambda call, invoice_no: {"invoice_no": invoice_no},
    )
    def gen_invoice(self, call: Call) -> int | None:
        return _generate(call, call.arguments["acct_no"])

    @method_call(
        GenInvoiceMArguments,
        outputs=(*GENERATED, "out_invoices_list", "third_party_errors"),
        refused_act=ACT_REFUSED,
        right=rights.GENERATE,
        resume=finish_document,
        answer=lambda call, invoice_no: _generated(call, invoice_no),
    )
    def gen_invoice_m(self, call: Call) -> int | None:
        account_no = account_no_of(call)
        if call.arguments.get("combine_invoices") not in (None, 1, 2, 3):
            raise BillingError(ErrorCode.COMBINE_INVOICES, field="combine_invoices")
        return _generate(call, account_no)


class PendingMethods:
    @method_call(PendingInvoiceArguments, outputs=("invoice_no",), refused_act="pending.refused", writes=never)
    def get_pending_invoice_no(self, call: Call) -> Mapping[str, Any]:
        return {"invoice_no": pending_invoice_no(call.client, account_no_of(call))}

    @method_call(PendingInvoiceMArguments, outputs=("pending_invoice",), refused_act="pending.refused", writes=never)
    def get_pending_invoice_no_m(self, call: Call) -> Mapping[str, Any]:
        names = ("client_master_plan_instance_id", *GROUP_FIELDS)
        rows = pending_invoices(call.client, account_no_of(call))
        return {"pending_invoice": [{"invoice_no": one.pk, "acct_no": one.account_id, **dict.fromkeys(names)} for one in rows]}

    @method_call(
        ManagePendingArguments,
        outputs=MANAGED,
        refused_act="pending.refused",
        right=rights.APPROVE,
        resume=finish_document,
        answer=lambda call, invoice_no: _managed(call, invoice_no),
    )
    def manage_pending_invoice(self, call: Call) -> int | None:
        return _decide(call)

    @method_call(
        ManagePendingArguments,
        outputs=("acct_no", "client_acct_id", *GROUP_FIELDS, *MANAGED, "proc_initial_auth_txn_id", "collection_errors"),
        refused_act="pending.refused",
        right=rights.APPROVE,
        resume=finish_document,
        answer=lambda call, invoice_no: _managed_m(call, invoice_no),
    )
    def manage_pending_invoice_m(self, call: Call) -> int | None:
        return _decide(call)


class ReadingMethods:
    @method_call(InvoiceDetailsArguments, outputs=("invoice_line_items", *MARKERS), refused_act="details.refused", writes=never)
    def get_invoice_details(self, call: Call) -> Mapping[str, Any]:
        invoice = document_of_transaction(call.client, account_no_of(call), call.arguments["src_transaction_id"])
        return {"invoice_line_items": _lines(invoice), **document_markers(invoice)}

    @method_call(
        InvoiceOfAccountArguments,
        outputs=("invoice_no", "invoice_line_details", "tax_details", *MARKERS, "is_pending_ind_2", *NOT_KEPT_OF_DOCUMENTS),
        refused_act="details.refused",
        writes=never,
    )
    def get_invoice_details_m(self, call: Call) -> Mapping[str, Any]:
        invoice = document_of_account(call.client, account_no_of(call), call.arguments["invoice_no"])
        taxes = aria_document(stored_contents([invoice.pk])[invoice.pk])["tax_details"]
        lines = _lines(invoice)
        return {
            "invoice_no": invoice.pk,
            "invoice_line_details": lines,
            "tax_details": taxes,
            **document_markers(invoice),
            "is_pending_ind_2": int(invoice.status == InvoiceStatus.PENDING),
        }

    @method_call(InvoiceHistoryArguments, outputs=("invoice_history",), refused_act="history.refused", writes=never)
    def get_acct_invoice_history(self, call: Call) -> Mapping[str, Any]:
        return {"invoice_history": _history(call)}

    @method_call(InvoiceHistoryMArguments, outputs=("invoice_hist",), refused_act="history.refused", writes=never)
    def get_invoice_history_m(self, call: Call) -> Mapping[str, Any]:
        return {"invoice_hist": _history(call)}

    @method_call(
        InvoiceOfAccountArguments,
        outputs=("restriction_reason", "invoice_no", "lines", "invoice_cm_line_details"),
        refused_act="details.refused",
        writes=never,
    )
    def get_invoice_cm_details_m(self, call: Call) -> Mapping[str, Any]:
        """What a credit memo can still credit of each line, or why none is possible. Our addition: `lines`, the same rows."""
        invoice = document_of_account(call.client, account_no_of(call), call.arguments["invoice_no"])
        reason, lines = credit_restriction(invoice, today(call.client))
        rows = [credit_row(line, invoice.currency) for line in lines]
        return {
            "restriction_reason": reason or None,
            "invoice_no": invoice.pk,
            "lines": rows,
            "invoice_cm_line_details": rows,
        }

    @method_call(
        StatementOfInvoiceArguments, outputs=("out_statement", "mime_type"), refused_act="statement.refused", writes=never
    )
    def get_statement_for_invoice(self, call: Call) -> Mapping[str, Any]:
        return _statement(call)

    @method_call(
        StatementOfInvoiceArguments, outputs=("out_statement", "mime_type"), refused_act="statement.refused", writes=never
    )
    def get_statement_for_invoice_m(self, call: Call) -> Mapping[str, Any]:
        return _statement(call)


class VoidingMethods:
    @method_call(
        VoidInvoiceArguments,
        outputs=("void_transactions",),
        refused_act="money.refused",
        right=rights.CORRECT,
        resume=lambda call, receipt: receipt.invoice_no,
        answer=lambda call, invoice_no: _voided(invoice_no),
    )
    def void_invoice(self, call: Call) -> int:
        return _void(call, call.arguments.get("acct_no"))

    @method_call(
        VoidMArguments,
        outputs=("void_transactions",),
        refused_act="money.refused",
        right=rights.CORRECT,
        resume=lambda call, receipt: receipt.invoice_no,
        answer=lambda call, invoice_no: _voided(invoice_no),
    )
    def void_invoice_m(self, call: Call) -> int:
        return _void(call, account_no_of(call))


def _generate(call: Call, account_no: int) -> int | None:
    return generate_invoice(
        client=call.client,
        account_no=account_no,
        request=billing_request(call.arguments, today(call.client)),
        caller=call.caller,
    )


def _generated(call: Call, invoice_no: int | None) -> Mapping[str, Any]:
    account = Account.objects.get(pk=account_no_of(call))
    rows = [generated_row(Invoice.objects.get(pk=invoice_no), stored_contents([invoice_no])[invoice_no])] if invoice_no else []
    return {
        "invoice_no": invoice_no,
        "out_acct_no": account.pk,
        "out_client_acct_id": account.client_acct_id or None,
        "out_invoices_list": rows,
    }


def _decide(call: Call) -> int | None:
    """Approve, discard or regenerate, and return the number of the resulting invoice.

    None if a regeneration discarded the document and found nothing to bill.
    """
    arguments, client = call.arguments, call.client
    invoice_no = _pending_no(call)
    if arguments["action_directive"] not in DIRECTIVES:
        raise BillingError(ErrorCode.INVALID_DIRECTIVE, field="action_directive")
    outcome = decide_on_one(
        DIRECTIVES[arguments["action_directive"]],
        client=client,
        invoice_no=invoice_no,
        caller=call.caller,
        today=today(client),
        remarks=Remarks.of(arguments),
        collect=arguments.get("alt_collect_on_approve"),
        statement=arguments.get("alt_send_statement_on_approve"),
        cancel_orders=arguments["cancel_orders_on_discard"],
    )
    return None if isinstance(outcome, NothingToBill) else outcome.invoice_no


def _pending_no(call: Call) -> int:
    if "invoice_no" not in call.arguments:
        return pending_document_no(call.client, account_no_of(call))
    invoice_no: int = call.arguments["invoice_no"]
    owner = Invoice.objects.filter(client=call.client, pk=invoice_no).values_list("account_id", flat=True).first()
    if owner is not None and set(SCOPE_FIELDS) & set(call.arguments):
        check_scope(call, owner)
    if {"acct_no", "client_acct_id"} & set(call.arguments):
        found = Invoice.objects.filter(pk=invoice_no, account=account_no_of(call)).exists()
        if not found:
            raise BillingError(ErrorCode.NOT_PENDING, f"invoice {invoice_no} belongs to another account", field="invoice_no")
    return invoice_no


def _managed(call: Call, invoice_no: int | None) -> Mapping[str, Any]:
    """Return the document that a decision leaves, or say (90330) that its approval is recorded and it is still pending."""
    if invoice_no is None:
        return {"new_invoice_no": None}
    invoice = Invoice.objects.get(pk=invoice_no)
    if DIRECTIVES[call.arguments["action_directive"]] == DecisionAct.APPROVE and invoice.status == InvoiceStatus.PENDING:
        recorded = BillingError(ErrorCode.APPROVAL_RECORDED, Detail("invoice {invoice_no}", invoice_no=invoice.pk))
        return {"error_code": recorded.code.number, "error_msg": recorded.message, "new_invoice_no": None}
    new_invoice_no = None if invoice.status == InvoiceStatus.DISCARDED else invoice.pk
    return {"new_invoice_no": new_invoice_no, **settled_fields(invoice, "code")}


def _managed_m(call: Call, invoice_no: int | None) -> Mapping[str, Any]:
    number = call.arguments.get("invoice_no") if invoice_no is None else invoice_no
    accounts = Account.objects.filter(pk=account_no_of(call)) if number is None else Account.objects.filter(invoices=number)
    account = accounts.get()
    managed = _managed(call, invoice_no)
    failure = {name: managed.get(name) for name in ("collection_error_code", "collection_error_msg")}
    return {
        "acct_no": account.pk,
        "client_acct_id": account.client_acct_id or None,
        **managed,
        "collection_errors": [failure] if failure["collection_error_code"] else None,
    }


def _lines(invoice: Any) -> list[dict[str, Any]]:
    excluded = excluded_lines([invoice.rb_no])[invoice.rb_no] if invoice.rb_no else ()
    return detail_rows(invoice, stored_contents([invoice.pk])[invoice.pk], excluded)


def _history(call: Call) -> list[dict[str, Any]]:
    arguments = call.arguments
    wanted = InvoiceHistoryRequest(
        arguments.get("start_bill_date"),
        arguments.get("end_bill_date"),
        arguments["include_voided"],
        arguments.get("rb_option", 0),
    )
    return [history_row(invoice) for invoice in invoice_history(call.client, account_no_of(call), wanted)]


def _statement(call: Call) -> Mapping[str, Any]:
    """Return the statement in HTML, as it is mailed, or the document's PDF in base 64."""
    invoice = document_of_account(call.client, account_no_of(call), call.arguments["invoice_no"])
    if invoice.status not in ISSUED_STATUSES:
        raise BillingError(ErrorCode.NOT_ISSUED, f"invoice {invoice.pk} is {invoice.status}", field="invoice_no")
    if call.arguments["mime_type"] == PDF:
        file = file_of_document(call.client, invoice.pk)
        return {"out_statement": base64.b64encode(file.content).decode(), "mime_type": PDF}
    html = render_to_string("invoices/statement.html", statement_context(invoice, statement_parts([invoice])[invoice.pk]))
    encoded = call.arguments["do_encoding"]
    return {
        "out_statement": base64.b64encode(html.encode()).decode() if encoded else html,
        "mime_type": "text/html",
    }


def _void(call: Call, account_no: int | None) -> int:
    arguments = call.arguments
    invoice_no: int = arguments["invoice_no"]
    void_invoice(
        client=call.client,
        invoice_no=invoice_no,
        caller=call.caller,
        today=today(call.client),
        reason_code=arguments["reason_code"],
        comments=arguments["comments"],
        account_no=account_no,
    )
    return invoice_no


def _voided(invoice_no: int) -> Mapping[str, Any]:
    """Return the transaction of a voided invoice, and the one that voids it."""
    entry = LedgerEntry.objects.get(invoice=invoice_no, voided_by__isnull=False)
    return {"void_transactions": [{"invoice_transaction_id": entry.pk, "void_transaction_id": entry.voided_by.pk}]}
