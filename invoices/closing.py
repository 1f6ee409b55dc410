"""Close a client's periods, in order, and reopen the last one.

A period is closed once its checklist is done. From then on `services/documents/open_periods.py` refuses what would be dated or
changed in it. Late corrections are dated in the open period and keep the original's tax date.
"""

from datetime import date, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.keys import people_behind
from accounts.models import Client
from accounts.rights import CORRECT, check_may
from accounts.trail import Act, record_acts, refusal
from billing_site.errors import BillingError, Detail, ErrorCode, listed
from invoices.audit import audit_changed
from invoices.audit.kept import clean_until, last_findings
from invoices.kinds import ACTIVE_RUNS, OPEN_ATTEMPTS, ActState, InvoiceStatus, PeriodState, RefundStatus
from invoices.models import BillingRun, ClosedPeriod, CollectionAttempt, Invoice, Refund, RequestedAct

CLOSED, REOPENED, REQUESTED, REFUSED = "period.closed", "period.reopened", "period.reopening_requested", "period.refused"
KEPT = "period.kept_closed"
A_DAY = timedelta(days=1)


class Period(NamedTuple):
    """The days to close. `first_day` is None for the first period of a client: everything before is closed with it."""

    first_day: date | None
    last_day: date


class Check(NamedTuple):
    """A condition for closing: whether it is met, how many rows are in the way, and what to do next.

    `in_the_way` is None for an audit that was never run.
    """

    name: str
    title: Detail
    in_the_way: int | None
    next_step: str = ""

    @property
    def is_done(self) -> bool:
        return self.in_the_way == 0


