"""Single sign-on: to the identity provider and back (OpenID Connect, authorization code with PKCE)."""

import logging
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views import View
from joserfc.errors import JoseError
from requests import RequestException

from accounts.pages.second_step import go_on, sign_in
from accounts.services.single_sign_on import check_has_role, person_of, shows_factor
from billing_site.errors import BillingError

logger = logging.getLogger(__name__)

NEXT, SECONDS = "single_sign_on_next", 10
BACKEND = "accounts.signing_in.StaffBackend"
NOT_VALID = (AuthlibBaseError, JoseError, RequestException, ValueError, KeyError, TypeError, RuntimeError)


def provider() -> Any:
    """Return the client of the identity provider, as the settings name it."""
    options = {"scope": settings.OIDC_SCOPES, "code_challenge_method": "S256", "default_timeout": SECONDS}
    return OAuth().register(
        "oidc",
        client_id=settings.OIDC_CLIENT_ID,
        client_secret=settings.OIDC_CLIENT_SECRET,
        server_metadata_url=f"{settings.OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs=options,
    )


class SingleSignOnPage(View):
    """Does not exist where the settings name no identity provider."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.OIDC_ISSUER:
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def failed(self, request: HttpRequest, error: Exception) -> HttpResponse:
        """Say on the sign-in page that it did not work. What the provider sent is only in the log."""
        logger.warning("single sign-on failed: %s: %s", type(error).__name__, error)
        messages.error(request, gettext("Single sign-on did not work. Try again, or ask an administrator."))
        return redirect("login")


class BeginSingleSignOn(SingleSignOnPage):
    def get(self, request: HttpRequest) -> HttpResponse:
        address = request.GET.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
        request.session[NEXT] = address if is_ours else ""
        back = request.build_absolute_uri(reverse("single-sign-on-done"))
        try:
            answer: HttpResponse = provider().authorize_redirect(request, back)
        except NOT_VALID as error:
            return self.failed(request, error)
        return answer


class EndSingleSignOn(SingleSignOnPage):
    """Read who has signed in at the provider, and sign in here; with the second step, unless the provider has asked for it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        try:
            claims = self._claims(request)
            user = person_of(claims)
            check_has_role(user)
        except BillingError as refusal:
            messages.error(request, refusal.shown)
            return redirect("login")
        except (*NOT_VALID, ValidationError, IntegrityError) as error:
            return self.failed(request, error)
        next_page = request.session.pop(NEXT, "") or resolve_url(settings.LOGIN_REDIRECT_URL)
        user.backend = BACKEND
        if shows_factor(claims):
            sign_in(request, user, "single_sign_on")
            return redirect(next_page)
        return go_on(request, user, next_page)

    def _claims(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the signed token says. Groups that are not in it are asked for, of the same subject."""
        client = provider()
        allowed = {"iss": {"essential": True, "values": [settings.OIDC_ISSUER]}}
        token = client.authorize_access_token(request, claims_options=allowed)
        claims = dict(token["userinfo"])
        if settings.OIDC_GROUPS_CLAIM not in claims and client.load_server_metadata().get("userinfo_endpoint"):
            more = client.userinfo(token=token)
            if more.get("sub") != claims["sub"]:
                raise ValueError("userinfo of another subject")
            claims = {**more, **claims}
        return claims
