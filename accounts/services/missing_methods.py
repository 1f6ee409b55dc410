"""Which methods of Aria's callers asked for that this product does not have."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Max

from accounts.models import ApiCall, Client
from billing_site.errors import ErrorCode

MOST_METHODS = 500


class MissingMethod(NamedTuple):
    """A method that does not exist here, how often it was called, and when last."""

    method: str
    calls: int
    last_called_at: datetime


def missing_methods(client: Client) -> list[MissingMethod]:
    """Return the methods that the client's callers asked for in vain, the most called first. One query over the call log, which
    is pruned."""
    calls = ApiCall.objects.filter(client=client, error_code=ErrorCode.API_NOT_FOUND.number).exclude(method="")
    rows = calls.order_by().values("method").annotate(calls=Count("pk"), last=Max("at")).order_by("-calls", "method")
    return [MissingMethod(row["method"], row["calls"], row["last"]) for row in rows[:MOST_METHODS]]
