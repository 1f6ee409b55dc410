"""PURE: plan the rebill lines of one charge, as requested or recalculated by the price stored with the document."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.kinds import BANDED_MODELS, RateModel
from billing_site.common.currencies import Currency
from billing_site.common.units import padded
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.basis import Billed, ChargeBasis, MinimumBasis
from invoices.calculation import ONE, ZERO, total
from invoices.document import Line
from invoices.kinds import LineType
from invoices.plan.charges import unit_columns
from invoices.plan.drafts import fitted
from invoices.plan.facts import ServiceFacts
from invoices.plan.rating import RatedPart, bound_of, counted, usage_story
from rebills.plan.lines import AMOUNT_GIVEN, IsGross, PlannedLine, changed_line, check_whole, wrong, wrong_price
from rebills.plan.requests import LineChange, UsageCorrection

Kept = Mapping[int, LineChange | None]
"""The requested change of each original line that stays on the rebill, by line number; None if it stays as it is."""


class PlannedCharge(NamedTuple):
    """The planned lines of a charge, and its minimum or maximum line if it has one."""

    parts: tuple[PlannedLine, ...]
    bound: PlannedLine | None
    basis: ChargeBasis


class Rebilled(NamedTuple):
    """What charges are planned from. `lines` are the original's by number, `kept` those that stay on the rebill."""

    lines: Mapping[int, Line]
    kept: Kept
    is_gross: IsGross
    currency: Currency


def plan_charge(charge: ChargeBasis, correction: UsageCorrection | None, blank: Line, work: Rebilled) -> PlannedCharge:
    """Return the lines of a charge with the requested changes, or recalculated for the corrected total units.

    `blank` is a line of the charge without figures. It is the pattern for lines that the original does not have.
    """
    if correction is not None:
        _check_not_changed(charge, correction, work)
    units = correction.units if correction is not None else _units_to_rate(charge, work)
    if units is None:
        parts = [
            changed_line(work.lines[no], work.kept[no], work.is_gross, work.currency)
            for no in charge.line_nos
            if no in work.kept
        ]
        units = _units_of(charge, parts)
        is_rated = False
    else:
        parts = _rated_parts(charge, units, correction, blank, work)
        is_rated = correction is not None
    raw = total(part.line.amount for part in parts)
    return _with_bound(charge._replace(billed=Billed(units, raw)), parts, blank, work, charge, is_rated=is_rated)


def _check_not_changed(charge: ChargeBasis, correction: UsageCorrection, work: Rebilled) -> None:
    for no in charge.line_nos:
        change = work.kept.get(no)
        if change is not None and change.is_priced:
            detail = Detail(
                "{path}: {other} changes line {line_no} of the same charge", path=correction.path, other=change.path, line_no=no
            )
            raise BillingError(ErrorCode.CORRECTED_TWICE, detail, field=f"{correction.path}.units")


def _units_to_rate(charge: ChargeBasis, work: Rebilled) -> Decimal | None:
    """Return the total units of a charge with price bands if only units were changed on its lines, else None.

    If a rate, an amount or a service is requested too, the lines are taken as requested and not recalculated by band.
    """
    changes = {no: work.kept[no] for no in charge.line_nos if no in work.kept}
    given = [change for change in changes.values() if change is not None]
    for change in given:
        if change.units is not None and change.units < ZERO:
            raise wrong(
                change,
                "units",
                Detail(
                    "{units} is below 0; to give a discount, add a line with a negative amount",
                    units=padded(change.units, 0),
                ),
            )
    is_fixed = any(change.rate is not None or change.amount is not None or change.service is not None for change in given)
    if charge.terms.model not in BANDED_MODELS or is_fixed or all(change.units is None for change in given):
        return None
    units = [
        change.units if change is not None and change.units is not None else work.lines[no].units
        for no, change in changes.items()
    ]
    return total(one or ZERO for one in units)


def _units_of(charge: ChargeBasis, parts: Sequence[PlannedLine]) -> Decimal:
    """Return the units that these lines bill. A flat fee covers all units of the charge while it has a line."""
    if charge.terms.model == RateModel.FLAT:
        return charge.billed.units if parts else ZERO
    return total(part.line.units or ZERO for part in parts)


def _rated_parts(
    charge: ChargeBasis, units: Decimal, correction: UsageCorrection | None, blank: Line, work: Rebilled
) -> list[PlannedLine]:
    is_usage = charge.line_type == LineType.USAGE
    _check_known(charge, units, correction)
    rated = counted(charge.terms, units, work.currency, is_usage=is_usage)
    story = usage_story(charge.terms, units) if is_usage else ""
    comments = correction.comments if correction is not None else ""
    return [_rated_part(charge, part, _source(charge, part, work), blank, story, comments, work) for part in rated.parts]


