"""The limits of a billing run: when one is exceeded, the run stops until a person continues or cancels it.

A limit of 0 is a limit: the first refusal, or the first amount above 0, exceeds it."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from billing_site.common.currencies import currency_of
from billing_site.common.storage import ExactSum
from billing_site.errors import Detail
from invoices.calculation import ZERO, rounded
from invoices.kinds import RunResult, RunState
from invoices.models import BillingRun, RunPart
from invoices.services.documents.outcomes import Planned, Refused

LIMITS = ("stop_above_refusals", "stop_above_refused_percent", "stop_above_percent_of_last", "stop_above_invoice")
"""The columns of a client and of a run that are limits. Empty: no limit."""


class Exceeded(NamedTuple):
    """The limit that a run has exceeded, and the reason: a detail, or the message of a refusal (`as_detail`)."""

    limit: str
    reason: str


class LimitExceeded(Exception):
    """A batch would exceed a limit of its run. Nothing of it was written."""

    def __init__(self, exceeded: Exceeded) -> None:
        self.exceeded = exceeded
        super().__init__(exceeded.reason)


def check_plans(run: BillingRun, planned: Iterable[Planned | Refused]) -> None:
    """Raise LimitExceeded for the first invoice above the run's limit for one invoice. Nothing is read."""
    limit = run.stop_above_invoice
    if limit is None:
        return
    for one in planned:
        if isinstance(one, Planned) and one.plan.total_amount > limit:
            currency = one.plan.facts.state.currency.code.upper()
            reason = Detail(
                "The invoice of account {account_no} is {amount} {currency}, above {limit}.",
                account_no=one.account_no,
                amount=one.plan.total_amount,
                currency=currency,
                limit=_plain(limit),
            )
            raise LimitExceeded(Exceeded("stop_above_invoice", reason))


def exceeded_limit(run: BillingRun) -> Exceeded | None:
    """The first limit that the outcomes of a run exceed by now. At most four queries; none without limits."""
    return _refusals(run) or _refused_percent(run) or _percent_of_last(run)


def _refusals(run: BillingRun) -> Exceeded | None:
    limit = run.stop_above_refusals
    if limit is None or not _refused_above(run, limit):
        return None
    return Exceeded("stop_above_refusals", Detail("More than {limit} accounts were refused.", limit=limit))


def _refused_percent(run: BillingRun) -> Exceeded | None:
    percent = run.stop_above_refused_percent
    if percent is None:
        return None
    accounts = run.outcomes.exclude(result=RunResult.IN_ANOTHER_RUN).count()
    if not _refused_above(run, int(accounts * percent / 100)):
        return None
    reason = Detail("More than {percent} % of the accounts were refused.", percent=_plain(percent))
    return Exceeded("stop_above_refused_percent", reason)


def _refused_above(run: BillingRun, limit: int) -> bool:
    return run.outcomes.filter(result=RunResult.REFUSED).order_by()[: limit + 1].count() > limit


def _percent_of_last(run: BillingRun) -> Exceeded | None:
    percent = run.stop_above_percent_of_last
    last = last_finished_run(run) if percent is not None and not run.is_dry_run else None
    if percent is None or last is None:
        return None
    now, before = _billed(run), _billed(last)
    for currency in sorted(now.keys() & before.keys()):
        most = before[currency] * percent / 100
        if now[currency] > most:
            amount = rounded(now[currency], currency_of(currency))
            shown = Detail("{amount} {currency}", amount=amount, currency=currency.upper())
            reason = Detail(
                "The total of {total} is above {percent} % of run {run}.",
                total=shown,
                percent=_plain(percent),
                run=last.pk,
            )
            return Exceeded("stop_above_percent_of_last", reason)
    return None


def _plain(number: Decimal) -> Decimal:
    """Return a number without trailing zeros, and without an exponent."""
    return Decimal(f"{number.normalize():f}")


def last_finished_run(run: BillingRun) -> BillingRun | None:
    """The client's last finished run before this one, of the same mode and, apart from its day, with the same filter."""
    wanted = {**run.filter, "due_until": None}
    rows = BillingRun.objects.filter(
        client=run.client_id, mode=run.mode, is_dry_run=False, state=RunState.FINISHED, pk__lt=run.pk
    )
    return next((one for one in rows.order_by("-pk")[:100] if {**one.filter, "due_until": None} == wanted), None)


def _billed(run: BillingRun) -> dict[str, Decimal]:
    """The totals of a run per currency, by its parts: as quick for a million accounts as for few."""
    rows = RunPart.objects.filter(run=run).order_by().values_list("currency").annotate(ExactSum("total_amount"))
    return {currency: amount or ZERO for currency, amount in rows}
