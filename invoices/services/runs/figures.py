"""What came of a billing run, counted from its outcomes: results, refusals, totals, and the difference from another run."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, Q, QuerySet

from billing_site.common.currencies import currency_of
from billing_site.common.storage import ExactSum
from billing_site.errors import NUMBERED
from invoices.calculation import ZERO, rounded
from invoices.kinds import LASTING_FLAGS, Flag, InvoiceStatus, RunResult
from invoices.models import BillingRun, Invoice, RunOutcome

AMOUNTS = ("net_amount", "tax_amount", "total_amount")


class RefusalCount(NamedTuple):
    """How many accounts of a run were refused for one reason."""

    error_code: int
    message: str
    accounts: int


class CurrencyTotals(NamedTuple):
    """What the invoices of a run amount to in one currency."""

    currency: str
    invoices: int
    net_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal


def count_results(run: BillingRun) -> dict[RunResult, int]:
    """Count the accounts of a run by result."""
    return count_results_of([run])[run.pk]


def count_results_of(runs: Sequence[BillingRun]) -> dict[int, dict[RunResult, int]]:
    """Count the accounts of several runs by result: one query."""
    counts: dict[int, dict[RunResult, int]] = {run.pk: {} for run in runs}
    rows = RunOutcome.objects.filter(run__in=runs).order_by().values_list("run_id", "result").annotate(Count("pk"))
    for run_no, result, count in rows:
        counts[run_no][RunResult(result)] = count
    return counts


def count_refusals(run: BillingRun) -> list[RefusalCount]:
    """Count the refused accounts of a run by reason, in the order of the codes. Messages are those of the codes."""
    rows = run.outcomes.filter(result=RunResult.REFUSED).order_by("error_code").values_list("error_code").annotate(Count("pk"))
    return [RefusalCount(code, NUMBERED[code].message, count) for code, count in rows]


def count_flags(run: BillingRun) -> dict[Flag, int]:
    """Count the invoices of a run by flag: one query. Of a dry run all flags that they would have, else the lasting ones."""
    if run.is_dry_run:
        rows = run.outcomes.exclude(flags="").order_by().values_list("flags").annotate(Count("pk"))
        found = list(rows)
        return {flag: sum(count for flags, count in found if flag in flags.split(",")) for flag in Flag}
    counted: Mapping[str, int] = run.outcomes.aggregate(
        no_address=Count("pk", filter=Q(invoice__tax_answer__no_address=True)),
        no_rate=Count("pk", filter=Q(invoice__tax_answer__no_rate=True)),
    )
    return {flag: counted[flag.value] for flag in LASTING_FLAGS}


def run_totals(run: BillingRun) -> list[CurrencyTotals]:
    """Add up what a run has invoiced, or a dry run would invoice, per currency."""
    if run.is_dry_run:
        return _totals(run, RunResult.BILLABLE, "")
    return _totals(run, RunResult.INVOICED, "invoice__")


class ChangeSum(NamedTuple):
    """What the invoices of a dry run amount to beside the last invoices of the same accounts, in one currency."""

    currency: str
    invoices: int
    previous_total: Decimal
    change_amount: Decimal


def sum_changes(run: BillingRun) -> list[ChangeSum]:
    """Add up, per currency, how a dry run differs from the last cycle. Accounts without an earlier invoice are left out."""
    rows = (
        run.outcomes.filter(result=RunResult.BILLABLE, previous_total__isnull=False)
        .order_by("currency")
        .values_list("currency")
        .annotate(Count("pk"), ExactSum("previous_total"), ExactSum("total_amount"))
    )
    return [_change_sum(*row) for row in rows]


def _change_sum(name: str, invoices: int, before: Decimal | None, now: Decimal | None) -> ChangeSum:
    currency = currency_of(name)
    change = (now or ZERO) - (before or ZERO)
    return ChangeSum(name, invoices, rounded(before or ZERO, currency), rounded(change, currency))


def _totals(run: BillingRun, result: RunResult, of: str) -> list[CurrencyTotals]:
    rows = (
        run.outcomes.filter(result=result)
        .order_by(f"{of}currency")
        .values_list(f"{of}currency")
        .annotate(Count("pk"), *(ExactSum(f"{of}{name}") for name in AMOUNTS))
    )
    return [
        CurrencyTotals(currency, count, *(rounded(amount or ZERO, currency_of(currency)) for amount in amounts))
        for currency, count, *amounts in rows
    ]


def pending_of_run(run: BillingRun) -> int:
    """Count the invoices of the run that are pending."""
    return run.outcomes.filter(result=RunResult.INVOICED, invoice__status=InvoiceStatus.PENDING).count()


def pending_invoices_of_run(run: BillingRun) -> QuerySet[Invoice]:
    """The pending invoices of a run: what a bulk decision on all of them is started with."""
    return Invoice.objects.filter(status=InvoiceStatus.PENDING, run_outcomes__run=run)


class RunDifference(NamedTuple):
    """How a run differs from an earlier one: more accounts invoiced and refused are above 0, fewer below.

    `refusals` are by code, `totals` per currency: only those that differ."""

    accounts: int
    invoiced: int
    refused: int
    refusals: dict[int, int]
    totals: dict[str, Decimal]


def difference(run: BillingRun, earlier: BillingRun) -> RunDifference:
    """Compare a run with an earlier run or dry run: six queries."""
    now, before = count_results(run), count_results(earlier)
    codes_now, codes_before = ({one.error_code: one.accounts for one in count_refusals(of)} for of in (run, earlier))
    sums_now, sums_before = ({one.currency: one.total_amount for one in run_totals(of)} for of in (run, earlier))
    codes = {code: codes_now.get(code, 0) - codes_before.get(code, 0) for code in sorted({*codes_now, *codes_before})}
    sums = {name: sums_now.get(name, ZERO) - sums_before.get(name, ZERO) for name in sorted({*sums_now, *sums_before})}
    return RunDifference(
        accounts=sum(now.values()) - sum(before.values()),
        invoiced=_invoiced(now) - _invoiced(before),
        refused=now.get(RunResult.REFUSED, 0) - before.get(RunResult.REFUSED, 0),
        refusals={code: count for code, count in codes.items() if count},
        totals={name: amount for name, amount in sums.items() if amount},
    )


def _invoiced(counts: Mapping[RunResult, int]) -> int:
    return counts.get(RunResult.INVOICED, 0) + counts.get(RunResult.BILLABLE, 0)
