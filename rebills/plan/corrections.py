"""PURE: match usage corrections to the metered charges of a document."""

from collections.abc import Sequence

from accounts.rates import shown_units
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.basis import ChargeBasis
from invoices.calculation import ZERO
from invoices.kinds import LineType
from rebills.plan.requests import UsageCorrection


def corrected_charges(corrections: Sequence[UsageCorrection], charges: Sequence[ChargeBasis]) -> dict[int, UsageCorrection]:
    """Return each correction by the index of the charge that it names.

    Refuses with 90060 a correction that names no charge or several, and two corrections of one charge.
    """
    corrected: dict[int, UsageCorrection] = {}
    for correction in corrections:
        if correction.units < ZERO:
            field = f"{correction.path}.units"
            detail = Detail(
                "{field}: {units} is below 0; give the units that were used", field=field, units=shown_units(correction.units)
            )
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field=field)
        places = [place for place, charge in enumerate(charges) if _means(correction, charge)]
        if len(places) != 1:
            how_many = (
                Detail("no charge matches")
                if not places
                else Detail("{count} charges match; name one by a line_no of it", count=len(places))
            )
            raise _wrong(correction, how_many)
        if places[0] in corrected:
            raise _wrong(correction, Detail("the charge is corrected twice"))
        corrected[places[0]] = correction
    return corrected


def _means(correction: UsageCorrection, charge: ChargeBasis) -> bool:
    named = (
        (correction.plan_instance_no, charge.plan_instance_no),
        (correction.service_no, charge.service_no),
        (correction.period_start, charge.period_start),
    )
    on_line = correction.line_no is None or correction.line_no in (*charge.line_nos, charge.bound_line_no)
    return charge.line_type == LineType.USAGE and on_line and all(one is None or one == other for one, other in named)


def _wrong(correction: UsageCorrection, detail: Detail) -> BillingError:
    return BillingError(
        ErrorCode.NO_METERED_CHARGE, Detail("{path}: {detail}", path=correction.path, detail=detail), field=correction.path
    )
