"""Acts on many invoices of a list: collecting them and sending their statements in the background, and their files as ZIP."""

from typing import Any

from django.contrib import messages
from django.db.models import Max, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext

from accounts.callers import Caller
from accounts.models import Receipt
from accounts.pages.base import StaffPage
from accounts.rights import COLLECT, SEND_STATEMENTS, may
from invoices.api.downloads import zip_response
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice
from invoices.pages.documents import InvoiceList, InvoiceSearch, named_filters
from invoices.services.approving.bulk import start_collecting, start_sending
from invoices.services.approving.queue import open_sums_of
from invoices.services.collecting.collecting import collectable_invoices
from invoices.services.documents.rights import COLLECT_PERMISSION

TICKED = "ticked"
"""The scope of an act on the invoices that are ticked, not on all of the list."""

MOST_TICKED = 500


def ticked_numbers(request: HttpRequest) -> list[int]:
    """Return the numbers of the ticked invoices, each once, in the order of the list."""
    sent = dict.fromkeys(request.POST.getlist("invoice_no"))
    return [int(text) for text in sent if text.isdecimal() and len(text) < 19][:MOST_TICKED]


class TickedPage(StaffPage):
    """An act on the invoices that are ticked in a list."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Return to the list, for example after signing in. The selection is lost."""
        return redirect("invoices")

    def ticked(self) -> QuerySet[Invoice]:
        return Invoice.objects.filter(client=self.client, pk__in=ticked_numbers(self.request))

    def nothing_ticked(self, words: str) -> str:
        messages.warning(self.request, words)
        return self.came_from()


class ZipMany(TickedPage):
    """The files of the ticked documents as one ZIP."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        chosen = self.ticked()
        if not chosen.exists():
            return redirect(self.nothing_ticked(gettext("No invoice is selected.")))
        return zip_response("invoices", chosen)


class SendMany(TickedPage):
    """Asks for confirmation, and then sends the statements of the ticked documents again, in the background."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if "confirmed" in request.POST:
            return self.once(self._start, self._started_before, SEND_STATEMENTS)
        chosen = self._issued()
        numbers = list(chosen.values_list("pk", flat=True))
        if not numbers:
            return redirect(self.nothing_ticked(gettext("No issued invoice is selected. Only issued ones have a statement.")))
        shown = {"ticked": numbers, "left_out": self.ticked().count() - len(numbers), "back": self.came_from()}
        return self.page("invoices/send_many.html", {**shown, "may_send": may(self.caller, SEND_STATEMENTS)})

    def _issued(self) -> QuerySet[Invoice]:
        return self.ticked().filter(status=InvoiceStatus.APPROVED)

    def _start(self, caller: Caller) -> str:
        chosen = self._issued()
        if not chosen.exists():
            return self.nothing_ticked(gettext("No issued invoice is selected. Only issued ones have a statement."))
        return reverse("decision", args=[start_sending(client=self.client, invoices=chosen, caller=caller).pk])

    def _started_before(self, receipt: Receipt) -> str:
        return reverse("invoices") if receipt.row_no is None else reverse("decision", args=[receipt.row_no])


class CollectMany(InvoiceList):
    """Asks for confirmation, and then starts to collect the open invoices of a list."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Return to the list, for example after signing in."""
        return redirect(self._list_address())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if "confirmed" in request.POST:
            return self.once(self._start, self._started_before, COLLECT)
        chosen = self._chosen()
        newest = chosen.aggregate(newest=Max("pk"))["newest"]
        if newest is None:
            return redirect(self._nothing_to_collect())
        numbers = ticked_numbers(request) if request.POST.get("scope") == TICKED else []
        found = set(chosen.filter(pk__in=numbers).values_list("pk", flat=True))
        shown = {
            "newest": newest,
            "sums": open_sums_of(chosen),
            "back": self._list_address(),
            "ticked": sorted(found),
            "left_out": len(numbers) - len(found),
            "may_collect": self.may(COLLECT_PERMISSION),
        }
        return self.page("invoices/collect.html", shown)

    def _chosen(self) -> QuerySet[Invoice]:
        """Return the invoices of the list that can be collected, up to the newest one that the reader was shown."""
        rows, query = Invoice.objects.filter(client=self.client), named_filters(self.request.GET)
        filters: Any = InvoiceSearch(query, rows, request=self.request)  # type: ignore[no-untyped-call]
        matching: QuerySet[Invoice] = filters.qs if filters.is_valid() else Invoice.objects.none()
        rows = rows.filter(pk__in=matching.order_by().values("pk"))
        if self.request.POST.get("scope") == TICKED:
            return collectable_invoices(rows.filter(pk__in=ticked_numbers(self.request)))
        newest = self.request.POST.get("newest", "")
        return collectable_invoices(rows.filter(pk__lte=int(newest)) if newest.isdecimal() and len(newest) < 19 else rows)

    def _start(self, caller: Caller) -> str:
        chosen = self._chosen()
        if not chosen.exists():
            return self._nothing_to_collect()
        return reverse("decision", args=[start_collecting(client=self.client, invoices=chosen, caller=caller).pk])

    def _started_before(self, receipt: Receipt) -> str:
        return self._list_address() if receipt.row_no is None else reverse("decision", args=[receipt.row_no])

    def _nothing_to_collect(self) -> str:
        words = gettext("Nothing of this list can be collected: no invoice is open whose account has a card or bank account.")
        messages.warning(self.request, words)
        return self._list_address()

    def _list_address(self) -> str:
        query = self.request.GET.urlencode()
        return f"{reverse('invoices')}?{query}" if query else reverse("invoices")
