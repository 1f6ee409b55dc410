"""Taxes are of charges, counted on what credits leave of these, and shown by tax lines."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from invoices.audit.amounts import shown
from invoices.audit.credits import left_of_charges
from invoices.audit.stored_documents import Document
from invoices.calculation import ZERO
from invoices.kinds import LineType


def count_taxes(document: Document) -> int:
    return len(document.taxes)


def count_tax_lines(document: Document) -> int:
    return len(document.tax_lines)


def tax_lines(document: Document) -> Iterator[str]:
    """A tax line shows what its details add to the prices; taxes that prices contain add nothing."""
    added: dict[int, Decimal] = defaultdict(Decimal)
    for tax in document.taxes:
        added[tax.tax_line_no] += ZERO if tax.is_inclusive else tax.amount
    for line in document.tax_lines:
        if line.line_no not in added:
            yield f"tax line {line.line_no} has no details"
        elif line.amount != added[line.line_no]:
            yield f"tax line {line.line_no} is {shown(line.amount)}, but its details add {shown(added[line.line_no])}"


def tax_details(document: Document) -> Iterator[str]:
    """A tax detail ties a tax line to a line that charges: what is taken off is not taxed, it lowers what is. A line that gives
    unused days back gives back the tax that was charged for them."""
    lines = {line.line_no: line for line in document.lines}
    for tax in document.taxes:
        shows, taxed = lines.get(tax.tax_line_no), lines.get(tax.taxed_line_no)
        if shows is None or shows.line_type != LineType.TAX:
            yield f"a tax detail names line {tax.tax_line_no} as its tax line, which is none"
        if taxed is None or not (taxed.charges or taxed.gives_days_back):
            yield f"a tax detail taxes line {tax.taxed_line_no}, which is no charge line"


def taxable_amounts(document: Document) -> Iterator[str]:
    """A tax is counted on what credits leave of its line; where the price contains taxes, on that without all of them."""
    left = left_of_charges(document) | {line.line_no: line.amount for line in document.lines if line.gives_days_back}
    contained: dict[int, Decimal] = defaultdict(Decimal)
    for tax in document.taxes:
        contained[tax.taxed_line_no] += tax.amount if tax.is_inclusive else ZERO
    for tax in document.taxes:
        line_no = tax.taxed_line_no
        within = contained[line_no] if tax.is_inclusive else ZERO
        if line_no in left and tax.taxable_amount + within != left[line_no]:
            without = f", of which {shown(within)} are taxes" if tax.is_inclusive else ""
            yield (
                f"tax line {tax.tax_line_no} is counted on {shown(tax.taxable_amount)} of line {line_no}, but credits leave "
                f"{shown(left[line_no])} of it{without}"
            )
