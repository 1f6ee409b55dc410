"""PURE: the lines of a rebill: carried as they were, changed, added, or left out.

Lines may be asked for in any order; the rebill's own are numbered from 1 in the original's order, added ones behind the other
charges. Taxes are counted afterwards: a tax line is never asked for.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import ONE, WHOLE, ZERO, Share, line_amount, rounded, smallest_unit, split
from invoices.fingerprints import Content, DocumentCredit, DocumentLine
from invoices.kinds import CREDIT_TYPES, LineType, gives_days_back
from rebills.plan.requests import LineChange

AMOUNT_GIVEN = "amount given on the rebill"
ADDED = "added on the rebill"
RATING_BLANK: dict[str, Any] = {
    "list_rate_per_unit": None,
    "rate_schedule_no": None,
    "tier_no": None,
    "tier_from": None,
    "tier_to": None,
    "percent": None,
    "base_amount": None,
}
"""How the original's amount came about, which a changed line does not repeat."""


class PlannedLine(NamedTuple):
    """A line of the rebill, with the line of the original that it replaces. `is_kept`: its service, amount and addresses are
    the original's, so that it keeps its tax rates."""

    line: DocumentLine
    source: DocumentLine | None = None
    comments: str = ""
    inclusive: bool = False
    is_kept: bool = False


class PlannedLines(NamedTuple):
    """The rebill before tax. `left` is what coupons and credits leave of each line that charges, by its number."""

    lines: tuple[PlannedLine, ...]
    credits: tuple[DocumentCredit, ...]
    left: dict[int, Decimal]


def plan_lines(
    original: Content, changes: Sequence[LineChange], inclusive: frozenset[int], currency: str, *, carries_unlisted: bool
) -> PlannedLines:
    """The lines that are asked for, and where `carries_unlisted` those that are not. None at all is refused (1008)."""
    sources = [line for line in original.document_lines if line.line_type != LineType.TAX]
    asked = _by_number(changes, original.document_lines)
    rebilled = [
        (source, asked.get(source.line_no))
        for source in sources
        if (carries_unlisted if source.line_no not in asked else not asked[source.line_no].exclude)
    ]
    last = max(line.line_no for line in original.document_lines)
    drafts = [
        *(_charge(source, change, inclusive, currency) for source, change in rebilled if not takes_off(source)),
        *(_added(change, sources[0], currency) for number, change in sorted(asked.items()) if number > last),
    ]
    if not drafts:
        raise BillingError(ErrorCode.NO_LINE_ITEMS)
    return _with_credits(original, drafts, [one for one in rebilled if takes_off(one[0])], currency)


def takes_off(line: DocumentLine) -> bool:
    """Whether a line takes something off lines that charge: a coupon, a service credit, or what is above a maximum."""
    return not is_given_back(line) and (line.line_type in CREDIT_TYPES or line.amount < ZERO)


def is_given_back(line: DocumentLine) -> bool:
    """Whether a line gives unused days of a plan back: it has an amount only, and its part of the tax that was charged."""
    return gives_days_back(line.line_type, line.plan_instance_id)


def share_of(line: DocumentLine) -> Share:
    """The days that the line is of, of those of its full period."""
    if not (line.period_total_days and line.proration_remaining_days and line.period_start and line.period_end):
        return WHOLE
    days = (line.period_end - line.period_start).days + 1
    return Share(days, line.proration_remaining_days, line.period_total_days)


def _by_number(changes: Sequence[LineChange], lines: Sequence[DocumentLine]) -> dict[int, LineChange]:
    """Each change by the line it names. The same line twice, a tax line, and a line that is none are refused."""
    by_number: dict[int, LineChange] = {}
    on_original = {line.line_no: line for line in lines}
    for change in changes:
        if change.line_no in by_number:
            raise _wrong(change, "line_no", f"line {change.line_no} is named twice")
        if change.line_no < 1:
            raise _wrong(change, "line_no", f"{change.line_no} is no line number")
        source = on_original.get(change.line_no)
        if source is not None and source.line_type == LineType.TAX:
            raise BillingError(ErrorCode.TAX_LINE, f"line {change.line_no}", field=_field(change, "line_no"))
        if source is None and change.exclude:
            raise _wrong(change, "line_no", f"the invoice has no line {change.line_no} to leave out")
        by_number[change.line_no] = change
    return by_number


