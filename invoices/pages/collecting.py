"""Collecting many invoices: what would be collected of a list, and having it done in the background."""

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
from accounts.rights import COLLECT
from invoices.models import Invoice
from invoices.pages.documents import InvoiceList, InvoiceSearch
from invoices.services.approving.decisions import start_collecting
from invoices.services.approving.queue import open_sums_of
from invoices.services.collecting.collecting import collectable_invoices
from invoices.services.documents.rights import COLLECT_PERMISSION


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
        shown = {"newest": newest, "sums": open_sums_of(chosen), "back": self._list_address()}
        return self.page("invoices/collect.html", {**shown, "may_collect": self.may(COLLECT_PERMISSION)})

    def _chosen(self) -> QuerySet[Invoice]:
        """Return the invoices of the list that can be collected, up to the newest one that the reader was shown."""
        filters: Any = InvoiceSearch(self._parameters(), Invoice.objects.filter(client=self.client), request=self.request)  # type: ignore[no-untyped-call]
        matching: QuerySet[Invoice] = filters.qs if filters.is_valid() else Invoice.objects.none()
        rows = Invoice.objects.filter(client=self.client, pk__in=matching.order_by().values("pk"))
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
