"""Collect issued documents and send their statements, after the commit.

Nothing here undoes an issue. A failure is stored and can be tried again.
"""

from collections.abc import Sequence
from datetime import date

from accounts.callers import Caller
from accounts.models import Client
from invoices.services.collecting.collecting import collect_issued, collected_at_issue
from invoices.services.documents.collection_results import Collected
from invoices.services.documents.outcomes import Outcome, Recorded, Settled, Written
from invoices.services.money.ledger.freed_money import ask_refunds
from invoices.services.statements.statements import send_requested


def settle_issued(client: Client, written: Sequence[Written], caller: Caller, today: date) -> list[Outcome]:
    """Settle what was recorded of a batch, as `settle_documents` does. Return one outcome per member, in the order given."""
    settled = settle_documents(client, [one for one in written if isinstance(one, Recorded)], caller, today)
    return [settled[one.invoice_no] if isinstance(one, Recorded) else one for one in written]


def settle_documents(client: Client, recorded: Sequence[Recorded], caller: Caller, today: date) -> dict[int, Settled]:
    """Collect what was issued with a request to collect, make the refunds that it has entered, then send the requested
    statements, which say what is still due.

    Returns the settled documents by number. Must be called after the commit that issued them.
    """
    collected = collect_issued(client, recorded, caller, today)
    refunding = [one.invoice_no for one in recorded if one.refunds]
    if refunding:
        ask_refunds(client, refunding, caller, today)
    statements = send_requested([one.invoice_no for one in recorded])
    return {one.invoice_no: Settled(one, collected.get(one.invoice_no), statements.get(one.invoice_no)) for one in recorded}


def finish_issued(client: Client, invoice_nos: Sequence[int], caller: Caller, today: date) -> dict[int, Collected]:
    """Finish collecting and sending the documents that an interrupted call issued.

    Returns the results of collecting by number, those from before the interruption included.
    """
    collected = collected_at_issue(client, invoice_nos, caller, today) if invoice_nos else {}
    ask_refunds(client, invoice_nos, caller, today)
    send_requested(invoice_nos)
    return collected
