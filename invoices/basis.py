"""PURE: what the lines of a document were calculated from: the terms of its charges, and what its surcharges, coupons and
credits cover.

It is stored beside the lines and is not part of the fingerprint. Corrections recalculate by it, whatever the catalogue says
then.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from accounts.kinds import BandEdge
from accounts.rates import Band, bands_of
from invoices.calculation import WHOLE, ZERO, Share
from invoices.kinds import EACH_CYCLE_TYPES, LineType


class Billed(NamedTuple):
    """What invoices have already charged for a period: units, their amount, and the adjustment to a minimum or maximum."""

    units: Decimal = ZERO
    amount: Decimal = ZERO
    adjustment: Decimal = ZERO


class ChargeTerms(NamedTuple):
    """The price of a charge. `minimum` and `maximum` are already prorated for the charge's days; `share` prorates amounts of
    units.

    `before` is set for late usage: what earlier documents billed of the same cycle. `edge` says which band has the units at
    which a band begins, `per_record` in words how the units of each record were rounded.
    """

    model: str
    bands: tuple[Band, ...]
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    share: Share = WHOLE
    before: Billed | None = None
    edge: str = BandEdge.ABOVE.value
    per_record: str = ""


class ChargeBasis(NamedTuple):
    """A charge of a plan instance on a document.

    `line_nos` are the lines of its units. `bound_line_no` is the line that raises them to the minimum or lowers them to the
    maximum. `billed` is their amount. `is_bound_by_hand`: a rebill has set the amount of that line, or left it out.
    """

    plan_instance_no: int
    service_no: int
    line_type: int
    period_start: date
    period_end: date
    terms: ChargeTerms
    billed: Billed
    line_nos: tuple[int, ...] = ()
    bound_line_no: int | None = None
    is_bound_by_hand: bool = False


class CoverBasis(NamedTuple):
    """What a surcharge, coupon or service credit was calculated from: the charges of these services, or of all if none is
    named.

    `amount` is the most that it may credit, if it is not a percentage.
    """

    line_no: int
    service_nos: tuple[int, ...] = ()
    amount: Decimal | None = None


class CountedLine(Protocol):
    """What decides whether a line counts towards a plan's minimum."""

    @property
    def line_no(self) -> int: ...
    @property
    def line_type(self) -> int: ...
    @property
    def plan_instance_id(self) -> int | None: ...
    @property
    def period_start(self) -> date | None: ...


class MinimumBasis(NamedTuple):
    """The minimum of a plan instance for a period on a document: `minimum` is prorated for its days.

    `before` and `added_before` are what earlier documents charged for the period, and added up to the minimum. `charged` is
    what this document charges. `line_no` is the line that adds what is missing, or takes it back; None if there is none.
    `is_by_hand`: a rebill has set the amount of that line, or left it out.
    """

    plan_instance_no: int
    service_no: int
    period_start: date
    period_end: date
    minimum: Decimal
    before: Decimal
    added_before: Decimal
    charged: Decimal
    line_no: int | None = None
    is_by_hand: bool = False

    def counts(self, line: CountedLine) -> bool:
        """Whether a line of the document counts towards the minimum."""
        return (
            line.line_no != self.line_no
            and line.plan_instance_id == self.plan_instance_no
            and line.line_type in EACH_CYCLE_TYPES
            and line.period_start is not None
            and self.period_start <= line.period_start <= self.period_end
        )

    def missing(self, charged: Decimal) -> Decimal:
        """Return what the document adds if it charges so much. Below zero: it takes back what was added before, at most what it
        charges."""
        return max(max(self.minimum - self.before - charged, ZERO) - self.added_before, -charged)


class Basis(NamedTuple):
    charges: tuple[ChargeBasis, ...] = ()
    covers: tuple[CoverBasis, ...] = ()
    minimums: tuple[MinimumBasis, ...] = ()


BASIS_FIELDS = ("place", "plan_instance_id", "service_id", "line_type", "period_start", "period_end", "terms")


