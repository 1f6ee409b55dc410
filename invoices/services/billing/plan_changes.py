"""End and change customers' plans, and credit billed days that are not used."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.callers import Caller
from accounts.kinds import ARREARS_TYPES
from accounts.models import Account, Plan, PlanCharge, PlanInstance
from accounts.periods import ONE_DAY
from accounts.rates import RateTerms
from accounts.services.accounts import lock_account
from accounts.services.plans import AS_PLAN, change_plan, end_plan_instance, remove_plan_instance, update_plan_instance
from billing_site.common.currencies import Currency
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO, rounded
from invoices.kinds import CYCLE_KINDS, LIVE_STATUSES, NOT_SURCHARGEABLE, InvoiceKind, InvoiceStatus, UnusedDaysOutcome
from invoices.models import Invoice, InvoiceLine
from invoices.plan.unused import SourceLine, Unused, taxes_of, unused_value
from invoices.services.correcting.unused_memos import credit_unused_days
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.planning.charged_days import read_days_after_end


class UnusedDays(NamedTuple):
    """Days of a plan instance after its end that a document has charged.

    `amount` is what was charged for them, before added tax; `tax_amount` is their part of the tax. `outcome` says whether they
    are credited.
    """

    plan_instance_no: int
    invoice_no: int
    document_number: str
    line_no: int
    service_no: int | None
    description: str
    start_date: date
    end_date: date
    days: int
    amount: Decimal
    tax_amount: Decimal
    currency: str
    outcome: UnusedDaysOutcome


@transaction.atomic
def end_plan(
    *, instance: PlanInstance, end_date: date, caller: Caller, today: date, credit_unused: bool | None = None
) -> PlanInstance:
    """Set the last day of a plan instance, and return it.

    Billed days after it are credited if `credit_unused` or else the client's setting says so: on the next invoice, or by a
    credit memo if the account gets no further invoice. Locks the account.
    """
    ended = end_plan_instance(instance, end_date, caller=caller, credit_unused=credit_unused)
    _credit(ended, caller, today)
    return ended


@transaction.atomic
def remove_plan(*, instance: PlanInstance, caller: Caller, today: date) -> PlanInstance:
    """Take a plan off before it begins, so that it is never billed. Returns the plan instance. Locks the account.

    Refuses a plan that has begun (90062), and one that a document bills (90063); the message says what to do with that document
    first.
    """
    lock_account(instance.account_id)
    line = lines_that_bill(instance).order_by("-invoice_id").select_related("invoice").first()
    if line is not None and instance.taken_off_on is None and instance.start_date > today:
        name, first = _undone_first(line)
        detail = Detail("plan instance {instance} is on {document}; {first}", instance=instance.pk, document=name, first=first)
        raise BillingError(ErrorCode.PLAN_IS_BILLED, detail, field="plan_instance")
    return remove_plan_instance(instance, today, caller=caller)


def _undone_first(line: InvoiceLine) -> tuple[str, Detail]:
    """Return the name of a line's document, and what to do with it so that it no longer bills the plan instance.

    A rebill needs at least one other charge; otherwise the document must be voided.
    """
    invoice = line.invoice
    if invoice.status == InvoiceStatus.PENDING:
        pending = Detail("invoice {invoice_no}", invoice_no=invoice.pk)
        return pending, Detail("discard {document} first", document=pending)
    name = invoice.document_number
    others = invoice.lines.filter(amount__gt=0).exclude(line_type__in=NOT_SURCHARGEABLE)
    if others.filter(~Q(plan_instance=line.plan_instance_id) | Q(plan_instance=None)).exists():
        return name, Detail("rebill {document} without its lines first", document=name)
    return name, Detail("void {document} first", document=name)


def lines_that_bill(instance: PlanInstance | OuterRef) -> QuerySet[InvoiceLine]:
    """Select the lines of pending and issued documents that bill a plan instance. Lines of rebilled invoices are left out."""
    replaced = Invoice.objects.filter(corrects=OuterRef("invoice"), kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
    lines = InvoiceLine.objects.filter(plan_instance=instance, invoice__status__in=LIVE_STATUSES)
    return lines.filter(~Exists(replaced), invoice__kind__in=[*CYCLE_KINDS, InvoiceKind.REBILL])


@transaction.atomic
def replace_plan(
    *,
    instance: PlanInstance,
    plan: Plan,
    start_date: date,
    caller: Caller,
    today: date,
    units: Decimal | None = None,
    prices: Mapping[PlanCharge, RateTerms] | None = None,
    credit_unused: bool | None = None,
    trial_end: date | None = AS_PLAN,
) -> PlanInstance:
    """Replace a plan instance from a day on by another plan, or the same plan with other units. Returns the new instance.

    Unused days of the old one are credited as `end_plan` does. What is left of its trial goes on, unless `trial_end` is set.
    Locks the account.
    """
    new = change_plan(
        instance=instance,
        plan=plan,
        start_date=start_date,
        caller=caller,
        units=units,
        prices=prices,
        credit_unused=credit_unused,
        trial_end=trial_end,
    )
    _credit(instance, caller, today)
    return new


@transaction.atomic
def edit_plan(
    *,
    instance: PlanInstance,
    changed: Collection[str],
    caller: Caller,
    today: date,
    units_from: date,
    credit_unused: bool | None = None,
) -> PlanInstance:
    """Save the changed columns of a plan instance, and return the instance that has the units.

    Other units apply from `units_from`: days before it keep the old units. So if the plan has begun by then, a new instance
    replaces it from that day. Refuses new units from the first day of a plan that is already billed (90066).
    """
    stored = PlanInstance.objects.get(pk=instance.pk)
    if "units" not in changed or units_from <= stored.start_date:
        if "units" in changed and (stored.billed_through or _arrears_charged(stored)):
            detail = Detail(
                "units: the plan is billed from {start_date}; give a later first day for the new units",
                start_date=stored.start_date,
            )
            raise BillingError(ErrorCode.UNITS_BILLED, detail, field="units")
        edited = update_plan_instance(instance, changed, caller=caller, credit_unused=credit_unused)
        _credit(edited, caller, today)
        return edited
    new = replace_plan(
        instance=stored,
        plan=stored.plan,
        start_date=units_from,
        caller=caller,
        today=today,
        units=instance.units,
        credit_unused=credit_unused,
    )
    rest = [name for name in changed if name != "units"]
    for name in rest:
        setattr(new, name, getattr(instance, name))
    return update_plan_instance(new, rest, caller=caller, credit_unused=credit_unused) if rest else new


def _arrears_charged(instance: PlanInstance) -> bool:
    charged_to = instance.account.arrears_due_from
    is_in_arrears = instance.plan.charges.filter(line_type__in=ARREARS_TYPES).exists()
    return is_in_arrears and charged_to is not None and charged_to > instance.start_date


def _credit(instance: PlanInstance, caller: Caller, today: date) -> None:
    client = instance.account.client
    credit_unused_days(client, [instance.account_id], caller, PostedBy(today, timezone.now(), caller.identity))


def unused_days_of(instance: PlanInstance) -> list[UnusedDays]:
    """Return what was charged for days after the end of a plan instance, and whether it is credited. In the order of the
    documents."""
    if instance.end_date is None:
        return []
    account = Account.objects.get(pk=instance.account_id)
    after = instance.end_date + ONE_DAY
    return [
        part
        for line in read_days_after_end(instance)
        if line.is_in_force and line.last_day >= after
        for part in _parts(line, after, account)
        if part.amount
    ]


def _parts(line: SourceLine, after: date, account: Account) -> Iterator[UnusedDays]:
    """Yield the credited days of a line, then the days before them that stay charged."""
    currency = account.billing_currency
    all_after = line._replace(credited_from=after)
    first = all_after.first_unused
    if first is None:
        return
    whole, back = unused_value(all_after, currency), unused_value(line, currency)
    given = line.first_unused
    if given is not None:
        by_memo = line.given_back >= back and account.next_bill_date is None
        outcome = UnusedDaysOutcome.CREDIT_MEMO if by_memo else UnusedDaysOutcome.NEXT_INVOICE
        yield _part(line, given, line.last_day, min(back, line.given_back + max(line.left, ZERO)), currency, outcome)
    last = line.last_day if given is None else given - ONE_DAY
    if first <= last:
        yield _part(line, first, last, whole - back, currency, UnusedDaysOutcome.STAYS_CHARGED)


def _part(
    line: SourceLine, first: date, last: date, amount: Decimal, currency: Currency, outcome: UnusedDaysOutcome
) -> UnusedDays:
    fresh = Unused(line._replace(credited=(), taxes=tuple(tax._replace(given_back=ZERO) for tax in line.taxes)), first, amount)
    return UnusedDays(
        line.plan_instance_no,
        line.invoice_no,
        line.document_number,
        line.line_no,
        line.service_no,
        line.description,
        first,
        last,
        (last - first).days + 1,
        rounded(amount, currency),
        rounded(sum((part for _, part in taxes_of(fresh, amount, currency)), ZERO), currency),
        currency.code,
        outcome,
    )
