"""Webhooks: the client's endpoints, what was sent to each, and what may be done with one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.event_types import EVENT_TYPES
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm
from accounts.rights import WEBHOOKS, may
from billing_site.common.keyset_pages import Order, page_of
from billing_site.errors import BillingError, ErrorCode, listed
from invoices.kinds import DeliveryState
from invoices.models import WebhookDelivery, WebhookEndpoint
from invoices.services.webhooks.addresses import LONGEST_URL
from invoices.services.webhooks.endpoints import (
    add_endpoint,
    change_endpoint,
    remove_endpoint,
    rotate_secret,
    send_again,
    send_test,
)
from invoices.services.work.workers import missing_command

DELIVERIES_OF_A_PAGE = 50


class EndpointForm(PageForm):
    """The address, and which events it gets."""

    url = forms.CharField(label=_("Address"), max_length=LONGEST_URL, help_text=_("It must begin with https://."))
    event_types = forms.CharField(
        label=_("Types of events"),
        max_length=2000,
        required=False,
        help_text=_("Types, or their beginnings such as invoice.*, separated by spaces. Empty: all types."),
        widget=forms.TextInput(attrs={"list": "event-types"}),
    )
    description = forms.CharField(label=_("Description"), max_length=200, required=False)


class WebhookPage(StaffPage):
    needs = "invoices.view_webhookendpoint"

    @property
    def may_change(self) -> bool:
        return may(self.caller, WEBHOOKS)


class WebhookList(WebhookPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        shown = {
            "endpoints": WebhookEndpoint.objects.filter(client=self.client).order_by("pk"),
            "form": EndpointForm() if self.may_change else None,
            "types": EVENT_TYPES,
            "start_command": missing_command(),
        }
        return self.page("invoices/webhooks.html", shown)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        chosen = _valid(EndpointForm(request.POST))

        def work(caller: Caller) -> str:
            types = chosen["event_types"].replace(",", " ").split()
            endpoint = add_endpoint(
                client=self.client, caller=caller, url=chosen["url"], event_types=types, description=chosen["description"]
            )
            show_secret(self.request, endpoint)
            return reverse("webhook", args=[endpoint.pk])

        return self.once(work, lambda receipt: reverse("webhooks"), WEBHOOKS)


class WebhookDetail(WebhookPage):
    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        endpoint = self.found(WebhookEndpoint.objects.all(), number)
        rows = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event").prefetch_related("log")
        shown = {
            "endpoint": endpoint,
            "may_change": self.may_change,
            "pages": page_of(rows, Order(descending=True), request.GET.get("cursor"), DELIVERIES_OF_A_PAGE),
            "waiting": rows.filter(state=DeliveryState.WAITING).count(),
            "start_command": missing_command(),
        }
        return self.page("invoices/webhook.html", shown)


class WebhookAct(WebhookPage):
    """What the buttons of an endpoint's page do."""

    def post(self, request: HttpRequest, number: int, act: str) -> HttpResponseBase:
        endpoint = self.found(WebhookEndpoint.objects.all(), number)
        here = reverse("webhook", args=[number])
        return self.once(lambda caller: self._do(act, endpoint, caller, here), lambda receipt: here, WEBHOOKS)

    def _do(self, act: str, endpoint: WebhookEndpoint, caller: Caller, here: str) -> str:
        if act == "test":
            send_test(endpoint, caller=caller)
            messages.success(self.request, _("A test event will be sent."))
        elif act in ("on", "off"):
            change_endpoint(endpoint, caller=caller, is_on=act == "on")
            messages.success(self.request, _("Switched on.") if act == "on" else _("Switched off."))
        elif act == "rotate":
            show_secret(self.request, rotate_secret(endpoint, caller=caller))
        elif act == "again":
            number = self.request.POST.get("delivery", "")
            rows = WebhookDelivery.objects.filter(endpoint__client=self.client).select_related("endpoint")
            send_again(self.found(rows, int(number) if number.isdecimal() else 0, "endpoint__client"), caller=caller)
            messages.success(self.request, _("The event will be sent again."))
        elif act == "remove":
            remove_endpoint(endpoint, caller=caller)
            messages.success(self.request, _("Removed: %(address)s.") % {"address": endpoint.url})
            return reverse("webhooks")
        return here


def show_secret(request: HttpRequest, endpoint: WebhookEndpoint) -> None:
    """Show the secret of an endpoint. No page shows it later."""
    text = _("The secret of %(address)s is %(secret)s. Keep it: it cannot be shown again.")
    messages.warning(request, text % {"address": endpoint.url, "secret": endpoint.secret})


def _valid(form: PageForm) -> dict[str, Any]:
    if not form.is_valid():
        name, errors = next(iter(form.errors.items()))
        raise BillingError(ErrorCode.INVALID_INPUT, listed([name, str(errors[0])], ": "), field=name)
    return dict(form.cleaned_data)
