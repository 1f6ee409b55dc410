"""Aria's method calls for credit memos."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.api.fields import NO_INVOICE, NO_REASON, ReceiptIdField
from accounts.api.serializers import AccountArguments
from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import today
from accounts.rights import CORRECT
from accounts.staff import name_of, names_of
from billing_site.common.fields import GivenSerializer, LongField, TrueFalseField, rows_of
from billing_site.common.limits import DOCUMENT_COMMENTS_LENGTH, LINES_AT_ONCE
from invoices.api.account_scope import account_no_of
from invoices.api.serializers.money import MoneyField
from invoices.aria.documents import aria_document, number
from invoices.document import Document, Line
from invoices.kinds import InvoiceStatus, VoidReason
from invoices.models import Invoice, LedgerEntry
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo, preview_memo_document
from invoices.services.documents.document_storage import stored_contents
from invoices.services.lists.invoice_history import document_of_account, memo_of_account, memos_of_account
from invoices.services.money.ledger.acts import Why
from invoices.services.undoing.voiding import void_invoice

MEMO_NAMES = {
    "invoice_no": "orig_invoice_no",
    "reason_code": "cm_reason_cd",
    "comments": "cm_comments",
    "lines": "cm_line_items",
    "amount": "cm_line_amount",
}
"""Aria's field names, by ours."""

CREATED = (
    "cm_no",
    "created_by",
    "created_date",
    "credit_ref_type_out",
    "cm_total",
    "cm_reason_cd_out",
    "cm_comments_out",
    "cm_details",
    "cm_tax_details",
    "client_cm_seq_id_2",
)
SHOWN = (
    "cm_no_out",
    "client_cm_seq_id",
    "credit_ref_type",
    "created_by",
    "created_date",
    "credit_reason_code",
    "credit_comments",
    "cm_total",
    "cm_line_details",
    "cm_tax_details",
    "cm_applied_details",
    "orig_invoice_no_2",
)
VOIDED = ("cm_void_transactions", "created_by", "created_date", "comments_out")
OF_AN_INVOICE = "0"
"""Aria's `credit_ref_type` of a memo for an invoice. All of ours are."""


class MemoLineRow(GivenSerializer):
    """A line and the amount to credit of it. Without an amount, all that is left of the line."""

    line_no = LongField()
    cm_line_amount = MoneyField(required=False)


class CreateMemoArguments(AccountArguments):
    """create_cm_m, for memos of an invoice (`credit_ref_type` 0). Our addition: client_receipt_id."""

    orig_invoice_no = LongField(no_such=NO_INVOICE)
    cm_reason_cd = LongField(no_such=NO_REASON)
    cm_comments = serializers.CharField(max_length=DOCUMENT_COMMENTS_LENGTH)
    credit_ref_type = LongField(required=False)
    cm_line_items = rows_of(MemoLineRow(), most=LINES_AT_ONCE, allow_empty=False)
    do_write = TrueFalseField(required=False, default=True)
    client_receipt_id = ReceiptIdField()

    unsupported = ("customer_facing_comments",)

    def validate_credit_ref_type(self, type: int) -> int:
        if type != 0:
            raise serializers.ValidationError("Only 0 (a memo for an invoice); others are not supported here.")
        return type

    def validate_cm_line_items(self, rows: list[Mapping[str, Any]]) -> dict[int, Decimal | None]:
        amounts = {row["line_no"]: row.get("cm_line_amount") for row in rows}
        if len(amounts) != len(rows):
            raise serializers.ValidationError("A line appears twice. Give each line once.")
        return amounts


class MemoOfAccountArguments(AccountArguments):
    """A credit memo of an account, by `cm_no` or by its printed number."""

    cm_no = LongField(no_such=NO_INVOICE, required=False)
    number_field = "client_cm_seq_id_in"

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not {"cm_no", self.number_field} & set(values):
            raise serializers.ValidationError({"cm_no": f"Give cm_no or {self.number_field}."}, code="required")
        return values


class MemoDetailsArguments(MemoOfAccountArguments):
    """get_cm_details_m."""

    client_cm_seq_id_in = serializers.CharField(max_length=100, required=False)


class VoidMemoArguments(MemoOfAccountArguments):
    """void_credit_memo_m. Our addition: client_receipt_id. The reason is an erroneous entry."""

    number_field = "client_cm_seq_id"
    client_cm_seq_id = serializers.CharField(max_length=100, required=False)
    comments = serializers.CharField(max_length=500, required=False, default="")
    client_receipt_id = ReceiptIdField()


