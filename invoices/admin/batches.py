"""Pass selected rows of a list to a service, client by client, and show the results."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.models import Account, Client
from invoices.models import Invoice
from invoices.services.documents.collection_results import Collected, CollectionResult
from invoices.services.documents.outcomes import NothingToBill, Outcome, Refused, Settled

REFUSALS_SHOWN = 20
RESULT_TEXTS = {
    CollectionResult.COLLECTED: _lazy("Collected"),
    CollectionResult.NOTHING_DUE: _lazy("Nothing open"),
    CollectionResult.BELOW_THRESHOLD: _lazy("Below the minimum collection threshold"),
}


R = TypeVar("R")


def outcomes_by_client(
    chosen: QuerySet[Invoice] | QuerySet[Account], decide: Callable[[Client, list[int]], Iterable[R]]
) -> list[R]:
    """Call a service once per client: services work for one client, but a list may show several."""
    return [outcome for client, numbers in _by_client(chosen) for outcome in decide(client, numbers)]


def _by_client(chosen: QuerySet[Invoice] | QuerySet[Account]) -> Iterator[tuple[Client, list[int]]]:
    rows = list(chosen.order_by("client_id", "pk").values_list("client_id", "pk"))
    clients = Client.objects.in_bulk({client_no for client_no, _ in rows})
    for client_no, group in groupby(rows, key=itemgetter(0)):
        yield clients[client_no], [number for _, number in group]


def show_outcomes(request: HttpRequest, outcomes: Sequence[Outcome], done: str) -> None:
    """Show how many were done, and each refusal with its document and message, up to a limit."""
    refused = [f"{_name(one)}: {one.error.code.number} {one.error.shown}" for one in outcomes if isinstance(one, Refused)]
    nothing = sum(isinstance(one, NothingToBill) for one in outcomes)
    succeeded = len(outcomes) - len(refused) - nothing
    if succeeded:
        messages.success(request, _("%(done)s: %(count)d") % {"done": done, "count": succeeded})
    if nothing:
        messages.info(request, _("Nothing to bill: %(count)d") % {"count": nothing})
    settled = [one for one in outcomes if isinstance(one, Settled)]
    show_collected(request, [one.collection for one in settled if one.collection is not None])
    for refusal in refused[:REFUSALS_SHOWN]:
        messages.error(request, refusal)
    if len(refused) > REFUSALS_SHOWN:
        messages.error(request, _("And %(count)d more refused.") % {"count": len(refused) - REFUSALS_SHOWN})


def show_collected(request: HttpRequest, collected: Sequence[Collected]) -> None:
    """Show how many were collected or had nothing due, and the results of the others."""
    for result, count in Counter(one.result for one in collected if one.error is None).items():
        messages.success(request, f"{RESULT_TEXTS[result]}: {count}")
    failed = [one for one in collected if one.error is not None]
    for one in failed[:REFUSALS_SHOWN]:
        text = _("Invoice %(number)s") % {"number": one.invoice_no}
        messages.error(request, f"{text}: {one.error_code} {one.shown}")
    if len(failed) > REFUSALS_SHOWN:
        messages.error(request, _("And %(count)d more not collected.") % {"count": len(failed) - REFUSALS_SHOWN})


def _name(refused: Refused) -> str:
    if refused.invoice_no is None:
        return _("Account %(number)s") % {"number": refused.account_no}
    return _("Invoice %(number)s") % {"number": refused.invoice_no}
