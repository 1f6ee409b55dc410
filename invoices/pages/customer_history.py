"""The changes of a customer: who changed what, when, before and after."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from accounts.pages.base import StaffPage
from accounts.services.personal_access import note_access
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.services.lists.row_changes import changes_of_account

CHANGES_SHOWN = 30
VERBS = {"added": _("added"), "changed": _("changed"), "removed": _("removed")}


class CustomerHistory(StaffPage):
    needs = "accounts.view_account"
    parameters = ("before",)

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        account = self.found(Account.objects.select_related("client"), number)
        note_access(account.client, [account.pk], self.caller)
        before = _moment(request.GET["before"]) if request.GET.get("before") else None
        found = changes_of_account(account.pk, before=before, most=CHANGES_SHOWN)
        rows: list[Any] = [(one, VERBS[one.verb]) for one in found.rows]
        return self.page("accounts/history.html", {"account": account, "rows": rows, "more": found.more, "before": before})


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BillingError(
            ErrorCode.INVALID_INPUT, Detail("before: {value} is not a date and time", value=text[:40]), field="before"
        )
    return found
