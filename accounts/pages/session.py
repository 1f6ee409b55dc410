"""Sign-in, the reader's choice of client and colours, and the context that every page has."""

from typing import Any

from django.conf import settings
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts.pages.base import CHOSEN, StaffPage
from accounts.pages.forms import SignInForm
from accounts.pages.kept_forms import kept_form
from accounts.pages.languages import locale_of
from accounts.pages.second_step import go_on
from accounts.staff import clients_of

A_YEAR = 365 * 24 * 3600
THEMES = ("auto", "light", "dark")


class SignIn(LoginView):
    """Signs in by a page, or by the dialog of a page whose session has ended: it asks by a script, and gets a new token."""

    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(**context) | {
            "kept": kept_form(self.request),
            "single_sign_on": settings.OIDC_ISSUER and settings.OIDC_NAME,
        }

    def form_valid(self, form: Any) -> HttpResponse:
        return go_on(self.request, form.get_user(), self.get_success_url())

    def get_default_redirect_url(self) -> str:
        """The admin's own sign-in page is this one too. It leads to the admin."""
        return (
            self.request.path.removesuffix("login/")
            if self.request.path.startswith("/admin/")
            else super().get_default_redirect_url()
        )


def locked_out(request: HttpRequest, credentials: Any, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer a sign-in of a name or address that has guessed too many passwords, wherever it was tried: 429, and when to try
    again. The right password is refused too."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    shown = {"form": SignInForm(request), "locked_minutes": seconds // 60, "kept": kept_form(request)}
    is_dialog = request.headers.get("X-Requested-With") == "fetch"
    answer = JsonResponse({}) if is_dialog else render(request, "registration/login.html", shown)
    answer.status_code = 429
    answer["Retry-After"] = str(seconds)
    return answer


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
