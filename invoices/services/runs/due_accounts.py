"""Which accounts are due to be billed, and how many: the one place that every page, run and command asks."""

from datetime import date
from typing import NamedTuple

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet

from accounts.kinds import BILLABLE_STATUSES
from accounts.models import Account, Client
from invoices.kinds import CYCLE_KINDS, InvoiceStatus, RunMode, RunResult, VoidReason
from invoices.models import Invoice, RunOutcome
from invoices.services.runs.filters import NO_FILTER, AccountFilter, accounts_of_filter


def due_accounts(
    client: Client, today: date, chosen: AccountFilter = NO_FILTER, mode: RunMode = RunMode.AS_CONFIGURED
) -> QuerySet[Account]:
    """Return the accounts that a run takes in: those that its filter finds, whose next bill date is today or before.

    In advance, those with a later next bill date. An account whose last invoice was voided because it could not be collected
    is left out: a person must look at it first."""
    return accounts_of_filter(client, chosen, mode, today).filter(~Exists(_uncollectable()))


class DueAccounts(NamedTuple):
    """How many accounts are due, each counted once: `ready` to be billed; with a `pending` invoice to be decided on
    first; test accounts and accounts in a status that is not billed; and those that wait `in_runs` that have begun."""

    ready: int
    pending: int
    not_billed: int
    in_runs: int = 0

    @property
    def blocked(self) -> int:
        return self.pending + self.not_billed

    @property
    def taken_in(self) -> int:
        """How many accounts a run takes in. It refuses those that are blocked, with the reason."""
        return self.ready + self.blocked

    @property
    def all(self) -> int:
        return self.taken_in + self.in_runs


def count_due(
    client: Client, today: date, chosen: AccountFilter = NO_FILTER, mode: RunMode = RunMode.AS_CONFIGURED
) -> DueAccounts:
    """Count the accounts that a billing run takes in. Every page that says how many are due asks here: three queries.

    Each looks for rows of another table in its condition, so the database joins the tables once. In what is counted, it would
    look for each account: seconds for 100,000.
    """
    is_billed = Q(is_test=False, status__in=BILLABLE_STATUSES)
    is_pending = Exists(Invoice.objects.filter(account=OuterRef("pk"), status=InvoiceStatus.PENDING, kind__in=CYCLE_KINDS))
    rows = due_accounts(client, today, chosen, mode)
    free = not_in_runs(rows)
    counted = free.aggregate(billed=Count("pk", filter=is_billed), not_billed=Count("pk", filter=~is_billed))
    pending = free.filter(is_billed, is_pending).count()
    return DueAccounts(
        ready=counted["billed"] - pending,
        pending=pending,
        not_billed=counted["not_billed"],
        in_runs=rows.filter(Exists(waiting_elsewhere())).count(),
    )


def not_in_runs(due: QuerySet[Account]) -> QuerySet[Account]:
    """Return the due accounts that do not wait in an active run: those that another run would take in."""
    return due.filter(~Exists(waiting_elsewhere()))


def waiting_elsewhere() -> QuerySet[RunOutcome]:
    """The outcome of an account that waits in an active run. There is at most one."""
    return RunOutcome.objects.filter(account=OuterRef("pk"), result=RunResult.WAITING, is_dry_run=False)


def next_due_day(client: Client) -> date | None:
    """When an account is due next, if any ever is."""
    first: date | None = Account.objects.filter(client=client).aggregate(day=Min("next_bill_date"))["day"]
    return first


def _uncollectable() -> QuerySet[Invoice]:
    """The invoice of an account's due cycle that was voided because it could not be collected."""
    return Invoice.objects.filter(
        account=OuterRef("pk"),
        bill_date=OuterRef("next_bill_date"),
        status=InvoiceStatus.VOIDED,
        void_reason_code=VoidReason.COLLECTION_FAILED,
    )