def basis_rows(basis: Basis) -> list[tuple[Any, ...]]:
    """Return a row for each charge and each cover, in the order of BASIS_FIELDS. Decimals are texts, exact on every
    database."""
    charges = [(*charge[:5], _charge_terms(charge)) for charge in basis.charges]
    covers = [(None, None, None, None, None, _cover_terms(cover)) for cover in basis.covers]
    minimums = [(*one[:2], LineType.ARREARS.value, *one[2:4], _minimum_terms(one)) for one in basis.minimums]
    return [(place, *row) for place, row in enumerate([*charges, *covers, *minimums], 1)]


def basis_of(rows: Sequence[Sequence[Any]]) -> Basis:
    """Return the basis of rows in the order of BASIS_FIELDS."""
    return Basis(
        tuple(_charge_of(row) for row in rows if row[1] is not None and PLAN_MINIMUM not in row[-1]),
        tuple(_cover_of(row[-1]) for row in rows if row[1] is None),
        tuple(_minimum_of(row) for row in rows if PLAN_MINIMUM in row[-1]),
    )


PLAN_MINIMUM = "plan_minimum"
"""The name by which the terms of a plan's minimum are known from those of a charge."""


def _minimum_terms(one: MinimumBasis) -> dict[str, Any]:
    figures = {PLAN_MINIMUM: one.minimum, "before": one.before, "added_before": one.added_before, "charged": one.charged}
    return {**{name: str(value) for name, value in figures.items()}, "line": one.line_no, "by_hand": one.is_by_hand}


def _minimum_of(row: Sequence[Any]) -> MinimumBasis:
    _, plan_instance_no, service_no, _, start, end, stored = row
    least, before, added_before, charged = (
        Decimal(stored[name]) for name in (PLAN_MINIMUM, "before", "added_before", "charged")
    )
    place = plan_instance_no, service_no, start, end
    return MinimumBasis(*place, least, before, added_before, charged, stored["line"], stored["by_hand"])


def _charge_terms(charge: ChargeBasis) -> dict[str, Any]:
    terms = charge.terms
    return {
        "model": terms.model,
        "bands": [[str(band.from_unit), str(band.rate)] for band in terms.bands],
        "minimum": _text(terms.minimum),
        "maximum": _text(terms.maximum),
        "share": list(terms.share),
        "before": None if terms.before is None else [str(value) for value in terms.before],
        **({} if terms.edge == BandEdge.ABOVE else {"edge": terms.edge}),
        **({"per_record": terms.per_record} if terms.per_record else {}),
        "billed": [str(value) for value in charge.billed],
        "lines": list(charge.line_nos),
        "bound_line": charge.bound_line_no,
        "bound_by_hand": charge.is_bound_by_hand,
    }


def _charge_of(row: Sequence[Any]) -> ChargeBasis:
    _, plan_instance_no, service_no, line_type, start, end, stored = row
    terms = ChargeTerms(
        stored["model"],
        bands_of((Decimal(from_unit), Decimal(rate)) for from_unit, rate in stored["bands"]),
        _decimal(stored["minimum"]),
        _decimal(stored["maximum"]),
        Share(*stored["share"]),
        None if stored["before"] is None else Billed(*map(Decimal, stored["before"])),
        stored.get("edge", BandEdge.ABOVE.value),
        stored.get("per_record", ""),
    )
    billed = Billed(*map(Decimal, stored["billed"]))
    lines = tuple(stored["lines"]), stored["bound_line"], stored["bound_by_hand"]
    return ChargeBasis(plan_instance_no, service_no, line_type, start, end, terms, billed, *lines)


def _cover_terms(cover: CoverBasis) -> dict[str, Any]:
    return {"line": cover.line_no, "services": list(cover.service_nos), "amount": _text(cover.amount)}


def _cover_of(stored: Mapping[str, Any]) -> CoverBasis:
    return CoverBasis(stored["line"], tuple(stored["services"]), _decimal(stored["amount"]))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
