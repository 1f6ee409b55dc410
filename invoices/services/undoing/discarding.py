"""Discard pending invoices whose accounts are locked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from accounts.callers import Caller
from accounts.event_types import REGENERATED
from accounts.models import Client
from accounts.trail import Act, record_acts
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice
from invoices.services.documents.remarks import Remarks
from invoices.services.planning.holds import release_claims


def discard_locked(
    client: Client,
    invoices: Mapping[int, int],
    caller: Caller,
    at: datetime,
    remarks: Remarks | None = None,
    replaced_by: Mapping[int, int] | None = None,
) -> None:
    """Discard pending invoices, given with their accounts. Must be called under the accounts' locks.

    They keep their lines and never get a number. What they held is free for the next invoice, and no date changes.
    `replaced_by` has the new invoice of each that is replaced.
    """
    if not invoices:
        return
    remarks = remarks or Remarks()
    Invoice.objects.filter(pk__in=invoices, status=InvoiceStatus.PENDING).update(
        status=InvoiceStatus.DISCARDED, **remarks.columns()
    )
    release_claims(list(invoices))
    record_acts(
        client,
        caller,
        [
            _act(invoice_no, account_no, remarks, (replaced_by or {}).get(invoice_no))
            for invoice_no, account_no in invoices.items()
        ],
        at,
    )


def _act(invoice_no: int, account_no: int, remarks: Remarks, replaced_by: int | None) -> Act:
    after: dict[str, Any] = {"status": "discarded", "reason": remarks.reason}
    if replaced_by is not None:
        after["replaced_by"] = replaced_by
    public = None if replaced_by is None else REGENERATED
    return Act("invoice.discarded", account_no, invoice_no, before={"status": "pending"}, after=after, type=public)
