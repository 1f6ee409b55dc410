"""Removing usage that was loaded by mistake, as long as no invoice holds it."""

from django.db import OperationalError, transaction

from accounts.callers import Caller
from accounts.models import Client
from accounts.services import lock_account
from accounts.storage import is_lock_failure, limit_lock_wait
from accounts.trail import Act, record_acts, refusal
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Usage
from invoices.services.batches import LOCK_WAIT_SECONDS

REMOVED, REFUSED = "usage.removed", "usage.removal_refused"
REMEMBERED = ("record_id", "plan_instance_id", "service_id", "units", "used_at", "used_on", "description")
"""What the trail keeps of a record that is removed. Its record_id may be taken again."""


def remove_usage(*, client: Client, usage_no: int, caller: Caller) -> None:
    """Removes one record. Raises the refusal, with nothing written but its event."""
    usage = Usage.objects.filter(client=client, pk=usage_no).first()
    if usage is None:
        raise BillingError(ErrorCode.NO_DATA, f"usage {usage_no}")
    try:
        _remove(client, usage, caller)
    except BillingError as error:
        record_acts(client, caller, [refusal(REFUSED, error, account_no=usage.account_id, invoice_no=usage.invoice_id)])
        raise


def _remove(client: Client, usage: Usage, caller: Caller) -> None:
    """Under the lock of its account. An invoice that was planned with the record meanwhile is not recorded."""
    try:
        with transaction.atomic():
            limit_lock_wait(LOCK_WAIT_SECONDS)
            account = lock_account(usage.account_id)
            removed, _ = Usage.objects.filter(pk=usage.pk, invoice=None).delete()
            if not removed:
                raise _why_not(usage)
            account.billing_version += 1
            account.save(update_fields=["billing_version"])
            before = {name: getattr(usage, name) for name in REMEMBERED}
            record_acts(client, caller, [Act(REMOVED, account.pk, before=before)])
    except OperationalError as error:
        if not is_lock_failure(error):
            raise
        raise BillingError(ErrorCode.IN_PROGRESS) from error


def _why_not(usage: Usage) -> BillingError:
    """An invoice holds it, or it was removed by another a moment ago."""
    now = Usage.objects.filter(pk=usage.pk).first()
    if now is None:
        return BillingError(ErrorCode.NO_DATA, f"usage {usage.pk}")
    return BillingError(ErrorCode.ON_AN_INVOICE, f"record {now.record_id} is on invoice {now.invoice_id}")
