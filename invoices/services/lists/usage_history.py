"""An account's usage records for Aria's read calls, the newest first."""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from invoices.calculation import ZERO
from invoices.models import ServiceCredit, Usage
from invoices.services.planning.extras import credits_with_used


class UsageHistoryRequest(NamedTuple):
    """Filters. Dates are inclusive, by the client's time zone."""

    service_no: int | None = None
    client_service_id: str | None = None
    plan_instance_no: int | None = None
    start: date | None = None
    end: date | None = None
    invoice_no: int | None = None
    limit: int = 999
    offset: int = 0


def usage_history(account_no: int, request: UsageHistoryRequest) -> list[Any]:
    """Return usage records with their service and account, and `local_used_at` by the client's clock. One query."""
    columns = {
        "service": request.service_no,
        "service__client_service_id": request.client_service_id,
        "plan_instance": request.plan_instance_no,
        "used_on__gte": request.start,
        "used_on__lte": request.end,
        "invoice": request.invoice_no,
    }
    rows: Any = Usage.objects.filter(
        account=account_no, **{name: value for name, value in columns.items() if value is not None}
    )
    rows = rows.select_related("service", "account__client").order_by("-used_at", "-pk")
    found = list(rows[request.offset : request.offset + request.limit])
    for row in found:
        row.local_used_at = row.used_at.astimezone(ZoneInfo(row.account.client.time_zone))
    return found


def unapplied_credits(account_no: int, today: date | None = None) -> list[Any]:
    """Return the service credits of an account that are not used up, with `used`, the oldest first. With `today`, without those
    that have expired. One query."""
    credits = credits_with_used(ServiceCredit.objects.filter(account=account_no).select_related("service", "account__client"))
    open_now = [one for one in credits.order_by("pk") if one.used < one.amount]
    return [one for one in open_now if today is None or one.expires_on is None or one.expires_on >= today]


def unapplied_credit(account_no: int, today: date | None = None) -> Decimal:
    """Return what is left of all service credits of an account."""
    return Decimal(sum((one.amount - one.used for one in unapplied_credits(account_no, today)), ZERO))
