"""Base of the back office's pages: the signed-in staff, the chosen client, and the display of refusals."""

import secrets
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from django_htmx.http import HttpResponseClientRedirect

from accounts import clock
from accounts.call_log import call_of
from accounts.callers import Caller
from accounts.models import Client, Receipt
from accounts.pages.forms import SignInForm
from accounts.pages.kept_forms import sent_form
from accounts.receipts import claim_for, once
from accounts.rights import Right, check_may
from accounts.staff import clients_of
from billing_site.common.members import check_parameters, nearest
from billing_site.errors import BillingError, Detail, ErrorCode, PendingAct

CLIENTS_TO_CHOOSE = 200
KNOWN_EVERYWHERE = ("client_no", "cursor", "format", "next")
SEEN_BY = {
    "invoices.view_invoice": _("invoices"),
    "accounts.view_account": _("accounts"),
    "invoices.view_ledgerentry": _("transactions"),
    "invoices.view_webhookendpoint": _("webhooks"),
    "accounts.handle_personal_data": _("personal data of customers"),
    "accounts.view_plan": _("the catalogue"),
    "invoices.view_coupon": _("coupons"),
    "invoices.view_surcharge": _("surcharges"),
    "invoices.view_taxrate": _("tax rates"),
    "accounts.view_client": _("settings"),
    "accounts.view_apikey": _("API keys"),
}
"""What each page permission lets staff see."""
OF_HTMX = ("hx-", "org.htmx.")
"""Prefixes of the parameters that htmx adds."""


class StaffRequest(HttpRequest):
    """A request of a member of staff. `client` is the chosen one of their `clients`."""

    client: Client | None
    clients: list[Client]


