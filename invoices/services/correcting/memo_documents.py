"""From what a credit memo credits to the document that is stored: lines and taxes of the original, below zero."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from invoices.calculation import ZERO
from invoices.fingerprints import LINE_FIELDS, TAX_FIELDS, TERM_FIELDS, Content, Correction
from invoices.kinds import InvoiceKind
from invoices.models import Invoice
from invoices.plan.memo import MemoPlan
from invoices.services.money.ledger.acts import Why

NOT_ISSUED: Mapping[str, Any] = {
    "invoice_date": None,
    "due_date": None,
    "series": "",
    "number": None,
    "document_number": "",
}
"""What a document has of number and dates before it is issued."""


def memo_document(invoice: Invoice, content: Content, memo: MemoPlan, why: Why) -> Content:
    """The memo without number and dates: the original's lines and taxes with what is credited of them, below zero."""
    original = {line["line_no"]: line for line in (dict(zip(LINE_FIELDS, row, strict=True)) for row in content.lines)}
    sources: list[int | None] = [credit.line_no for credit in memo.lines]
    lines = [_line(original[credit.line_no], place, -credit.amount) for place, credit in enumerate(memo.lines, 1)]
    place_of = {credit.line_no: place for place, credit in enumerate(memo.lines, 1)}
    for tax_line_no in dict.fromkeys(tax.tax_line_no for tax in memo.taxes):
        mine = [tax for tax in memo.taxes if tax.tax_line_no == tax_line_no]
        added = sum((tax.amount for tax in mine if not tax.is_inclusive), ZERO)
        lines.append(_line(original[tax_line_no], len(lines) + 1, -added))
        place_of[tax_line_no] = len(lines)
        sources.append(tax_line_no)
    spans = [(line["period_start"], line["period_end"]) for line in lines if line["period_start"] and line["period_end"]]
    terms = dict(zip(TERM_FIELDS, content.terms, strict=True)) | {
        "kind": InvoiceKind.CREDIT_MEMO.value,
        "period_start": min((start for start, _ in spans), default=invoice.bill_date),
        "period_end": max((end for _, end in spans), default=invoice.bill_date),
        "payment_terms_days": 0,
        "net_amount": -memo.net_amount,
        "tax_amount": -memo.tax_amount,
        "total_amount": -memo.total_amount,
        **NOT_ISSUED,
    }
    return Content(
        terms=tuple(terms[name] for name in TERM_FIELDS),
        parties=content.parties,
        lines=[tuple(line[name] for name in LINE_FIELDS) for line in lines],
        credits=[],
        taxes=_tax_rows(content, memo, place_of),
        periods=[],
        correction=Correction(invoice.pk, why.reason_code, why.comments, tuple(sources)),
    )


def memo_of_all(invoice_no: int, content: Content, why: Why) -> Content:
    """The exact negative of a document, line by line and tax by tax: what a rebill offsets its original with."""
    lines = content.document_lines
    terms = dict(zip(TERM_FIELDS, content.terms, strict=True))
    terms |= {name: -terms[name] for name in ("net_amount", "tax_amount", "total_amount")}
    terms |= {"kind": InvoiceKind.CREDIT_MEMO.value, "payment_terms_days": 0, **NOT_ISSUED}
    return Content(
        terms=tuple(terms[name] for name in TERM_FIELDS),
        parties=content.parties,
        lines=[tuple(_line(line._asdict(), line.line_no, -line.amount).values()) for line in lines],
        credits=[],
        taxes=[tax._replace(taxable_amount=-tax.taxable_amount, amount=-tax.amount) for tax in content.document_taxes],
        periods=[],
        correction=Correction(invoice_no, why.reason_code, why.comments, tuple(line.line_no for line in lines)),
    )


KEPT_OF_A_LINE = frozenset(
    {
        "line_type",
        "service_id",
        "plan_instance_id",
        "description",
        "plan_name",
        "gl_code",
        "tax_category",
        "order_no",
        "period_start",
        "period_end",
        "po_num",
        "bill_from_location_id",
        "ship_from_location_id",
        "bill_to_contact_id",
        "ship_to_contact_id",
    }
)
"""What a line of a memo has of the line that it credits. How that one's amount came about stands there."""
BLANK_OF_A_LINE = {"explanation": "", "coupon_code": "", "proration_factor": Decimal(1), "proration_text": ""}


def _line(original: Mapping[str, Any], line_no: int, amount: Decimal) -> dict[str, Any]:
    line = {name: original[name] if name in KEPT_OF_A_LINE else BLANK_OF_A_LINE.get(name) for name in LINE_FIELDS}
    return {**line, "line_no": line_no, "amount": amount}


def _tax_rows(content: Content, memo: MemoPlan, place_of: Mapping[int, int]) -> list[tuple[Any, ...]]:
    details = [dict(zip(TAX_FIELDS, row, strict=True)) for row in content.taxes]
    by_pair = {(detail["tax_line_no"], detail["taxed_line_no"]): detail for detail in details}
    rows = []
    for tax in memo.taxes:
        detail = by_pair[tax.tax_line_no, tax.line_no] | {
            "tax_line_no": place_of[tax.tax_line_no],
            "taxed_line_no": place_of[tax.line_no],
            "taxable_amount": -tax.taxable_amount,
            "amount": -tax.amount,
        }
        rows.append(tuple(detail[name] for name in TAX_FIELDS))
    return rows
