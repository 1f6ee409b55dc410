"""The second step of signing in: a second factor, or setting one up where a role asks for it.

Until it is done nobody is signed in: the session only remembers whose password was right, for a few minutes.
"""

import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import segno
from axes.handlers.proxy import AxesProxyHandler
from django import forms
from django.contrib.auth import load_backend, login
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _
from django.views import View

from accounts.call_log import call_of
from accounts.callers import Caller
from accounts.models import AuthenticatorApp, Passkey
from accounts.pages.forms import PageForm
from accounts.pages.kept_forms import kept_form
from accounts.services.passkeys import begin_asking, check_passkey
from accounts.services.second_factors import add_app, address_of, has_factor, must_have_factor, new_secret, use_code
from accounts.sessions import FACTOR
from billing_site.common.sealed import seal, unseal
from billing_site.errors import BillingError

PENDING, NEW_SECRET, CHALLENGE = "signing_in", "new_secret", "challenge"
"""What the session remembers: whose password was right, the secret of an app that is being set up, and what a passkey must
sign."""
MINUTES_FOR_THE_STEP = 10
CODE, SET_UP, DONE = "code", "set-up", ""


class CodeForm(PageForm):
    """A code of an authenticator app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        widget=forms.TextInput(
            {"autocomplete": "one-time-code", "inputmode": "text", "autofocus": True, "spellcheck": "false"}
        ),
    )


class SigningIn(NamedTuple):
    """A person whose password was right, and the page to go to afterwards."""

    user: Any
    next_page: str


def step_of(user: Any) -> str:
    """Return what is left to do after the password: CODE, SET_UP or DONE."""
    if has_factor(user):
        return CODE
    return SET_UP if must_have_factor(user) else DONE


def remember(request: HttpRequest, user: Any, next_page: str) -> None:
    """Remember in a new session whose password was right."""
    request.session.flush()
    request.session[PENDING] = {
        "user": user.pk,
        "backend": user.backend,
        "hash": user.get_session_auth_hash(),
        "at": timezone.now().isoformat(),
        "next": next_page,
    }


def signing_in(request: HttpRequest) -> SigningIn | None:
    """Return who is signing in, or None: nobody, too long ago, or the password was changed meanwhile."""
    pending = request.session.get(PENDING)
    if not pending or timezone.now() - datetime.fromisoformat(pending["at"]) > timedelta(minutes=MINUTES_FOR_THE_STEP):
        return None
    user = load_backend(pending["backend"]).get_user(pending["user"])
    if user is None or not user.is_staff or not constant_time_compare(pending["hash"], user.get_session_auth_hash()):
        return None
    user.backend = pending["backend"]
    return SigningIn(user, pending["next"])


def sign_in(request: HttpRequest, user: Any, factor: str) -> None:
    """Begin the session of a person who has done all steps. `factor` is what was shown as the second one."""
    request.session.pop(PENDING, None)
    request.session.pop(NEW_SECRET, None)
    login(request, user, backend=user.backend)
    if factor:
        request.session[FACTOR] = factor


def is_locked(request: HttpRequest, user: Any) -> bool:
    """Whether the name or the address has guessed too often. The answer then says so, whatever the view returns."""
    credentials = {"username": user.get_username()}
    if AxesProxyHandler.is_allowed(request, credentials):
        return False
    request.axes_locked_out, request.axes_credentials = True, credentials  # type: ignore[attr-defined]
    return True


def checked_code(request: HttpRequest, user: Any, code: str) -> str:
    """Use up a code and return which factor it is. A wrong one counts as a wrong password does, and is refused (90290)."""
    try:
        return use_code(user, code)
    except BillingError:
        user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)
        raise


def checked_passkey(request: HttpRequest, user: Any, answer: str) -> str:
    """Return the factor if the browser has shown a passkey of the user. Anything else counts as a wrong password does, and is
    refused (90292)."""
    try:
        return check_passkey(user, host_of(request), request.session.pop(CHALLENGE, None), read_answer(answer))
    except BillingError:
        user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)
        raise


def host_of(request: HttpRequest) -> str:
    """Return the name of the site, to which passkeys belong."""
    return urlsplit(f"//{request.get_host()}").hostname or ""


def read_answer(text: str) -> dict[str, Any]:
    """Return what the browser says of a passkey, empty if it is no object."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def go_on(request: HttpRequest, user: Any, next_page: str) -> HttpResponse:
    """Answer a right password: sign in, or ask for the second step first."""
    step = step_of(user)
    if request.headers.get("X-Requested-With") == "fetch":
        return _answer_dialog(request, user, step)
    if step == DONE:
        sign_in(request, user, "")
        return landed(request, next_page)
    remember(request, user, next_page)
    view = EnterCode if step == CODE else SetUpFactor
    return view.shown(request, user, None) if kept_form(request) else redirect(step_name(step))


def step_name(step: str) -> str:
    return "login-code" if step == CODE else "login-set-up"


