"""PURE: what the lines of a document were calculated from: the terms of its charges, and what its surcharges, coupons and
credits cover.

It is stored beside the lines and is not part of the fingerprint. Corrections recalculate by it, whatever the catalogue says
then.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.rates import Band, bands_of
from invoices.calculation import WHOLE, ZERO, Share


class Billed(NamedTuple):
    """What invoices have already charged for a period: units, their amount, and the adjustment to a minimum or maximum."""

    units: Decimal = ZERO
    amount: Decimal = ZERO
    adjustment: Decimal = ZERO


class ChargeTerms(NamedTuple):
    """The price of a charge. `minimum` and `maximum` are already prorated for the charge's days; `share` prorates amounts of
    units.

    `before` is set for late usage: what earlier documents billed of the same cycle.
    """

    model: str
    bands: tuple[Band, ...]
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    share: Share = WHOLE
    before: Billed | None = None


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


class Basis(NamedTuple):
    charges: tuple[ChargeBasis, ...] = ()
    covers: tuple[CoverBasis, ...] = ()


BASIS_FIELDS = ("place", "plan_instance_id", "service_id", "line_type", "period_start", "period_end", "terms")


def basis_rows(basis: Basis) -> list[tuple[Any, ...]]:
    """Return a row for each charge and each cover, in the order of BASIS_FIELDS. Decimals are texts, exact on every
    database."""
    charges = [(*charge[:5], _charge_terms(charge)) for charge in basis.charges]
    covers = [(None, None, None, None, None, _cover_terms(cover)) for cover in basis.covers]
    return [(place, *row) for place, row in enumerate([*charges, *covers], 1)]


def basis_of(rows: Sequence[Sequence[Any]]) -> Basis:
    """Return the basis of rows in the order of BASIS_FIELDS."""
    return Basis(
        tuple(_charge_of(row) for row in rows if row[1] is not None),
        tuple(_cover_of(row[-1]) for row in rows if row[1] is None),
    )


def _charge_terms(charge: ChargeBasis) -> dict[str, Any]:
    terms = charge.terms
    return {
        "model": terms.model,
        "bands": [[str(band.from_unit), str(band.rate)] for band in terms.bands],
        "minimum": _text(terms.minimum),
        "maximum": _text(terms.maximum),
        "share": list(terms.share),
        "before": None if terms.before is None else [str(value) for value in terms.before],
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
