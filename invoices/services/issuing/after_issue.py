"""After the commit that issues documents: collecting what is due on them, then sending their statements.

Nothing here undoes an issue: what fails is an outcome, on record, and can be tried again.
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
    """Collects what was issued with a request to, and sends the statements that were asked for: these say what is still due."""
    collected = collect_issued(client, outcomes, caller, today)
    statements = send_requested([one.invoice_no for one in collected if one.invoice_no is not None and one.error is None])
    return [one._replace(statement=statements.get(one.invoice_no or 0)) for one in collected]


def finish_issued(client: Client, invoice_nos: Sequence[int], caller: Caller, today: date) -> dict[int, Collected]:
    """Collects and sends what a call that was interrupted has left of the documents that it has issued. Returns what came of
    collecting them, by number, also of what was collected before."""
    collected = collected_at_issue(client, invoice_nos, caller, today) if invoice_nos else {}
    send_requested(invoice_nos)
    return collected
