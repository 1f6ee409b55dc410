"""What a person does with a billing run: start, pause, resume, cancel it, and retry its refused accounts."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Receipt
from accounts.pages.base import StaffPage
from accounts.rights import GENERATE
from billing_site.errors import BillingError, ErrorCode, listed
from invoices.kinds import RunResult, RunState
from invoices.models import BillingRun
from invoices.pages.run_forms import LimitsForm
from invoices.pages.run_start import GOING_ON
from invoices.services.runs.limits import LIMITS
from invoices.services.runs.requests import choose
from invoices.services.runs.runs import begin_run, cancel_run, pause_run, resume_run, retry_run, start_run


class RunChoice(NamedTuple):
    """A button on the page of a run: its address, words, what will happen, and how it looks."""

    act: str
    words: str | Promise
    question: str | Promise
    button: str | Promise
    tone: str = ""
    button_tone: str = "btn-primary"


BEGIN = RunChoice("begin", _("Start run"), _("Workers begin to bill its accounts."), _("Start run"), "btn-primary")
PAUSE = RunChoice(
    "pause",
    _("Pause run"),
    _("A batch that has begun is finished. The other accounts are billed after you resume."),
    _("Pause run"),
)
RESUME = RunChoice(
    "resume",
    _("Resume run"),
    _("Workers bill the accounts that are not billed yet. No account is billed twice."),
    _("Resume run"),
    "btn-primary",
)
CONTINUE = RunChoice(
    "resume",
    _("Continue past the limit"),
    _("The limit that has stopped the run is removed from this run, and the other accounts are billed."),
    _("Continue past the limit"),
    "btn-primary",
)
CANCEL = RunChoice(
    "cancel",
    _("Cancel run"),
    _("No further account is billed. Invoices that the run has generated stay. A cancelled run cannot be resumed."),
    _("Cancel run"),
    button_tone="btn-danger",
)
RETRY = RunChoice(
    "retry",
    _("Retry refused accounts"),
    _("Each refused account is checked again, and billed if nothing is in the way any more."),
    _("Retry refused accounts"),
)

CHOICES: Mapping[RunState, tuple[RunChoice, ...]] = {
    RunState.PLANNED: (BEGIN, CANCEL),
    RunState.RUNNING: (PAUSE, CANCEL),
    RunState.PAUSED: (RESUME, CANCEL),
    RunState.STOPPED: (CONTINUE, CANCEL),
}


def choices_of(run: BillingRun, counts: Mapping[RunResult, int]) -> tuple[RunChoice, ...]:
    """The buttons of a run in its state. Services check the state again."""
    if run.state == RunState.FINISHED:
        return (RETRY,) if counts.get(RunResult.REFUSED) else ()
    if run.state == RunState.STOPPED and run.stopped_by not in LIMITS:
        return RESUME, CANCEL
    return CHOICES.get(RunState(run.state), ())


class RunAct(StaffPage):
    """Does what a button of a run says, and returns to the page of the run."""

    def post(self, request: HttpRequest, number: int, act: str) -> HttpResponseBase:
        run = self.found(BillingRun.objects.select_related("client"), number)
        acts: Mapping[str, Callable[[BillingRun, Caller], BillingRun]] = {
            "begin": self._begin,
            "pause": self._pause,
            "resume": self._resume,
            "cancel": self._cancel,
            "retry": self._retry,
            "start": self._start,
        }
        if act not in acts:
            raise Http404

        def work(caller: Caller) -> str:
            return reverse("run", args=[acts[act](run, caller).pk])

        return self.once(work, lambda receipt: self._done_before(run, receipt), GENERATE)

    def _done_before(self, run: BillingRun, receipt: Receipt) -> str:
        return reverse("run", args=[receipt.row_no or run.pk])

    def _begin(self, run: BillingRun, caller: Caller) -> BillingRun:
        return self._going_on(begin_run(run, caller=caller))

    def _pause(self, run: BillingRun, caller: Caller) -> BillingRun:
        return pause_run(run, caller=caller)

    def _resume(self, run: BillingRun, caller: Caller) -> BillingRun:
        return self._going_on(resume_run(run, caller=caller))

    def _cancel(self, run: BillingRun, caller: Caller) -> BillingRun:
        return cancel_run(run, caller=caller)

    def _retry(self, run: BillingRun, caller: Caller) -> BillingRun:
        count = retry_run(run, caller=caller)
        if not count:
            words = gettext("No account is tried again: none was refused, or those that were are in another run now.")
            messages.warning(self.request, words)
            return run
        words = ngettext("%(count)s account is tried again.", "%(count)s accounts are tried again.", count)
        messages.success(self.request, words % {"count": count})
        return self._going_on(run)

    def _start(self, run: BillingRun, caller: Caller) -> BillingRun:
        """Start the run of a dry run, with limits."""
        form = LimitsForm(self.client, self.request.POST)
        if not form.is_valid():
            name, errors = next(iter(form.errors.items()))
            detail = listed([str(form.fields[name].label), str(errors[0])], ": ")
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field=name)
        chosen, mode = choose(self.client, dry_run=run)
        options = {"chosen": chosen, "mode": mode, "compared_with": run, "limits": form.limits}
        return self._going_on(start_run(client=self.client, today=self.today, caller=caller, **options))

    def _going_on(self, run: BillingRun) -> BillingRun:
        self.request.session[GOING_ON] = run.pk
        return run
