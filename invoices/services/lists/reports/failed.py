"""Invoices that are open because their last collection failed, by the reason that the bank or gateway gave."""

from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, Max

from accounts.models import Client
from billing_site.common.storage import ExactSum
from invoices.services.lists.failures import failed_attempts


class FailedSum(NamedTuple):
    """Open invoices with one reason. `status` is declined or unknown, `method` the type of the payment method ("" if it was
    removed), `reason` the gateway's own code, `text` its explanation, `open_amount` what is still due."""

    currency: str
    status: str
    method: str
    reason: str
    text: str
    invoices: int
    open_amount: Decimal


def failed_collections(client: Client) -> list[FailedSum]:
    """Return the failed collections whose amount is still open, by reason, the most frequent first. One query.

    They are the invoices that the dashboard counts as failed collections.
    """
    rows = failed_attempts().filter(invoice__client=client, invoice__open_amount__gt=0).order_by()
    groups = rows.values_list("invoice__currency", "status", "payment_method__type", "proc_status_code")
    found = groups.annotate(Max("proc_status_text"), Count("invoice"), ExactSum("invoice__open_amount"))
    sums = [FailedSum(currency, status, method or "", *rest) for currency, status, method, *rest in found]
    return sorted(sums, key=lambda one: (one.currency, -one.invoices, one.reason, one.method))
