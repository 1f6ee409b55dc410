"""Rebills on the wire: what is asked, the preview, the chain, and Aria's gen_rb_m."""

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework import serializers

from accounts.api.fields import NO_INVOICE, NO_REASON, ReceiptIdField
from accounts.api.serializers import AccountArguments
from accounts.models import Client
from accounts.staff import name_of
from billing_site.common.fields import (
    DigitsField,
    FlagField,
    GivenSerializer,
    LongField,
    ShortListField,
    TrueFalseField,
    UnitsNumberField,
    rows_of,
)
from billing_site.common.limits import DOCUMENT_COMMENTS_LENGTH, LINE_COMMENTS_LENGTH, LINES_AT_ONCE, PO_NUM_LENGTH
from billing_site.errors import ErrorCode
from invoices.api.serializers.documents import ContentSerializer, document_of, tax_answer_row
from invoices.api.serializers.money import MoneyField, amount_text, collected_row
from invoices.aria.documents import aria_document, settled_fields
from invoices.calculation import rounded
from invoices.fingerprints import Content
from invoices.models import Invoice
from invoices.services.documents.approval_rules import rebill_must_wait, rebill_stake
from invoices.services.documents.chains import Chain, Step
from rebills.plan import RebillPlan
from rebills.plan.differences import CATEGORY, RETAX, Amounts, Difference, TaxedAgain
from rebills.services.requests import AskedLine, AskedUsage, RebillOutcome, RebillRequest

REBILLS_AT_ONCE = 1000


class RateField(DigitsField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=20, decimal_places=10, **options)


class LineArguments(GivenSerializer):
    """A line by its number: what is not given stays as on the original. A number beyond the original's last adds a line."""

    line_no = LongField()
    service_no = LongField(required=False)
    client_service_id = serializers.CharField(max_length=100, required=False)
    po_num = serializers.CharField(max_length=PO_NUM_LENGTH, required=False)
    bill_from_location_no = LongField(required=False)
    ship_from_location_no = LongField(required=False)
    bill_to_address_seq = LongField(required=False)
    ship_to_address_seq = LongField(required=False)


class ChangedLineArguments(LineArguments):
    """`description`, `period_start` and `period_end` are what is printed of the line: none changes its amount. An `amount`
    below zero is a discount: it is taken off the lines of its service, and what these have no room for off all others. `retax`
    looks the line's tax rates up again, as they are on file now for the original's tax date."""

    exclude = TrueFalseField(required=False, default=False)
    rate_per_unit = RateField(required=False)
    units = UnitsNumberField(required=False)
    amount = MoneyField(required=False)
    retax = TrueFalseField(required=False, default=False)
    comments = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)
    description = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)
    period_start = serializers.DateField(required=False)
    period_end = serializers.DateField(required=False)


class UsageCorrectionArguments(GivenSerializer):
    """The total units of a metered charge, which is counted again from them: its bands, its minimum and its maximum.

    It is named by one of its lines, or by plan instance, service and first day, as far as these are needed.
    """

    units = UnitsNumberField()
    line_no = LongField(required=False)
    plan_instance_no = LongField(required=False)
    service_no = LongField(required=False)
    client_service_id = serializers.CharField(max_length=100, required=False)
    period_start = serializers.DateField(required=False)
    comments = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)


class RebillPreviewArguments(GivenSerializer):
    """`unlisted_lines` says what becomes of lines that are not named: left out, or carried as they are. `retax` looks the tax
    rates of all lines up again, as they are on file now for the original's tax date."""

    invoice_no = LongField(no_such=NO_INVOICE)
    lines = rows_of(ChangedLineArguments(), most=LINES_AT_ONCE, required=False)
    usage_corrections = rows_of(UsageCorrectionArguments(), most=LINES_AT_ONCE, required=False)
    unlisted_lines = serializers.ChoiceField(choices=["exclude", "carry"], required=False)
    reason_code = LongField(max_digits=4, required=False)
    comments = serializers.CharField(max_length=DOCUMENT_COMMENTS_LENGTH, required=False)
    collect = TrueFalseField(required=False)
    keep_due_date = TrueFalseField(required=False)
    statement_address_seq = LongField(required=False)
    retax = TrueFalseField(required=False, default=False)


