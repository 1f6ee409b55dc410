"""Closed periods: nothing is dated, numbered or changed in them. The one place of the rule.

The row of the client is locked in share mode until the end of the transaction, so that a period cannot be closed between the
check and the write. Closing locks the row for itself. On SQLite, transactions that write come one after the other.
"""

from datetime import date, timedelta

from django.db import connection

from accounts.models import Client
from billing_site.errors import BillingError, Detail, ErrorCode

_CLOSED_THROUGH = """
    SELECT closed_through,
           (SELECT MAX(last_day) FROM invoices_closedperiod WHERE client_id = accounts_client.id AND state <> 'reopened')
      FROM accounts_client
     WHERE id = %s
"""
"""Both say the same. The column is read behind the lock; the rows stay if somebody saves the client's settings as they were."""


def check_open(client: Client, day: date) -> None:
    """Refuse (90173) a day in a closed period. Call it in the transaction that writes. One query."""
    closed_through = hold_closed_through(client.pk)
    if closed_through is not None and day <= closed_through:
        detail = Detail(
            "{day} is in the period that is closed through {last}; use a day from {first} on",
            day=day,
            last=closed_through,
            first=closed_through + timedelta(days=1),
        )
        raise BillingError(ErrorCode.PERIOD_CLOSED, detail)


def hold_closed_through(client_no: int) -> date | None:
    """Return the last day of the client's closed periods. It stays so until the end of the transaction."""
    shared = "FOR SHARE OF accounts_client" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED_THROUGH + shared, [client_no])
        days = [date.fromisoformat(one) if isinstance(one, str) else one for one in cursor.fetchone()]
    return max((day for day in days if day is not None), default=None)
