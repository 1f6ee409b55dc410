"""Check that the dates of accounts and plan instances agree with their documents, and that removed plans are never billed."""

from collections import Counter
from collections.abc import Iterator
from datetime import date

from django.db.models import Exists, OuterRef, Q

from accounts.models import PlanInstance
from accounts.periods import ONE_DAY, billed_ahead, next_bill_date
from invoices.audit.account_histories import AccountHistory, LivePeriod
from invoices.audit.rules import Rule
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.services.billing.plan_changes import lines_that_bill

DAYS_OF_A_MONTH = range(1, 32)


def count_documents(account: AccountHistory) -> int:
    return len(account.documents)


def count_instances(account: AccountHistory) -> int:
    return len(account.instances)


def one_document(account: AccountHistory) -> Iterator[str]:
    """Check that an account has at most one pending document, and one live document of each kind for each bill date."""
    pending = [document.invoice_no for document in account.documents if document.status == InvoiceStatus.PENDING]
    if len(pending) > 1:
        yield f"has {len(pending)} pending documents: {', '.join(f'invoice {number}' for number in pending)}"
    for (kind, bill_date), times in Counter((one.kind, one.bill_date) for one in account.documents).items():
        if times > 1:
            yield f"has {times} live {kind} documents of {bill_date}"


def billed_through(account: AccountHistory) -> Iterator[str]:
    """Check that a plan instance is billed through the end of its last approved period, and that a pending one begins the day
    after.

    A cycle with nothing to bill moves an instance further without a document. An instance that no document has billed may have
    an opening position, which cannot be checked. A removed instance is never billed again.
    """
    periods = [period for period in account.periods if period.plan_instance_no in account.instances]
    last_approved = {one.plan_instance_no: one for one in periods if one.is_approved and one.bills_again is None}
    for number, period in last_approved.items():
        through = account.instances[number].billed_through
        if through != period.end and not (through and through > period.end and _billed_nothing_after(account, period)):
            yield (
                f"plan instance {number} is billed through {through}, but invoice {period.invoice_no} bills it to {period.end}"
            )
    for period in periods:
        through = account.instances[period.plan_instance_no].billed_through
        if period.is_approved or period.bills_again is not None:
            continue
        if through is not None and period.start != through + ONE_DAY:
            yield (
                f"plan instance {period.plan_instance_no} is billed through {through}, but pending invoice {period.invoice_no} "
                f"bills it from {period.start}"
            )


def _billed_nothing_after(account: AccountHistory, period: LivePeriod) -> bool:
    return any(cycle.bill_date > period.bill_date for cycle in account.nothing_billed)


def newest_cycle(account: AccountHistory) -> Iterator[str]:
    """Check the last bill date against the newest cycle, billed or empty, and the bill day against the newest invoice."""
    newest = account.newest_approved
    last = max((bill_date for _, bill_date in _billed_cycles(account)), default=None)
    if account.last_bill_date != last:
        yield f"has the last bill date {account.last_bill_date}, but its newest cycle is that of {last}"
    if newest and account.bill_day != newest.bill_day:
        yield f"has the bill day {account.bill_day}, but its newest invoice {newest.invoice_no} has {newest.bill_day}"


def arrears_due_from(account: AccountHistory) -> Iterator[str]:
    """Check that usage and arrears are due from the bill date of the newest recurring cycle, billed or empty.

    An advance invoice does not move this date. Before the first recurring cycle it is where that cycle begins.
    """
    cycles = _billed_cycles(account)
    recurring = [bill_date for kind, bill_date in cycles if kind == InvoiceKind.RECURRING]
    due_from = max(recurring) if recurring else min((bill_date for _, bill_date in cycles), default=None)
    if account.arrears_due_from != due_from:
        yield f"has arrears due from {account.arrears_due_from}, but by its cycles they are due from {due_from}"


def _billed_cycles(account: AccountHistory) -> list[tuple[str, date]]:
    """Return the kind and bill date of each cycle that moved the account's dates, with or without a document."""
    approved = [(one.kind, one.bill_date) for one in account.documents if one.status == InvoiceStatus.APPROVED]
    return [*approved, *account.nothing_billed]


def next_bill_dates(account: AccountHistory) -> Iterator[str]:
    """Check that the next bill date follows from plan instances, one-time charges, the bill day and the last bill date."""
    ordered = _orders_due(account)
    if account.orders_due != ordered:
        yield f"has one-time charges due on {account.orders_due}, but by its documents they are due on {ordered}"
    if account.bill_day is None:
        due = None
    elif account.bill_day in DAYS_OF_A_MONTH:
        dates = (account.last_bill_date, account.arrears_due_from, ordered)
        due = next_bill_date(account.instances.values(), account.bill_day, *dates)
    else:
        yield f"has the bill day {account.bill_day}"
        return
    if account.next_bill_date != due:
        yield f"has the next bill date {account.next_bill_date}, but its plan instances are due on {due}"


def _orders_due(account: AccountHistory) -> date | None:
    """Return the date of a cycle that was billed in advance, if a one-time charge of that day or an earlier day is open."""
    approved = [one for one in account.documents if one.status == InvoiceStatus.APPROVED]
    advance, recurring = (
        max((one.bill_date for one in approved if one.kind == kind), default=None)
        for kind in (InvoiceKind.ADVANCE, InvoiceKind.RECURRING)
    )
    ahead = billed_ahead(advance, recurring)
    return ahead if ahead is not None and any(day <= ahead for day in account.orders) else None


REMOVED_PLANS = (
    Rule(
        PlanInstance,
        "account__client",
        Exists(lines_that_bill(OuterRef("pk"))),
        "plan instance {pk} of account {account_id}: was removed on {taken_off_on}, but a live document bills it",
        checked=Q(taken_off_on__isnull=False),
    ),
)
