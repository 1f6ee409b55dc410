"""Check that taxes are on charges, are calculated on what credits leave of them, and are shown by tax lines."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from accounts.kinds import TaxExemption
from invoices.audit.amounts import shown
from invoices.audit.credits import left_of_charges
from invoices.audit.stored_documents import StoredDocument
from invoices.calculation import ZERO, tax_amounts
from invoices.document import Tax
from invoices.kinds import BILLING_KINDS, LineType

TABLE = "table"
"""The built-in engine, whose taxes are a percentage of the taxable amount. Other engines may calculate in other ways."""


def count_taxes(document: StoredDocument) -> int:
    return len(document.taxes)


def count_tax_lines(document: StoredDocument) -> int:
    return len(document.tax_lines)


def tax_lines(document: StoredDocument) -> Iterator[str]:
    """Check that a tax line is the sum of its details. Taxes that are contained in prices add nothing."""
    added: dict[int, Decimal] = defaultdict(Decimal)
    for tax in document.taxes:
        added[tax.tax_line_no] += ZERO if tax.is_inclusive else tax.amount
    for line in document.tax_lines:
        if line.line_no not in added:
            yield f"tax line {line.line_no} has no details"
        elif line.amount != added[line.line_no]:
            yield f"tax line {line.line_no} is {shown(line.amount)}, but its details add {shown(added[line.line_no])}"


def tax_details(document: StoredDocument) -> Iterator[str]:
    """Check that each tax detail connects a tax line with a charge. A credit is not taxed; it reduces the taxable amount.

    A line that credits unused days or returns something may be taxed too: it gives back the tax that was charged for them.
    """
    lines = {line.line_no: line for line in document.lines}
    for tax in document.taxes:
        shows, taxed = lines.get(tax.tax_line_no), lines.get(tax.taxed_line_no)
        if shows is None or shows.line_type != LineType.TAX:
            yield f"a tax detail names line {tax.tax_line_no} as its tax line, but that is not a tax line"
        if taxed is None or not (taxed.is_charge or taxed.has_own_tax):
            yield f"a tax detail taxes line {tax.taxed_line_no}, which is not a charge line"


def taxable_amounts(document: StoredDocument) -> Iterator[str]:
    """Check that the taxable amount is what credits leave of the line, without the taxes that the price contains."""
    left = left_of_charges(document) | {line.line_no: line.amount for line in document.lines if line.has_own_tax}
    contained: dict[int, Decimal] = defaultdict(Decimal)
    for tax in document.taxes:
        contained[tax.taxed_line_no] += tax.amount if tax.is_inclusive else ZERO
    for tax in document.taxes:
        line_no = tax.taxed_line_no
        within = contained[line_no] if tax.is_inclusive else ZERO
        if line_no in left and tax.taxable_amount + within != left[line_no]:
            without = f", of which {shown(within)} are taxes" if tax.is_inclusive else ""
            yield (
                f"tax line {tax.tax_line_no} is calculated on {shown(tax.taxable_amount)} of line {line_no}, but credits leave "
                f"{shown(left[line_no])} of it{without}"
            )


def count_bases(document: StoredDocument) -> int:
    return int(document.content.tax_basis is not None)


def tax_basis(document: StoredDocument) -> Iterator[str]:
    """Check that the stored tax basis has the address of each contact and location on a line, and which prices contain tax.

    Older documents have no tax basis. Lines that credit unused days are skipped: they give back the tax of other documents.
    """
    basis = document.content.tax_basis
    if basis is None:
        return
    unused = {line.line_no for line in document.lines if line.gives_days_back}
    for line in document.lines:
        if line.line_no in unused:
            continue
        for what, numbers, known in (
            ("contact", (line.bill_to_contact_id, line.ship_to_contact_id), basis.contacts),
            ("location", (line.bill_from_location_id, line.ship_from_location_id), basis.locations),
        ):
            for number in dict.fromkeys(numbers):
                if number is not None and number not in known:
                    yield f"line {line.line_no} names {what} {number}, whose address is not stored"
    for tax in document.taxes:
        if tax.taxed_line_no not in unused and tax.is_inclusive != (tax.taxed_line_no in basis.gross_lines):
            said, other = ("without", "in") if tax.is_inclusive else ("with", "added to")
            yield f"line {tax.taxed_line_no} was priced {said} tax, but tax line {tax.tax_line_no} is {other} its price"


def count_answers(document: StoredDocument) -> int:
    return int(document.tax_answer is not None)


def tax_answers(document: StoredDocument) -> Iterator[str]:
    """Check that lines without a tax rate are not taxed, and that invoices of exempt customers have no tax.

    A rebill may keep the taxes of an original from before the exemption. A credit of unused days gives their tax back.
    """
    answer = document.tax_answer
    if answer is None:
        return
    lines = {line.line_no: line for line in document.lines}
    for number in answer.unanswered:
        if number not in lines:
            yield f"says that line {number} has no answer for its tax, but has no such line"
    is_exempt = answer.exemption != TaxExemption.NONE and document.terms.kind in BILLING_KINDS
    for tax in document.taxes:
        line = lines.get(tax.taxed_line_no)
        if tax.taxed_line_no in answer.unanswered:
            yield f"line {tax.taxed_line_no} has no answer for its tax, but tax line {tax.tax_line_no} taxes it"
        elif is_exempt and not (line is not None and line.gives_days_back):
            yield f"the customer is exempt, but tax line {tax.tax_line_no} taxes line {tax.taxed_line_no}"


def count_percents(document: StoredDocument) -> int:
    return len(document.taxes) if _is_by_table(document) else 0


def percents(document: StoredDocument) -> Iterator[str]:
    """Check that a tax of the built-in engine is its percentage of the taxable amount, rounded as the document says.

    Older documents do not say how they were rounded, and are skipped.
    """
    basis = document.content.tax_basis
    if basis is None or not _is_by_table(document):
        return
    left = left_of_charges(document) | {line.line_no: line.amount for line in document.lines if line.is_return}
    contained: dict[int, Decimal] = defaultdict(Decimal)
    for tax in document.taxes:
        contained[tax.taxed_line_no] += tax.percent if tax.is_inclusive else ZERO
    groups: dict[tuple[int, Decimal, Decimal], list[Tax]] = defaultdict(list)
    unused = {line.line_no for line in document.lines if line.gives_days_back}
    for tax in document.taxes:
        if tax.taxed_line_no in unused:
            continue
        within = contained[tax.taxed_line_no] if tax.is_inclusive else ZERO
        groups[tax.tax_line_no, tax.percent, within.normalize()].append(tax)
    for (tax_line_no, percent, within), taxes in groups.items():
        amounts = [left.get(tax.taxed_line_no, ZERO) for tax in taxes]
        right = sum(tax_amounts(percent, within, amounts, document.currency, per_line=basis.per_line), ZERO)
        taken = sum((tax.amount for tax in taxes), ZERO)
        if taken != right:
            yield f"tax line {tax_line_no} takes {shown(taken)}, but {shown(percent)} % of its lines is {shown(right)}"


def _is_by_table(document: StoredDocument) -> bool:
    return document.content.tax_basis is not None and document.content.tax_basis.engine == TABLE