class StaffPage(View):
    """A page for staff. `needs` is the permission to see it, empty for all staff; services check what may be done on it.

    `parameters` are the query parameters that it accepts, besides KNOWN_EVERYWHERE.
    """

    needs = "invoices.view_invoice"
    parameters: ClassVar[Collection[str]] = ()
    request: StaffRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.signed_out()
        staff_request = cast(StaffRequest, request)
        staff_request.clients = list(clients_of(request.user)[:CLIENTS_TO_CHOOSE])
        staff_request.client = chosen_client(staff_request)
        if staff_request.client is None:
            raise PermissionDenied(gettext("You are not assigned to any client. Ask an administrator."))
        if self.needs and not request.user.has_perm(self.needs):
            why = gettext("Your roles do not let you see %(what)s. Ask an administrator for a role that does.")
            raise PermissionDenied(why % {"what": SEEN_BY[self.needs]})
        known = {*self.parameters, *KNOWN_EVERYWHERE}
        try:
            check_parameters(_ours(request.GET), known)
        except BillingError as refusal:
            return self._bad_address(refusal, known)
        try:
            return super().dispatch(request, *args, **kwargs)
        except BillingError as refusal:
            return self.refused(refusal)

    def _bad_address(self, refusal: BillingError, known: Collection[str]) -> HttpResponse:
        """Show which parameter is unknown, with links to the page without it, and with the parameter that was probably
        meant."""
        name = refusal.field or ""
        rest = self.request.GET.copy()
        values = rest.pop(name)
        near = "" if name in known else nearest(name, known) or ""
        meant = rest.copy()
        meant.setlist(near, values[-1:])
        shown = {"refusal": refusal, "near": near, "without": self._at(rest), "meant": self._at(meant) if near else ""}
        return self.page("bad_address.html", shown, status=400)

    def _at(self, query: QueryDict) -> str:
        return f"{self.request.path}?{query.urlencode()}" if query else self.request.path

    def signed_out(self) -> HttpResponseBase:
        """Redirect to the sign-in page, which returns to the current page. What a form has sent is kept by it. For a part of a
        page, answer 401: the page then shows a dialog, and what is typed stays."""
        if getattr(self.request, "htmx", False):
            return HttpResponse(status=401)
        if self.request.method in ("GET", "HEAD"):
            return redirect_to_login(self.request.get_full_path())
        shown = {"form": SignInForm(self.request), "next": self.came_from(), "kept": sent_form(self.request)}
        return render(self.request, "registration/login.html", shown, status=401)

    def refused(self, refusal: BillingError) -> HttpResponseBase:
        """Show a service's refusal on the page that the reader came from. Nothing was done."""
        messages.error(self.request, refusal.shown)
        if getattr(self.request, "htmx", False):
            return HttpResponseClientRedirect(self.came_from())  # A part of the page cannot show messages.
        return redirect(self.came_from())

    def came_from(self) -> str:
        """Return the address of the page that the reader came from.

        If it is missing, of another site, or the refused page itself: this page without its query, or the dashboard.
        """
        own_address = self.request.get_full_path() if self.request.method == "GET" else ""
        address = self.request.headers.get("Referer", "")
        if url_has_allowed_host_and_scheme(address, {self.request.get_host()}):
            parts = urlsplit(address)
            path = "/" + parts.path.lstrip("/")  # An address that begins with // belongs to another site.
            address = f"{path}?{parts.query}" if parts.query else path
            if address != own_address:
                return address
        return self.request.path if "?" in own_address else "/"

    @property
    def client(self) -> Client:
        """The client of the page. Every query is limited to it."""
        assert self.request.client is not None
        return self.request.client

    @property
    def today(self) -> Any:
        return clock.today(self.client)

    @cached_property
    def caller(self) -> Caller:
        return Caller(staff=self.request.user, request_id=call_of(self.request).request_id)

    def may(self, permission: str) -> bool:
        return self.request.user.has_perm(permission)

    def found(self, rows: QuerySet[Any], number: int, client_path: str = "client") -> Any:
        """Return a row of one of the reader's clients by number, and switch the page to that client. Other clients' rows are
        404."""
        theirs = clients_of(self.request.user)
        row = rows.filter(**{f"{client_path}__in": theirs}).filter(pk=number).first()
        if row is None:
            raise Http404
        owner = row
        for name in client_path.split("__"):
            owner = getattr(owner, name)
        if owner != self.client:
            self.request.client = owner
            self.request.session[CHOSEN] = owner.pk
        return row

    def page(self, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200) -> HttpResponse:
        shown = {"page": self, "today": self.today, "once": f"{self.client.pk}-{secrets.token_hex(16)}", **(context or {})}
        return render(self.request, template, shown, status=status)

    def once(self, work: Callable[[Caller], str], answer_of: Callable[[Receipt], str], right: Right) -> HttpResponse:
        """Do the work of a form once, however often it is sent, and redirect to the address that `work` returns.

        Repeated clicks redirect to the first result. `answer_of` returns the address if the first process died. The right is
        checked for repeats too. Refuses (90361) a form of a page that was shown for another client.
        """
        self._check_client()
        sent = self.request.POST
        arguments = {name: sent.getlist(name) for name in sent if name not in ("csrfmiddlewaretoken", "once")}
        claim = claim_for(sent.get("once", "")[:64] or None, f"POST {self.request.path}", arguments, field="once")
        caller = Caller(staff=self.caller.staff, request_id=self.caller.request_id, receipt=claim)

        def done() -> str:
            try:
                return work(caller)
            except PendingAct as pending:
                messages.info(self.request, pending.shown)
                return self.came_from()

        address = once(self.client, claim, done, answer_of, lambda: check_may(caller, right))
        return HttpResponseRedirect(address)

    def _check_client(self) -> None:
        """Refuse (90361) what was typed for another client: the reader has switched meanwhile, or has signed in again."""
        number, dash, _rest = self.request.POST.get("once", "").partition("-")
        if dash and number != str(self.client.pk):
            detail = Detail("the page was of client {page}, and you work for {now} now", page=number[:22], now=self.client.name)
            raise BillingError(ErrorCode.OTHER_CLIENT_CHOSEN, detail)


def _ours(query: QueryDict) -> QueryDict:
    """Return the query parameters without those that htmx added."""
    ours = query.copy()
    for name in query:
        if name.startswith(OF_HTMX):
            del ours[name]
    return ours


CHOSEN = "client_no"


def chosen_client(request: StaffRequest) -> Client | None:
    """Return the chosen client if the reader is still assigned to it, else the first of theirs."""
    chosen = request.session.get(CHOSEN)
    known = next((client for client in request.clients if client.pk == chosen), None)
    if known is None and chosen is not None:
        known = clients_of(request.user).filter(pk=chosen).first()
    return known or next(iter(request.clients), None)
