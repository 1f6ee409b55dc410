"""PURE: calculate the taxes of a rebill.

Lines that keep their tax use the rates of the original. All other lines use the tax engine's quote for the original's tax date.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from accounts.vat_categories import default_category
from invoices.calculation import ZERO, exact_share, rounded, tax_amounts
from invoices.document import Document, Tax
from invoices.tax_engines.protocol import LineTax, net_of_contained
from rebills.plan.lines import PlannedLines


class OneTax(NamedTuple):
    """One tax. `contained` is the sum of the percentages contained in the price of its lines, 0 if tax is added to the
    price."""

    authority: str
    authority_level: int
    jurisdiction: str
    percent: Decimal
    is_inclusive: bool
    contained: Decimal
    vat_category: str = ""
    exemption_reason: str = ""

    @property
    def law(self) -> tuple[str, int, str, Decimal, str]:
        return self.authority, self.authority_level, self.jurisdiction, self.percent, self.vat_category


class Taxed(NamedTuple):
    """A taxed line. `amount` is taxed now; `was` is the tax on the original and `was_on` its taxed amount; `quoted` is the
    tax engine's quote. A line with neither is taxed at the rates of another line of the original."""

    line_no: int
    amount: Decimal
    was_on: Decimal | None = None
    was: Decimal = ZERO
    quoted: Decimal | None = None


class StoredTaxes:
    """The taxes of an original in the order of its tax lines, each with its taxed lines, and how they were rounded.

    Taxes of lines that give unused days back are kept apart, as they are parts of other documents' taxes. `default_per_line` is
    used for an older document that does not store its rounding and whose amounts do not show it.
    """

    def __init__(self, original: Document, default_per_line: bool) -> None:
        self.currency = original.currency
        left = _left(original)
        self.charge_lines = [line.line_no for line in original.lines if line.is_charge or line.is_return]
        self.categories = {line.line_no: line.tax_category for line in original.lines}
        self.taxes: dict[OneTax, dict[int, Taxed]] = defaultdict(dict)
        self.of_unused_days: dict[OneTax, dict[int, Taxed]] = defaultdict(dict)
        unused = {line.line_no for line in original.lines if line.gives_days_back}
        contained = _contained((tax.taxed_line_no, tax) for tax in original.taxes)
        for tax in original.taxes:
            number = tax.taxed_line_no
            groups = self.of_unused_days if number in unused else self.taxes
            groups[_key(tax, contained[number])][number] = Taxed(number, left[number], left[number], tax.amount)
        self.per_line = self._rounds_per_line(default_per_line) if original.tax_basis is None else original.tax_basis.per_line

    def of_line(self, number: int) -> list[OneTax]:
        return [tax for tax, lines in self.taxes.items() if number in lines]

    def agree(self, numbers: Sequence[int]) -> bool:
        """Whether these lines have the same percentage rates. If so, another line can use them."""
        of_lines = [self.of_line(number) for number in numbers]
        laws = {frozenset(tax.law for tax in taxes) for taxes in of_lines}
        return len(laws) == 1 and all(self.is_percentage(tax) for tax in {tax for taxes in of_lines for tax in taxes})

    def is_percentage(self, tax: OneTax) -> bool:
        """Whether a tax is its percentage of the price, rounded per document, per category or per line. The taxes of some
        engines are not."""
        lines = list(self.taxes[tax].values()) if tax in self.taxes else []
        taken = sum((one.was for one in lines), ZERO)
        return taken in (self._over_document(tax, lines), self._over_categories(tax, lines), sum(self._each(tax, lines), ZERO))

    def _rounds_per_line(self, default: bool) -> bool:
        groups = [(tax, list(lines.values())) for tax, lines in self.taxes.items()]
        once = all(
            sum((one.was for one in lines), ZERO) in (self._over_document(tax, lines), self._over_categories(tax, lines))
            for tax, lines in groups
        )
        each = all([one.was for one in lines] == self._each(tax, lines) for tax, lines in groups)
        return default if once == each else each

    def _over_document(self, tax: OneTax, lines: Sequence[Taxed]) -> Decimal:
        return sum(self.counted(tax, lines, per_line=False), ZERO)

    def _over_categories(self, tax: OneTax, lines: Sequence[Taxed]) -> Decimal:
        by_category: dict[str, list[Taxed]] = defaultdict(list)
        for one in lines:
            by_category[self.categories[one.line_no]].append(one)
        return sum((self._over_document(tax, some) for some in by_category.values()), ZERO)

    def _each(self, tax: OneTax, lines: Sequence[Taxed]) -> list[Decimal]:
        return self.counted(tax, lines, per_line=True)

    def counted(self, tax: OneTax, lines: Sequence[Taxed], *, per_line: bool) -> list[Decimal]:
        return tax_amounts(tax.percent, tax.contained, [one.amount for one in lines], self.currency, per_line=per_line)


