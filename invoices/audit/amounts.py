"""Check that lines, taxes and totals add up. Everything is added up again in Decimal."""

from collections.abc import Iterator
from decimal import Decimal

from invoices.audit.stored_documents import StoredDocument
from invoices.calculation import ZERO


def count_lines(document: StoredDocument) -> int:
    return len(document.lines)


def count_amounts(document: StoredDocument) -> int:
    return sum(1 for _ in _amounts(document))


def totals(document: StoredDocument) -> Iterator[str]:
    """Check that the total is the sum of the lines, the tax the sum of the tax details, and that net and tax add up to the
    total."""
    terms = document.terms
    lines = sum((line.amount for line in document.lines), ZERO)
    taxes = sum((tax.amount for tax in document.taxes), ZERO)
    if lines != terms.total_amount:
        yield f"its lines add up to {shown(lines)}, but its total is {shown(terms.total_amount)}"
    if taxes != terms.tax_amount:
        yield f"its tax details add up to {shown(taxes)}, but its tax is {shown(terms.tax_amount)}"
    if terms.net_amount + terms.tax_amount != terms.total_amount:
        net, tax, total = map(shown, (terms.net_amount, terms.tax_amount, terms.total_amount))
        yield f"net {net} and tax {tax} do not add up to the total {total}"


def line_numbers(document: StoredDocument) -> Iterator[str]:
    numbers = [line.line_no for line in document.lines]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"its lines are numbered {', '.join(map(str, numbers))}"
    if not document.charge_lines and not any(line.has_own_tax for line in document.lines):
        yield "it has no charge line"


def whole_units(document: StoredDocument) -> Iterator[str]:
    unit = document.currency.smallest_unit
    for name, amount in _amounts(document):
        if amount % unit:
            yield f"{name} of {shown(amount)} is not a valid amount in {document.terms.currency}"


def _amounts(document: StoredDocument) -> Iterator[tuple[str, Decimal]]:
    terms = document.terms
    yield from (("a net", terms.net_amount), ("a tax", terms.tax_amount), ("a total", terms.total_amount))
    for line in document.lines:
        yield f"line {line.line_no}", line.amount
        if line.base_amount is not None:
            yield f"the base of line {line.line_no}", line.base_amount
    for credit in document.credits:
        yield f"a credit of line {credit.credit_line_no} on line {credit.credited_line_no}", credit.amount
    for tax in document.taxes:
        yield f"tax on line {tax.taxed_line_no}", tax.amount
        yield f"a taxable amount on line {tax.taxed_line_no}", tax.taxable_amount


def shown(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
