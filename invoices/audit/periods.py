"""What documents bill: each day of a plan instance once."""

from collections.abc import Iterator
from itertools import pairwise

from accounts.periods import ONE_DAY
from invoices.audit.account_histories import AccountHistory, LivePeriod
from invoices.audit.stored_documents import Document, Line, Period


def count_periods(account: AccountHistory) -> int:
    return len(account.periods)


def consecutive(account: AccountHistory) -> Iterator[str]:
    """The billed periods of a plan instance follow one another day by day, over its pending and approved documents.

    Days that are missing are explained by a cycle between the two documents in which the account had nothing to bill.
    """
    for period in account.periods:
        if period.end < period.start:
            yield f"{_named(period)} ends before it begins"
    for before, after in pairwise(account.periods):
        if before.plan_instance_no != after.plan_instance_no:
            continue
        if after.start <= before.end:
            yield f"{_named(after)} overlaps that of invoice {before.invoice_no}, {before.start} to {before.end}"
        elif after.start != before.end + ONE_DAY and not _billed_nothing_between(account, before, after):
            yield f"{_named(after)} leaves out days after invoice {before.invoice_no}, {before.start} to {before.end}"


def _named(period: LivePeriod) -> str:
    return (
        f"plan instance {period.plan_instance_no}: the period of invoice {period.invoice_no}, {period.start} to {period.end},"
    )


def _billed_nothing_between(account: AccountHistory, before: LivePeriod, after: LivePeriod) -> bool:
    return any(before.bill_date < bill_date < after.bill_date for bill_date in account.nothing_billed)


def lines_within(document: Document) -> Iterator[str]:
    """A plan instance's lines lie within the period that the document bills of it, and the lines span the document's period."""
    billed = {period.plan_instance_no: period for period in document.periods}
    dated = [(line.period_start, line.period_end) for line in document.lines if line.period_start and line.period_end]
    for line in document.lines:
        if line.plan_instance_id is None:
            continue
        period = billed.get(line.plan_instance_id)
        if period is None:
            yield f"line {line.line_no} charges plan instance {line.plan_instance_id}, of which the document bills no period"
        elif not _is_within(line, period):
            yield (
                f"line {line.line_no} is for {line.period_start} to {line.period_end}, outside the billed period "
                f"{period.start} to {period.end}"
            )
    spanned = (min(start for start, _ in dated), max(end for _, end in dated)) if dated else None
    if spanned and spanned != (document.terms.period_start, document.terms.period_end):
        yield (
            f"its period is {document.terms.period_start} to {document.terms.period_end}, but its lines span "
            f"{spanned[0]} to {spanned[1]}"
        )


def _is_within(line: Line, period: Period) -> bool:
    if line.period_start is None or line.period_end is None:
        return False
    return period.start <= line.period_start <= line.period_end <= period.end