def _charge(source: DocumentLine, change: LineChange | None, inclusive: frozenset[int], currency: str) -> PlannedLine:
    """A line of the original with what is asked for it, not yet numbered."""
    if change is None:
        return PlannedLine(source, source, inclusive=source.service_id in inclusive, is_kept=True)
    if is_given_back(source):
        return PlannedLine(_given_back(source, change, currency), source, change.comments, is_kept=True)
    changes_service = change.service is not None and change.service.service_no != source.service_id
    line = source._replace(**_priced(source, change, currency))
    if changes_service:
        line = line._replace(**_of_service(change))
    line = _placed(line, change)
    before, after = ((one.service_id, one.amount, *(getattr(one, name) for name in ADDRESSES)) for one in (source, line))
    is_inclusive = change.service.tax_inclusive if changes_service and change.service else source.service_id in inclusive
    return PlannedLine(line, source, change.comments, is_inclusive, is_kept=before == after)


def _given_back(source: DocumentLine, change: LineChange, currency: str) -> DocumentLine:
    """A line that gives days back, with another amount between nothing and what it gave back."""
    line = source if change.po_num is None else source._replace(po_num=change.po_num)
    if not change.is_priced:
        return line
    if change.amount is None or change.rate is not None or change.units is not None:
        raise _unpriced(change, f"line {source.line_no} gives unused days back: it has an amount only")
    _check_whole(change, currency)
    if not min(source.amount, ZERO) <= change.amount <= max(source.amount, ZERO):
        raise _wrong(change, "amount", f"line {source.line_no} is between 0 and {_shown(source.amount)}")
    return line if change.amount == source.amount else line._replace(amount=change.amount, explanation=AMOUNT_GIVEN)


ADDRESSES = ("bill_from_location_id", "ship_from_location_id", "bill_to_contact_id", "ship_to_contact_id")


def _placed(line: DocumentLine, change: LineChange) -> DocumentLine:
    """With the PO number and the addresses that are given."""
    given = (change.bill_from, change.ship_from, change.bill_to, change.ship_to)
    addresses: dict[str, Any] = {name: value for name, value in zip(ADDRESSES, given, strict=True) if value is not None}
    return line._replace(po_num=line.po_num if change.po_num is None else change.po_num, **addresses)


def _of_service(change: LineChange) -> dict[str, Any]:
    """What a line has of its service. It is billed and supplied from the service's location, where it has one."""
    service = change.service
    assert service is not None
    columns: dict[str, Any] = {
        "service_id": service.service_no,
        "description": service.name,
        "gl_code": service.gl_code,
        "tax_category": service.tax_category,
    }
    if service.location_no is not None:
        columns |= {"bill_from_location_id": service.location_no, "ship_from_location_id": service.location_no}
    return columns