class RebillArguments(RebillPreviewArguments):
    """`fingerprint` is that of the preview that was seen: where it does not hold any more, nothing is written (90003)."""

    reason_code = LongField(max_digits=4)
    fingerprint = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)


class ChainArguments(serializers.Serializer):
    invoice_no = LongField(no_such=NO_INVOICE)


class ManyRebillArguments(serializers.Serializer):
    rebills = ShortListField(child=RebillArguments(), allow_empty=False, max_length=REBILLS_AT_ONCE)


def rebill_request(asked: Mapping[str, Any], path: str = "") -> RebillRequest:
    unlisted = asked.get("unlisted_lines")
    lines = asked.get("lines", [])
    return RebillRequest(
        asked["invoice_no"],
        asked.get("reason_code"),
        tuple(AskedLine(path=f"{path}lines[{place}]", **line) for place, line in enumerate(lines)),
        carries_unlisted=None if unlisted is None else unlisted == "carry",
        comments=asked.get("comments", ""),
        collect=asked.get("collect"),
        keeps_due_date=asked.get("keep_due_date"),
        statement_contact_no=asked.get("statement_address_seq"),
        fingerprint=asked.get("fingerprint", ""),
        usage_corrections=tuple(
            AskedUsage(path=f"{path}usage_corrections[{place}]", **one)
            for place, one in enumerate(asked.get("usage_corrections", []))
        ),
        retax=asked.get("retax", False),
    )


class RbLineItem(LineArguments):
    rb_rate_per_unit = RateField(required=False)
    rb_units = UnitsNumberField(required=False)
    rb_amount = MoneyField(required=False)
    rb_line_comments = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)
    rb_retax = TrueFalseField(required=False, default=False)

    def to_internal_value(self, data: Any) -> Any:
        needs_number = not (isinstance(data, Mapping) and data.get("client_service_id"))
        self.fields["service_no"].required = needs_number
        return super().to_internal_value(data)


class GenRbMArguments(AccountArguments):
    """Aria's gen_rb_m, with do_write of its later versions. Ours: client_receipt_id, and retax (of all lines) or rb_retax."""

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


def gen_rb_m_request(asked: Mapping[str, Any]) -> RebillRequest:
    return RebillRequest(
        asked["orig_invoice_no"],
        asked["reason_cd"],
        tuple(
            AskedLine(
                path=f"rb_line_items[{place}]",
                prefix="rb_",
                **{RB_NAMES.get(name, name): value for name, value in item.items()},
            )
            for place, item in enumerate(asked["rb_line_items"])
        ),
        comments=asked.get("rb_comments", ""),
        collect=asked["do_collect"],
        statement_contact_no=asked.get("alt_statement_address_seq"),
        account_no=asked.get("acct_no"),
        client_acct_id=asked.get("client_acct_id"),
        retax=asked["retax"],
    )


GEN_RB_M_NAMES = {
    "invoice_no": "orig_invoice_no",
    "reason_code": "reason_cd",
    "comments": "rb_comments",
    "lines": "rb_line_items",
    "collect": "do_collect",
    "statement_address_seq": "alt_statement_address_seq",
}
"""gen_rb_m's names of fields, by ours."""

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
    "excluded_lines",
    "recounted_lines",
    "third_party_errors",
    "invoice_items",
    "tax_details",
)


def gen_rb_m_preview(plan: RebillPlan) -> dict[str, Any]:
    """What gen_rb_m answers where nothing is written (do_write=false)."""
    return {
        "amount": float(plan.rebill.total),
        "reason_code": plan.facts.reason_code,
        "excluded_lines": [row.line_no for row in plan.excluded],
        "recounted_lines": plan.recounted_lines,
        **aria_document(plan.content),
    }


