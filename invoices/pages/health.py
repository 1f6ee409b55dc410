"""The health of the installation, for administrators of all clients."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from accounts.pages.base import StaffPage
from invoices.audit.seal_states import seal_states
from invoices.services.lists.health import broken_guards, measures
from invoices.services.sealing.heads import place_of_heads
from invoices.services.work.workers import missing_command


class HealthPage(StaffPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        if not request.user.is_superuser:
            raise PermissionDenied(gettext("The health of the installation concerns all clients. Only superusers see it."))
        found = {"measures": measures(), "broken": broken_guards(), "command": missing_command()}
        seals = {"seals": seal_states(), "place_of_heads": place_of_heads()}
        return self.page("invoices/health.html", {**found, **seals})
