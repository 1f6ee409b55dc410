"""Discarding pending invoices whose accounts are locked: for the discard itself, and before a new one takes their place."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from accounts.callers import Caller
from accounts.models import Client
from accounts.trail import Act, record_acts
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice
from invoices.services.planning.claims import release_claims


class Remarks(NamedTuple):
    """What staff add to a pending invoice when they decide on it. None leaves what stands there."""

    reason: str = ""
    client_notes: str | None = None
    custom_status_label: str | None = None

    def columns(self) -> dict[str, str]:
        given = {"client_notes": self.client_notes, "custom_status_label": self.custom_status_label}
        return {name: value for name, value in given.items() if value is not None}


def discard_locked(
    client: Client,
    invoices: Mapping[int, int],
    caller: Caller,
    at: datetime,
    remarks: Remarks | None = None,
    replaced_by: Mapping[int, int] | None = None,
) -> None:
    """Discards pending invoices, given with their accounts. They keep their lines and never get a number; no date moves,
    and what they held waits for the next one. `replaced_by` names the new invoices of those that have one."""
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
            Act(
                "invoice.discarded",
                account_no,
                invoice_no,
                before={"status": "pending"},
                after={"status": "discarded", "reason": remarks.reason, **_replaced(invoice_no, replaced_by or {})},
            )
            for invoice_no, account_no in invoices.items()
        ],
        at,
    )


def _replaced(invoice_no: int, replaced_by: Mapping[int, int]) -> dict[str, int]:
    return {"replaced_by": replaced_by[invoice_no]} if invoice_no in replaced_by else {}
