"""What stands in the way of erasing a customer."""

from collections.abc import Iterator
from datetime import date

from django.db.models import Q

from accounts.models import Account, PlanInstance
from billing_site.common.currencies import named_amount
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import OPEN_ATTEMPTS, ActState, DeliveryState, InvoiceStatus, RefundStatus, RunResult, StatementStatus
from invoices.models import (
    CollectionAttempt,
    Erasure,
    Invoice,
    OneTimeCharge,
    Refund,
    RequestedAct,
    RunOutcome,
    Statement,
    Usage,
    WebhookDelivery,
)
from invoices.services.money.receivables import receivables_of


def obstacles(account: Account, today: date) -> list[BillingError]:
    """Return each reason why a customer cannot be erased now, in the order in which they are best removed."""
    if Erasure.objects.filter(account=account).exists():
        return [BillingError(ErrorCode.ALREADY_ERASED, Detail("account {account_no}", account_no=account.pk))]
    return [*_still_billed(account, today), *_documents(account, today), *_under_way(account)]


def _still_billed(account: Account, today: date) -> Iterator[BillingError]:
    """Plans that go on, and what no invoice has billed yet."""
    plans = PlanInstance.objects.filter(Q(end_date=None) | Q(end_date__gte=today), account=account, taken_off_on=None).count()
    if plans or account.next_bill_date is not None:
        yield BillingError(
            ErrorCode.STILL_BILLED, Detail("plans that have not ended or are not fully billed: {count}", count=max(plans, 1))
        )
    usage = Usage.objects.filter(account=account, invoice=None).count()
    orders = OneTimeCharge.objects.filter(account=account, invoice=None).count()
    if usage + orders:
        yield BillingError(
            ErrorCode.STILL_BILLED, Detail("records of usage and charges that are not billed: {count}", count=usage + orders)
        )


def _documents(account: Account, today: date) -> Iterator[BillingError]:
    """Pending documents, open invoices, and money or credits that are not used."""
    pending = Invoice.objects.filter(account=account, status=InvoiceStatus.PENDING).values_list("pk", flat=True).first()
    if pending is not None:
        yield BillingError(ErrorCode.HAS_PENDING_DOCUMENTS, Detail("invoice {invoice_no}", invoice_no=pending))
    opened = Invoice.objects.filter(account=account, status=InvoiceStatus.APPROVED).exclude(open_amount=ZERO)
    first = opened.order_by("pk").values_list("pk", flat=True).first()
    if first is not None:
        yield BillingError(ErrorCode.HAS_OPEN_INVOICES, Detail("invoice {invoice_no}", invoice_no=first))
    (owed,) = receivables_of([account], today)
    if owed.unapplied != ZERO:
        unapplied = named_amount(owed.unapplied, account.currency)
        yield BillingError(ErrorCode.HAS_UNUSED_CREDIT, Detail("{amount} is not applied", amount=unapplied))


def _under_way(account: Account) -> Iterator[BillingError]:
    """Work that is requested and not done, by what it is."""
    counts = {
        Detail("collections"): CollectionAttempt.objects.filter(invoice__account=account, status__in=OPEN_ATTEMPTS),
        Detail("refunds"): Refund.objects.filter(payment__account=account, status=RefundStatus.ASKED),
        Detail("acts that need a second person"): RequestedAct.objects.filter(account=account, state=ActState.PENDING),
        Detail("statements"): Statement.objects.filter(
            Q(status__in=[StatementStatus.REQUESTED, StatementStatus.SENDING]) | Q(next_try_at__isnull=False),
            invoice__account=account,
        ),
        Detail("webhooks"): WebhookDelivery.objects.filter(event__account=account, state=DeliveryState.WAITING),
        Detail("billing runs"): RunOutcome.objects.filter(account=account, result=RunResult.WAITING),
    }
    for name, rows in counts.items():
        if rows.exists():
            yield BillingError(ErrorCode.WORK_UNDER_WAY, name)
