"""A new billing run: choose accounts, mode and limits, look at the first invoices, then start a dry run or the run."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext

from accounts.callers import Caller
from accounts.models import Account, Receipt
from accounts.pages.base import StaffPage
from accounts.pages.forms import show_refusal
from accounts.rights import GENERATE
from billing_site.errors import BillingError
from invoices.kinds import RunMode
from invoices.models import RunFilter
from invoices.pages.run_forms import RunForm, form_data_of
from invoices.services.documents.rights import GENERATE_PERMISSION
from invoices.services.runs.account_lists import WrongRow, read_account_list
from invoices.services.runs.due_accounts import next_due_day
from invoices.services.runs.filters import NO_FILTER, AccountFilter, save_filter
from invoices.services.runs.left_out import left_out
from invoices.services.runs.limits import LIMITS
from invoices.services.runs.previews import preview_run
from invoices.services.runs.requests import Chosen, choose
from invoices.services.runs.runs import active_runs, start_run

ACCOUNTS_LOOKED_AT = 50
WRONG_ROWS_SHOWN = 100
ACTIVE_RUNS_SHOWN = 20
TICKED = "ticked"
"""The act of a list of accounts that shows a run of those that are ticked."""

GOING_ON = "run_going_on"
"""Session key of the run that the reader has just started. Where no worker is alive, its page works on it."""

EVERYONE = Chosen(NO_FILTER, RunMode.AS_CONFIGURED)


class RunStart(StaffPage):
    parameters = ("saved",)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        name = request.GET.get("saved", "")
        if not name:
            return self._page(RunForm(self.client), EVERYONE)
        saved = RunFilter.objects.filter(client=self.client, name=name).first()
        if saved is None:
            messages.warning(request, gettext("There is no saved filter %(name)s.") % {"name": name})
            return redirect("start-run")
        shown = dict.fromkeys(("saved", "shown_filter", "name"), saved.name)
        initial = {**form_data_of(saved.filter), **shown}
        return self._page(RunForm(self.client, initial=initial), choose(self.client, saved=saved.name), is_open=True)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        act = request.POST.get("act", "start")
        if act == TICKED:
            return self._of_ticked(request.POST.getlist("acct_no"))
        form = RunForm(self.client, request.POST, request.FILES)
        if not form.is_valid():
            return self._page(form, None)
        if act == "use" and form.cleaned_data["saved"]:
            return self._show_saved(form.cleaned_data["saved"])
        if form.other_filter:
            words = gettext("The fields show the saved filter %(name)s now. Nothing was started or saved.")
            messages.warning(request, words % {"name": form.other_filter})
            return self._show_saved(form.other_filter)
        try:
            listed = read_account_list(self.client, form.rows)
            if listed.wrong:
                return self._page(self._with_list(form), None, wrong=listed.wrong)
            mode = RunMode(form.cleaned_data["mode"]) if form.cleaned_data["mode"] else None
            chosen = choose(self.client, values=form.filter_values(listed.texts), mode=mode)
            if act == "save":
                return self._saved(form.cleaned_data["name"], chosen.chosen)
        except BillingError as refusal:
            show_refusal(form, refusal)
            return self._page(form, None)
        if act in ("start", "dry_run"):
            return self._start(form, chosen, is_dry_run=act == "dry_run")
        return self._page(self._with_list(form), chosen, is_open=True)

    def _of_ticked(self, numbers: Sequence[str]) -> HttpResponseBase:
        """Show a run of the accounts that are ticked in a list. Nothing is started."""
        if not numbers:
            messages.warning(self.request, gettext("No account is selected."))
            return redirect(self.came_from())
        values = {"accounts": numbers}
        form = RunForm(self.client, initial={"accounts": "\n".join(numbers)})
        return self._page(form, choose(self.client, values=values, mode=None), is_open=True)

    def _with_list(self, form: RunForm) -> RunForm:
        """The same form with the text of an uploaded list, because a browser sends the file only once."""
        if not form.cleaned_data["accounts_file"]:
            return form
        data = self.request.POST.copy()
        data["accounts"] = form.cleaned_data["accounts_file"]
        again = RunForm(self.client, data)
        again.is_valid()
        return again

    def _saved(self, name: str, chosen: AccountFilter) -> HttpResponseBase:
        saved = save_filter(client=self.client, name=name, chosen=chosen, caller=self.caller)
        messages.success(self.request, gettext("Filter saved: %(name)s.") % {"name": saved.name})
        return self._show_saved(saved.name)

    def _show_saved(self, name: str) -> HttpResponseBase:
        return redirect(f"{reverse('start-run')}?{urlencode({'saved': name})}")

    def _start(self, form: RunForm, chosen: Chosen, *, is_dry_run: bool) -> HttpResponseBase:
        limits = form.limits if any(name in self.request.POST for name in LIMITS) else None

        def work(caller: Caller) -> str:
            run = start_run(
                client=self.client,
                today=self.today,
                caller=caller,
                chosen=chosen.chosen,
                mode=chosen.mode,
                is_dry_run=is_dry_run,
                limits=limits,
            )
            self.request.session[GOING_ON] = run.pk
            return reverse("run", args=[run.pk])

        return self.once(work, self._started_before, GENERATE)

    def _started_before(self, receipt: Receipt) -> str:
        return reverse("runs") if receipt.row_no is None else reverse("run", args=[receipt.row_no])

    def _page(
        self, form: RunForm, chosen: Chosen | None, *, wrong: Sequence[WrongRow] = (), is_open: bool = False
    ) -> HttpResponseBase:
        """Without a choice, the input is wrong: 422."""
        shown: dict[str, Any] = {
            "form": form,
            "is_open": is_open or chosen is None,
            "may_bill": self.may(GENERATE_PERMISSION),
            "wrong": wrong[:WRONG_ROWS_SHOWN],
            "wrong_count": len(wrong),
        }
        if chosen is None:
            return self.page("invoices/run_start.html", shown, status=422)
        return self.page("invoices/run_start.html", {**shown, **self._look(chosen)})

    def _look(self, chosen: Chosen) -> Mapping[str, Any]:
        look = preview_run(
            client=self.client, today=self.today, sample=ACCOUNTS_LOOKED_AT, chosen=chosen.chosen, mode=chosen.mode
        )
        is_everyone = chosen == EVERYONE
        next_day = next_due_day(self.client) if is_everyone and not look.due.all else None
        has_accounts = bool(look.due.all) or next_day or Account.objects.filter(client=self.client).exists()
        return {
            "look": look,
            "left_out": left_out(self.client, self.today, chosen.chosen, chosen.mode),
            "next_day": next_day,
            "no_accounts": not has_accounts,
            "is_everyone": is_everyone,
            "is_advance": chosen.mode == RunMode.ADVANCE,
            "active": active_runs(self.client).order_by("-pk")[:ACTIVE_RUNS_SHOWN] if look.due.in_runs else (),
        }
