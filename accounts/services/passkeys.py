"""Passkeys as second factors (WebAuthn). The library checks what a browser sends; rows remember public keys."""

import struct
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.callers import Caller
from accounts.models import AuthenticatorApp, Passkey
from accounts.services.second_factors import PASSKEY, check_may_go, forget_codes_alone, has_factor, new_codes, record
from billing_site.errors import BillingError, ErrorCode

NOT_VALID = (
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError),
    *(struct.error, IntegrityError),
)
"""What the library raises for an answer that is not valid, and the database for a passkey that is known already."""


def begin_adding(user: Any, host: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a browser needs to make a passkey for this host, and the state to check its answer by."""
    person = PublicKeyCredentialUserEntity(
        id=str(user.pk).encode(), name=user.get_username(), display_name=user.get_full_name() or user.get_username()
    )
    options, state = _server(host).register_begin(
        person,
        _keys(user),
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return dict(options), state


def add_passkey(user: Any, host: str, state: Any, answer: Mapping[str, Any], name: str, *, caller: Caller) -> list[str]:
    """Keep a passkey that a browser has made. Return recovery codes if it is the first second factor, else nothing.

    Refuses (90292) an answer that does not fit to the state, and a passkey that is known already.
    """
    try:
        credential = _server(host).register_complete(state, answer).credential_data
        assert credential is not None
        with transaction.atomic():
            is_first = not has_factor(user)
            Passkey.objects.create(
                user=user,
                name=name,
                credential_id=websafe_encode(credential.credential_id),
                public_key=websafe_encode(bytes(credential)),
            )
            record(user, caller, "person.factor_added", factor=PASSKEY)
            return new_codes(user) if is_first else []
    except NOT_VALID:
        raise BillingError(ErrorCode.PASSKEY_NOT_RIGHT) from None


def begin_asking(user: Any, host: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a browser needs to show one of the user's passkeys, and the state to check its answer by."""
    options, state = _server(host).authenticate_begin(_keys(user), UserVerificationRequirement.PREFERRED)
    return dict(options), state


def check_passkey(user: Any, host: str, state: Any, answer: Mapping[str, Any]) -> str:
    """Return PASSKEY if a browser has shown a passkey of the user.

    Refuses (90292) anything else, and a passkey whose count of uses goes back: it was copied.
    """
    try:
        found = _server(host).authenticate_complete(state, _keys(user), answer)
        counted = AuthenticationResponse.from_dict(answer).response.authenticator_data.counter
    except NOT_VALID:
        raise BillingError(ErrorCode.PASSKEY_NOT_RIGHT) from None
    rows = Passkey.objects.filter(user=user, credential_id=websafe_encode(found.credential_id))
    unused = rows.filter(sign_count__lt=counted) if counted else rows.filter(sign_count=0)
    if not unused.update(sign_count=counted, last_used_at=timezone.now()):
        raise BillingError(ErrorCode.PASSKEY_NOT_RIGHT)
    return PASSKEY


@transaction.atomic
def remove_passkey(user: Any, passkey_no: int, *, caller: Caller) -> None:
    """Remove a passkey of the user. Refuses (90291) the last second factor of a user who needs one."""
    others = Passkey.objects.filter(user=user).exclude(pk=passkey_no).exists()
    check_may_go(user, others or AuthenticatorApp.objects.filter(user=user).exists())
    if Passkey.objects.filter(user=user, pk=passkey_no).delete()[0]:
        record(user, caller, "person.factor_removed", factor=PASSKEY)
    forget_codes_alone(user)


def _server(host: str) -> Fido2Server:
    return Fido2Server(PublicKeyCredentialRpEntity(id=host, name=settings.SITE_NAME))


def _keys(user: Any) -> list[AttestedCredentialData]:
    stored = Passkey.objects.filter(user=user).values_list("public_key", flat=True)
    return [AttestedCredentialData(websafe_decode(one)) for one in stored]
