"""Check that each day of a plan instance is billed once, and that charges in arrears are billed after their period."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from accounts.periods import ONE_DAY, InstanceDates, arrears_cycles
from invoices.audit.account_histories import AccountHistory, LivePeriod, VoidedDays
from invoices.audit.stored_documents import StoredDocument
from invoices.document import Line, Period
from invoices.kinds import ADVANCE_TYPES, ARREARS_TYPES, PLAN_TYPES, InvoiceKind, LineType
from invoices.plan.unbilled_periods import gaps

LONGEST_MONTH = 31


def count_periods(account: AccountHistory) -> int:
    return len(account.periods)


def count_arrears(account: AccountHistory) -> int:
    return len(account.arrears)


def consecutive(account: AccountHistory) -> Iterator[str]:
    """Check that the billed periods of a plan instance follow one another without gap or overlap, over all live documents.

    A gap is allowed if the account had nothing to bill in a cycle between the two documents, or if a document of these days was
    voided. `voided` checks the second case.
    """
    for period in account.periods:
        if period.end < period.start:
            yield f"{_named(period)} ends before it begins"
    for before, after in pairwise(account.periods):
        if before.plan_instance_no != after.plan_instance_no:
            continue
        if after.start <= before.end:
            yield f"{_named(after)} overlaps that of invoice {before.invoice_no}, {before.start} to {before.end}"
        elif _left_out(account, before, after) and not _billed_nothing_between(account, before, after):
            yield f"{_named(after)} leaves out days after invoice {before.invoice_no}, {before.start} to {before.end}"


def _left_out(account: AccountHistory, before: LivePeriod, after: LivePeriod) -> bool:
    mine = [one for one in account.voided if one.plan_instance_no == after.plan_instance_no and one.service_no is None]
    days = [(one.start, one.end) for one in mine if one.start is not None and one.end is not None]
    return bool(gaps((before.end + ONE_DAY, after.start - ONE_DAY), days))


def _named(period: LivePeriod) -> str:
    return (
        f"plan instance {period.plan_instance_no}: the period of invoice {period.invoice_no}, {period.start} to {period.end},"
    )


def _billed_nothing_between(account: AccountHistory, before: LivePeriod, after: LivePeriod) -> bool:
    return any(before.bill_date < cycle.bill_date < after.bill_date for cycle in account.nothing_billed)


def count_voided(account: AccountHistory) -> int:
    return sum(not one.is_settled for one in account.voided)


def voided(account: AccountHistory) -> Iterator[str]:
    """Check that what a voided document billed is billed by a live document, or will be billed again by itself.

    It will be billed if it is after the day through which its plan instance is billed, or in a cycle whose arrears are still
    open.
    """
    for one in account.voided:
        if one.is_settled:
            continue
        for words in _missing(account, one):
            yield f"plan instance {one.plan_instance_no}: {words} was billed by voided invoice {one.invoice_no}, and " + (
                "is billed by no other invoice"
            )


def _missing(account: AccountHistory, one: VoidedDays) -> Iterator[str]:
    dates = account.instances[one.plan_instance_no]
    if one.start is None or one.end is None:
        if dates.billed_through is not None and (one.plan_instance_no, one.service_no) not in account.activations:
            yield f"the activation fee of service {one.service_no}"
        return
    live: list[tuple[date, date]]
    if one.service_no is None:
        last = dates.billed_through or one.start - ONE_DAY
        live = [(period.start, period.end) for period in account.periods if period.plan_instance_no == one.plan_instance_no]
    else:
        last = _charged_in_arrears_to(account, dates)
        key = (one.plan_instance_no, one.service_no)
        live = [(cycle.start, cycle.end) for cycle in account.arrears if (cycle.plan_instance_no, cycle.service_no) == key]
    for start, end in gaps((one.start, min(one.end, last, dates.end or one.end)), live):
        yield f"{start} to {end}" if one.service_no is None else f"service {one.service_no} in arrears, {start} to {end},"


def _charged_in_arrears_to(account: AccountHistory, dates: InstanceDates) -> date:
    if account.bill_day is None:
        return date.max
    opened = next(arrears_cycles(dates, account.bill_day, account.arrears_due_from), None)
    return date.max if opened is None else opened.start - ONE_DAY


def arrears(account: AccountHistory) -> Iterator[str]:
    """Check that no day of a plan instance is charged in arrears twice for a service, over all live documents."""
    for before, after in pairwise(account.arrears):
        same = (before.plan_instance_no, before.service_no) == (after.plan_instance_no, after.service_no)
        if same and after.start <= before.end:
            yield (
                f"plan instance {after.plan_instance_no}: invoice {after.invoice_no} charges service {after.service_no} in "
                f"arrears for {after.start} to {after.end}, and invoice {before.invoice_no} for {before.start} to {before.end}"
            )


def lines_within(document: StoredDocument) -> Iterator[str]:
    """Check that charges in advance are within the billed period, and that charges in arrears end before the bill date.

    A charge with a longer interval than its plan's other charges begins within the billed period and ends later.

    Charges in arrears may be late, from an earlier cycle. The document's period must be that of its lines.
    """
    billed = {period.plan_instance_id: period for period in document.periods}
    for line in document.lines:
        if line.line_type in PLAN_TYPES and line.plan_instance_id is None:
            yield f"line {line.line_no} charges no plan instance"
        elif line.line_type in ADVANCE_TYPES:
            yield from _outside(line, billed.get(line.plan_instance_id or 0))
        elif line.line_type in ARREARS_TYPES and not _is_over(line, document.terms.bill_date):
            yield f"line {line.line_no} is for {_days(line)}, which is not over before the bill date {document.terms.bill_date}"
    dated = [(line.period_start, line.period_end) for line in document.lines if line.period_start and line.period_end]
    start = min((start for start, _ in dated), default=document.terms.bill_date)
    end = max((end for _, end in dated), default=document.terms.bill_date)
    if (start, end) != (document.terms.period_start, document.terms.period_end):
        yield (
            f"its period is {document.terms.period_start} to {document.terms.period_end}, but its lines span {start} to {end}"
        )


def _outside(line: Line, period: Period | None) -> Iterator[str]:
    if period is None:
        yield f"line {line.line_no} charges plan instance {line.plan_instance_id}, of which the document bills no period"
    elif not _is_within(line, period):
        yield f"line {line.line_no} is for {_days(line)}, outside the billed period {period.start_date} to {period.end_date}"


def _days(line: Line) -> str:
    return f"{line.period_start} to {line.period_end}"


def _is_within(line: Line, period: Period) -> bool:
    if line.period_start is None or line.period_end is None:
        return False
    last = date.max if (line.period_total_days or 0) > LONGEST_MONTH else period.end_date
    return period.start_date <= line.period_start <= period.end_date and line.period_start <= line.period_end <= last


def _is_over(line: Line, bill_date: date) -> bool:
    if line.period_start is None or line.period_end is None:
        return False
    return line.period_start <= line.period_end < bill_date


def ahead_of_their_date(document: StoredDocument) -> Iterator[str]:
    """Check that an advance invoice has no usage, arrears or orders. These are billed on the bill date."""
    if document.terms.kind == InvoiceKind.ADVANCE:
        for line in document.lines:
            if line.line_type in (*ARREARS_TYPES, LineType.ORDER):
                yield f"line {line.line_no} of type {line.line_type} is billed ahead of the bill date"