def rebill_taxes(
    stored: StoredTaxes, planned: PlannedLines, likes: Mapping[int, int | None], quoted: Iterable[LineTax]
) -> tuple[LineTax, ...]:
    """Return the tax of each line. `likes` has, by rebill line number, the original line whose rates apply; None means quoted.

    If a tax has the same lines and amounts as on the original, it is unchanged. If lines joined or left or amounts changed, it
    is recalculated over the document. If all its lines are quoted, it is the quote.
    """
    groups: dict[OneTax, list[Taxed]] = {tax: [] for tax in stored.taxes}
    for line in planned.lines:
        number = line.line.line_no
        like = likes.get(number)
        if like is None or number not in planned.left:
            continue
        taxes = stored.of_line(like)
        contained = sum((tax.percent for tax in taxes), ZERO).normalize() if line.inclusive else ZERO
        for tax in taxes:
            was = stored.taxes[tax][like]
            is_same = tax.is_inclusive == line.inclusive and line.source is not None and line.source.line_no == like
            own = was._replace(line_no=number, amount=planned.left[number]) if is_same else Taxed(number, planned.left[number])
            key = tax if tax.is_inclusive == line.inclusive else tax._replace(is_inclusive=line.inclusive, contained=contained)
            groups.setdefault(key, []).append(own)
    for tax, taxed in _quoted(quoted, planned):
        groups.setdefault(tax, []).append(taxed)
    for taxes_of in groups.values():
        taxes_of.sort(key=lambda one: one.line_no)
    counted = [
        LineTax(one.line_no, *tax[:5], one.amount, amount, tax.vat_category, tax.exemption_reason)
        for tax, taxed in groups.items()
        for one, amount in zip(taxed, _amounts(stored, tax, taxed), strict=True)
    ]
    return net_of_contained([*counted, *_of_unused_days(stored, planned)])


def _of_unused_days(stored: StoredTaxes, planned: PlannedLines) -> Iterator[LineTax]:
    """Yield the taxes of lines that give unused days back: all of the original tax, or a share if less is given back."""
    numbers = {one.source.line_no: one.line.line_no for one in planned.lines if one.source is not None}
    for tax, lines in stored.of_unused_days.items():
        for source_no, was in lines.items():
            if source_no in numbers:
                one = was._replace(line_no=numbers[source_no], amount=planned.left[numbers[source_no]])
                amount = _part(stored, tax, one)
                yield LineTax(one.line_no, *tax[:5], one.amount, amount, tax.vat_category, tax.exemption_reason)


def _amounts(stored: StoredTaxes, tax: OneTax, taxed: Sequence[Taxed]) -> list[Decimal]:
    quoted = [one.quoted for one in taxed if one.quoted is not None]
    if len(quoted) == len(taxed):
        return quoted
    before = stored.taxes.get(tax, {})
    if len(taxed) == len(before) and all(one.was_on == one.amount for one in taxed):
        return [one.was for one in taxed]
    if not stored.is_percentage(tax):
        return [_part(stored, tax, one) if one.quoted is None else one.quoted for one in taxed]
    return stored.counted(tax, taxed, per_line=stored.per_line)


def _part(stored: StoredTaxes, tax: OneTax, one: Taxed) -> Decimal:
    """Return a line's share of a tax that is not a percentage of the price."""
    if one.was_on == one.amount:
        return one.was
    if not one.was_on:
        return stored.counted(tax, [one], per_line=True)[0]
    return rounded(exact_share(one.was, one.amount, one.was_on), stored.currency)


def _left(original: Document) -> dict[int, Decimal]:
    """Return the amount of each line after coupons and credits, by line number."""
    left = {line.line_no: line.amount for line in original.lines}
    for credit in original.credits:
        left[credit.credited_line_no] -= credit.amount
    return left


def _quoted(quoted: Iterable[LineTax], planned: PlannedLines) -> Iterable[tuple[OneTax, Taxed]]:
    taxes = list(quoted)
    contained = _contained((tax.line_no, tax) for tax in taxes)
    for tax in taxes:
        yield _key(tax, contained[tax.line_no]), Taxed(tax.line_no, planned.left[tax.line_no], quoted=tax.amount)


def _contained(taxes: Iterable[tuple[int, Tax | LineTax]]) -> dict[int, Decimal]:
    contained: dict[int, Decimal] = defaultdict(Decimal)
    for line_no, tax in taxes:
        if tax.is_inclusive:
            contained[line_no] += tax.percent
    return contained


def _key(tax: Tax | LineTax, contained: Decimal) -> OneTax:
    within = contained.normalize() if tax.is_inclusive else ZERO
    percent = tax.percent.normalize()
    category = tax.vat_category or default_category(percent)
    return OneTax(
        tax.authority,
        tax.authority_level,
        tax.jurisdiction,
        percent,
        tax.is_inclusive,
        within,
        category,
        tax.exemption_reason,
    )
