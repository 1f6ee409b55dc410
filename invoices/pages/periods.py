"""The page of closed periods: what is to be done before the next one is closed, closing it, and reopening the last one."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Client
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm
from accounts.rights import CHANGE_SETTINGS, CORRECT
from accounts.staff import names_of
from billing_site.common.limits import COMMENTS_LENGTH
from billing_site.common.written import day_of
from billing_site.errors import BillingError, ErrorCode
from invoices.closing import (
    approve_reopening,
    checklist,
    close_period,
    keep_closed,
    next_period,
    request_reopening,
)
from invoices.kinds import PeriodState, ScheduledAct
from invoices.models import ClosedPeriod, Schedule
from invoices.services.documents.rights import CORRECT_PERMISSION
from invoices.services.work.schedules import USUAL_HOUR, do_now, is_due, may_schedule
from invoices.services.work.workers import missing_command

PERIODS_SHOWN = 60
WHERE = {"pending": "pending", "acts": "pending", "runs": "runs", "collections": "schedules", "audit": "schedules"}
"""The page on which each condition can be met, by name."""


class ReopenForm(PageForm):
    comments = forms.CharField(max_length=COMMENTS_LENGTH, label=_("Why is it reopened?"))


class PeriodsPage(StaffPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self._shown(ReopenForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        acts: dict[str, Callable[[Caller], str]] = {
            "close": self._close,
            "reopen": self._reopen,
            "approve": self._approve,
            "keep": self._keep,
            "audit": self._audit,
        }
        act = request.POST.get("act", "")
        if act not in acts:
            raise BillingError(ErrorCode.INVALID_DIRECTIVE, act[:30])
        form = ReopenForm(request.POST)
        if act == "reopen" and not form.is_valid():
            return self._shown(form, status=422)
        return self.once(acts[act], lambda receipt: reverse("periods"), CHANGE_SETTINGS if act == "audit" else CORRECT)

    def _shown(self, form: ReopenForm, *, status: int = 200) -> HttpResponseBase:
        rows = list(ClosedPeriod.objects.filter(client=self.client)[:PERIODS_SHOWN])
        people = names_of({who for row in rows for who in (row.closed_by, row.reopening_asked_by, row.reopened_by) if who})
        period = next_period(self.client, self.today)
        checks = checklist(self.client, period) if period.last_day < self.today else []
        through = Client.objects.values_list("closed_through", flat=True).get(pk=self.client.pk)
        audits = Schedule.objects.filter(client=self.client, act=ScheduledAct.AUDIT).select_related("client").first()
        context: dict[str, Any] = {
            "rows": rows,
            "people": people,
            "period": period,
            "checks": [(one, one.title.shown, one.next_step, WHERE.get(one.name, "")) for one in checks],
            "ready": bool(checks) and all(one.is_done for one in checks),
            "closed_through": through,
            "last": next((row for row in rows if row.state != PeriodState.REOPENED and row.last_day == through), None),
            "may_close": self.may(CORRECT_PERMISSION),
            "audits": audits,
            "is_auditing": audits is not None and is_due(audits),
            "may_audit": may_schedule(self.caller, ScheduledAct.AUDIT),
            "audit_hour": f"{audits.hour if audits else USUAL_HOUR:02}:00",
            "start_command": missing_command(),
            "form": form,
        }
        return self.page("invoices/periods.html", context, status=status)

    def _audit(self, caller: Caller) -> str:
        do_now(client=self.client, act=ScheduledAct.AUDIT, caller=caller)
        messages.info(self.request, gettext("A worker runs the audit now. Load this page again to see what it has found."))
        return reverse("periods")

    @property
    def _period_no(self) -> int:
        text = self.request.POST.get("period", "")
        return int(text[:9]) if text.isdecimal() else 0

    def _close(self, caller: Caller) -> str:
        try:
            last_day = day_of(self.request.POST.get("last_day", ""))
        except ValueError:
            raise BillingError(ErrorCode.INVALID_INPUT, field="last_day") from None
        close_period(client=self.client, last_day=last_day, caller=caller, today=self.today)
        messages.success(self.request, gettext("Closed through %(day)s.") % {"day": last_day})
        return reverse("periods")

    def _reopen(self, caller: Caller) -> str:
        comments = self.request.POST["comments"]
        request_reopening(client=self.client, period_no=self._period_no, caller=caller, comments=comments)
        messages.info(self.request, gettext("Another person must approve the reopening. Until then the period stays closed."))
        return reverse("periods")

    def _approve(self, caller: Caller) -> str:
        approve_reopening(client=self.client, period_no=self._period_no, caller=caller)
        messages.success(self.request, gettext("The period is open again."))
        return reverse("periods")

    def _keep(self, caller: Caller) -> str:
        keep_closed(client=self.client, period_no=self._period_no, caller=caller)
        messages.success(self.request, gettext("The period stays closed."))
        return reverse("periods")