def _source(charge: ChargeBasis, part: RatedPart, work: Rebilled) -> Line | None:
    """Return the original line that a part replaces: for a tiered price the line of the same band, else the charge's only
    line."""
    lines = [work.lines[no] for no in charge.line_nos]
    if charge.terms.model != RateModel.TIERED:
        return lines[0] if lines else None
    by_band = {line.tier_no or place: line for place, line in enumerate(lines, 1)}
    return by_band.get(part.band.tier_no)


def _rated_part(
    charge: ChargeBasis,
    part: RatedPart,
    source: Line | None,
    blank: Line,
    story: str,
    comments: str,
    work: Rebilled,
) -> PlannedLine:
    change = work.kept.get(source.line_no) if source is not None else None
    base = source or blank
    words = changed_line(base, change._replace(units=None) if change is not None else None, work.is_gross, work.currency)
    figures: dict[str, Any] = {"units": part.units, "rate_per_unit": part.band.rate, "amount": part.amount}
    if any(figures[name] != getattr(base, name) for name in figures) or base.explanation != story:
        figures |= {"explanation": story}
    line = replace(words.line, **figures)
    if charge.terms.model in BANDED_MODELS:
        line = replace(line, tier_no=part.band.tier_no, tier_from=part.band.from_unit, tier_to=part.band.to_unit)
    return PlannedLine(
        line,
        source,
        comments or words.comments,
        words.inclusive,
        retax=words.retax,
        is_recounted=source is None or figures_of(line) != figures_of(source),
    )


NO_SHARE: dict[str, Any] = {
    "proration_factor": ONE,
    "proration_text": "",
    "period_total_days": None,
    "proration_remaining_days": None,
}
"""A minimum or maximum is prorated with its charge already, so its line has no share of its own."""


def figures_of(line: Line) -> tuple[Any, ...]:
    """Return the figures of a line and their explanation, to compare whether it was recalculated to something else."""
    return line.units, line.rate_per_unit, line.amount, line.percent, line.base_amount, line.explanation


def _check_known(charge: ChargeBasis, units: Decimal, correction: UsageCorrection | None) -> None:
    """Refuse units outside the bands that the document knows (90059). Older documents store only billed
    bands."""
    terms = charge.terms
    start = terms.before.units if terms.before is not None else ZERO
    first, last = (terms.bands[0].from_unit, terms.bands[-1].to_unit) if terms.bands else (ZERO, ZERO)
    is_below = start + units <= first if terms.model == RateModel.VOLUME else start < first
    if units and ((last is not None and start + units > last) or (first and is_below)):
        detail = Detail("{units} units; give each line its rate and units, or its amount", units=padded(units, 0))
        raise BillingError(ErrorCode.PRICE_NOT_ON_DOCUMENT, detail, field=f"{correction.path}.units" if correction else "lines")


def _with_bound(
    counted_now: ChargeBasis,
    parts: Sequence[PlannedLine],
    blank: Line,
    work: Rebilled,
    before: ChargeBasis,
    *,
    is_rated: bool,
) -> PlannedCharge:
    no = before.bound_line_no
    source = work.lines[no] if no is not None else None
    raw, done = counted_now.billed.amount, tuple(parts)
    is_same = [part.line.amount for part in parts] == [work.lines[one].amount for one in before.line_nos]
    if source is None:
        if is_same or before.is_bound_by_hand or not (parts or is_rated):
            return PlannedCharge(done, None, counted_now)
        bound = _counted_bound(counted_now, raw, None, None, blank, work)
        return PlannedCharge(done, bound, _bounded(counted_now, bound))
    if source.line_no not in work.kept:
        return PlannedCharge(done, None, counted_now._replace(is_bound_by_hand=True))
    change = work.kept[source.line_no]
    if change is not None and change.is_priced:
        bound = _given_bound(source, change, work, is_same=is_same)
        by_hand = counted_now._replace(
            is_bound_by_hand=bound.line.amount != source.amount or not is_same or before.is_bound_by_hand
        )
        return PlannedCharge(done, bound, _bounded(by_hand, bound))
    if is_same:
        bound = changed_line(source, change, work.is_gross, work.currency)
        return PlannedCharge(done, bound, _bounded(counted_now, bound))
    again = counted_now._replace(is_bound_by_hand=False)
    bound = _counted_bound(again, raw, source, change, blank, work)
    return PlannedCharge(done, bound, _bounded(again, bound))


