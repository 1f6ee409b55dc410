"""What workers do for the client each day: switch it on, set its hour, switch it off."""

from collections.abc import Mapping
from typing import NamedTuple

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm
from accounts.rights import CHANGE_SETTINGS
from billing_site.errors import BillingError, ErrorCode, listed
from invoices.kinds import ScheduledAct
from invoices.models import Schedule
from invoices.services.work.schedules import USUAL_HOUR, is_late, may_schedule, schedules_of, set_schedule
from invoices.services.work.workers import missing_command

WHAT_IT_DOES: Mapping[ScheduledAct, str | Promise] = {
    ScheduledAct.BILL: _("Starts a billing run over all accounts that are due."),
    ScheduledAct.COLLECT: _("Charges open invoices of accounts that have a card or bank account."),
    ScheduledAct.RESUME_COLLECTIONS: _(
        "Finishes collections that were interrupted, and asks the payment gateway about open ones."
    ),
    ScheduledAct.SEND_STATEMENTS: _("Sends the statements that are not sent yet."),
    ScheduledAct.DISCARD_STALE: _("Discards invoices that are pending for longer than the client's settings allow."),
    ScheduledAct.PRUNE_LOGS: _("Deletes API calls from the log that are older than %(days)s days."),
    ScheduledAct.AUDIT: _("Checks all documents and balances, and keeps what it finds."),
}


class ScheduleForm(PageForm):
    """The hour of an act, and whether it is to be switched on or off."""

    act = forms.ChoiceField(choices=ScheduledAct.choices, widget=forms.HiddenInput)
    hour = forms.TypedChoiceField(
        coerce=int,
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
        label=_("Hour"),
        widget=forms.Select(attrs={"class": "form-select form-select-sm w-auto"}),
    )
    do = forms.ChoiceField(choices=[("on", ""), ("off", "")])


class ScheduleRow(NamedTuple):
    """An act with its schedule if it ever had one, and the form where the reader may set it."""

    act: ScheduledAct
    words: str
    schedule: Schedule | None
    is_late: bool
    form: ScheduleForm | None


class SchedulePage(StaffPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        known = {one.act: one for one in schedules_of(self.client)}
        rows = [self._row(act, known.get(act)) for act in ScheduledAct]
        shown = {
            "rows": rows,
            "none_on": not any(one.is_on for one in known.values()),
            "may_set": [one for one in rows if one.form],
            "may_set_all": all(one.form for one in rows),
            "start_command": missing_command(),
        }
        return self.page("invoices/schedules.html", shown)

    def _row(self, act: ScheduledAct, schedule: Schedule | None) -> ScheduleRow:
        hour = schedule.hour if schedule else USUAL_HOUR
        form = ScheduleForm(initial={"act": act, "hour": hour}, auto_id=f"{act}_%s") if may_schedule(self.caller, act) else None
        words = str(WHAT_IT_DOES[act]) % {"days": settings.CALL_LOG_DAYS}
        return ScheduleRow(act, words, schedule, schedule is not None and is_late(schedule), form)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = ScheduleForm(request.POST)
        if not form.is_valid():
            name, errors = next(iter(form.errors.items()))
            raise BillingError(ErrorCode.INVALID_INPUT, listed([name, str(errors[0])], ": "), field=name)
        chosen = form.cleaned_data
        act, is_on = ScheduledAct(chosen["act"]), chosen["do"] == "on"

        def work(caller: Caller) -> str:
            set_schedule(client=self.client, act=act, hour=chosen["hour"], caller=caller, is_on=is_on)
            done = _("Done each day from %(hour)s on: %(task)s.") if is_on else _("Switched off: %(task)s.")
            messages.success(self.request, done % {"task": act.label, "hour": f"{chosen['hour']:02}:00"})
            return reverse("schedules")

        return self.once(work, lambda receipt: reverse("schedules"), CHANGE_SETTINGS)
