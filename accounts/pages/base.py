"""What the back office's pages share: who is signed in, for which client they look, and how a service's refusal is told."""

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
from accounts.receipts import claim_for, once
from accounts.rights import Right, check_may
from accounts.staff import clients_of
from billing_site.common.members import check_parameters, nearest
from billing_site.errors import BillingError, PendingAct

CLIENTS_TO_CHOOSE = 200
KNOWN_EVERYWHERE = ("client_no", "cursor", "format", "next")
SEEN_BY = {"invoices.view_invoice": _("invoices"), "accounts.view_account": _("accounts")}
"""What the permissions of pages let staff see."""
OF_HTMX = ("hx-", "org.htmx.")
"""What the names of parameters that htmx adds begin with."""


class StaffRequest(HttpRequest):
    """A request of a member of staff: `client` is whose pages they look at, of the `clients` that are theirs."""

    client: Client | None
    clients: list[Client]


class StaffPage(View):
    """A page for staff. `needs` is the permission without which it is not shown: what may be done on it, the services say.
    `parameters` are the names that its address may have after the question mark, beside KNOWN_EVERYWHERE."""

    needs = "invoices.view_invoice"
    parameters: ClassVar[Collection[str]] = ()
    request: StaffRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.signed_out()
        asked = cast(StaffRequest, request)
        asked.clients = list(clients_of(request.user)[:CLIENTS_TO_CHOOSE])
        asked.client = chosen_client(asked)
        if asked.client is None:
            raise PermissionDenied(gettext("You are not assigned to any client. Ask an administrator."))
        if not request.user.has_perm(self.needs):
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
        """Instead of the page: which parameter is not understood, with links to the page with the one that was probably meant
        and without it."""
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
        """To the sign-in page, which leads back to the page that the reader is on. A part of a page cannot show it: htmx then
        loads it in the page's place."""
        if getattr(self.request, "htmx", False):
            address = self.request.htmx.current_url_abs_path or self.came_from()  # type: ignore[attr-defined]
            return HttpResponseClientRedirect(redirect_to_login(address).url)
        asked = self.request.get_full_path()
        return redirect_to_login(asked if self.request.method in ("GET", "HEAD") else self.came_from())

    def refused(self, refusal: BillingError) -> HttpResponseBase:
        """What a service refused is told where the reader came from, and nothing was done."""
        messages.error(self.request, refusal.message)
        if getattr(self.request, "htmx", False):
            return HttpResponseClientRedirect(self.came_from())  # a part of the page could not say it
        return redirect(self.came_from())

    def came_from(self) -> str:
        """The page of ours that the reader came from. Where it was another site's, none, or the very one that is refused: that
        one without what it was asked for, or the dashboard."""
        asked = self.request.get_full_path() if self.request.method == "GET" else ""
        address = self.request.headers.get("Referer", "")
        if url_has_allowed_host_and_scheme(address, {self.request.get_host()}):
            parts = urlsplit(address)
            path = "/" + parts.path.lstrip("/")  # an address that begins with // is another site's
            address = f"{path}?{parts.query}" if parts.query else path
            if address != asked:
                return address
        return self.request.path if "?" in asked else "/"

    @property
    def client(self) -> Client:
        """For whom the page is. Every query begins here."""
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
        """A row of one of the reader's clients by its number: the page is then for that client. Others' rows do not exist."""
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
        shown = {"page": self, "today": self.today, "once": secrets.token_hex(16), **(context or {})}
        return render(self.request, template, shown, status=status)

    def once(self, work: Callable[[Caller], str], answer_of: Callable[[Receipt], str], right: Right) -> HttpResponse:
        """Does what a form asks for once, however often it is sent, and goes to the address that `work` gives: a double click
        and a page that is sent again go where the first went. `answer_of` is for one whose process died on the way. Who has
        not the right to the act is refused also when the form was sent before."""
        sent = self.request.POST
        arguments = {name: sent.getlist(name) for name in sent if name not in ("csrfmiddlewaretoken", "once")}
        claim = claim_for(sent.get("once", "")[:64] or None, f"POST {self.request.path}", arguments, field="once")
        caller = Caller(staff=self.caller.staff, request_id=self.caller.request_id, receipt=claim)

        def done() -> str:
            try:
                return work(caller)
            except PendingAct as pending:
                messages.info(self.request, pending.message)
                return self.came_from()

        address = once(self.client, claim, done, answer_of, lambda: check_may(caller, right))
        return HttpResponseRedirect(address)


def _ours(query: QueryDict) -> QueryDict:
    """The parameters of an address without those that htmx has added."""
    ours = query.copy()
    for name in query:
        if name.startswith(OF_HTMX):
            del ours[name]
    return ours


CHOSEN = "client_no"


def chosen_client(request: StaffRequest) -> Client | None:
    """The client that was chosen, while it is one of the reader's; else the first of theirs."""
    chosen = request.session.get(CHOSEN)
    known = next((client for client in request.clients if client.pk == chosen), None)
    if known is None and chosen is not None:
        known = clients_of(request.user).filter(pk=chosen).first()
    return known or next(iter(request.clients), None)
