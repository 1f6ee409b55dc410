"""Arguments and answer of gen_rb_m."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rest_framework import serializers

from accounts.api.fields import NO_INVOICE, NO_REASON, ReceiptIdField
from accounts.api.serializers import AccountArguments
from accounts.staff import name_of, name_readings
from billing_site.common.compiled_reads import read_ahead
from billing_site.common.fields import FlagField, LongField, RateNumberField, TrueFalseField, UnitsNumberField, rows_of
from billing_site.common.limits import DOCUMENT_COMMENTS_LENGTH, LINE_COMMENTS_LENGTH, LINES_AT_ONCE
from invoices.api.serializers.money import MoneyField
from invoices.aria.documents import aria_document, aria_readings, settled_fields
from invoices.calculation import rounded
from invoices.document import Document
from invoices.models import Invoice
from rebills.api.serializers import LineArguments
from rebills.plan import RebillPlan
from rebills.services.requests import RebillRequest, RequestedLine


class RbLineItem(LineArguments):
    rb_rate_per_unit = RateNumberField(required=False)
    rb_units = UnitsNumberField(required=False)
    rb_amount = MoneyField(required=False)
    rb_line_comments = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)
    rb_retax = TrueFalseField(required=False, default=False)

    def to_internal_value(self, data: Any) -> Any:
        needs_number = not (isinstance(data, Mapping) and data.get("client_service_id"))
        self.fields["service_no"].required = needs_number
        return super().to_internal_value(data)


class GenRbMArguments(AccountArguments):
    """Aria's gen_rb_m, with do_write of its later versions. Our additions: client_receipt_id, retax (all lines), and
    rb_retax."""

    orig_invoice_no = LongField(no_such=NO_INVOICE)
    reason_cd = LongField(no_such=NO_REASON)
    rb_line_items = rows_of(RbLineItem(), most=LINES_AT_ONCE)
    alt_statement_address_seq = LongField(required=False)
    rb_comments = serializers.CharField(max_length=DOCUMENT_COMMENTS_LENGTH, required=False)
    do_collect = FlagField(required=False, allow_null=True, default=None)
    do_write = TrueFalseField(required=False, default=True)
    retax = TrueFalseField(required=False, default=False)
    client_receipt_id = ReceiptIdField()


RB_NAMES = {
    "rb_rate_per_unit": "rate_per_unit",
    "rb_units": "units",
    "rb_amount": "amount",
    "rb_line_comments": "comments",
    "rb_retax": "retax",
}


def gen_rb_m_request(arguments: Mapping[str, Any]) -> RebillRequest:
    return RebillRequest(
        arguments["orig_invoice_no"],
        arguments["reason_cd"],
        tuple(
            RequestedLine(
                path=f"rb_line_items[{place}]",
                prefix="rb_",
                **{RB_NAMES.get(name, name): value for name, value in item.items()},
            )
            for place, item in enumerate(arguments["rb_line_items"])
        ),
        comments=arguments.get("rb_comments", ""),
        collect=arguments["do_collect"],
        statement_contact_no=arguments.get("alt_statement_address_seq"),
        account_no=arguments.get("acct_no"),
        client_acct_id=arguments.get("client_acct_id"),
        retax=arguments["retax"],
    )


GEN_RB_M_NAMES = {
    "invoice_no": "orig_invoice_no",
    "reason_code": "reason_cd",
    "comments": "rb_comments",
    "lines": "rb_line_items",
    "collect": "do_collect",
    "statement_address_seq": "alt_statement_address_seq",
}
"""gen_rb_m's field names, by ours."""


GEN_RB_M_OUTPUTS = (
    "invoice_no",
    "collection_error_cd",
    "collection_error_msg",
    "statement_error_cd",
    "statement_error_msg",
    "proc_cvv_response",
    "proc_avs_response",
    "proc_cavv_response",
    "proc_status_code",
    "proc_status_text",
    "proc_payment_id",
    "proc_auth_code",
    "created_by",
    "created_date",
    "amount",
    "reason_code",
    "is_pending_ind",
    "excluded_line_nos",
    "recounted_line_nos",
    "third_party_errors",
    "invoice_items",
    "tax_details",
)


def _numbers(line_nos: Iterable[int | None]) -> str | None:
    """Return the numbers as one text, "2,3". Aria's clients read lists of rows, not of numbers."""
    return ",".join(map(str, line_nos)) or None


def gen_rb_m_preview(plan: RebillPlan) -> dict[str, Any]:
    """Return the output fields of a preview (do_write=false)."""
    return {
        "amount": float(plan.rebill.total),
        "reason_code": plan.facts.reason_code,
        "excluded_line_nos": _numbers(row.line_no for row in plan.excluded),
        "recounted_line_nos": _numbers(plan.recounted_lines),
        **aria_document(plan.content),
    }


def gen_rb_m_answer(rebill: Invoice, content: Document, excluded: Sequence[int], recounted: Sequence[int]) -> dict[str, Any]:
    """Return the output fields of a stored rebill, for the first call and for each retry."""
    with read_ahead(*name_readings([rebill.generated_by]), *aria_readings(content)):
        return _answer(rebill, content, excluded, recounted)


def _answer(rebill: Invoice, content: Document, excluded: Sequence[int], recounted: Sequence[int]) -> dict[str, Any]:
    settled = settled_fields(rebill, "cd")
    return {
        "invoice_no": rebill.pk,
        **{name: value for name, value in settled.items() if name in GEN_RB_M_OUTPUTS},
        "created_by": name_of(rebill.generated_by),
        "created_date": f"{rebill.generated_on:%Y-%m-%d}",
        "amount": float(rounded(rebill.total_amount, rebill.billing_currency)),
        "reason_code": rebill.reason_code,
        "is_pending_ind": int(not rebill.number),
        "excluded_line_nos": _numbers(excluded),
        "recounted_line_nos": _numbers(recounted),
        **aria_document(content),
    }
