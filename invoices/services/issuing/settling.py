"""After the commit that issues documents: collecting what is due on them, then sending their statements.

Nothing here undoes an issue: what fails is an outcome, on record, and can be tried again.
"""

from collections.abc import Sequence
from datetime import date

from accounts.callers import Caller
from accounts.models import Client
from invoices.services.collecting.collecting import collect_issued, collected_at_issue, collected_before
from invoices.services.documents.outcomes import Outcome
from invoices.services.statements.statements import send_requested


def settle_issued(client: Client, outcomes: Sequence[Outcome], caller: Caller, today: date) -> list[Outcome]:
    """Collects what was issued with a request to, and sends the statements that were asked for: these say what is still due."""
    collected = collect_issued(client, outcomes, caller, today)
    statements = send_requested([one.invoice_no for one in collected if one.invoice_no is not None and one.error is None])
    return [one._replace(statement=statements.get(one.invoice_no or 0)) for one in collected]


def settled_before(client: Client, outcomes: Sequence[Outcome], caller: Caller, today: date) -> list[Outcome]:
    """The outcomes of documents that the caller's call, whose process has died, has issued, with what came of collecting. What
    it did not come to is done."""
    collected = collected_at_issue(client, [one.invoice_no for one in outcomes if one.invoice_no is not None], caller, today)
    send_requested([one.invoice_no for one in outcomes if one.invoice_no is not None])
    return [one._replace(collection=collected.get(one.invoice_no or 0)) for one in outcomes]


def go_on_settling(client: Client, invoice_no: int, caller: Caller, today: date) -> None:
    """Does for a document what a process that died after the commit did not come to."""
    collected_before(client, [invoice_no], caller, today)
    send_requested([invoice_no])