class CreditMemoMethods:
    @method_call(
        CreateMemoArguments,
        outputs=CREATED,
        names=MEMO_NAMES,
        refused_act="money.refused",
        right=CORRECT,
        writes=lambda arguments: arguments["do_write"],
        resume=lambda call, receipt: receipt.invoice_no,
        answer=lambda call, memo_no: _created(call, memo_no),
    )
    def create_cm_m(self, call: Call) -> int | None:
        """Issue a memo, and return its number. None if the call asks for a preview only."""
        invoice_no = _original(call).pk
        if not call.arguments["do_write"]:
            return None
        memo = create_credit_memo(
            client=call.client,
            invoice_no=invoice_no,
            caller=call.caller,
            today=today(call.client),
            why=_why(call),
            credit=CreditRequest(call.arguments["cm_line_items"]),
        )
        return int(memo.pk)

    @method_call(AccountArguments, outputs=("cm_details_all",), refused_act="details.refused", writes=never)
    def get_cm_list_m(self, call: Call) -> Mapping[str, Any]:
        memos = memos_of_account(account_no_of(call))
        names = names_of({memo.generated_by for memo in memos})
        return {"cm_details_all": [_list_row(memo, names) for memo in memos]}

    @method_call(MemoDetailsArguments, outputs=SHOWN, refused_act="details.refused", writes=never)
    def get_cm_details_m(self, call: Call) -> Mapping[str, Any]:
        memo = _memo(call, call.arguments.get("client_cm_seq_id_in"))
        content = stored_contents([memo.pk])[memo.pk]
        rows = _rows(content)
        return {
            **made_by(memo),
            "cm_no_out": memo.pk,
            "client_cm_seq_id": memo.document_number,
            "credit_ref_type": OF_AN_INVOICE,
            "credit_reason_code": memo.reason_code,
            "credit_comments": memo.comments,
            "cm_total": number(-memo.total_amount, memo.currency),
            "cm_line_details": [_detail_row(row, memo) for row in rows],
            "cm_tax_details": _tax_rows(content),
            "cm_applied_details": [_applied_row(row, memo) for row in rows],
            "orig_invoice_no_2": memo.corrects_id,
        }

    @method_call(
        VoidMemoArguments,
        outputs=VOIDED,
        refused_act="money.refused",
        right=CORRECT,
        resume=lambda call, receipt: receipt.invoice_no,
        answer=lambda call, memo_no: _voided(memo_no),
    )
    def void_credit_memo_m(self, call: Call) -> int:
        memo_no = int(_memo(call, call.arguments.get("client_cm_seq_id")).pk)
        void_invoice(
            client=call.client,
            invoice_no=memo_no,
            caller=call.caller,
            today=today(call.client),
            reason_code=VoidReason.ERRONEOUS_ENTRY.value,
            comments=call.arguments["comments"],
        )
        return memo_no


def _original(call: Call) -> Any:
    return document_of_account(call.client, account_no_of(call), call.arguments["orig_invoice_no"])


def _memo(call: Call, document_number: str | None) -> Any:
    return memo_of_account(call.client, account_no_of(call), call.arguments.get("cm_no"), document_number)


def _why(call: Call) -> Why:
    return Why(call.arguments["cm_reason_cd"], call.arguments["cm_comments"])


def made_by(document: Invoice) -> dict[str, Any]:
    return {"created_by": name_of(document.generated_by), "created_date": str(document.generated_on)}


def _created(call: Call, memo_no: int | None) -> Mapping[str, Any]:
    """Return the output fields of a memo, or of a preview: without number and transaction."""
    if memo_no is None:
        original, why = _original(call), _why(call)
        credit, day = CreditRequest(call.arguments["cm_line_items"]), today(call.client)
        content = preview_memo_document(client=call.client, invoice_no=original.pk, credit=credit, why=why, today=day)
        return _memo_fields(content, original, None, call.arguments)
    memo = memo_of_account(call.client, account_no_of(call), memo_no, None)
    fields = _memo_fields(stored_contents([memo_no])[memo_no], _original(call), memo.transaction_no, call.arguments)
    return {**fields, **made_by(memo), "cm_no": memo_no, "client_cm_seq_id_2": memo.document_number}


