"""Remove usage that was loaded by mistake."""

from collections.abc import Collection, Mapping
from typing import Any

from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import check_may_change
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.models import Usage
from invoices.services.documents.account_acts import account_act, billing_changed

REMOVED, REFUSED = "usage.removed", "usage.removal_refused"
EVENT_FIELDS = ("record_id", "plan_instance_id", "service_id", "units", "used_at", "used_on", "description")
"""What the event stores of a removed record. Its record_id can be used again."""


def usage_nos(client: Client, record_ids: Collection[str]) -> dict[str, int]:
    """Return the numbers of usage records by the client's own ids. One query."""
    return dict(Usage.objects.filter(client=client, record_id__in=record_ids).values_list("record_id", "pk"))


def remove_usage(*, client: Client, usage_no: int, caller: Caller, why: Mapping[str, Any] | None = None) -> None:
    """Remove one usage record. `why` is kept in the event. An invoice that was planned with it is not recorded afterwards.

    Refuses a record that does not exist (1002) or is on an invoice (90016), and a caller who may not remove usage (90009).
    """
    usage = Usage.objects.filter(client=client, pk=usage_no).first()
    if usage is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("usage {number} does not exist", number=usage_no))
    with account_act(client, usage.account_id, caller, REFUSED, invoice_no=usage.invoice_id) as account:
        check_may_change(caller, "delete", "invoices.usage")
        removed, _ = Usage.objects.filter(pk=usage.pk, invoice=None).delete()
        if not removed:
            raise _why_not(usage)
        billing_changed(account)
        before = {name: getattr(usage, name) for name in EVENT_FIELDS}
        record_acts(client, caller, [Act(REMOVED, account.pk, before=before, after=dict(why or {}))])


def _why_not(usage: Usage) -> BillingError:
    """Return the refusal: an invoice holds the record, or another call has just removed it."""
    now = Usage.objects.filter(pk=usage.pk).first()
    if now is None:
        return BillingError(ErrorCode.NO_DATA, Detail("usage {number} does not exist", number=usage.pk))
    return BillingError(
        ErrorCode.ON_AN_INVOICE, Detail("record {record} is on invoice {invoice}", record=now.record_id, invoice=now.invoice_id)
    )