def gen_rb_m_answer(rebill: Invoice, content: Content, excluded: Sequence[int], recounted: Sequence[int]) -> dict[str, Any]:
    """What gen_rb_m answers of a rebill that is stored: the first time, and whenever it is asked again."""
    settled = settled_fields(rebill, "cd")
    return {
        "invoice_no": rebill.pk,
        **{name: value for name, value in settled.items() if name in GEN_RB_M_OUTPUTS},
        "created_by": name_of(rebill.generated_by),
        "created_date": f"{rebill.generated_on:%Y-%m-%d}",
        "amount": float(rounded(rebill.total_amount, rebill.currency)),
        "reason_code": rebill.reason_code,
        "is_pending_ind": int(not rebill.number),
        "excluded_lines": list(excluded),
        "recounted_lines": list(recounted),
        **aria_document(content),
    }


def preview_row(plan: RebillPlan, client: Client) -> dict[str, Any]:
    """Original, memo, rebill and difference side by side, what becomes of the money, and the rebill as it would be stored."""
    currency = plan.facts.currency
    original, rebill = plan.original, plan.rebill
    document = ContentSerializer(document_of(plan.content)).data
    stake = rebill_stake(original.total, rebill.total)
    return {
        "invoice_no": plan.facts.invoice_no,
        "acct_no": plan.facts.account_no,
        "currency": currency,
        "original": _amounts(original, currency),
        "credit_memo": _amounts(Amounts().less(original), currency),
        "rebill": _amounts(rebill, currency),
        "difference": _amounts(rebill.less(original), currency),
        "lines": [_difference(row, currency) for row in plan.differences],
        "excluded_lines": [row.line_no for row in plan.excluded],
        "recounted_lines": plan.recounted_lines,
        "money": {name: amount_text(amount, currency) for name, amount in plan.money._asdict().items()},
        "waits_for_approval": rebill_must_wait(client, stake, plan.tax_answer),
        **tax_answer_row(plan.tax_answer),
        "document": {**document, "fingerprint": None},
        "fingerprint": plan.fingerprint,
    }


def _amounts(amounts: Amounts, currency: str) -> dict[str, str]:
    named = {"net_amount": amounts.net, "tax_amount": amounts.tax, "total_amount": amounts.total}
    return {name: amount_text(amount, currency) for name, amount in named.items()}


def _difference(row: Difference, currency: str) -> dict[str, Any]:
    return {
        "line_no": row.line_no,
        "rebill_line_no": row.rebill_line_no,
        "description": row.description,
        "excluded": row.is_excluded,
        "recounted": row.is_recounted,
        "changes": list(row.changes),
        "taxed_again": [_taxed_again(why) for why in row.taxed_again],
        "comments": row.comments,
        "original": _amounts(row.original, currency),
        "rebill": _amounts(row.rebill, currency),
        "difference": _amounts(row.difference, currency),
    }


def _taxed_again(why: TaxedAgain) -> str:
    """Why the tax rates of a line were looked up again, in words."""
    if why.what == RETAX:
        return "retax was asked for"
    name = "tax category" if why.what == CATEGORY else f"{why.what.replace('_', '-')} address"
    return f"{name} {why.before} -> {why.after}"


def outcome_row(one: RebillOutcome) -> dict[str, Any]:
    """What came of one of many."""
    code = one.error.code if one.error else ErrorCode.OK
    return {
        "invoice_no": one.request.invoice_no,
        "rebill_no": one.rebill_no,
        "acct_no": one.account_no,
        "waits_for_approval": one.waits,
        "error_code": code.number,
        "error_msg": one.error.message if one.error else code.message,
        "collection": None if one.collection is None else collected_row(one.collection),
    }


def chain_row(chain: Chain) -> dict[str, Any]:
    return {
        "root": chain.root.pk,
        "acct_no": chain.root.account_id,
        "currency": chain.root.currency,
        "documents": [_step(step) for step in chain.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    document = step.document
    return {
        "invoice_no": document.pk,
        "kind": document.kind,
        "status": document.status,
        "document_number": document.document_number,
        "corrects": document.corrects_id,
        "total_amount": amount_text(document.total_amount, document.currency),
        "difference": amount_text(step.difference, document.currency),
        "reason_code": document.reason_code,
        "reason": step.reason,
        "comments": document.comments,
        "generated_by": document.generated_by,
        "generated_at": document.generated_at,
        "approved_by": document.approved_by,
        "approved_at": document.approved_at,
    }