def _memo_fields(content: Document, original: Any, transaction_no: int | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    reason = arguments["cm_reason_cd"]
    return {
        "credit_ref_type_out": OF_AN_INVOICE,
        "cm_total": number(-content.terms.total_amount, original.currency),
        "cm_reason_cd_out": reason,
        "cm_comments_out": arguments["cm_comments"],
        "cm_details": [
            {
                "cm_line_no": line.line_no,
                "applied_invoice_no": original.pk,
                "applied_invoice_line_no": line.source_line_no,
                "master_plan_instance_no_out": item["plan_instance_no"],
                "cm_reason_cd_det_out": reason,
                "orig_transaction_id": original.transaction_no,
                "service_no_out": item["service_no"],
                "client_service_id_out": item["client_service_id"],
                "cm_transaction_id": transaction_no,
                "cm_line_amount_out": -item["line_amount"],
            }
            for line, item in _rows(content)
        ],
        "cm_tax_details": _tax_rows(content),
    }


def _rows(content: Document) -> list[tuple[Line, dict[str, Any]]]:
    """Return the lines of a memo without taxes, each with its fields under Aria's names."""
    items = aria_document(content)["invoice_items"]
    return [(line, item) for line, item in zip(content.lines, items, strict=True) if not line.is_tax]


def _tax_rows(content: Document) -> list[dict[str, Any]]:
    return [
        {
            "tax_detail_line": tax["tax_detail_line"],
            "taxed_cm_line_no": tax["taxed_seq_num"],
            "tax_credit_amount": -tax["debit"],
            "tax_authority_level": tax["tax_authority_level"],
            "orig_was_tax_inclusive": tax["orig_was_tax_inclusive"],
            "tax_srv_tax_type_id": None,
            "tax_srv_tax_type_desc": tax["tax_srv_tax_type_desc"],
            "tax_serv_cat_text": tax["tax_srv_cat_text"],
        }
        for tax in aria_document(content)["tax_details"]
    ]


def _list_row(memo: Invoice, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "cm_no": memo.pk,
        "created_by": names[memo.generated_by],
        "created_date": str(memo.generated_on),
        "cm_total": number(-memo.total_amount, memo.currency),
        "cm_tax_total": number(-memo.tax_amount, memo.currency),
        "invoice_no": memo.corrects_id,
        "is_voided": int(memo.status == InvoiceStatus.VOIDED),
        "cm_reason_code_2": memo.reason_code,
    }


def _detail_row(row: tuple[Line, dict[str, Any]], memo: Any) -> dict[str, Any]:
    line, item = row
    return {
        "cm_line_no": line.line_no,
        "cm_transaction_id": memo.transaction_no,
        "cm_void_transaction_id": memo.void_transaction_no,
        "cm_line_amount": -item["line_amount"],
        "master_plan_instance_no": item["plan_instance_no"],
        "client_master_plan_instance_id": None,
        "service_no": item["service_no"],
        "client_service_id": item["client_service_id"],
        "item_no": None,
        "client_item_id": None,
        "client_sku": None,
        "reason_code_2": memo.reason_code,
    }


def _applied_row(row: tuple[Line, dict[str, Any]], memo: Any) -> dict[str, Any]:
    """Return what a line of a memo has credited. A memo is applied to its invoice, line by line, when it is issued."""
    line, item = row
    return {
        "cm_line_no_applied": line.line_no,
        "cm_applied_date": str(memo.invoice_date),
        "cm_applied_invoice_no": memo.corrects_id,
        "cm_applied_charge_seq_num": line.source_line_no,
        "cm_applied_service_no": item["service_no"],
        "cm_applied_service_cdid": item["client_service_id"],
        "cm_applied_service_name": item["service_name"],
        "cm_applied_amount": -item["line_amount"],
        "cm_applied_plan_instance_no": item["plan_instance_no"],
    }


def _voided(memo_no: int) -> Mapping[str, Any]:
    entry = LedgerEntry.objects.select_related("voided_by").get(invoice=memo_no, voided_by__isnull=False)
    void = entry.voided_by
    return {
        "cm_void_transactions": [{"cm_transaction_id": entry.pk, "cm_void_transaction_id": void.pk}],
        "created_by": name_of(void.created_by),
        "created_date": str(void.entry_date),
        "comments_out": void.comments or None,
    }
