"""Billing runs: every account of a client that is due on a day, in chunks; a run that was interrupted goes on where it was."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Sum
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Account, Client
from accounts.storage import update_rows
from billing_site.errors import ErrorCode
from invoices.calculation import ZERO, rounded
from invoices.kinds import InvoiceStatus, RunResult, VoidReason
from invoices.models import BillingRun, Invoice, RunOutcome
from invoices.plan.facts import BillingRequest
from invoices.services.generating import generate_invoices
from invoices.services.outcomes import Outcome

ACCOUNTS_AT_ONCE = 500


class Refused(NamedTuple):
    """How many accounts of a run were refused for one reason."""

    error_code: int
    message: str
    accounts: int


class CurrencyTotals(NamedTuple):
    """What the invoices of a run come to in one currency."""

    currency: str
    invoices: int
    net_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal


@transaction.atomic
def start_run(*, client: Client, today: date, caller: Caller) -> BillingRun:
    """A run over all accounts whose next bill date is today or before, each with an outcome that waits."""
    run = BillingRun.objects.create(client=client, bill_date=today, started_by=caller.identity)
    due = Account.objects.filter(~Exists(_uncollectable()), client=client, next_bill_date__lte=today).order_by("pk")
    with connection.cursor() as cursor:
        chosen, parameters = due.values("id").query.sql_with_params()
        cursor.execute(
            f"INSERT INTO {RunOutcome._meta.db_table} (run_id, account_id, result, error_code, message) "
            f"SELECT %s, due.id, %s, 0, '' FROM ({chosen}) AS due ORDER BY due.id",
            [run.pk, RunResult.WAITING.value, *parameters],
        )
    return run


def _uncollectable() -> QuerySet[Invoice]:
    """The invoice of an account's due cycle that was voided because it could not be collected: a person has to see to it
    first."""
    return Invoice.objects.filter(
        account=OuterRef("pk"),
        bill_date=OuterRef("next_bill_date"),
        status=InvoiceStatus.VOIDED,
        void_reason_code=VoidReason.COLLECTION_FAILED,
    )


def continue_run(run: BillingRun, *, caller: Caller, progress: Callable[[int], object] = lambda accounts: None) -> None:
    """Bills the accounts of the run that still wait. `progress` is told how many accounts each chunk has settled."""
    request = BillingRequest(run.bill_date)
    for waiting in _waiting(run):
        outcomes = generate_invoices(
            client=run.client, account_nos=waiting, request=request, caller=caller, run_outcomes=waiting
        )
        _write_refusals(waiting, [outcome for outcome in outcomes if outcome.error is not None])
        progress(len(waiting))
    BillingRun.objects.filter(pk=run.pk, finished_at=None).update(finished_at=timezone.now())


def unfinished_run(client: Client) -> BillingRun | None:
    """The run that was interrupted, if there is one."""
    return BillingRun.objects.filter(client=client, finished_at=None).order_by("pk").first()


def count_results(run: BillingRun) -> dict[RunResult, int]:
    rows = run.outcomes.order_by().values_list("result").annotate(Count("pk"))
    return {RunResult(result): count for result, count in rows}


def count_refusals(run: BillingRun) -> list[Refused]:
    """The refused accounts of a run by reason, counted from its outcomes. A message's particulars are left out."""
    rows = run.outcomes.filter(result=RunResult.REFUSED).order_by("error_code").values_list("error_code").annotate(Count("pk"))
    return [Refused(code, _message(code), count) for code, count in rows]


def run_totals(run: BillingRun) -> list[CurrencyTotals]:
    """What the run has invoiced, per currency, added up from its invoices."""
    rows = (
        run.outcomes.filter(result=RunResult.INVOICED)
        .order_by("invoice__currency")
        .values_list("invoice__currency")
        .annotate(Count("pk"), Sum("invoice__net_amount"), Sum("invoice__tax_amount"), Sum("invoice__total_amount"))
    )
    return [
        CurrencyTotals(currency, count, *(rounded(amount or ZERO, currency) for amount in amounts))
        for currency, count, *amounts in rows
    ]


def _message(error_code: int) -> str:
    return next(row.message for row in ErrorCode if row.number == error_code)


def _waiting(run: BillingRun) -> Iterator[dict[int, int]]:
    """Chunks of the accounts that wait, with their outcomes, in the order of the account numbers."""
    last = 0
    while True:
        rows = run.outcomes.filter(result=RunResult.WAITING, account__gt=last).order_by("account_id")
        waiting = dict(rows.values_list("account_id", "pk")[:ACCOUNTS_AT_ONCE])
        if not waiting:
            return
        yield waiting
        last = max(waiting)


def _write_refusals(waiting: dict[int, int], refused: Sequence[Outcome]) -> None:
    """Says why accounts were refused, unless another process that works on the same run has billed them meanwhile."""
    with transaction.atomic():
        still = set(
            RunOutcome.objects.select_for_update(no_key=True)
            .filter(pk__in=waiting.values(), result=RunResult.WAITING)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        update_rows(
            RunOutcome,
            ("result", "error_code", "message"),
            [
                (waiting[outcome.account_no], RunResult.REFUSED.value, outcome.error.code.number, outcome.error.message)
                for outcome in refused
                if outcome.account_no is not None and outcome.error and waiting[outcome.account_no] in still
            ],
        )