def _bounded(charge: ChargeBasis, bound: PlannedLine | None) -> ChargeBasis:
    return charge._replace(billed=charge.billed._replace(adjustment=ZERO if bound is None else bound.line.amount))


def _given_bound(source: Line, change: LineChange, work: Rebilled, *, is_same: bool) -> PlannedLine:
    """Return a minimum or maximum line at the requested amount. Its sign may not change."""
    if change.amount is None or change.rate is not None or change.units is not None:
        raise wrong_price(
            change,
            Detail(
                "line {line_no} has no rate to calculate with; give its amount, without rate and units", line_no=source.line_no
            ),
        )
    check_whole(change, work.currency)
    if source.amount > ZERO > change.amount or change.amount > ZERO > source.amount:
        detail = Detail(
            "line {line_no} is {explanation}, which has the same sign as on the invoice; give an amount of this sign, or 0",
            line_no=source.line_no,
            explanation=source.explanation,
        )
        raise wrong(change, "amount", detail)
    words = changed_line(source, change._replace(amount=None), work.is_gross, work.currency)
    if change.amount == source.amount and is_same:
        return words
    line = words.line.unrated(amount=change.amount, explanation=AMOUNT_GIVEN)
    return words._replace(line=line)


def _counted_bound(
    charge: ChargeBasis,
    raw: Decimal,
    source: Line | None,
    change: LineChange | None,
    blank: Line,
    work: Rebilled,
) -> PlannedLine | None:
    adjustment, name, reason = bound_of(charge.terms, raw, work.currency)
    if not adjustment:
        return None
    base = source or blank.unrated(**NO_SHARE, rate_schedule_no=blank.rate_schedule_no)
    words = changed_line(base, change, work.is_gross, work.currency)
    line = replace(words.line, units=None, rate_per_unit=None, amount=adjustment, explanation=reason)
    if source is None or f", {name}" not in source.description and (change is None or change.description is None):
        line = replace(line, description=fitted(f"{blank.description}, {name}"))
    return PlannedLine(
        line,
        source,
        words.comments,
        words.inclusive,
        retax=words.retax,
        is_recounted=source is None or figures_of(line) != figures_of(source),
    )


def minimum_line(minimum: MinimumBasis, like: Line, service: ServiceFacts | None) -> Line:
    """Return the pattern for the line of a plan's minimum that the original does not have, after a line of the same plan."""
    return Line(
        line_no=0,
        line_type=LineType.ARREARS.value,
        service_id=minimum.service_no,
        plan_instance_id=minimum.plan_instance_no,
        description=fitted(f"{like.plan_name or like.description}, minimum"),
        plan_name=like.plan_name,
        gl_code=like.gl_code if service is None else service.gl_code,
        tax_category=like.tax_category if service is None else service.tax_category,
        amount=ZERO,
        po_num=like.po_num,
        period_start=minimum.period_start,
        period_end=minimum.period_end,
        bill_from_location_id=like.bill_from_location_id if service is None else service.location_no,
        ship_from_location_id=like.ship_from_location_id if service is None else service.location_no,
        bill_to_contact_id=like.bill_to_contact_id,
        ship_to_contact_id=like.ship_to_contact_id,
    )


def blank_line(charge: ChargeBasis, lines: Mapping[int, Line], services: Mapping[int | str, ServiceFacts]) -> Line:
    """Return the pattern for lines of a charge that the original does not have.

    It is the charge's first line or, without one, its minimum or maximum line. A charge without any line gets one for its
    service, with the plan name and PO number of another line of the same plan instance.
    """
    own = [lines[no] for no in charge.line_nos]
    if own:
        return own[0]
    if charge.bound_line_no is not None:
        bound = lines[charge.bound_line_no]
        return replace(bound, description=bound.description.rpartition(", ")[0] or bound.description)
    service = services[charge.service_no]
    first = next(iter(lines.values()))
    like = next((line for line in lines.values() if line.plan_instance_id == charge.plan_instance_no), None)
    return Line(
        line_no=0,
        line_type=charge.line_type,
        service_id=charge.service_no,
        plan_instance_id=charge.plan_instance_no,
        description=service.name,
        plan_name=like.plan_name if like is not None else "",
        gl_code=service.gl_code,
        tax_category=service.tax_category,
        amount=ZERO,
        po_num=like.po_num if like is not None else "",
        period_start=charge.period_start,
        period_end=charge.period_end,
        bill_from_location_id=service.location_no,
        ship_from_location_id=service.location_no,
        **unit_columns(service),
        bill_to_contact_id=first.bill_to_contact_id,
        ship_to_contact_id=first.ship_to_contact_id,
    )
