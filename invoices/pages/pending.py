"""The approval queue: pending documents with flags, and decisions on one, on selected ones, or on all that match."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.contrib import messages
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.pages.base import StaffPage
from accounts.rights import APPROVE, CORRECT
from accounts.staff import names_of
from billing_site.common.keyset_pages import order_of, page_of
from billing_site.errors import BillingError, ErrorCode
from invoices.api.filters import InvoiceFilter
from invoices.kinds import ActState, DecisionAct, Flag
from invoices.models import Invoice, RequestedAct
from invoices.pages.forms import DecideForm
from invoices.plan.actions import Action
from invoices.services.actions import available_actions
from invoices.services.approving.decisions import continue_decision, start_decision
from invoices.services.approving.preview import DecisionPreview, preview_decision
from invoices.services.approving.queue import Tab, newest_runs, pending_documents, sums_of, tab_rules, tab_sums
from invoices.services.correcting.requested_acts import approve_act, decidable, discard_act, pending_acts
from invoices.services.documents.comparisons import compared_lines
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.rights import APPROVE_PERMISSION
from invoices.services.planning.flags import flags_of, with_flags
from invoices.services.planning.out_of_date import Change, changes_since

ORDERS = {"age": "pk", "total": "total_amount", "bill_date": "bill_date"}
ACTS_SHOWN = 100
TAB_NAMES = {Tab.ALL: _("All"), Tab.FLAGGED: _("Flagged"), Tab.CLEAN: _("Clean"), Tab.MINE: _("Mine")}


class Row(NamedTuple):
    """A pending document with its flags, changes since it was generated, age in days, creator, and why the reader may not
    approve it."""

    invoice: Any
    flags: Sequence[Flag]
    changes: Sequence[Change]
    age: int
    made_by: str
    blocked: str

    @property
    def smallest_units(self) -> int:
        """The total in whole smallest units of the currency, so that the browser can add totals up exactly."""
        return int(self.invoice.total_amount / self.invoice.billing_currency.smallest_unit)

    @property
    def decimals(self) -> int:
        """The decimals that the browser writes. The browser's own numbers differ from ISO 4217."""
        exponent: int = self.invoice.billing_currency.exponent
        return exponent


class ActRow(NamedTuple):
    """An act that needs a second person: who requested it, why the reader may not approve it, and whether they may discard
    it."""

    act: RequestedAct
    requested_by: str
    blocked: str
    may_discard: bool

    @property
    def number(self) -> str:
        return str(self.act.pk)


class QueuePage(StaffPage):
    """Pending documents of a tab, with filters."""

    parameters = ("tab", "ordering", *InvoiceFilter.base_filters)  # type: ignore[attr-defined]

    @property
    def tab(self) -> Tab:
        name = self.request.GET.get("tab", "")
        return Tab(name) if name in {tab.value for tab in Tab} else Tab.ALL

    def matching(self) -> QuerySet[Invoice]:
        """Return the documents that match the filters, on all tabs."""
        filters: Any = InvoiceFilter(self.request.GET, pending_documents(self.client), request=self.request)  # type: ignore[no-untyped-call]
        rows: QuerySet[Invoice] = filters.qs if filters.is_valid() else pending_documents(self.client).none()
        return rows

    def on_tab(self) -> QuerySet[Invoice]:
        return self.matching().filter(tab_rules(self.client, self.caller)[self.tab])


class Queue(QueuePage):
    def get(self, request: HttpRequest) -> HttpResponse:
        rows = with_flags(self.on_tab(), self.client).select_related("account", "comparison", "corrects")
        order = order_of(request.GET.get("ordering"), ORDERS)
        pages = page_of(rows, order, request.GET.get("cursor"))
        sums = tab_sums(self.matching(), self.client, self.caller)
        context = {
            "rows": self._rows(pages.rows),
            "pages": pages,
            "tabs": [(tab, TAB_NAMES[tab], sums[tab]) for tab in Tab],
            "tab": self.tab,
            "runs": newest_runs(self.client),
            "filtered": any(request.GET.get(name) for name in ("search", "run", "currency")),
            "may_decide": self.may(APPROVE_PERMISSION),
            **self._acts(),
        }
        return self.page("invoices/queue.html", context)

    def _acts(self) -> dict[str, Any]:
        """Return the acts that need a second person, oldest first, and their number."""
        pending = pending_acts(self.client)
        acts = list(pending[:ACTS_SHOWN])
        names = names_of(act.requested_by for act in acts)
        found = decidable(self.client, acts, self.caller)
        rows = [ActRow(act, names[act.requested_by], *found[act.pk]) for act in acts]
        return {"acts": rows, "acts_count": pending.count() if len(acts) == ACTS_SHOWN else len(acts)}

    def _rows(self, found: Sequence[Any]) -> list[Row]:
        allowed = available_actions(self.client, [invoice.pk for invoice in found], self.caller, self.today, [Action.APPROVE])
        names = names_of(invoice.generated_by for invoice in found)
        stale = changes_since([invoice.pk for invoice in found if Flag.OUT_OF_DATE in flags_of(invoice)])
        rows = []
        for invoice in found:
            (approve,) = allowed[invoice.pk]
            blocked = approve.error.shown if approve.error else ""
            age = (self.today - invoice.tax_date).days
            rows.append(Row(invoice, flags_of(invoice), stale.get(invoice.pk, ()), age, names[invoice.generated_by], blocked))
        return rows


