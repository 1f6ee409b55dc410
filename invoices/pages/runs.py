"""Billing runs: the list, the preview before a run is started, and the page that works on a run step by step."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _
from django_htmx.http import HttpResponseClientRedirect
from rest_framework import serializers

from accounts.callers import Caller
from accounts.models import Account
from accounts.pages.base import StaffPage
from accounts.pages.forms import dress
from accounts.rights import GENERATE
from accounts.staff import names_of
from billing_site.common.csv_lists import ROWS_AT_ONCE, csv_response
from billing_site.common.keyset_pages import Order, in_chunks, page_of
from invoices.api.filters import RunOutcomeFilter
from invoices.api.serializers.documents import RunOutcomeSerializer
from invoices.kinds import RunResult
from invoices.models import BillingRun
from invoices.services.billing.due_accounts import next_due_day
from invoices.services.billing.run_figures import (
    count_flags,
    count_refusals,
    count_results,
    count_results_of,
    pending_of_run,
    run_totals,
)
from invoices.services.billing.run_previews import preview_run
from invoices.services.billing.runs import continue_run_for, open_run, unfinished_run
from invoices.services.documents.rights import GENERATE_PERMISSION

RUNS_OF_A_PAGE = 20
ACCOUNTS_LOOKED_AT = 50
SECONDS_OF_A_REQUEST = 2.0
GOING_ON = "run_going_on"
"""Session key of the run that the reader has just started. Its page starts to work on it by itself."""


class RunList(StaffPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        runs = BillingRun.objects.filter(client=self.client)
        pages = page_of(runs, Order("pk", descending=True), request.GET.get("cursor"), RUNS_OF_A_PAGE)
        counts, names = count_results_of(pages.rows), names_of(run.started_by for run in pages.rows)
        for run in pages.rows:
            run.counts = [(result, counts[run.pk].get(result, 0)) for result in ALWAYS_SHOWN]
            run.starter = names[run.started_by]
        shown = {"pages": pages, "results": list(ALWAYS_SHOWN), "may_bill": self.may(GENERATE_PERMISSION)}
        return self.page("invoices/runs.html", shown)


class RunStart(StaffPage):
    """Previews the first accounts of today's run, and starts the run."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        unfinished = unfinished_run(self.client)
        if unfinished is not None:
            messages.info(request, say("This billing run is not finished. Continue it before you start another one."))
            return redirect("run", unfinished.pk)
        look = preview_run(client=self.client, today=self.today, sample=ACCOUNTS_LOOKED_AT)
        next_day = None if look.due.all else next_due_day(self.client)
        no_accounts = next_day is None and not look.due.all and not Account.objects.filter(client=self.client).exists()
        shown = {"look": look, "next_day": next_day, "no_accounts": no_accounts, "may_bill": self.may(GENERATE_PERMISSION)}
        return self.page("invoices/run_start.html", shown)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        return self.once(self._start, lambda receipt: reverse("runs"), GENERATE)

    def _start(self, caller: Caller) -> str:
        run, _is_new = open_run(client=self.client, today=self.today, caller=caller)
        self.request.session[GOING_ON] = run.pk
        return reverse("run", args=[run.pk])


class RunPage(StaffPage):
    """A run: progress, totals, refusals, and the outcome of each account."""

    parameters = tuple(RunOutcomeFilter.base_filters)  # type: ignore[attr-defined]

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        run = self._run(number)
        search: Any = RunOutcomeSearch(request.GET, run.outcomes.all(), request=request)  # type: ignore[no-untyped-call]
        rows = search.qs if search.is_valid() else run.outcomes.none()
        order = Order("account_id")
        if request.GET.get("format") == "csv":
            name = f"billing-run-{run.pk}"
            chunks = in_chunks(rows.select_related("account"), order, ROWS_AT_ONCE)
            return csv_response(name, OutcomeRow(), chunks, lambda chunk: OutcomeRow(chunk, many=True).data)
        going = request.session.pop(GOING_ON, None) == run.pk
        shown = {
            **self._progress(run, going=going and run.finished_at is None),
            "totals": run_totals(run),
            "refusals": count_refusals(run),
            "flagged": [(flag, count) for flag, count in count_flags(run).items() if count],
            "form": search.form,
            "pages": page_of(rows.select_related("account", "invoice"), order, request.GET.get("cursor")),
            "pending": pending_of_run(run),
            "starter": names_of([run.started_by])[run.started_by],
        }
        return self.page("invoices/run.html", shown)

    def post(self, request: HttpRequest, number: int) -> HttpResponseBase:
        """Work on the run for a few seconds. With scripts, the page repeats this until the run is finished."""
        run = self._run(number)
        if run.finished_at is None:
            continue_run_for(run, caller=self.caller, seconds=SECONDS_OF_A_REQUEST)
            run.refresh_from_db()
            if run.finished_at is not None:
                messages.success(request, say("The billing run is finished."))
        address = reverse("run", args=[run.pk])
        if not getattr(request, "htmx", False):
            return redirect(address)
        if run.finished_at is not None:
            return HttpResponseClientRedirect(address)
        return self.page("invoices/run_progress.html", self._progress(run, going=True))

    def _run(self, number: int) -> BillingRun:
        run: BillingRun = self.found(BillingRun.objects.select_related("client"), number)
        return run

    def _progress(self, run: BillingRun, *, going: bool) -> dict[str, Any]:
        counts = count_results(run)
        accounts = sum(counts.values())
        return {
            "run": run,
            "counts": by_result(counts),
            "accounts": accounts,
            "done": accounts - counts.get(RunResult.WAITING, 0),
            "going": going,
            "may_bill": self.may(GENERATE_PERMISSION),
        }


ALWAYS_SHOWN = (RunResult.WAITING, RunResult.INVOICED, RunResult.NOTHING_TO_BILL, RunResult.REFUSED)


def by_result(counts: dict[RunResult, int]) -> list[tuple[RunResult, int]]:
    return [(result, counts.get(result, 0)) for result in RunResult if result in ALWAYS_SHOWN or result in counts]


class OutcomeRow(RunOutcomeSerializer):
    """An outcome with the account's own id, for a file that is read outside the site."""

    client_acct_id = serializers.ReadOnlyField(source="account.client_acct_id")

    class Meta(RunOutcomeSerializer.Meta):
        fields: Any = ("client_acct_id", *RunOutcomeSerializer.Meta.fields)


class RunOutcomeSearchForm(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in (
            ("result", _("Outcome")),
            ("error_code", _("Reason code")),
            ("acct_no", _("Account number")),
        ):
            self.fields[name].label, self.fields[name].help_text = label, ""
        dress(self)


class RunOutcomeSearch(RunOutcomeFilter):
    class Meta(RunOutcomeFilter.Meta):
        form = RunOutcomeSearchForm
