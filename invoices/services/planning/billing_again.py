"""Find what voided invoices billed and no other document bills. It can be billed again or waived."""

from collections.abc import Collection, Mapping
from datetime import date
from itertools import islice
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.callers import Caller
from accounts.models import Account, Client, PlanInstance
from accounts.periods import InstanceDates, arrears_cycles
from accounts.services.plan_dates import DATE_COLUMNS, instances_with_dates
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import ADVANCE_TYPES, CYCLE_KINDS, LIVE_STATUSES, InvoiceKind, InvoiceStatus, LineType
from invoices.models import BilledPeriod, Invoice, InvoiceLine
from invoices.plan.facts import AccountFacts, Again
from invoices.plan.unbilled_periods import Activated, Billed, InstanceDays, ServiceDays, still_unbilled
from invoices.services.documents.rights import check_may_correct
from invoices.services.money.ledger.acts import account_of_invoice, money_act

WAIVED = "invoice.periods_waived"


def with_again(
    accounts: Mapping[int, AccountFacts], invoice_no: int, replacing: Collection[int] = ()
) -> dict[int, AccountFacts]:
    """Return the facts of the voided invoice's account, with what must be billed again. Pending invoices in `replacing` count
    as discarded."""
    invoice = Invoice.objects.get(pk=invoice_no)
    missing = unbilled_periods_of(invoice, replacing)
    again = Again(InvoiceKind(invoice.kind), invoice.bill_date, invoice.bill_day, missing)
    return {number: facts._replace(again=again) for number, facts in accounts.items()}


def unbilled_periods_of(invoice: Invoice, replacing: Collection[int] = ()) -> Billed:
    """Return what a voided invoice billed that no live document bills and that will not be billed again by itself.

    Seven queries. Empty without a query if the document is not voided, bills no cycle, or was waived.
    """
    if invoice.status != InvoiceStatus.VOIDED or invoice.kind not in CYCLE_KINDS or invoice.waived_at is not None:
        return Billed()
    account = Account.objects.get(pk=invoice.account_id)
    rows = instances_with_dates(PlanInstance.objects.filter(account=account))
    dates = {number: InstanceDates._make(row) for number, *row in rows.values_list("pk", *DATE_COLUMNS)}
    live = Q(invoice__account=account, invoice__status__in=LIVE_STATUSES, invoice__kind__in=CYCLE_KINDS)
    of_live = live & ~Q(invoice__in=replacing) if replacing else live
    return still_unbilled(_billed(Q(invoice=invoice), charged=True), _billed(of_live), dates, arrears_open(account, dates))


def arrears_open(account: Account, dates: Mapping[int, InstanceDates]) -> dict[int, date]:
    """Return the first day of the oldest cycle whose arrears are still open, by plan instance."""
    if account.bill_day is None:
        return {}
    cycles = {number: arrears_cycles(one, account.bill_day, account.arrears_due_from) for number, one in dates.items()}
    return {number: cycle.start for number, found in cycles.items() for cycle in islice(found, 1)}


ADDS_TO_NO_MINIMUM = Q(rate_schedule_no__isnull=False) | Q(units__isnull=False)
"""True for lines in arrears of charges. The line of a plan's minimum has no price, and may cover days of several of them."""

IN_ADVANCE = Exists(
    InvoiceLine.objects.filter(
        invoice=OuterRef("invoice"),
        plan_instance=OuterRef("plan_instance"),
        line_type__in=ADVANCE_TYPES,
    )
)
"""True for periods for which the document charges something in advance. Other periods cost nothing."""


def _billed(which: Q, *, charged: bool = False) -> Billed:
    """Return what documents bill of plan instances. Removed instances are left out, because they are never billed
    again."""
    kept = which & Q(plan_instance__taken_off_on=None)
    periods = BilledPeriod.objects.filter(kept)
    if charged:
        periods = periods.filter(IN_ADVANCE)
    lines = InvoiceLine.objects.filter(kept, plan_instance__isnull=False, service__isnull=False)
    arrears = lines.filter(ADDS_TO_NO_MINIMUM, line_type=LineType.ARREARS, period_start__isnull=False, period_end__isnull=False)
    return Billed(
        tuple(InstanceDays._make(row) for row in sorted(periods.values_list("plan_instance_id", "start_date", "end_date"))),
        tuple(ServiceDays(*row) for row in sorted(_columns(arrears, "period_start", "period_end"))),
        tuple(Activated(*row) for row in sorted(_columns(lines.filter(line_type=LineType.ACTIVATION)))),
    )


def _columns(lines: QuerySet[InvoiceLine], *more: str) -> Any:
    return lines.order_by().values_list("plan_instance_id", "service_id", *more).distinct()


def waive_periods(*, client: Client, invoice_no: int, caller: Caller, today: date, comments: str = "") -> None:
    """Store on a voided invoice that its periods are not billed again.

    Refuses an unknown invoice (3004), a caller who may not correct (90026), and an invoice with nothing to bill again (90083).
    """
    account_no = account_of_invoice(client, invoice_no)
    with money_act(client, account_no, caller, today, invoice_no=invoice_no) as posted_by:
        check_may_correct(caller)
        invoice = Invoice.objects.get(pk=invoice_no)
        if not unbilled_periods_of(invoice):
            raise BillingError(
                ErrorCode.NOTHING_TO_BILL_AGAIN, Detail("invoice {invoice_no}", invoice_no=invoice_no), field="invoice_no"
            )
        invoice.waived_at = posted_by.at
        invoice.save(update_fields=["waived_at"])
        act = Act(WAIVED, account_no, invoice_no, after={"comments": comments})
        record_acts(client, caller, [act], posted_by.at)
