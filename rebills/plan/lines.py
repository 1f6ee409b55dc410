"""PURE: plan a single line of a rebill: unchanged, changed as requested, or added.

Lines that are calculated from others are in `counting.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_site.common.currencies import Currency, named_amount
from billing_site.common.units import padded
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.basis import Basis
from invoices.calculation import ONE, ZERO, Share, line_amount, rounded
from invoices.document import Credit, Line
from invoices.plan.charges import unit_columns
from rebills.plan.requests import LineChange

AMOUNT_GIVEN = "amount set on the rebill"
ADDED = "added on the rebill"


class PlannedLine(NamedTuple):
    """A line of the rebill, and the line of the original that it replaces.

    `inclusive`: its price contains tax. `retax`: the request looks its rates up again. `is_recounted`: it was recalculated
    because the lines that it depends on changed.
    """

    line: Line
    source: Line | None = None
    comments: str = ""
    inclusive: bool = False
    retax: bool = False
    is_recounted: bool = False

    def numbered(self, line_no: int) -> "PlannedLine":
        """Return the line with its number on the rebill, the line number that it replaces, and the comment on the change."""
        source_line_no = None if self.source is None else self.source.line_no
        line = replace(self.line, line_no=line_no, source_line_no=source_line_no, comments=self.comments)
        return self._replace(line=line)


class PlannedLines(NamedTuple):
    """The lines of a rebill before tax. `left` is the amount of each charging line after coupons and credits, by line
    number. `fell_away` are lines of the original that were recalculated to zero and are not on the rebill."""

    lines: tuple[PlannedLine, ...]
    credits: tuple[Credit, ...]
    left: dict[int, Decimal]
    basis: Basis = Basis()
    fell_away: frozenset[int] = frozenset()


def changes_by_line(changes: Sequence[LineChange], lines: Sequence[Line]) -> dict[int, LineChange]:
    """Return each change by the line number that it names.

    Refuses a line number that is named twice, below 1, or left out without being on the original (1016), and tax lines (90042).
    """
    by_number: dict[int, LineChange] = {}
    on_original = {line.line_no: line for line in lines}
    for change in changes:
        if change.line_no in by_number:
            raise wrong(
                change, "line_no", Detail("line {line_no} is named twice; put all its changes together", line_no=change.line_no)
            )
        if change.line_no < 1:
            raise wrong(
                change, "line_no", Detail("{line_no} is not a line number: lines are numbered from 1", line_no=change.line_no)
            )
        source = on_original.get(change.line_no)
        if source is not None and source.is_tax:
            raise BillingError(
                ErrorCode.TAX_LINE, Detail("line {line_no}", line_no=change.line_no), field=field_of(change, "line_no")
            )
        if source is None and change.exclude:
            raise wrong(
                change,
                "line_no",
                Detail(
                    "line {line_no} cannot be left out: the invoice does not have it; name one of its lines",
                    line_no=change.line_no,
                ),
            )
        by_number[change.line_no] = change
    return by_number


IsGross = Callable[[Line], bool]
"""Whether the price of a line contains tax."""


def changed_line(source: Line, change: LineChange | None, is_gross: IsGross, currency: Currency) -> PlannedLine:
    """Return a line of the original with the requested change, not yet numbered."""
    if change is None:
        return PlannedLine(source, source, inclusive=is_gross(source))
    if source.has_own_tax:
        inclusive = source.is_return and is_gross(source)
        return PlannedLine(_given_back(source, change, currency), source, change.comments, inclusive)
    changes_service = change.service is not None and change.service.service_no != source.service_id
    line = _priced(source, change, currency)
    if changes_service:
        line = replace(line, **_of_service(change))
    line = _with_text_and_period(_placed(line, change), change)
    inclusive = change.service.tax_inclusive if changes_service and change.service else is_gross(source)
    return PlannedLine(line, source, change.comments, inclusive, change.retax)


def _given_back(source: Line, change: LineChange, currency: Currency) -> Line:
    """Return a line that gives money back at its own tax with the requested amount, between 0 and the original amount."""
    line = source if change.po_num is None else replace(source, po_num=change.po_num)
    if not change.is_priced:
        return line
    if change.amount is None or change.rate is not None or change.units is not None:
        raise wrong_price(
            change,
            Detail(
                "line {line_no} gives money back, so only its amount can be changed; leave its rate and units out",
                line_no=source.line_no,
            ),
        )
    check_whole(change, currency)
    if not min(source.amount, ZERO) <= change.amount <= max(source.amount, ZERO):
        raise wrong(
            change,
            "amount",
            Detail(
                "line {line_no} gives money back: {amount} is not between 0 and {most}; give an amount in this range",
                line_no=source.line_no,
                amount=named_amount(change.amount, currency.code),
                most=named_amount(source.amount, currency.code),
            ),
        )
    if change.amount == source.amount:
        return line
    return replace(line, amount=change.amount, units=None, rate_per_unit=None, explanation=AMOUNT_GIVEN)


ADDRESSES = ("bill_from_location_id", "ship_from_location_id", "bill_to_contact_id", "ship_to_contact_id")


def _placed(line: Line, change: LineChange) -> Line:
    """Return the line with the requested PO number and addresses."""
    given = (change.bill_from, change.ship_from, change.bill_to, change.ship_to)
    addresses: dict[str, Any] = {name: value for name, value in zip(ADDRESSES, given, strict=True) if value is not None}
    if change.po_num is not None:
        addresses["po_num"] = change.po_num
    return replace(line, **addresses) if addresses else line


def _with_text_and_period(line: Line, change: LineChange) -> Line:
    """Return the line with the requested text and period. Neither changes the amount."""
    if change.description is not None:
        line = replace(line, description=change.description)
    start, end = change.period_start or line.period_start, change.period_end or line.period_end
    if (start, end) == (line.period_start, line.period_end):
        return line
    if start is None or end is None:
        name = "period_end" if end is None else "period_start"
        raise wrong(change, name, Detail("a period needs a first and a last day; give both"))
    if end < start:
        raise wrong(change, "period_end", Detail("{end} is before {start}", end=end, start=start))
    return _of_period(line, start, end)


def _of_period(line: Line, start: date, end: date) -> Line:
    """Return the line with another period. Its amount stays, so the old proration is kept as an explanation."""
    share = line.share
    moved = replace(
        line,
        period_start=start,
        period_end=end,
        period_total_days=None,
        proration_remaining_days=None,
        proration_factor=ONE,
        proration_text="",
    )
    if share.days == share.total or line.rate_per_unit is None:
        return moved
    story = f"{shown(line.units)} x {shown(line.rate_per_unit)}, {line.proration_text}"
    return moved.unrated(rate_per_unit=None, explanation=story)


def _of_service(change: LineChange) -> dict[str, Any]:
    """Return the columns that a line takes from its service. Its bill-from and ship-from locations are the service's, if it
    has one."""
    service = change.service
    assert service is not None
    columns: dict[str, Any] = {
        "service_id": service.service_no,
        "description": service.name,
        "gl_code": service.gl_code,
        "tax_category": service.tax_category,
        **unit_columns(service),
    }
    if service.location_no is not None:
        columns |= {"bill_from_location_id": service.location_no, "ship_from_location_id": service.location_no}
    return columns


def _priced(source: Line, change: LineChange, currency: Currency) -> Line:
    """Return the line with the requested units, rate and amount: rate x units x the original's share of its period.

    What is not requested is taken from the original. An amount that differs from the product is stored without a rate. If all
    three are requested they must agree (90029).
    """
    if not change.is_priced:
        return source
    check_whole(change, currency)
    if source.line_no and source.amount >= ZERO:
        _check_not_below_zero(change)
    rate = source.rate_per_unit if change.rate is None else change.rate
    units = source.units if change.units is None else change.units
    amount = None if rate is None or units is None else _product(change, rate, units, source.share, currency)
    if change.amount is None and amount is None:
        raise wrong_price(
            change,
            Detail(
                "line {line_no} has no rate to calculate with; give its amount, or both its rate and units",
                line_no=source.line_no,
            ),
        )
    if change.amount is None or change.amount == amount:
        same = (rate, units, amount) == (source.rate_per_unit, source.units, source.amount)
        return source if same else source.unrated(units=units, rate_per_unit=rate, amount=amount, explanation="")
    if amount is None and change.amount == source.amount and change.units is None and change.rate is None:
        return source
    if change.rate is not None and change.units is not None:
        detail = Detail(
            "line {line_no}: {rate} for {units} units is {product}, and not {amount}",
            line_no=change.line_no,
            rate=named(change.rate),
            units=named(units),
            product=named(amount),
            amount=named(change.amount),
        )
        raise wrong_price(change, detail)
    return source.unrated(units=units, rate_per_unit=None, amount=change.amount, explanation=AMOUNT_GIVEN)


def added_line(change: LineChange, first: Line, currency: Currency) -> PlannedLine:
    """Return a line that the original does not have, for a service with an amount, or with a rate and units (1 by default).

    It has the contacts of the original's first line unless others are requested.
    """
    if change.service is None:
        raise wrong(
            change,
            "service_no",
            Detail(
                "line {line_no} is not on the invoice, so it is added and needs a service; give its service_no",
                line_no=change.line_no,
            ),
        )
    if change.amount is None and change.rate is None:
        raise wrong_price(
            change,
            Detail(
                "line {line_no} is not on the invoice, so it is added and needs a price; give its amount, or rate and units",
                line_no=change.line_no,
            ),
        )
    service, units = change.service, ONE if change.amount is None and change.units is None else change.units
    change = change._replace(units=units)
    priced = _priced(Line.blank(), change, currency)
    line = replace(
        priced,
        line_no=change.line_no,
        explanation=priced.explanation or ADDED,
        bill_to_contact_id=first.bill_to_contact_id,
        ship_to_contact_id=first.ship_to_contact_id,
        **_of_service(change),
    )
    line = _with_text_and_period(_placed(line, change), change)
    return PlannedLine(line, None, change.comments, service.tax_inclusive, change.retax)


def _product(change: LineChange, rate: Decimal, units: Decimal, share: Share, currency: Currency) -> Decimal:
    """Return rate x units. Refuses one that is too large (90008) by the name of what is changed."""
    try:
        return line_amount(rate, units, share, currency)
    except BillingError as error:
        raise error.within(field_of(change, "units" if change.rate is None else "rate")) from error


def _rounded(change: LineChange, amount: Decimal, currency: Currency) -> Decimal:
    try:
        return rounded(amount, currency)
    except BillingError as error:
        raise error.within(field_of(change, "amount")) from error


def _check_not_below_zero(change: LineChange) -> None:
    """Refuse a negative rate or negative units on a charging line of the original. Only its amount may be negative; what is
    returned is added as a line of its own."""
    for name in ("rate", "units"):
        value = getattr(change, name)
        if value is not None and value < ZERO:
            raise wrong(
                change,
                name,
                Detail("{value} is below 0; to give something back, add a line with a negative amount", value=padded(value, 0)),
            )


def check_whole(change: LineChange, currency: Currency) -> None:
    """Refuse an amount that is not a multiple of the currency's smallest unit."""
    amount = change.amount
    if amount is not None and amount != _rounded(change, amount, currency):
        detail = Detail(
            "{amount} is not a multiple of the smallest unit of {currency}, {smallest_unit}",
            amount=named_amount(amount, currency.code),
            currency=str(currency),
            smallest_unit=currency.smallest_unit,
        )
        raise wrong(change, "amount", detail)


PRICES = {"rate": "rate_per_unit", "units": "units", "amount": "amount"}


def named(number: Decimal | None) -> Decimal | str:
    """Return a number for a refusal, which pages write in the reader's language."""
    return "nothing" if number is None else padded(number, 0)


def shown(amount: Decimal | None) -> str:
    return "nothing" if amount is None else f"{amount.normalize():f}"


def field_of(change: LineChange, name: str) -> str:
    name = f"{change.prefix}{PRICES[name]}" if name in PRICES else name
    return f"{change.path}.{name}" if change.path else name


def wrong(change: LineChange, name: str, detail: Detail) -> BillingError:
    field = field_of(change, name)
    return BillingError(ErrorCode.INVALID_INPUT, Detail("{field}: {detail}", field=field, detail=detail), field=field)


def wrong_price(change: LineChange, detail: Detail) -> BillingError:
    return BillingError(ErrorCode.LINE_TERMS, detail, field=field_of(change, "amount"))
