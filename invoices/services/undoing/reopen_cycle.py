"""Make the cycle of a voided document due again. The account must be locked."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from accounts.models import Account, Event, PlanInstance
from accounts.periods import ONE_DAY, InstanceDates, next_bill_date
from accounts.services.plan_dates import DATE_COLUMNS, instances_with_dates
from billing_site.common.storage import update_rows
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import CYCLE_KINDS, NOTHING_BILLED, InvoiceKind, InvoiceStatus
from invoices.models import BilledPeriod, Invoice


class BilledCycle(NamedTuple):
    """A cycle that moved the account's dates, with a document or with nothing to bill."""

    kind: str
    bill_date: date


def reopen(invoice: Invoice) -> None:
    """Set the account's dates back to before this document, the newest of a cycle. It must already be marked as voided."""
    account = Account.objects.get(pk=invoice.account_id)
    _set_dates(account, _instances_before(invoice))


def bill_as_before(invoice: Invoice) -> None:
    """Move the account's dates on again, past a document whose void is undone. The document that restores it must be issued.

    Refuses (90171) if a plan instance was billed otherwise since, or has changed so that its dates are not those of the void.
    """
    account = Account.objects.get(pk=invoice.account_id)
    instances = _instances_of(invoice.account_id)
    moved = []
    for period in BilledPeriod.objects.filter(invoice=invoice, plan_instance__in=instances):
        dates = instances[period.plan_instance_id]
        if dates.billed_through == _day_before(period, dates):
            instances[period.plan_instance_id] = dates._replace(billed_through=period.end_date)
            moved.append((period.plan_instance_id, period.end_date))
        elif dates.billed_through is None or dates.billed_through < period.end_date:
            detail = Detail(
                "plan instance {number} has changed since; bill the cycle of {document} again instead",
                number=period.plan_instance_id,
                document=invoice.document_number,
            )
            raise BillingError(ErrorCode.UNDO_BLOCKED, detail, field="invoice_no")
    update_rows(PlanInstance, ("billed_through",), moved)
    _set_dates(account, instances)


def _set_dates(account: Account, instances: Mapping[int, InstanceDates]) -> None:
    """Set the account's dates as its live documents and plan instances say."""
    cycles = _cycles(account.pk)
    recurring = [cycle.bill_date for cycle in cycles if cycle.kind == InvoiceKind.RECURRING]
    last_bill_date = max((cycle.bill_date for cycle in cycles), default=None)
    arrears_due_from = max(recurring) if recurring else min((cycle.bill_date for cycle in cycles), default=None)
    if account.bill_day is not None:
        due = next_bill_date(instances.values(), account.bill_day, last_bill_date, arrears_due_from, account.orders_due)
        account.next_bill_date = due
    account.last_bill_date, account.arrears_due_from = last_bill_date, arrears_due_from
    account.save(update_fields=["next_bill_date", "last_bill_date", "arrears_due_from"])


def reopen_plans(invoice: Invoice) -> None:
    """Make plan instances due again that this older document was the last to bill. The account's other dates stay.

    An instance that charges in arrears is not set back to its first day, because its arrears would be charged twice.
    """
    account = Account.objects.get(pk=invoice.account_id)
    instances = _instances_before(invoice, keeps_arrears=True)
    if account.bill_day is not None:
        account.next_bill_date = next_bill_date(
            instances.values(), account.bill_day, account.last_bill_date, account.arrears_due_from, account.orders_due
        )
        account.save(update_fields=["next_bill_date"])


def _instances_before(invoice: Invoice, *, keeps_arrears: bool = False) -> dict[int, InstanceDates]:
    """Return the account's plan instances, and set those that the document billed back to the day before its period."""
    instances = _instances_of(invoice.account_id)
    moved: list[tuple[int, date | None]] = []
    for period in BilledPeriod.objects.filter(invoice=invoice, plan_instance__in=instances):
        dates = instances[period.plan_instance_id]
        if dates.billed_through == period.end_date:
            before = _day_before(period, dates)
            if before is None and keeps_arrears and dates.in_arrears:
                continue
            instances[period.plan_instance_id] = dates._replace(billed_through=before)
            moved.append((period.plan_instance_id, before))
    update_rows(PlanInstance, ("billed_through",), moved)
    return instances


def _instances_of(account_no: int) -> dict[int, InstanceDates]:
    rows = instances_with_dates(PlanInstance.objects.filter(account=account_no)).order_by("pk")
    return {number: InstanceDates._make(dates) for number, *dates in rows.values_list("pk", *DATE_COLUMNS)}


def _day_before(period: BilledPeriod, dates: InstanceDates) -> date | None:
    """Return the day through which a plan instance was billed before a period; None if the period is its first."""
    return None if period.start_date == dates.start else period.start_date - ONE_DAY


def _cycles(account_no: int) -> list[BilledCycle]:
    issued = Invoice.objects.filter(account=account_no, status=InvoiceStatus.APPROVED, kind__in=CYCLE_KINDS)
    documents = issued.filter(bills_again=None)  # a document that bills periods again has moved no date
    nothing = Event.objects.filter(account=account_no, act=NOTHING_BILLED).values_list("after", flat=True)
    return [
        *(BilledCycle(*row) for row in documents.order_by().values_list("kind", "bill_date")),
        *(BilledCycle(after.get("kind", InvoiceKind.RECURRING), date.fromisoformat(after["bill_date"])) for after in nothing),
    ]