class DecideAct(StaffPage):
    """Approves or discards an act that needs a second person."""

    def post(self, request: HttpRequest, number: int, decision: str) -> HttpResponse:
        act = self.found(RequestedAct.objects.select_related("client"), number)
        decide = {"approve": self._approve, "discard": self._discard}.get(decision)
        if decide is None:
            raise BillingError(ErrorCode.INVALID_DIRECTIVE, decision[:30])
        queue = f"{reverse('pending')}#acts"

        def work(caller: Caller) -> str:
            messages.success(self.request, decide(act, caller))
            return queue

        return self.once(work, lambda receipt: queue, APPROVE if decision == "approve" else CORRECT)

    def _approve(self, act: RequestedAct, caller: Caller) -> str:
        approve_act(client=self.client, act_no=act.pk, caller=caller, today=self.today)
        return gettext("Approved and done: %(act)s.") % {"act": act}

    def _discard(self, act: RequestedAct, caller: Caller) -> str:
        state = discard_act(client=self.client, act_no=act.pk, caller=caller).state
        words = gettext("Withdrawn: %(act)s.") if state == ActState.WITHDRAWN else gettext("Discarded: %(act)s.")
        return words % {"act": act}


class CompareWithPrevious(StaffPage):
    """The lines of a pending document beside those of the document that it is compared with."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        invoice = self.found(with_flags(Invoice.objects.select_related("comparison__previous"), self.client), number)
        comparison = getattr(invoice, "comparison", None)
        previous = comparison.previous if comparison else None
        context = {"invoice": invoice, "previous": previous, "lines": compared_lines(invoice, previous)}
        return self.page("invoices/beside.html", {**context, "flags": flags_of(invoice)})


class Decide(QueuePage):
    """Asks for confirmation of a decision on the selected or all matching documents, and then carries it out."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return to the queue, for example after signing in. The selection is lost."""
        return redirect(self._queue_address())

    def post(self, request: HttpRequest) -> HttpResponse:
        confirmed = "confirmed" in request.POST
        form = DecideForm(request.POST if confirmed else None, initial={"act": request.POST.get("act", "approve")})
        if confirmed and form.is_valid():
            chosen = self._chosen(Invoice.objects.filter(client=self.client))
            return self._done(DecisionAct(form.cleaned_data["act"]), chosen, Remarks.of(form.cleaned_data))
        act, chosen = request.POST.get("act", ""), self._chosen(pending_documents(self.client))
        if act not in DecisionAct.values or not chosen.exists():
            return redirect(self._nothing_chosen())
        return self.page("invoices/decide.html", self._context(DecisionAct(act), chosen, form))

    def _chosen(self, rows: QuerySet[Invoice]) -> QuerySet[Invoice]:
        """Return the selected rows, or all that match, up to the newest that existed when the reader chose all.

        If another person decides on a selected document before the confirmation, its outcome is a refusal.
        """
        if self.request.POST.get("scope") == "all":
            newest = _numbers([self.request.POST.get("newest", "")])
            matching = self.on_tab()
            return matching.filter(pk__lte=newest[0]) if newest else matching
        return rows.filter(pk__in=_numbers(self.request.POST.getlist("invoice_no")))

    def _context(self, act: DecisionAct, chosen: QuerySet[Invoice], form: DecideForm) -> dict[str, Any]:
        scope = self.request.POST.get("scope", "")
        preview = DecisionPreview()
        if act is not DecisionAct.REMARK:
            preview = preview_decision(act, client=self.client, invoices=chosen, caller=self.caller, today=self.today)
        may_decide = self.may(APPROVE_PERMISSION)
        return {
            "form": form,
            "act": act,
            "sums": sums_of(chosen),
            "count": chosen.count(),
            "blocked": preview.reasons if may_decide else {},
            "preview": preview,
            "scope": scope,
            "newest": chosen.aggregate(Max("pk"))["pk__max"] if scope == "all" else None,
            "ticked": [] if scope == "all" else list(chosen.values_list("pk", flat=True)),
            "back": self._queue_address(),
            "may_decide": may_decide,
        }

    def _queue_address(self) -> str:
        query = self.request.GET.urlencode()
        return f"{reverse('pending')}?{query}" if query else reverse("pending")

    def _nothing_chosen(self) -> str:
        messages.warning(self.request, gettext("No pending document is selected. Select documents, or choose all that match."))
        return self._queue_address()

    def _done(self, act: DecisionAct, chosen: QuerySet[Invoice], remarks: Remarks) -> HttpResponse:
        def work(caller: Any) -> str:
            if not chosen.exists():
                return self._nothing_chosen()
            decision = start_decision(client=self.client, act=act, invoices=chosen, caller=caller, remarks=remarks)
            continue_decision(decision, caller=self.caller, today=self.today)
            return self._decision_address(decision.pk)

        return self.once(work, lambda receipt: self._decision_address(receipt.row_no), APPROVE)

    def _decision_address(self, decision_no: int | None) -> str:
        """Return the address of a decision, where it can be continued, or of the queue if there is none."""
        return self._queue_address() if decision_no is None else reverse("decision", args=[decision_no])


def _numbers(sent: Iterable[str]) -> list[int]:
    """Return the texts that can be document numbers."""
    return [int(text) for text in sent if text.isdecimal() and len(text) < 19]
