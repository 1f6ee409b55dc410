"""Make the documents of credit memos and reversals: lines and taxes of the original, with amounts negated."""

from collections.abc import Mapping
from dataclasses import replace

from invoices.calculation import ZERO
from invoices.document import Correction, Document, Tax, period_of
from invoices.kinds import InvoiceKind
from invoices.models import Invoice
from invoices.plan.memo import MemoPlan
from invoices.services.money.ledger.acts import Why


def memo_document(invoice: Invoice, content: Document, memo: MemoPlan, why: Why) -> Document:
    """Return the document of a planned memo, without number and dates."""
    original = {line.line_no: line for line in content.lines}
    lines = [original[credit.line_no].credited(credit.amount, place) for place, credit in enumerate(memo.lines, 1)]
    for tax_line_no in dict.fromkeys(tax.tax_line_no for tax in memo.taxes):
        mine = [tax for tax in memo.taxes if tax.tax_line_no == tax_line_no]
        added = sum((tax.amount for tax in mine if not tax.is_inclusive), ZERO)
        lines.append(original[tax_line_no].credited(added, len(lines) + 1))
    place_of = {line.source_line_no or 0: line.line_no for line in lines}
    period_start, period_end = period_of(lines, (invoice.bill_date, invoice.bill_date))
    terms = content.terms.unissued(
        kind=InvoiceKind.CREDIT_MEMO.value,
        period_start=period_start,
        period_end=period_end,
        payment_terms_days=0,
        net_amount=-memo.net_amount,
        tax_amount=-memo.tax_amount,
        total_amount=-memo.total_amount,
    )
    return Document(
        terms=terms,
        parties=content.parties,
        lines=tuple(lines),
        taxes=tuple(_taxes(content, memo, place_of)),
        correction=_correction(invoice.pk, why),
    )


def memo_of_all(invoice_no: int, content: Document, why: Why) -> Document:
    """Return the exact negative of a document, line by line and tax by tax. A rebill credits its original with it."""
    return _negated(InvoiceKind.CREDIT_MEMO, invoice_no, content, why)


def reversal_of(invoice_no: int, content: Document, why: Why) -> Document:
    """Return the reversal of a document: its exact negative, line by line and tax by tax."""
    return _negated(InvoiceKind.REVERSAL, invoice_no, content, why)


def _negated(kind: InvoiceKind, invoice_no: int, content: Document, why: Why) -> Document:
    terms = content.terms
    return Document(
        terms=terms.unissued(
            kind=kind.value,
            payment_terms_days=0,
            net_amount=-terms.net_amount,
            tax_amount=-terms.tax_amount,
            total_amount=-terms.total_amount,
        ),
        parties=content.parties,
        lines=tuple(line.negated() for line in content.lines),
        taxes=tuple(tax.negated() for tax in content.taxes),
        correction=_correction(invoice_no, why),
    )


def _correction(invoice_no: int, why: Why) -> Correction:
    return Correction(corrects_id=invoice_no, reason_code=why.reason_code, comments=why.comments)


def _taxes(content: Document, memo: MemoPlan, place_of: Mapping[int, int]) -> list[Tax]:
    by_pair = {(tax.tax_line_no, tax.taxed_line_no): tax for tax in content.taxes}
    return [
        replace(
            by_pair[tax.tax_line_no, tax.line_no],
            tax_line_no=place_of[tax.tax_line_no],
            taxed_line_no=place_of[tax.line_no],
            taxable_amount=-tax.taxable_amount,
            amount=-tax.amount,
        )
        for tax in memo.taxes
    ]
