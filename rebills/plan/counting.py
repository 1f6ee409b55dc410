"""PURE: plan all lines of a rebill: the requested ones, and those that are calculated from other lines.

Minimums, maximums, prices by band, percent surcharges, coupons and service credits are recalculated if the lines that they
depend on changed, unless the request sets their amount. The order is the one of an invoice: charges with their minimums and
maximums, lines below zero, surcharges, coupons, service credits. If nothing changed, nothing is recalculated.

Lines may be requested in any order. The rebill's lines are numbered from 1 in the original's order, with added lines after the
other charges. Taxes are calculated later: a tax line cannot be requested.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from billing_site.common.currencies import Currency, named_amount
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.basis import Basis, Billed, ChargeBasis, CoverBasis, MinimumBasis
from invoices.calculation import ZERO, split, split_in_order, total
from invoices.document import Credit, Document, Line
from invoices.kinds import NOT_SURCHARGEABLE, LineType
from invoices.plan.credits import amount_off, percent_off
from invoices.plan.facts import ServiceFacts
from invoices.plan.rating import minimum_story
from rebills.plan.charges import PlannedCharge, Rebilled, blank_line, figures_of, minimum_line, plan_charge
from rebills.plan.corrections import corrected_charges
from rebills.plan.lines import (
    AMOUNT_GIVEN,
    IsGross,
    PlannedLine,
    PlannedLines,
    added_line,
    changed_line,
    changes_by_line,
    check_whole,
    shown,
    wrong,
    wrong_price,
)
from rebills.plan.older import basis_of_document
from rebills.plan.requests import LineChange, UsageCorrection

Key = tuple[int, int, int]
"""Sort key of a line: its group (charges, additions, credits), the original line number, and the index within a charge."""

CHARGES, ADDITIONS, CREDITS = 0, 1, 2
BEHIND = 10**9


def plan_lines(
    original: Document,
    changes: Sequence[LineChange],
    is_gross: IsGross,
    currency: Currency,
    *,
    carries_unlisted: bool,
    corrections: Sequence[UsageCorrection] = (),
    services: Mapping[int | str, ServiceFacts] | None = None,
) -> PlannedLines:
    """Return the requested lines, the unlisted ones if `carries_unlisted`, and the lines that are calculated from them.

    Refuses with 1008 if no line is left, 1016 if credits exceed what the lines charge, 90059 if a document from before
    prices were stored lacks a price that is needed, 90060 and 90061 for usage corrections.
    """
    lines = {line.line_no: line for line in original.lines if not line.is_tax}
    requested = changes_by_line(changes, original.lines)
    kept = {
        number: requested.get(number)
        for number in lines
        if (carries_unlisted if number not in requested else not requested[number].exclude)
    }
    basis = basis_of_document(original)
    placed = _PlacedLines(original, basis, Rebilled(lines, kept, is_gross, currency), requested)
    corrected = corrected_charges(corrections, basis.charges)
    for place, charge in enumerate(basis.charges):
        if charge.line_nos or charge.bound_line_no or place in corrected:
            placed.add_charge(charge, corrected.get(place), blank_line(charge, lines, services or {}))
        else:
            placed.charges.append((charge, [], None))
    placed.add_lines()
    last = max(line.line_no for line in original.lines)
    first = next(iter(lines.values()))
    placed.add_new(added_line(change, first, currency) for number, change in sorted(requested.items()) if number > last)
    for minimum in basis.minimums:
        placed.add_minimum(minimum, services or {})
    placed.take_below_zero()
    placed.add_surcharges()
    if not placed.left and not placed.given_back:
        raise BillingError(ErrorCode.NO_LINE_ITEMS, field="lines")
    placed.take_credits()
    return placed.planned()


class _PlacedLines:
    """The lines of a rebill in the order in which they are placed, with the amount that is left of each charging line.

    `left` is by place on the rebill. `was_left` is by line number of the original, as it was at the same step of its own
    calculation. Lines that give money back at their own tax are apart: credits neither apply to them nor come from them.
    """

    def __init__(self, original: Document, basis: Basis, work: Rebilled, requested: Mapping[int, LineChange]) -> None:
        self.work, self.currency, self.requested = work, work.currency, requested
        self.covers = {cover.line_no: cover for cover in basis.covers}
        self.in_charges = {no for charge in basis.charges for no in (*charge.line_nos, charge.bound_line_no)}
        self.in_charges |= {one.line_no for one in basis.minimums}
        self.details: dict[int, dict[int, Decimal]] = {}
        for detail in original.credits:
            self.details.setdefault(detail.credit_line_no, {})[detail.credited_line_no] = detail.amount
        self.was_left = {no: line.amount for no, line in work.lines.items() if not line.is_reduction and not line.has_own_tax}
        self.lines: list[PlannedLine] = []
        self.keys: list[Key] = []
        self.left: dict[int, Decimal] = {}
        self.given_back: dict[int, Decimal] = {}
        self.parts: dict[int, dict[int, Decimal]] = {}
        self.place_of: dict[int, int] = {}
        self.below_zero: list[tuple[PlannedLine, Key]] = []
        self.charges: list[tuple[ChargeBasis, list[int], int | None]] = []
        self.counted_covers: list[tuple[CoverBasis, int]] = []
        self.minimums: list[tuple[MinimumBasis, int | None]] = []

    # Placing lines

    def _place(self, planned: PlannedLine, key: Key) -> int:
        self.lines.append(planned)
        self.keys.append(key)
        place = len(self.lines) - 1
        if planned.source is not None:
            self.place_of[planned.source.line_no] = place
        return place

    def _charge(self, planned: PlannedLine, key: Key) -> int | None:
        """Place a line that charges. A negative one reduces the other lines later, by `take_below_zero`."""
        if planned.line.amount < ZERO:
            self.below_zero.append((planned, key))
            return None
        place = self._place(planned, key)
        self.left[place] = planned.line.amount
        return place

    def _take(self, planned: PlannedLine, key: Key, parts: Mapping[int, Decimal]) -> int | None:
        """Place a line that takes these parts off other lines. Places nothing and returns None if all parts are zero."""
        taken = {place: part for place, part in parts.items() if part > ZERO}
        if not taken:
            return None
        for place, part in taken.items():
            self.left[place] -= part
        place = self._place(planned, key)
        self.parts[place] = taken
        return place

    # Charges

    def add_charge(self, charge: ChargeBasis, correction: UsageCorrection | None, blank: Line) -> None:
        planned = plan_charge(charge, correction, blank, self.work)
        numbers = [no for no in (*charge.line_nos, charge.bound_line_no) if no is not None]
        group, anchor = (CHARGES, min(numbers)) if numbers else (ADDITIONS, BEHIND)
        places = []
        for index, part in enumerate(planned.parts):
            place = self._charge(part, (group, anchor, index))
            if place is not None:
                places.append(place)
        bound_place = self._add_bound(planned, charge, (group, anchor, BEHIND), places)
        basis = planned.basis
        if len(places) < len(planned.parts):
            # A part that the request made negative is a discount from now on, and no longer part of the charge.
            units = total(self.lines[place].line.units or ZERO for place in places)
            raw = total(self.lines[place].line.amount for place in places)
            basis = basis._replace(billed=Billed(units, raw, basis.billed.adjustment), is_bound_by_hand=True)
        if places or bound_place is not None or charge.line_type == LineType.USAGE:
            self.charges.append((basis, places, bound_place))

    def _add_bound(self, planned: PlannedCharge, charge: ChargeBasis, key: Key, places: Sequence[int]) -> int | None:
        self._forget(charge.bound_line_no or 0)
        if planned.bound is None:
            return None
        amount = planned.bound.line.amount
        if amount >= ZERO:
            return self._charge(planned.bound, key)
        room = total(self.left[place] for place in places)
        change = self.requested.get(charge.bound_line_no or 0)
        if -amount > room and change is not None and change.is_priced:
            detail = Detail(
                "{amount} is below 0 by more than the {room} of its charge; give {least} or more",
                amount=named_amount(amount, self.currency.code),
                room=named_amount(room, self.currency.code),
                least=named_amount(ZERO - room, self.currency.code),
            )
            raise wrong(change, "amount", detail)
        parts = split(min(-amount, room), [self.left[place] for place in places], self.currency)
        return self._take(planned.bound, key, dict(zip(places, parts, strict=True)))

    def add_lines(self) -> None:
        """Place the original's other charging and negative lines. Percent surcharges follow when all of these are placed."""
        for no, change in self.work.kept.items():
            source = self.work.lines[no]
            if source.has_own_tax:
                planned = changed_line(source, change, self.work.is_gross, self.currency)
                self.given_back[self._place(planned, (CREDITS, no, 0))] = planned.line.amount
            elif no not in self.in_charges and not source.is_credit and not _is_percentage(source):
                self._charge(changed_line(source, change, self.work.is_gross, self.currency), (CHARGES, no, 0))

    def add_new(self, added: Iterable[PlannedLine]) -> None:
        for planned in added:
            self._charge(planned, (ADDITIONS, planned.line.line_no, 0))

    def add_minimum(self, minimum: MinimumBasis, services: Mapping[int | str, ServiceFacts]) -> None:
        """Place the line of a plan's minimum. It is recalculated if the lines that count towards it have another sum."""
        self._forget(minimum.line_no or 0)
        places = [place for place in range(len(self.lines)) if minimum.counts(self.lines[place].line)]
        charged = total(self.lines[place].line.amount for place in places)
        is_same, source = charged == minimum.charged, self.work.lines.get(minimum.line_no or 0)
        now = minimum._replace(charged=charged)
        if source is not None and source.line_no not in self.work.kept:
            self.minimums.append((now._replace(is_by_hand=True), None))
            return
        change = None if source is None else self.work.kept[source.line_no]
        planned = None if source is None else changed_line(source, change, self.work.is_gross, self.currency)
        is_given = change is not None and change.is_priced
        if is_given:
            now = now._replace(is_by_hand=True)
        elif not is_same and not (source is None and minimum.is_by_hand):
            now = now._replace(is_by_hand=False)
            planned = self._missing(now, planned, places, services)
        self.minimums.append((now, None if planned is None else self._place_minimum(planned, places, source)))

    def _missing(
        self,
        minimum: MinimumBasis,
        planned: PlannedLine | None,
        places: Sequence[int],
        services: Mapping[int | str, ServiceFacts],
    ) -> PlannedLine | None:
        """Return the line that a plan's minimum needs now, or None if nothing is missing."""
        missing = minimum.missing(minimum.charged)
        if not missing:
            return None
        if planned is None:
            like = self.lines[places[0]].line if places else next(iter(self.work.lines.values()))
            planned = PlannedLine(minimum_line(minimum, like, services.get(minimum.service_no)), None)
        return _counted_again(planned, missing, None, minimum_story(minimum, minimum.charged, self.currency))

    def _place_minimum(self, planned: PlannedLine, places: Sequence[int], source: Line | None) -> int | None:
        last = max((self.keys[place] for place in places), default=(CHARGES, 0, 0))
        key = (last[0], last[1], BEHIND + 1) if source is None else (CHARGES, source.line_no, 0)
        if planned.line.amount >= ZERO:
            return self._charge(planned, key)
        own = [place for place in places if place in self.left]
        amount = min(-planned.line.amount, total(self.left[place] for place in own))
        parts = split(amount, [self.left[place] for place in own], self.currency)
        return self._take(planned, key, dict(zip(own, parts, strict=True)))

    def take_below_zero(self) -> None:
        """Reduce other lines by negative ones: those of their own service first, then of their tax category, then all."""
        for no, line in self.work.lines.items():
            if line.is_reduction and not line.is_credit and no not in self.in_charges:
                self._forget(no)
        for planned, key in sorted(self.below_zero, key=lambda one: one[1]):
            amount, room = -planned.line.amount, total(self.left.values())
            if amount > room:
                planned = self._as_much_as(planned, room)
            service_no, tax_category = planned.line.service_id, planned.line.tax_category
            own = frozenset(place for place in self.left if self.lines[place].line.service_id == service_no)
            same = frozenset(place for place in self.left if self.lines[place].line.tax_category == tax_category)
            left = {place: self.left[place] for place in self._in_order(self.left)}
            self._take(planned, key, split_in_order(min(amount, room), left, (own, same), self.currency))

    def _as_much_as(self, planned: PlannedLine, room: Decimal) -> PlannedLine:
        """Limit a negative line of the original to what the other lines leave. If its amount was requested, refuse it
        instead."""
        source, amount = planned.source, planned.line.amount
        change = self.requested.get(planned.line.line_no if source is None else source.line_no)
        if change is not None and change.is_priced:
            detail = Detail(
                "{amount} is below 0 by more than the {room} of the other lines; give {least} or more",
                amount=named_amount(amount, self.currency.code),
                room=named_amount(room, self.currency.code),
                least=named_amount(ZERO - room, self.currency.code),
            )
            raise wrong(change, "amount", detail)
        return _counted_again(planned, -room, None, f"of {shown(-amount)} on the original")

    # What is counted from charges

    def add_surcharges(self) -> None:
        """Place surcharges. A percentage is of the charges it covers, never of another surcharge."""
        places = [place for place in self.left if self.lines[place].line.line_type not in NOT_SURCHARGEABLE]
        numbers = [no for no in self.was_left if self.work.lines[no].line_type not in NOT_SURCHARGEABLE]
        for no, change in self.work.kept.items():
            source = self.work.lines[no]
            if not _is_percentage(source):
                continue
            cover = self.covers.get(no)
            covered = self._covered(cover, places)
            planned: PlannedLine | None = changed_line(source, change, self.work.is_gross, self.currency)
            assert planned is not None
            if self._is_same(cover, covered, numbers):
                pass
            elif change is not None and change.is_priced:
                planned = _given(planned)
            else:
                planned = self._surcharge(planned, source, cover, total(self.left[place] for place in covered))
            place = self._charge(planned, (CHARGES, no, 0)) if planned is not None else None
            if place is not None and planned is not None and planned.line.percent is not None and cover is not None:
                self.counted_covers.append((cover, place))

    def _surcharge(self, planned: PlannedLine, source: Line, cover: CoverBasis | None, base: Decimal) -> PlannedLine | None:
        if cover is None or source.percent is None:
            detail = Detail(
                "line {line_no} is {explanation}; give its amount", line_no=source.line_no, explanation=source.explanation
            )
            raise BillingError(ErrorCode.PRICE_NOT_ON_DOCUMENT, detail, field="lines")
        amount, words = percent_off(source.percent, base, self.currency)
        return _counted_again(planned, amount, base, words) if amount else None

    def take_credits(self) -> None:
        """Take coupons and service credits off, in the original's order. Each applies to what the ones before it left."""
        for no, source in self.work.lines.items():
            if not source.is_credit or source.gives_days_back:
                continue
            if no in self.work.kept:
                self._take_credit(source, self.work.kept[no])
            self._forget(no)

    def _take_credit(self, source: Line, change: LineChange | None) -> None:
        cover = self.covers[source.line_no]
        covered = self._covered(cover, self._in_order(self.left))
        is_same = self._is_same(cover, covered, self.was_left)
        base = total(self.left[place] for place in covered)
        planned = changed_line(source, _words_only(change), self.work.is_gross, self.currency)
        if change is not None and change.is_priced:
            amount = self._amount_given(source, change, cover, base)
            if amount != -source.amount or not is_same:
                planned = _given(planned._replace(line=replace(planned.line, amount=-amount)))
                cover = cover._replace(amount=amount)
        elif not is_same:
            amount, base_amount, words = self._off(source, cover, base)
            planned = _counted_again(planned, -amount, base_amount, words)
        if is_same and planned.line.amount == source.amount:
            parts = {self.place_of[no]: part for no, part in self.details.get(source.line_no, {}).items()}
        else:
            taken = split(-planned.line.amount, [self.left[place] for place in covered], self.currency) if covered else []
            parts = dict(zip(covered, taken, strict=True))
        place = self._take(planned, (CREDITS, source.line_no, 0), parts)
        if place is not None:
            self.counted_covers.append((cover, place))

    def _amount_given(self, source: Line, change: LineChange, cover: CoverBasis, base: Decimal) -> Decimal:
        """Return the requested amount of a coupon or credit: at most what the original credited or what the coupon itself
        allows."""
        if change.amount is None or change.rate is not None or change.units is not None:
            raise wrong_price(
                change,
                Detail(
                    "line {line_no} is a coupon or credit, so only its amount can be changed; leave its rate and units out",
                    line_no=source.line_no,
                ),
            )
        check_whole(change, self.currency)
        most = max(-source.amount, self._off(source, cover, base)[0])
        room = min(most, base)
        if not -room <= change.amount <= ZERO:
            raise wrong(
                change,
                "amount",
                Detail(
                    "line {line_no} can credit at most {most}; give an amount from {most} to 0",
                    line_no=source.line_no,
                    most=named_amount(ZERO - room, self.currency.code),
                ),
            )
        return -change.amount

    def _off(self, source: Line, cover: CoverBasis, base: Decimal) -> tuple[Decimal, Decimal | None, str]:
        """Return by what a coupon or credit reduces a base: the amount, the base if it is a percentage, and the explanation."""
        if source.percent is not None:
            amount, words = percent_off(source.percent, base, self.currency)
            return amount, base, words
        whole = -source.amount if cover.amount is None else cover.amount
        if source.line_type == LineType.COUPON:
            amount, words = amount_off(whole, base, self.currency)
            return amount, None, words
        amount = min(-source.amount, base)
        lowered = f"of {shown(source.amount)} on the original"
        return amount, None, lowered if amount != -source.amount else source.explanation

    # What lines cover, now and on the original

    def _covered(self, cover: CoverBasis | None, places: Iterable[int]) -> list[int]:
        """Return the covered places that have an amount left. Without a known cover, all lines are covered."""
        return [place for place in places if self.left[place] and _covers(cover, self.lines[place].line)]

    def _is_same(self, cover: CoverBasis | None, covered: Iterable[int], numbers: Iterable[int]) -> bool:
        """Whether the covered lines have the same amounts left as they had on the original."""
        now = {(self._source_no(place), self.left[place]) for place in covered}
        was = {(no, self.was_left[no]) for no in numbers if self.was_left[no] and _covers(cover, self.work.lines[no])}
        return now == was

    def _source_no(self, place: int) -> int:
        source = self.lines[place].source
        return -place if source is None else source.line_no

    def _forget(self, credit_line_no: int) -> None:
        """Subtract what a credit line of the original took off from `was_left`."""
        for no, part in self.details.get(credit_line_no, {}).items():
            self.was_left[no] -= part

    def _in_order(self, places: Iterable[int]) -> list[int]:
        return sorted(places, key=lambda place: self.keys[place])

    # The whole

    def planned(self) -> PlannedLines:
        order = self._in_order(range(len(self.lines)))
        number_of = {place: number for number, place in enumerate(order, 1)}
        return PlannedLines(
            tuple(self.lines[place].numbered(number_of[place]) for place in order),
            tuple(
                Credit(credit_line_no=taking, credited_line_no=credited, amount=part)
                for taking, credited, part in sorted(
                    (number_of[place], number_of[credited], part)
                    for place, parts in self.parts.items()
                    for credited, part in parts.items()
                )
            ),
            {number_of[place]: left for place, left in (self.left | self.given_back).items()},
            Basis(
                tuple(
                    charge._replace(
                        line_nos=tuple(sorted(number_of[place] for place in places)),
                        bound_line_no=None if bound is None else number_of[bound],
                    )
                    for charge, places, bound in self.charges
                ),
                tuple(cover._replace(line_no=number_of[place]) for cover, place in self.counted_covers),
                tuple(
                    minimum._replace(line_no=None if place is None else number_of[place]) for minimum, place in self.minimums
                ),
            ),
            frozenset(no for no in self.work.kept if no not in self.place_of),
        )


def _is_percentage(line: Line) -> bool:
    return line.line_type == LineType.SURCHARGE and line.percent is not None


def _covers(cover: CoverBasis | None, line: Line) -> bool:
    return cover is None or not cover.service_nos or line.service_id in cover.service_nos


def _words_only(change: LineChange | None) -> LineChange | None:
    """Keep only the changes of a coupon or credit that do not touch its amount, service or addresses."""
    if change is None:
        return None
    unpriced_change = change._replace(rate=None, units=None, amount=None, service=None)
    return unpriced_change._replace(bill_from=None, ship_from=None, bill_to=None, ship_to=None)


def _given(planned: PlannedLine) -> PlannedLine:
    """Mark a line that would have been recalculated as having an amount set by the request."""
    return planned._replace(line=planned.line.unrated(explanation=AMOUNT_GIVEN))


def _counted_again(planned: PlannedLine, amount: Decimal, base: Decimal | None, words: str) -> PlannedLine:
    source = planned.source
    line = replace(planned.line, units=None, rate_per_unit=None, amount=amount, base_amount=base, explanation=words)
    is_recounted = source is None or figures_of(line) != figures_of(source)
    return planned._replace(line=line, is_recounted=is_recounted)
