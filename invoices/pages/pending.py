"""The approval queue: pending documents with flags, and decisions on one, on selected ones, or on all that match."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.contrib import messages
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.pages.base import StaffPage
from accounts.rights import APPROVE, CORRECT
from accounts.staff import names_of
from billing_site.common.csv_lists import ROWS_AT_ONCE, csv_response
from billing_site.common.keyset_pages import Order, in_chunks, order_of, page_of
from billing_site.errors import BillingError, ErrorCode, listed
from invoices.api.filters import InvoiceFilter
from invoices.api.serializers.documents import InvoiceSerializer
from invoices.kinds import ActState, DecisionAct, Flag
from invoices.models import Invoice, RequestedAct
from invoices.pages.adjustments import adjustments_context
from invoices.pages.approval_rules import ApprovalWords, approval_words
from invoices.pages.forms import DecideForm
from invoices.plan.actions import Action
from invoices.services.actions import available_actions
from invoices.services.approving.bulk import continue_decision, start_decision
from invoices.services.approving.preview import DecisionPreview, preview_decision
from invoices.services.approving.queue import Tab, newest_runs, pending_documents, sums_of, tab_rules, tab_sums
from invoices.services.correcting.requested_acts import approve_act, decidable, discard_act, pending_acts
from invoices.services.documents.comparisons import compared_lines
from invoices.services.documents.rebill_markers import with_rebills
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.rights import APPROVE_PERMISSION
from invoices.services.documents.states import with_states
from invoices.services.documents.versions import changed_since, newest_mark
from invoices.services.planning.flags import flags_of, with_flags
from invoices.services.planning.out_of_date import Change, changes_since
from invoices.services.planning.rule_matching import given_approvals, ruled_documents

ORDERS = {"age": "pk", "total": "total_amount", "bill_date": "bill_date"}
ACTS_SHOWN = 100
TAB_NAMES = {Tab.ALL: _("All"), Tab.FLAGGED: _("Flagged"), Tab.CLEAN: _("Clean"), Tab.MINE: _("Mine")}


class Row(NamedTuple):
    """A pending document with its flags, changes since it was generated, age in days, creator, and why the reader may not
    approve it. `needs_another`: because another person must. `approval`: what the approval rules say of it."""

    invoice: Any
    flags: Sequence[Flag]
    changes: Sequence[Change]
    age: int
    made_by: str
    blocked: str
    needs_another: bool
    approval: ApprovalWords | None = None


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
    def get(self, request: HttpRequest) -> HttpResponseBase:
        rows = with_flags(self.on_tab(), self.client).select_related("account", "comparison", "corrects")
        order = order_of(request.GET.get("ordering"), ORDERS)
        if request.GET.get("format") == "csv":
            return self._csv(rows, order)
        pages = page_of(rows, order, request.GET.get("cursor"))
        sums = tab_sums(self.matching(), self.client, self.caller)
        shown, may_decide = self._rows(pages.rows), self.may(APPROVE_PERMISSION)
        context = {
            "rows": shown,
            "reasons": list(Counter(row.blocked for row in shown if row.blocked).items()) if may_decide else (),
            "pages": pages,
            "tabs": [(tab, TAB_NAMES[tab], sums[tab]) for tab in Tab],
            "tab": self.tab,
            "runs": newest_runs(self.client),
            "filtered": any(request.GET.get(name) for name in InvoiceFilter.base_filters),  # type: ignore[attr-defined]
            "may_decide": may_decide,
            **self._acts(),
        }
        return self.page("invoices/queue.html", context)

    def _csv(self, rows: QuerySet[Any], order: Order) -> HttpResponseBase:
        """Return the documents of the tab that match the filters, as a file. A filter that is not valid is refused (1012)."""
        filters: Any = InvoiceFilter(self.request.GET, request=self.request)  # type: ignore[no-untyped-call]
        if not filters.is_valid():
            name, errors = next(iter(filters.errors.items()))
            raise BillingError(ErrorCode.INVALID_INPUT, listed([name, str(errors[0])], ": "), field=name)
        marked = with_states(with_rebills(rows), self.today).select_related("tax_answer")
        chunks = in_chunks(marked, order, ROWS_AT_ONCE)
        return csv_response(
            "pending-documents", InvoiceSerializer(), chunks, lambda chunk: InvoiceSerializer(chunk, many=True).data
        )

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
        ruled = ruled_documents(self.client, [invoice.pk for invoice in found])
        given = given_approvals([number for number, one in ruled.items() if one.rule.approvers > 1]) if ruled else {}
        approvals = approval_words(ruled, given)
        rows = []
        for invoice in found:
            (approve,) = allowed[invoice.pk]
            error = approve.error
            by, age = names[invoice.generated_by], (self.today - invoice.tax_date).days
            why = (error.shown, error.code is ErrorCode.FOUR_EYES) if error is not None else ("", False)
            flags, changes = flags_of(invoice), stale.get(invoice.pk, ())
            rows.append(Row(invoice, flags, changes, age, by, *why, approvals.get(invoice.pk)))
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
        invoice = self.found(with_flags(Invoice.objects.select_related("client", "comparison__previous"), self.client), number)
        comparison = getattr(invoice, "comparison", None)
        previous = comparison.previous if comparison else None
        context = {"invoice": invoice, "previous": previous, "lines": compared_lines(invoice, previous)}
        return self.page("invoices/beside.html", {**context, "flags": flags_of(invoice), **adjustments_context(invoice)})


class Decide(QueuePage):
    """Asks for confirmation of a decision on the selected or all matching documents, and then carries it out."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return to the queue, for example after signing in. The selection is lost."""
        return redirect(self._queue_address())

    def post(self, request: HttpRequest) -> HttpResponse:
        confirmed, status = "confirmed" in request.POST, 200
        form = DecideForm(request.POST if confirmed else None, initial={"act": request.POST.get("act", "approve")})
        if confirmed and form.is_valid():
            chosen = self._chosen(Invoice.objects.filter(client=self.client))
            changed = self._changed(chosen) if form.cleaned_data["act"] == DecisionAct.APPROVE else 0
            if not changed:
                return self._done(DecisionAct(form.cleaned_data["act"]), chosen, Remarks.of(form.cleaned_data))
            words = ngettext(
                "%(count)d document has changed since this page was shown. Nothing was approved. Look at it again.",
                "%(count)d documents have changed since this page was shown. Nothing was approved. Look at them again.",
                changed,
            )
            messages.error(request, words % {"count": changed})
            status = 409
        act, chosen = request.POST.get("act", ""), self._chosen(pending_documents(self.client))
        if act not in DecisionAct.values or not chosen.exists():
            return redirect(self._nothing_chosen())
        return self.page("invoices/decide.html", self._context(DecisionAct(act), chosen, form), status=status)

    def _changed(self, chosen: QuerySet[Invoice]) -> int:
        """Return how many of the documents were recalculated or adjusted after the reader was shown their sums."""
        mark = _numbers([self.request.POST.get("mark", "")])
        return changed_since(mark[0], chosen).values("invoice").distinct().order_by().count() if mark else 0

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
        scope, mark = self.request.POST.get("scope", ""), newest_mark()
        preview = DecisionPreview()
        if act is not DecisionAct.REMARK:
            preview = preview_decision(act, client=self.client, invoices=chosen, caller=self.caller, today=self.today)
        may_decide = self.may(APPROVE_PERMISSION)
        ticked = [] if scope == "all" else list(chosen.values_list("pk", flat=True))
        return {
            "form": form,
            "act": act,
            "sums": sums_of(chosen),
            "count": chosen.count(),
            "blocked": preview.reasons if may_decide else {},
            "preview": preview,
            "scope": scope,
            "mark": mark,
            "newest": chosen.aggregate(Max("pk"))["pk__max"] if scope == "all" else None,
            "ticked": ticked,
            "left_out": 0 if scope == "all" else len(set(self.request.POST.getlist("invoice_no"))) - len(ticked),
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
