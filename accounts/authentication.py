"""Who is calling: a client's key, given as client_no and auth_key. Resources take the pair by HTTP Basic (RFC 7617)."""

import base64
import binascii
import re
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.keys import find_key
from accounts.models import ApiKey

LARGEST_NUMBER = 2**63 - 1


def authenticated_key(client_no: int, auth_key: str) -> ApiKey | None:
    """The live key of this pair. What cannot be a number or a key of ours never reaches the database."""
    if not 0 < client_no <= LARGEST_NUMBER or not re.fullmatch(r"[A-Za-z0-9_-]{32}", auth_key):
        return None
    return find_key(client_no, auth_key)


class BasicKeyAuthentication(BaseAuthentication):
    """client_no as the user name, auth_key as the password. `request.auth` is the key; no user of the site is signed in."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        scheme, _space, credentials = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"basic":
            return None
        client_no, auth_key = _pair(credentials)
        key = authenticated_key(int(client_no), auth_key) if re.fullmatch(r"[0-9]{1,22}", client_no) else None
        if key is None:
            raise AuthenticationFailed(_("Wrong client_no or auth_key."))
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="client_no and auth_key", charset="UTF-8"'


def _pair(credentials: bytes) -> tuple[str, str]:
    try:
        client_no, _colon, auth_key = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client_no, auth_key


class HasClient(BasePermission):
    """The call comes from a client's key, so that every query can begin at its client."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, ApiKey)