def month_ending(year: int, month: int) -> date:
    """Return the last day of a month."""
    return date(year + month // 12, month % 12 + 1, 1) - A_DAY


def next_period(client: Client, today: date) -> Period:
    """Return the period that can be closed next: the month after the closed ones, or the last whole month."""
    last = Client.objects.values_list("closed_through", flat=True).get(pk=client.pk)
    if last is None:
        return Period(None, today.replace(day=1) - A_DAY)
    first = last + A_DAY
    return Period(first, month_ending(first.year, first.month))


def checklist(client: Client, period: Period) -> list[Check]:
    """Return the conditions for closing a period, in the order in which they are best worked off. Runs the audit of what has
    changed since the last whole audit without findings."""
    return [*_rows(client, period), _audit(client)]


def _rows(client: Client, period: Period) -> list[Check]:
    last = period.last_day
    pending = Invoice.objects.filter(client=client, status=InvoiceStatus.PENDING, bill_date__lte=last)
    runs = BillingRun.objects.filter(client=client, state__in=ACTIVE_RUNS)
    attempts = CollectionAttempt.objects.filter(
        invoice__client=client, status__in=OPEN_ATTEMPTS, invoice__invoice_date__lte=last
    )
    refunds = Refund.objects.filter(payment__account__client=client, status=RefundStatus.ASKED, entry__entry_date__lte=last)
    acts = RequestedAct.objects.filter(client=client, state=ActState.PENDING)
    return [
        Check("pending", Detail("Nothing is pending"), pending.count(), Detail("approve or discard the pending documents")),
        Check("acts", Detail("No act needs a second person"), acts.count(), Detail("approve or discard the requested acts")),
        Check("runs", Detail("Billing runs are finished"), runs.count(), Detail("finish or cancel the billing runs")),
        Check(
            "collections",
            Detail("Collections and refunds are settled"),
            attempts.count() + refunds.count(),
            Detail("collect again to get the results of collections and refunds"),
        ),
    ]


def _audit(client: Client) -> Check:
    title, since = Detail("The audit is clean"), clean_until(client)
    if since is None:
        return Check(
            "audit", title, last_findings(client), Detail("run the audit over the whole client until it has no findings")
        )
    found = sum(len(report.findings) for report in audit_changed(client, since))
    return Check("audit", title, found, Detail("run the audit, and correct what it finds"))


def close_period(*, client: Client, last_day: date, caller: Caller, today: date) -> ClosedPeriod:
    """Close the period that ends on a day, and return it.

    Refuses a caller who may not correct (90026), a day that is not over (90175), a period that does not follow the closed ones
    (90175), and one whose checklist is not done (90174). Locks the client's row: what is being issued is finished first.
    """
    try:
        check_may(caller, CORRECT)
        _check_next(client, last_day, today)
        _check_done(client, Period(None, last_day))
        with transaction.atomic():
            locked = Client.objects.select_for_update(no_key=True, of=("self",)).get(pk=client.pk)
            period = _check_next(locked, last_day, today)
            # What was issued meanwhile may be pending or unsettled. The audit is not repeated under the lock.
            _check_done(locked, period, audits=False)
            closed = ClosedPeriod.objects.create(
                client=client, **period._asdict(), closed_by=caller.identity, closed_at=timezone.now()
            )
            Client.objects.filter(pk=client.pk).update(closed_through=last_day)
            _record(CLOSED, closed, caller)
    except BillingError as error:
        record_acts(client, caller, [refusal(REFUSED, error)])
        raise
    return closed


def _check_next(client: Client, last_day: date, today: date) -> Period:
    if last_day >= today:
        raise BillingError(
            ErrorCode.PERIOD_STATE, Detail("{day} is not over; close the period after it", day=last_day), field="month"
        )
    period = next_period(client, today)
    if last_day == period.last_day or (period.first_day is None and last_day == month_ending(last_day.year, last_day.month)):
        return Period(period.first_day, last_day)
    detail = Detail("the next period to close ends on {day}", day=period.last_day)
    raise BillingError(ErrorCode.PERIOD_STATE, detail, field="month")


def _check_done(client: Client, period: Period, *, audits: bool = True) -> None:
    checks = checklist(client, period) if audits else _rows(client, period)
    missing = [check for check in checks if not check.is_done]
    if missing:
        raise BillingError(ErrorCode.PERIOD_NOT_READY, listed([check.next_step for check in missing], "; "), field="month")


def request_reopening(*, client: Client, period_no: int, caller: Caller, comments: str) -> ClosedPeriod:
    """Ask for the reopening of the last closed period. Nothing is open until another person approves it.

    Refuses a caller who may not correct (90026), an unknown period (1002), and one that is not the last closed one (90175).
    """
    with transaction.atomic():
        period = _last_closed(client, period_no, caller, PeriodState.CLOSED)
        period.state, period.comments = PeriodState.REOPENING, comments
        period.reopening_asked_by, period.reopening_asked_at = caller.identity, timezone.now()
        period.save()
        _record(REQUESTED, period, caller)
    return period


def approve_reopening(*, client: Client, period_no: int, caller: Caller) -> ClosedPeriod:
    """Reopen a period as another person has asked. Refuses the person who asked (90002), and as `request_reopening` does."""
    with transaction.atomic():
        period = _last_closed(client, period_no, caller, PeriodState.REOPENING)
        if people_behind([period.reopening_asked_by])[period.reopening_asked_by] & caller.people:
            raise BillingError(ErrorCode.FOUR_EYES, Detail("you or one of your API keys asked for the reopening"))
        period.state, period.reopened_by, period.reopened_at = PeriodState.REOPENED, caller.identity, timezone.now()
        period.save()
        before = None if period.first_day is None else period.first_day - A_DAY
        Client.objects.filter(pk=client.pk).update(closed_through=before)
        _record(REOPENED, period, caller)
    return period


def keep_closed(*, client: Client, period_no: int, caller: Caller) -> ClosedPeriod:
    """Withdraw or refuse the request to reopen a period. Refuses as `request_reopening` does."""
    with transaction.atomic():
        period = _last_closed(client, period_no, caller, PeriodState.REOPENING)
        period.state = PeriodState.CLOSED
        period.save()
        _record(KEPT, period, caller)
    return period


def _last_closed(client: Client, period_no: int, caller: Caller, state: PeriodState) -> ClosedPeriod:
    check_may(caller, CORRECT)
    locked = Client.objects.select_for_update(no_key=True, of=("self",)).get(pk=client.pk)
    period = ClosedPeriod.objects.filter(client=client, pk=period_no).first()
    if period is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("period {number} does not exist", number=period_no))
    if period.state != state or period.last_day != locked.closed_through:
        detail = Detail(
            "the period through {day} is {state}; the last closed day is {last}",
            day=period.last_day,
            state=str(PeriodState(period.state).value).replace("_", " "),
            last=locked.closed_through,
        )
        raise BillingError(ErrorCode.PERIOD_STATE, detail)
    return period


def _record(act: str, period: ClosedPeriod, caller: Caller) -> None:
    after = {
        "period": period.pk,
        "first_day": str(period.first_day or ""),
        "last_day": str(period.last_day),
        "state": str(PeriodState(period.state).value),
        "comments": period.comments,
    }
    record_acts(period.client, caller, [Act(act, after=after, row_no=period.pk)])
