"""Authenticate API callers: an API key (client_no and auth_key), or staff with a session. Resources take the key by HTTP
Basic (RFC 7617)."""

import base64
import binascii
import re
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.call_log import CallRecord, call_of
from accounts.keys import find_key, may_call_from, note_use
from accounts.models import ApiKey, Client
from accounts.rate_limits import check_guesses, count_call, note_guess, too_many_calls
from accounts.staff import clients_of
from billing_site.errors import BillingError, Detail, ErrorCode

LARGEST_NUMBER = 2**63 - 1


class StaffAccess(NamedTuple):
    """A member of staff, and the client that the call is for."""

    user: Any
    client: Client


def authenticated_key(client_no: int, auth_key: str, request: HttpRequest) -> ApiKey | None:
    """Return the live key of this pair, or None. Values that cannot be a number or key are not looked up.

    Refuses (1003) a key that is limited to other addresses, and (90272) calls above a limit of the key or its address. After
    too many wrong keys from an address, no key from it is looked up or logged until the minute is over.
    """
    record = call_of(request)
    record.limit = check_guesses(record.address)
    if record.limit is not None:
        record.is_logged = False
        raise too_many_calls()
    key = _live_key(client_no, auth_key)
    if key is None:
        note_guess(record.address)
        return None
    record.client_no, record.key_no = key.client_id, key.pk
    if not may_call_from(key, record.address):
        raise BillingError(ErrorCode.HOST_NOT_PERMITTED)
    _count(record, key)
    note_use(key)
    return key


def _live_key(client_no: int, auth_key: str) -> ApiKey | None:
    if not 0 < client_no <= LARGEST_NUMBER or not re.fullmatch(r"[A-Za-z0-9_-]{32}", auth_key):
        return None
    return find_key(client_no, auth_key)


def _count(record: CallRecord, key: ApiKey) -> None:
    """Count the call, and report the limit that is nearer to its end. Refuses (90272) a call that is one too many."""
    limits = (
        count_call("key", key.pk, settings.CALLS_PER_KEY),
        count_call("address", record.address, settings.CALLS_PER_ADDRESS),
    )
    record.limit = min((one for one in limits if one is not None), key=lambda one: one.left, default=None)
    if record.limit is not None and record.limit.left < 0:
        raise too_many_calls()


def check_may_write(key: ApiKey) -> None:
    if key.read_only:
        raise BillingError(ErrorCode.PERMISSION, Detail("this API key can only read"))


class BasicKeyAuthentication(BaseAuthentication):
    """HTTP Basic with client_no as user name and auth_key as password. Sets `request.auth` to the key; there is no user."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        scheme, _space, credentials = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"basic":
            return None
        client_no, auth_key = _pair(credentials)
        number = int(client_no) if re.fullmatch(r"[0-9]{1,22}", client_no) else 0
        key = authenticated_key(number, auth_key, request._request)
        if key is None:
            raise AuthenticationFailed(_("Wrong client_no or auth_key."))
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="client_no and auth_key", charset="UTF-8"'


class StaffSessionAuthentication(SessionAuthentication):
    """Session authentication for staff. Sets `request.auth` to a `StaffAccess`.

    Staff with several clients choose one by `client_no` in the query or the header X-Client-No.
    """

    def authenticate(self, request: Request) -> tuple[Any, StaffAccess] | None:
        signed_in = super().authenticate(request)
        if signed_in is None:
            return None
        user = signed_in[0]
        record = call_of(request)
        record.staff_no = user.pk
        client = _client_of(user, request.query_params.get("client_no") or request.headers.get("X-Client-No", ""))
        record.client_no = client.pk
        return user, StaffAccess(user, client)

    def enforce_csrf(self, request: Request) -> None:
        """Refuse (90375) a call that does not prove that it comes from a page of ours."""
        try:
            super().enforce_csrf(request)
        except PermissionDenied:
            raise BillingError(ErrorCode.NO_CSRF_TOKEN) from None


def _client_of(user: Any, client_no: str) -> Client:
    theirs = clients_of(user)
    if client_no:
        known = re.fullmatch(r"[0-9]{1,18}", client_no) and theirs.filter(pk=int(client_no)).first()
        if not known:
            raise BillingError(
                ErrorCode.PERMISSION,
                Detail("you are not assigned to client_no {client_no}", client_no=client_no[:22]),
                field="client_no",
            )
        return known
    few = list(theirs[:2])
    if not few:
        raise BillingError(ErrorCode.PERMISSION, Detail("you are not assigned to any client"))
    if len(few) > 1:
        raise BillingError(ErrorCode.MISSING_PARAMETER, field="client_no")
    return few[0]


def _pair(credentials: bytes) -> tuple[str, str]:
    try:
        client_no, _colon, auth_key = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client_no, auth_key


class MayCall(BasePermission):
    """Requires a client, so that every query can be limited to it. Read-only keys may not write. Staff need the resource's
    permission."""

    def has_permission(self, request: Request, view: Any) -> bool:
        access = request.auth
        if isinstance(access, ApiKey):
            if request.method not in SAFE_METHODS and getattr(view, "action", "") not in getattr(view, "reading_actions", ()):
                check_may_write(access)
            return True
        if isinstance(access, StaffAccess):
            needed = getattr(view, "staff_permission", None)
            return needed is None or bool(access.user.has_perm(needed))
        return False
