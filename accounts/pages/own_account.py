"""The page of the reader's own account: password, second factors, sessions."""

import hashlib
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import AuthenticatorApp, Passkey, StaffSession
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm, style_fields
from accounts.pages.second_step import CHALLENGE, CodeForm, add_new_app, host_of, read_answer, shown_secret
from accounts.services.passkeys import add_passkey, begin_adding, remove_passkey
from accounts.services.second_factors import (
    APP,
    PASSKEY,
    codes_left,
    has_factor,
    must_have_factor,
    new_recovery_codes,
    record,
    remove_app,
)
from accounts.sessions import FACTOR, end_sessions
from billing_site.errors import BillingError

OWN_ACTS = ("remove-app", "new-codes", "remove-passkey", "end-session", "sign-out")
NEED_THE_PASSWORD = ("remove-app", "new-codes", "remove-passkey")


class OwnPasswordForm(PasswordChangeForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        style_fields(self)


class ConfirmForm(PageForm):
    """The reader's password, which a change of second factors needs. People who sign in by single sign-on have none."""

    password = forms.CharField(
        label=_("Your password"),
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
        max_length=4096,
        required=False,
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        user: Any = request.user
        self.request, self.user = request, user
        super().__init__(*args, **kwargs)
        self.fields["password"].required = True  # `clean` checks it.
        if not user.has_usable_password():
            del self.fields["password"]

    def clean(self) -> dict[str, Any]:
        """A wrong password counts as one at the sign-in page does."""
        found = super().clean() or self.cleaned_data
        user = self.user
        if user.has_usable_password():
            password = found.get("password")
            if not password or authenticate(self.request, username=user.get_username(), password=password) is None:
                self.add_error("password", _("The password is not right."))
        return found


class AppForm(ConfirmForm, CodeForm):
    """The first code of a new app, and the password."""


class OwnPage(StaffPage):
    needs = ""


class OwnFactors(OwnPage):
    """Password, second factors and sessions of the reader."""

    def shown(self, wrong: str = "", form: ConfirmForm | None = None, status: int = 200) -> HttpResponse:
        user: Any = self.request.user
        sessions = StaffSession.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-last_used_at")
        shown = {
            "app": AuthenticatorApp.objects.filter(user=user).first(),
            "passkeys": Passkey.objects.filter(user=user),
            "codes_left": codes_left(user),
            "has_factor": has_factor(user),
            "must_have_factor": must_have_factor(user),
            "sessions": [(one, handle(one), one.pk == self.request.session.session_key) for one in sessions],
            "confirm": ConfirmForm(request=self.request),
            "wrong": wrong,
            "wrong_form": form,
            "has_password": user.has_usable_password(),
        }
        return self.page("own_account/account.html", shown, status=status)


class OwnAccount(OwnFactors):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.shown()


class OwnPassword(OwnPage):
    """Change the reader's password. The other sessions end."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self._shown(OwnPasswordForm(request.user))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = OwnPasswordForm(request.user, request.POST)
        if not form.is_valid():
            return self._shown(form, 422)
        with transaction.atomic():
            user = form.save()
            update_session_auth_hash(request, user)
            record(user, self.caller, "person.password_changed")
        messages.success(request, gettext("Your password is changed. Your other sessions are ended."))
        return redirect("own-account")

    def _shown(self, form: Any, status: int = 200) -> HttpResponse:
        style_fields(form)
        return self.page("own_account/password.html", {"form": form}, status=status)


class OwnApp(OwnPage):
    """Set up an authenticator app, or another one in its place."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self._shown(AppForm(request=request))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = AppForm(request.POST, request=request)
        if form.is_valid():
            try:
                codes = add_new_app(request, request.user, form.cleaned_data["code"])
            except BillingError as refusal:
                form.add_error("code", refusal.shown)
            else:
                request.session[FACTOR] = APP
                return self.page("own_account/codes.html", {"codes": codes, "title": gettext("Your second factor is set up")})
        style_fields(form)
        return self._shown(form, 422)

    def _shown(self, form: AppForm, status: int = 200) -> HttpResponse:
        user: Any = self.request.user
        has_app = AuthenticatorApp.objects.filter(user=user).exists()
        shown = {"form": form, "has_app": has_app, **shown_secret(self.request, user)}
        return self.page("own_account/app.html", shown, status=status)


class PasskeyForm(ConfirmForm):
    """The name of a new passkey, and the password. A script adds what the browser says of it."""

    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("Such as the device that keeps it."))
    answer = forms.CharField(max_length=20_000, widget=forms.HiddenInput, required=False)


class OwnPasskey(OwnPage):
    """Add a passkey."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self._shown(PasskeyForm(request=request))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = PasskeyForm(request.POST, request=request)
        if form.is_valid():
            sent = form.cleaned_data
            state, answer = request.session.pop(CHALLENGE, None), read_answer(sent["answer"])
            try:
                codes = add_passkey(request.user, host_of(request), state, answer, sent["name"], caller=self.caller)
            except BillingError as refusal:
                form.add_error(None, refusal.shown)
            else:
                request.session[FACTOR] = PASSKEY
                if codes:
                    title = gettext("Your second factor is set up")
                    return self.page("own_account/codes.html", {"codes": codes, "title": title})
                messages.success(request, gettext("The passkey is added."))
                return redirect("own-account")
        style_fields(form)
        return self._shown(form, 422)

    def _shown(self, form: PasskeyForm, status: int = 200) -> HttpResponse:
        return self.page("own_account/passkey.html", {"form": form}, status=status)


class OwnPasskeyOptions(OwnPage):
    """What the browser needs to make a passkey, for its script."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        options, request.session[CHALLENGE] = begin_adding(request.user, host_of(request))
        return JsonResponse(options)


class OwnAct(OwnFactors):
    """What the buttons of the page do."""

    def post(self, request: HttpRequest, act: str) -> HttpResponseBase:
        if act not in OWN_ACTS:
            raise Http404
        if act in NEED_THE_PASSWORD:
            form = ConfirmForm(request.POST, request=request)
            if not form.is_valid():
                return self.shown(act, form, 422)
        try:
            return self._do(act)
        except BillingError as refusal:
            messages.error(request, refusal.shown)
            return redirect("own-account")

    def _do(self, act: str) -> HttpResponse:
        user: Any = self.request.user
        if act == "new-codes":
            codes = new_recovery_codes(user, caller=self.caller)
            return self.page("own_account/codes.html", {"codes": codes, "title": gettext("New recovery codes")})
        if act == "remove-app":
            remove_app(user, caller=self.caller)
            messages.success(self.request, gettext("The authenticator app is removed."))
        elif act == "remove-passkey":
            number = self.request.POST.get("passkey", "")
            remove_passkey(user, int(number) if number.isdecimal() and len(number) < 19 else 0, caller=self.caller)
            messages.success(self.request, gettext("The passkey is removed."))
        elif act == "end-session":
            self._end_session()
        else:
            record(user, self.caller, "person.signed_out", sessions=end_sessions([user.pk]))
            self.request.session.flush()
            return redirect("login")
        return redirect("own-account")

    def _end_session(self) -> None:
        """End the session with this handle. It may have ended by itself meanwhile."""
        chosen = self.request.POST.get("session", "")
        user: Any = self.request.user
        for one in StaffSession.objects.filter(user=user):
            if handle(one) == chosen:
                one.delete()
        messages.success(self.request, gettext("The session is ended."))


def handle(session: StaffSession) -> str:
    """Return what names a session on a page. Its key would open it."""
    return hashlib.sha256(session.session_key.encode()).hexdigest()[:32]