def _priced(source: DocumentLine, change: LineChange, currency: str) -> dict[str, Any]:
    """Units, rate and amount: rate x units x the original's share of its period, each from the original where none is given.

    An amount that this does not come to stands by itself, without a rate; but not where all three are given.
    """
    if not change.is_priced:
        return {}
    _check_values(change, currency)
    rate = source.rate_per_unit if change.rate is None else change.rate
    units = source.units if change.units is None else change.units
    amount = None if rate is None or units is None else line_amount(rate, units, share_of(source), currency)
    if change.amount is None and amount is None:
        raise _unpriced(change, f"line {source.line_no} has no rate to count with: give its amount, or rate and units")
    if change.amount is None or change.amount == amount:
        same = (rate, units, amount) == (source.rate_per_unit, source.units, source.amount)
        return {} if same else {**RATING_BLANK, "units": units, "rate_per_unit": rate, "amount": amount, "explanation": ""}
    if amount is None and change.amount == source.amount and change.units is None and change.rate is None:
        return {}
    if change.rate is not None and change.units is not None:
        detail = f"line {change.line_no}: {_shown(change.rate)} for {_shown(units)} units is {_shown(amount)}"
        raise _unpriced(change, f"{detail}, and not {_shown(change.amount)}")
    alone = {"units": units, "rate_per_unit": None, "amount": change.amount, "explanation": AMOUNT_GIVEN}
    return {**RATING_BLANK, **alone}


NEW_LINE = DocumentLine(
    line_no=0,
    line_type=LineType.ORDER.value,
    service_id=None,
    plan_instance_id=None,
    description="",
    plan_name="",
    gl_code="",
    tax_category="",
    units=None,
    rate_per_unit=None,
    explanation=ADDED,
    order_no=None,
    coupon_code="",
    proration_factor=ONE,
    proration_text="",
    period_total_days=None,
    proration_remaining_days=None,
    amount=ZERO,
    period_start=None,
    period_end=None,
    po_num="",
    bill_from_location_id=None,
    ship_from_location_id=None,
    bill_to_contact_id=None,
    ship_to_contact_id=None,
    **RATING_BLANK,
)


def _added(change: LineChange, first: DocumentLine, currency: str) -> PlannedLine:
    """A line that the original does not have: of a service, with an amount, or with a rate and units. It goes to the contacts
    of the first line, unless others are given."""
    if change.service is None:
        raise _wrong(change, "service_no", f"line {change.line_no} is added: of which service?")
    if change.amount is None and (change.rate is None or change.units is None):
        raise _unpriced(change, f"line {change.line_no} is added: give its amount, or rate and units")
    contacts: dict[str, Any] = {"bill_to_contact_id": first.bill_to_contact_id, "ship_to_contact_id": first.ship_to_contact_id}
    blank = NEW_LINE._replace(line_no=change.line_no, **contacts)
    line = blank._replace(**_priced(blank, change, currency), **_of_service(change))
    line = _placed(line._replace(explanation=line.explanation or ADDED), change)
    return PlannedLine(line, None, change.comments, change.service.tax_inclusive)


def _check_values(change: LineChange, currency: str) -> None:
    """None below zero: what takes off is a line of its own. An amount is one of its currency."""
    for name in ("rate", "units", "amount"):
        value = getattr(change, name)
        if value is not None and value < ZERO:
            raise _wrong(change, name, f"{_shown(value)} is below 0")
    _check_whole(change, currency)


def _check_whole(change: LineChange, currency: str) -> None:
    amount = change.amount
    if amount is not None and amount != rounded(amount, currency):
        detail = f"{_shown(amount)} is not in whole smallest units of {currency} ({smallest_unit(currency)})"
        raise _wrong(change, "amount", detail)


def _with_credits(
    original: Content,
    charges: Sequence[PlannedLine],
    taking: Iterable[tuple[DocumentLine, LineChange | None]],
    currency: str,
) -> PlannedLines:
    """The charges numbered, and behind them what takes off: as much of it as these lines leave room for."""
    off = _Off(original, charges, currency)
    for source, change in taking:
        off.take(source, change)
    return off.planned()


