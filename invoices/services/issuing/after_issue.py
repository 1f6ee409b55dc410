"""Collect issued documents and send their statements, after the commit.

Nothing here undoes an issue. A failure is stored and can be tried again.
"""

from collections.abc import Sequence
from datetime import date

from accounts.callers import Caller
from accounts.models import Client
from invoices.services.collecting.collecting import collect_issued, collected_at_issue
from invoices.services.documents.collection_results import Collected
from invoices.services.documents.outcomes import Outcome
from invoices.services.statements.statements import send_requested


def settle_issued(client: Client, outcomes: Sequence[Outcome], caller: Caller, today: date) -> list[Outcome]:
    """Collect the documents that were issued with a request to, then send the requested statements, which show what is still
    open.

    Returns the outcomes in the same order, with their results. A failure is a result, not an error.
    """
    collected = collect_issued(client, outcomes, caller, today)
    statements = send_requested([one.invoice_no for one in collected if one.invoice_no is not None and one.error is None])
    return [one._replace(statement=statements.get(one.invoice_no or 0)) for one in collected]


def finish_issued(client: Client, invoice_nos: Sequence[int], caller: Caller, today: date) -> dict[int, Collected]:
    """Finish collecting and sending the documents that an interrupted call issued.

    Returns the results of collecting by number, those from before the interruption included.
    """
    collected = collected_at_issue(client, invoice_nos, caller, today) if invoice_nos else {}
    send_requested(invoice_nos)
    return collected
