"""PURE: reconstruct what the lines of an older document were calculated from.

Older documents do not store this. Their lines show a part of it: billed bands, a minimum or maximum that applied, a base
amount. What they do not show is neither guessed nor read from today's catalogue.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations

from accounts.kinds import RateModel
from accounts.rates import Band
from invoices.basis import Basis, Billed, ChargeBasis, ChargeTerms, CoverBasis
from invoices.calculation import ZERO, total
from invoices.document import Document, Line
from invoices.kinds import NOT_SURCHARGEABLE, PLAN_TYPES, LineType

MOST_SERVICES = 3
"""The base of a percentage is searched among the charges of at most this many services, besides all charges."""


def basis_of_document(content: Document) -> Basis:
    """Return the stored basis, completed from the lines themselves for lines that it does not name."""
    stored = content.basis
    named = {number for charge in stored.charges for number in (*charge.line_nos, charge.bound_line_no)}
    named |= {one.line_no for one in stored.minimums}
    lines = [line for line in content.lines if line.line_type in PLAN_TYPES and line.line_no not in named]
    covered = {cover.line_no for cover in stored.covers}
    return Basis(
        (*stored.charges, *_charges(lines)),
        (*stored.covers, *(cover for cover in _covers(content) if cover.line_no not in covered)),
        stored.minimums,
    )


def _charges(lines: list[Line]) -> Iterator[ChargeBasis]:
    """Yield the charges whose lines depend on each other: usage, price bands, or a minimum or maximum line."""
    groups: dict[tuple[object, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(line.charge_key, []).append(line)
    for group in groups.values():
        parts = [line for line in group if line.units is not None]
        bounds = [line for line in group if line.units is None and _is_bound(line)]
        depends = group[0].line_type == LineType.USAGE or bounds or any(line.tier_no for line in parts)
        if depends and len(bounds) <= 1 and len(parts) + len(bounds) == len(group):
            yield from _charge(parts, bounds[0] if bounds else None)


def _is_bound(line: Line) -> bool:
    return line.rate_per_unit is None and bool(re.search(r"\b(minimum|maximum)\b", line.explanation))


def _charge(parts: list[Line], bound: Line | None) -> Iterator[ChargeBasis]:
    first = parts[0] if parts else bound
    if first is None or first.plan_instance_id is None or first.service_id is None:
        return
    before = _before(first)
    if first.period_start is None or first.period_end is None or (before is not None and bound is not None):
        return
    amount = total(line.amount for line in parts)
    held = amount + (bound.amount if bound is not None else ZERO)
    is_minimum = bound is not None and "up to the minimum" in bound.explanation
    is_maximum = bound is not None and "above the maximum" in bound.explanation
    yield ChargeBasis(
        first.plan_instance_id,
        first.service_id,
        first.line_type,
        first.period_start,
        first.period_end,
        ChargeTerms(
            _model(parts),
            _bands(parts),
            held if is_minimum else None,
            held if is_maximum else None,
            first.share,
            before,
        ),
        Billed(_units(first, parts), amount, bound.amount if bound is not None else ZERO),
        tuple(line.line_no for line in parts),
        bound.line_no if bound is not None else None,
    )


def _model(parts: list[Line]) -> str:
    if any(line.explanation.startswith("flat fee") for line in parts):
        return RateModel.FLAT.value
    if not any(line.tier_no for line in parts):
        return RateModel.PER_UNIT.value
    one = parts[0]
    in_a_higher_band = len(parts) == 1 and one.tier_from and not one.explanation
    return RateModel.VOLUME.value if in_a_higher_band else RateModel.TIERED.value


def _bands(parts: list[Line]) -> tuple[Band, ...]:
    """Return the bands that have a line. Beyond the last one the price is not known."""
    return tuple(
        Band(line.tier_no or 1, line.tier_from or ZERO, line.tier_to, line.rate_per_unit)
        for line in parts
        if line.rate_per_unit is not None
    )


def _units(first: Line, parts: list[Line]) -> Decimal:
    used = re.match(r"flat fee, ([\d.]+) units", first.explanation)
    return Decimal(used[1]) if used is not None else total(line.units or ZERO for line in parts)


def _before(first: Line) -> Billed | None:
    """Return the units billed before late usage, as its explanation says them. Their amount is not known."""
    late = re.search(r"late usage, ([\d.]+) units", first.explanation)
    return None if late is None else Billed(Decimal(late[1]))


def _covers(content: Document) -> Iterator[CoverBasis]:
    """Yield what coupons, credits and percentages cover: the services they reduced, or whose charges add up to the
    base."""
    lines = {line.line_no: line for line in content.lines}
    left = {no: line.amount for no, line in lines.items() if line.is_charge}
    details: dict[int, dict[int, Decimal]] = {}
    for detail in content.credits:
        details.setdefault(detail.credit_line_no, {})[detail.credited_line_no] = detail.amount
    for line in sorted(lines.values(), key=lambda one: (one.is_credit, one.line_no)):
        mine = details.get(line.line_no, {})
        if line.line_type == LineType.SURCHARGE and line.base_amount is not None:
            charges = {no: amount for no, amount in left.items() if lines[no].line_type not in NOT_SURCHARGEABLE}
            services = _adding_up_to(line.base_amount, charges, lines)
            if services is not None:
                yield CoverBasis(line.line_no, services)
        elif line.is_credit and not line.gives_days_back:
            covers_all = set(mine) >= {no for no, amount in left.items() if amount}
            credited = {lines[no].service_id for no in mine}
            services = () if covers_all else tuple(sorted(one for one in credited if one is not None))
            yield CoverBasis(line.line_no, services, None if line.percent is not None else -line.amount)
        for no, amount in mine.items():
            left[no] -= amount


def _adding_up_to(base: Decimal, left: dict[int, Decimal], lines: dict[int, Line]) -> tuple[int, ...] | None:
    """Return the services whose charges add up to the base. () means all services, None that the answer is not unique."""
    if sum(left.values(), ZERO) == base:
        return ()
    sums: dict[int, Decimal] = {}
    for no, amount in left.items():
        service_no = lines[no].service_id
        if service_no is not None:
            sums[service_no] = sums.get(service_no, ZERO) + amount
    for size in range(1, MOST_SERVICES + 1):
        found = [chosen for chosen in combinations(sorted(sums), size) if sum((sums[one] for one in chosen), ZERO) == base]
        if found:
            return found[0] if len(found) == 1 else None
    return None