class _Off:
    """Charges, and what is left of each while coupons and credits are taken off. Lines go by their places among all lines."""

    def __init__(self, original: Content, charges: Sequence[PlannedLine], currency: str) -> None:
        self.currency = currency
        self.charges = list(charges)
        self.left = [charge.line.amount for charge in charges]
        self.place_of = {charge.source.line_no: place for place, charge in enumerate(charges) if charge.source is not None}
        self.details: dict[int, list[DocumentCredit]] = {}
        for detail in original.document_credits:
            self.details.setdefault(detail.credit_line_no, []).append(detail)
        self.taken: list[tuple[PlannedLine, dict[int, Decimal]]] = []

    def take(self, source: DocumentLine, change: LineChange | None) -> None:
        """What a carried line takes off: as much of each charge as on the original, or as much as is left of it. An amount
        that is given is spread over the same charges, and is no more than on the original."""
        details = [one for one in self.details.get(source.line_no, []) if one.credited_line_no in self.place_of]
        if change is not None and change.is_priced:
            parts = self._given(source, change, [self.place_of[one.credited_line_no] for one in details])
        else:
            places = {self.place_of[one.credited_line_no]: one.amount for one in details}
            parts = {place: min(amount, self.left[place]) for place, amount in places.items()}
        parts = {place: part for place, part in parts.items() if part > ZERO}
        if not parts:
            return
        for place, part in parts.items():
            self.left[place] -= part
        amount = -sum(parts.values(), ZERO)
        line = source._replace(amount=amount)
        if amount != source.amount:
            line = line._replace(**RATING_BLANK, explanation=f"of {_shown(-source.amount)} on the original")
        if change is not None and change.po_num is not None:
            line = line._replace(po_num=change.po_num)
        self.taken.append((PlannedLine(line, source, change.comments if change else ""), parts))

    def _given(self, source: DocumentLine, change: LineChange, places: Sequence[int]) -> dict[int, Decimal]:
        if change.amount is None or change.rate is not None or change.units is not None:
            raise _unpriced(change, f"line {source.line_no} takes something off: it has an amount only")
        _check_whole(change, self.currency)
        room = min(-source.amount, sum((self.left[place] for place in places), ZERO))
        if not -room <= change.amount <= ZERO:
            raise _wrong(change, "amount", f"line {source.line_no} takes off up to {_shown(-room)}")
        parts = split(-change.amount, [self.left[place] for place in places], self.currency)
        return dict(zip(places, parts, strict=True))

    def planned(self) -> PlannedLines:
        """All lines in the original's order: an added one behind the other charges, coupons and credits last."""
        order = sorted(
            [(_order(charge), place, charge) for place, charge in enumerate(self.charges)]
            + [(_order(taking), len(self.charges) + place, taking) for place, (taking, _) in enumerate(self.taken)],
            key=lambda one: one[0],
        )
        number_of = {place: number for number, (_, place, _) in enumerate(order, 1)}
        return PlannedLines(
            tuple(one._replace(line=one.line._replace(line_no=number_of[place])) for _, place, one in order),
            tuple(
                sorted(
                    DocumentCredit(number_of[len(self.charges) + place], number_of[credited], part)
                    for place, (_, parts) in enumerate(self.taken)
                    for credited, part in parts.items()
                )
            ),
            {number_of[place]: left for place, left in enumerate(self.left)},
        )


def _order(planned: PlannedLine) -> tuple[int, int]:
    line = planned.line
    if line.line_type in CREDIT_TYPES:
        return 2, line.line_no
    return (1 if planned.source is None else 0), line.line_no


PRICES = {"rate": "rate_per_unit", "units": "units", "amount": "amount"}


def _shown(amount: Decimal | None) -> str:
    return "nothing" if amount is None else f"{amount.normalize():f}"


def _field(change: LineChange, name: str) -> str:
    name = f"{change.prefix}{PRICES[name]}" if name in PRICES else name
    return f"{change.path}.{name}" if change.path else name


def _wrong(change: LineChange, name: str, detail: str) -> BillingError:
    field = _field(change, name)
    return BillingError(ErrorCode.INVALID_INPUT, f"{field}: {detail}", field=field)


def _unpriced(change: LineChange, detail: str) -> BillingError:
    return BillingError(ErrorCode.LINE_TERMS, detail, field=_field(change, "amount"))
