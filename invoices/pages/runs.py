"""Billing runs: the list, and the page of a run with its progress, figures and outcomes."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Max
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _
from django_htmx.http import HttpResponseClientRedirect
from rest_framework import serializers

from accounts.pages.base import StaffPage
from accounts.pages.forms import style_fields
from accounts.pages.lists import LIST_PARAMETERS, Column, ListPage
from accounts.staff import names_of
from billing_site.common.csv_lists import ROWS_AT_ONCE, csv_response
from billing_site.common.keyset_pages import Order, in_chunks, page_of
from billing_site.errors import NUMBERED
from invoices.api.filters import RunOutcomeFilter
from invoices.api.serializers.runs import RunOutcomeSerializer
from invoices.kinds import ENDED_RUNS, Flag, InvoiceStatus, RunResult, RunState
from invoices.models import BillingRun
from invoices.pages.run_acts import choices_of
from invoices.pages.run_forms import LIMIT_LABELS, LimitsForm, filter_parts
from invoices.pages.run_start import GOING_ON
from invoices.services.documents.rights import APPROVE_PERMISSION, GENERATE_PERMISSION
from invoices.services.runs.batches import is_at_work
from invoices.services.runs.comparisons import comparisons_of
from invoices.services.runs.figures import (
    RefusalCount,
    count_flags,
    count_refusals,
    count_results,
    count_results_of,
    pending_of_run,
    run_totals,
    sum_changes,
)
from invoices.services.runs.left_out import left_out_of
from invoices.services.runs.pace import pace_of
from invoices.services.runs.runs import continue_run_for
from invoices.services.work.workers import missing_command

RUNS_OF_A_PAGE = 20
SECONDS_OF_A_REQUEST = 2.0


ALWAYS_SHOWN = (RunResult.WAITING, RunResult.INVOICED, RunResult.NOTHING_TO_BILL, RunResult.REFUSED)


class RunCsv(serializers.Serializer):
    """A run as a row of the file. `invoiced` of a dry run counts what would be invoiced."""

    run_no = serializers.ReadOnlyField(source="pk")
    bill_date = serializers.ReadOnlyField()
    state = serializers.ReadOnlyField()
    is_dry_run = serializers.ReadOnlyField()
    started_at = serializers.ReadOnlyField()
    started_by = serializers.ReadOnlyField(source="starter")
    waiting = serializers.ReadOnlyField(source="waiting_count")
    invoiced = serializers.ReadOnlyField(source="invoiced_count")
    nothing_to_bill = serializers.ReadOnlyField(source="nothing_to_bill_count")
    refused = serializers.ReadOnlyField(source="refused_count")


class RunList(ListPage):
    address = "runs"
    columns = (
        Column("run", _("Run"), "pk", ("run_no",)),
        Column("bill_date", _("Accounts due on"), "bill_date", ("bill_date",), "nowrap"),
        Column("state", _("State"), members=("state", "is_dry_run")),
        Column("started", _("Started"), "started_at", ("started_at", "started_by")),
        *(Column(result.value, result.label, members=(result.value,), css="num") for result in ALWAYS_SHOWN),
    )
    is_newest_first = True
    parameters = LIST_PARAMETERS

    def get(self, request: HttpRequest) -> HttpResponseBase:
        runs = BillingRun.objects.filter(client=self.client)
        if request.GET.get("format") == "csv":
            return self.file("billing-runs", RunCsv(), runs, lambda some: RunCsv(self._counted(some), many=True).data)
        pages = page_of(runs, self.order, request.GET.get("cursor"), RUNS_OF_A_PAGE)
        self._counted(pages.rows)
        shown = {"pages": pages, "may_bill": self.may(GENERATE_PERMISSION), **self.list_context()}
        return self.page("invoices/runs.html", shown)

    def _counted(self, runs: list[Any]) -> list[Any]:
        """Set who has started each run, and how many accounts have each result. Two queries."""
        counts, names = count_results_of(runs), names_of(run.started_by for run in runs)
        for run in runs:
            shown = dict(zip(ALWAYS_SHOWN, always_shown(run), strict=True))
            run.counts = [(column.value, result, counts[run.pk].get(result, 0)) for column, result in shown.items()]
            for column, _result, count in run.counts:
                setattr(run, f"{column}_count", count)
            run.starter = names[run.started_by]
        return runs


class RunPage(StaffPage):
    """A run: state, progress, totals, differences, refusals, and the outcome of each account."""

    parameters = tuple(RunOutcomeFilter.base_filters)  # type: ignore[attr-defined]

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        run = _run_of(self, number)
        search: Any = RunOutcomeSearch(request.GET, run.outcomes.all(), request=request)  # type: ignore[no-untyped-call]
        rows = search.qs if search.is_valid() else run.outcomes.none()
        order = Order("account_id")
        if request.GET.get("format") == "csv" and search.is_valid():
            name = f"billing-run-{run.pk}"
            chunks = in_chunks(rows.select_related("account", "invoice"), order, ROWS_AT_ONCE)
            return csv_response(name, OutcomeRow(), chunks, lambda chunk: OutcomeRow(chunk, many=True).data)
        going = request.session.pop(GOING_ON, None) == run.pk
        pages = page_of(rows.select_related("account", "invoice", "other_run"), order, request.GET.get("cursor"))
        for outcome in pages.rows:
            outcome.flag_labels = [Flag(one).label for one in outcome.flags.split(",") if one]
        shown = {
            **_progress(self, run, going=going),
            **self._figures(run),
            "form": search.form,
            "pages": pages,
            "starter": names_of([run.started_by])[run.started_by],
            "limits": [(label, getattr(run, name)) for name, label in LIMIT_LABELS.items() if getattr(run, name) is not None],
            "filter_parts": filter_parts(run),
            "left_out": left_out_of(run),
            "mode_label": run.get_mode_display(),
        }
        is_wrong_file = request.GET.get("format") == "csv"
        return self.page("invoices/run.html", shown, status=400 if is_wrong_file else 200)

    def _figures(self, run: BillingRun) -> dict[str, Any]:
        is_ready = run.is_dry_run and run.state == RunState.FINISHED
        return {
            "totals": run_totals(run),
            "changes": sum_changes(run) if run.is_dry_run else (),
            "refusals": count_refusals(run),
            "flagged": [(flag, count) for flag, count in count_flags(run).items() if count],
            "differences": [
                (earlier, found, [RefusalCount(code, NUMBERED[code].message, count) for code, count in found.refusals.items()])
                for earlier, found in comparisons_of(run)
            ]
            if run.state in ENDED_RUNS
            else (),
            "limits_form": LimitsForm(self.client, auto_id="limit_%s") if is_ready else None,
            **self._pending(run),
        }

    def _pending(self, run: BillingRun) -> dict[str, Any]:
        """The pending invoices of the run, and what a decision on all of them needs: the newest of them."""
        pending = pending_of_run(run)
        if not pending:
            return {"pending": 0}
        rows = run.outcomes.filter(result=RunResult.INVOICED, invoice__status=InvoiceStatus.PENDING)
        newest = rows.aggregate(newest=Max("invoice"))["newest"]
        return {"pending": pending, "newest_pending": newest, "may_decide": self.may(APPROVE_PERMISSION)}

    def post(self, request: HttpRequest, number: int) -> HttpResponseBase:
        """Work on a running run for a few seconds. With scripts, the page repeats this where no worker is alive."""
        run = _run_of(self, number)
        if run.state in (RunState.RUNNING, RunState.CANCELLING):
            continue_run_for(run, caller=self.caller, seconds=SECONDS_OF_A_REQUEST)
            run.refresh_from_db()
            if run.state == RunState.FINISHED:
                messages.success(request, say("The billing run is finished."))
        if not getattr(request, "htmx", False):
            return redirect("run", run.pk)
        return _part_or_page(self, run, going=True)


class RunProgress(StaffPage):
    """The progress of a run, which its page asks for while workers bill the accounts."""

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        run = _run_of(self, number)
        if not getattr(request, "htmx", False):
            return redirect("run", run.pk)
        if run.state == RunState.FINISHED:
            messages.success(request, say("The billing run is finished."))
        return _part_or_page(self, run, going=False)


def _run_of(page: StaffPage, number: int) -> BillingRun:
    run: BillingRun = page.found(BillingRun.objects.select_related("client", "compared_with"), number)
    return run


def _part_or_page(page: StaffPage, run: BillingRun, *, going: bool) -> HttpResponseBase:
    """The progress alone while the run is active, else its whole page."""
    if run.state not in (RunState.RUNNING, RunState.CANCELLING):
        return HttpResponseClientRedirect(reverse("run", args=[run.pk]))
    return page.page("invoices/run_progress.html", _progress(page, run, going=going))


def _progress(page: StaffPage, run: BillingRun, *, going: bool) -> dict[str, Any]:
    """What the progress shows. `going`: the reader has started the run here, so that the page works on it if no worker does."""
    counts = count_results(run)
    accounts = sum(counts.values())
    is_running = run.state in (RunState.RUNNING, RunState.CANCELLING)
    command = missing_command() if is_running else ""
    is_worked_on = is_running and (not command or (not going and is_at_work(run)))
    return {
        "run": run,
        "counts": by_result(run, counts),
        "accounts": accounts,
        "done": accounts - counts.get(RunResult.WAITING, 0),
        "is_running": is_running,
        "is_worked_on": is_worked_on,
        "start_command": command,
        "going": going and is_running and not is_worked_on,
        "pace": pace_of(run, counts, timezone.now()) if is_running else None,
        "choices": choices_of(run, counts),
        "may_bill": page.may(GENERATE_PERMISSION),
    }


def always_shown(run: BillingRun) -> list[RunResult]:
    """The results that are shown also if no account has them."""
    return [RunResult.BILLABLE if run.is_dry_run and one == RunResult.INVOICED else one for one in ALWAYS_SHOWN]


def by_result(run: BillingRun, counts: dict[RunResult, int]) -> list[tuple[RunResult, int]]:
    shown = always_shown(run)
    return [(result, counts.get(result, 0)) for result in RunResult if result in shown or result in counts]


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
            ("flag", _("Flag")),
        ):
            self.fields[name].label, self.fields[name].help_text = label, ""
        style_fields(self)


class RunOutcomeSearch(RunOutcomeFilter):
    class Meta(RunOutcomeFilter.Meta):
        form = RunOutcomeSearchForm
