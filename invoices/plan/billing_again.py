"""PURE: restore plan instances as they were before a voided invoice, so that its periods can be billed again."""

from collections.abc import Iterator
from datetime import date

from accounts.periods import ONE_DAY, InstanceDates, Period, cycle_of
from invoices.plan.facts import Again, InstanceFacts
from invoices.plan.unbilled_periods import Billed, InstanceDays, ServiceDays


def instance_before(instance: InstanceFacts, missing: Billed) -> InstanceFacts:
    """Return the plan instance with its dates before the missing days, ending with them. Without missing days it counts as
    billed to its end."""
    dates = instance.dates
    days = next((one for one in missing.periods if one.plan_instance_no == instance.plan_instance_no), None)
    if days is None:
        return instance._replace(dates=_nothing_in_advance(dates))
    is_first = days.start == dates.charged_from
    before = None if is_first else days.start - ONE_DAY
    return instance._replace(dates=dates._replace(billed_through=before, end=days.end), last_day=dates.end or date.max)


def arrears_again(instance: InstanceFacts, again: Again) -> Iterator[Period]:
    """Yield the cycles whose arrears must be charged again, the oldest first."""
    days = [one for one in again.missing.arrears if one.plan_instance_no == instance.plan_instance_no]
    if not days:
        return
    day, last, dates = min(one.start for one in days), max(one.end for one in days), instance.dates
    while day <= last:
        cycle = cycle_of(day, dates.start, again.bill_day, dates.arrears_months).cut(dates.end)
        yield cycle._replace(start=max(cycle.start, day))
        day = cycle.end + ONE_DAY


def _nothing_in_advance(dates: InstanceDates) -> InstanceDates:
    return dates._replace(end=dates.billed_through or dates.start - ONE_DAY)


def missing_texts(missing: Billed) -> list[str]:
    """Return what is missing, one text for each period or fee."""
    days = [_days_of(one) for one in missing.periods] + [_days_of(one) for one in missing.arrears]
    return [*days, *(f"activation fee of plan instance {one.plan_instance_no}" for one in missing.activations)]


def _days_of(one: InstanceDays | ServiceDays) -> str:
    kind = "in arrears, " if isinstance(one, ServiceDays) else ""
    return f"plan instance {one.plan_instance_no}: {kind}{one.start} to {one.end}"
