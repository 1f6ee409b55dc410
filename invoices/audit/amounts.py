"""Lines, taxes and totals add up, exactly: all of it is counted again here in Decimal."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from billing_site.errors import BillingError
from invoices.audit.stored_documents import Document, Line
from invoices.calculation import ZERO, line_amount, smallest_unit
from invoices.kinds import LineType


def count_lines(document: Document) -> int:
    return len(document.lines)


def count_taxes(document: Document) -> int:
    return len(document.taxes)


def count_tax_lines(document: Document) -> int:
    return len(document.tax_lines)


def count_amounts(document: Document) -> int:
    return sum(1 for _ in _amounts(document))


def totals(document: Document) -> Iterator[str]:
    """The total is the sum of the lines, the tax that of the tax details, and net and tax make the total."""
    terms = document.terms
    lines = sum((line.amount for line in document.lines), ZERO)
    taxes = sum((tax.amount for tax in document.taxes), ZERO)
    if lines != terms.total_amount:
        yield f"its lines add up to {shown(lines)}, but its total is {shown(terms.total_amount)}"
    if taxes != terms.tax_amount:
        yield f"its tax details add up to {shown(taxes)}, but its tax is {shown(terms.tax_amount)}"
    if terms.net_amount + terms.tax_amount != terms.total_amount:
        net, tax, total = map(shown, (terms.net_amount, terms.tax_amount, terms.total_amount))
        yield f"net {net} and tax {tax} do not make the total {total}"


def line_numbers(document: Document) -> Iterator[str]:
    numbers = [line.line_no for line in document.lines]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"its lines are numbered {', '.join(map(str, numbers))}"
    if not document.charge_lines:
        yield "it has no charge line"


def line_amounts(document: Document) -> Iterator[str]:
    """Where a line has a rate, its amount is rate x units, or what its days have of that."""
    for line in document.lines:
        if line.rate_per_unit is None:
            continue
        if line.amount != _amount_by_rate(line, line.rate_per_unit, document.terms.currency):
            units = "no units" if line.units is None else f"{shown(line.units)} units"
            yield (
                f"line {line.line_no} is {shown(line.amount)}, which is not {shown(line.rate_per_unit)} for {units} "
                f"by factor {shown(line.proration_factor)}"
            )


def _amount_by_rate(line: Line, rate: Decimal, currency: str) -> Decimal | None:
    """None where there is no such amount: the units are missing, or it is too large to be stored."""
    try:
        return None if line.units is None else line_amount(rate, line.units, line.share, currency)
    except BillingError:
        return None


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
    types = {line.line_no: line.line_type for line in document.lines}
    for tax in document.taxes:
        if types.get(tax.tax_line_no) != LineType.TAX:
            yield f"a tax detail names line {tax.tax_line_no} as its tax line, which is none"
        if types.get(tax.taxed_line_no, LineType.TAX) == LineType.TAX:
            yield f"a tax detail taxes line {tax.taxed_line_no}, which is no charge line"


def whole_units(document: Document) -> Iterator[str]:
    unit = smallest_unit(document.terms.currency)
    for name, amount in _amounts(document):
        if amount % unit:
            yield f"{name} of {shown(amount)} is no amount of {document.terms.currency}"


def _amounts(document: Document) -> Iterator[tuple[str, Decimal]]:
    terms = document.terms
    yield from (("a net", terms.net_amount), ("a tax", terms.tax_amount), ("a total", terms.total_amount))
    for line in document.lines:
        yield f"line {line.line_no}", line.amount
    for tax in document.taxes:
        yield f"tax on line {tax.taxed_line_no}", tax.amount
        yield f"a taxable amount on line {tax.taxed_line_no}", tax.taxable_amount


def shown(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