def _answer_dialog(request: HttpRequest, user: Any, step: str) -> HttpResponse:
    """Answer the dialog of a page whose session has ended. It sends the code together with the password."""
    factor, code = "", request.POST.get("code", "")
    if step != DONE:
        if step == SET_UP or not code:
            return JsonResponse({"step": step}, status=401)
        try:
            factor = checked_code(request, user, code)
        except BillingError as refusal:
            return JsonResponse({"step": step, "error": refusal.shown}, status=401)
    sign_in(request, user, factor)
    return JsonResponse({"token": get_token(request)})


def landed(request: HttpRequest, next_page: str) -> HttpResponse:
    """Go to the page that was asked for, or show the form that was sent too late."""
    kept = kept_form(request)
    return HttpResponseRedirect(next_page) if kept is None else render(request, "registration/send_again.html", {"kept": kept})


class SecondStep(View):
    """A page for who is signing in. Others are sent to the sign-in page."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        pending = signing_in(request)
        if pending is None:
            return redirect("login")
        if is_locked(request, pending.user):
            return HttpResponse(status=429)
        self.user, self.next_page = pending
        return super().dispatch(request, *args, **kwargs)


class EnterCode(SecondStep):
    """Ask for a code of the authenticator app or a recovery code, or for a passkey."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not has_factor(self.user):
            return redirect("login-set-up")
        return self.shown(request, self.user, None)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = CodeForm(request.POST)
        if form.is_valid():
            try:
                factor = checked_code(request, self.user, form.cleaned_data["code"])
            except BillingError as refusal:
                form.add_error("code", refusal.shown)
            else:
                sign_in(request, self.user, factor)
                return landed(request, self.next_page)
        return self.shown(request, self.user, form, status=422)

    @staticmethod
    def shown(request: HttpRequest, user: Any, form: CodeForm | None, status: int = 200, refused: str = "") -> HttpResponse:
        shown = {
            "form": form or CodeForm(),
            "refused": refused,
            "kept": kept_form(request),
            "has_app": AuthenticatorApp.objects.filter(user=user).exists(),
            "has_passkey": Passkey.objects.filter(user=user).exists(),
            "person": user,
        }
        return render(request, "registration/code.html", shown, status=status)


class ShowPasskey(SecondStep):
    """What the browser needs to show a passkey, by POST from its script; then what it has shown."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        if "answer" not in request.POST:
            options, request.session[CHALLENGE] = begin_asking(self.user, host_of(request))
            return JsonResponse(options)
        try:
            factor = checked_passkey(request, self.user, request.POST["answer"])
        except BillingError as refusal:
            return EnterCode.shown(request, self.user, None, 422, refused=refusal.shown)
        sign_in(request, self.user, factor)
        return landed(request, self.next_page)


class SetUpFactor(SecondStep):
    """Set up a second factor because a role asks for it. Nothing else opens before."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if step_of(self.user) != SET_UP:
            return redirect("login-code" if has_factor(self.user) else "login")
        return self.shown(request, self.user, None)

    def post(self, request: HttpRequest) -> HttpResponse:
        if step_of(self.user) != SET_UP:
            return redirect("login")
        form = CodeForm(request.POST)
        if form.is_valid():
            try:
                codes = add_new_app(request, self.user, form.cleaned_data["code"])
            except BillingError as refusal:
                form.add_error("code", refusal.shown)
            else:
                sign_in(request, self.user, "app")
                shown = {"codes": codes, "kept": kept_form(request), "next_page": self.next_page}
                return render(request, "registration/recovery_codes.html", shown)
        return self.shown(request, self.user, form, status=422)

    @staticmethod
    def shown(request: HttpRequest, user: Any, form: CodeForm | None, status: int = 200) -> HttpResponse:
        shown = {"form": form or CodeForm(), "kept": kept_form(request), "person": user, **shown_secret(request, user)}
        return render(request, "registration/set_up.html", shown, status=status)


def shown_secret(request: HttpRequest, user: Any) -> dict[str, str]:
    """Return the secret of the app that is being set up, as text and as a picture. It stays the same until it is confirmed."""
    kept = unseal(request.session.get(NEW_SECRET, ""))
    secret = kept or new_secret()
    if kept is None:
        request.session[NEW_SECRET] = seal(secret)
    grouped = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    svg = segno.make(address_of(secret, user), error="m").svg_inline(scale=5, border=3, light="#fff", omitsize=True)
    return {"secret": grouped, "picture": f"data:image/svg+xml,{quote(svg)}"}


def add_new_app(request: HttpRequest, user: Any, code: str) -> list[str]:
    """Add the app whose secret was shown, and return recovery codes. Refuses (90290) a code that is not right."""
    secret = unseal(request.session.get(NEW_SECRET, "")) or new_secret()
    caller = Caller(staff=user, request_id=call_of(request).request_id)
    codes = add_app(user, secret, code, caller=caller)
    request.session.pop(NEW_SECRET, None)
    return codes
