"""Sign-in, the reader's choice of client and colours, and the context that every page has."""

from typing import Any

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts.pages.base import CHOSEN, StaffPage
from accounts.pages.forms import SignInForm
from accounts.pages.languages import locale_of
from accounts.staff import clients_of

A_YEAR = 365 * 24 * 3600
THEMES = ("auto", "light", "dark")


class SignIn(LoginView):
    authentication_form = SignInForm
    redirect_authenticated_user = True


class ChooseClient(StaffPage):
    """Switch all pages to another client of the reader."""

    def post(self, request: HttpRequest) -> HttpResponse:
        chosen = request.POST.get("client_no", "")
        if chosen.isdecimal() and clients_of(request.user).filter(pk=int(chosen[:18])).exists():
            request.session[CHOSEN] = int(chosen[:18])
        return redirect("dashboard")


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Choose light, dark or the system's colours. Kept in a cookie, so that it also applies to the sign-in page."""
    next_page = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(next_page, {request.get_host()}):
        next_page = "/"
    response = HttpResponseRedirect(next_page)
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie("theme", theme, max_age=A_YEAR, samesite="Lax")
    return response


def back_office(request: HttpRequest) -> dict[str, Any]:
    """Return the context of every page: the reader's client and clients, number format and colours."""
    theme = request.COOKIES.get("theme", "")
    return {
        "client": getattr(request, "client", None),
        "clients": getattr(request, "clients", ()),
        "locale": locale_of(request),
        "theme": theme if theme in THEMES else "auto",
    }
