"""Second factors of staff: the codes of an authenticator app, recovery codes, and passkeys.

A code is used once because the database says so: each use is one UPDATE that finds the code unused.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import AuthenticatorApp, Client, Passkey, RecoveryCode
from accounts.signing_in import StaffBackend
from accounts.trail import Act, record_acts
from billing_site.common.sealed import seal, unseal
from billing_site.errors import BillingError, ErrorCode

DIGITS, SECONDS, STEPS_ASIDE = 6, 30, 1
"""Codes have six digits and change each 30 seconds. The one before and the one after count too: clocks differ."""
SECRET_BYTES = 20
RECOVERY_CODES, RECOVERY_CODE_BYTES = 10, 10
APP, RECOVERY, PASSKEY = "app", "recovery_code", "passkey"


def has_factor(user: Any) -> bool:
    """Whether the user has an authenticator app or a passkey. Recovery codes alone are none."""
    return AuthenticatorApp.objects.filter(user=user).exists() or Passkey.objects.filter(user=user).exists()


def people_with_factor(numbers: Iterable[int]) -> set[int]:
    """Return which of these users have a second factor, by their numbers. Two queries."""
    theirs = {"user__in": list(numbers)}
    rows: tuple[Any, ...] = (AuthenticatorApp.objects.filter(**theirs), Passkey.objects.filter(**theirs))
    return {number for found in rows for number in found.values_list("user", flat=True)}


def must_have_factor(user: Any) -> bool:
    """Whether a client asks the user for a second factor, as it is now."""
    stored = StaffBackend().get_user(user.pk)
    return stored is not None and bool(stored.needs_factor)


def new_secret() -> str:
    """Return a secret for an authenticator app, in base32."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def address_of(secret: str, user: Any) -> str:
    """Return the otpauth address that an authenticator app reads."""
    totp = TOTP(_bytes(secret), DIGITS, SHA1(), SECONDS, enforce_key_length=False)
    return totp.get_provisioning_uri(user.get_username(), settings.SITE_NAME)


@transaction.atomic
def add_app(user: Any, secret: str, code: str, *, caller: Caller) -> list[str]:
    """Add an authenticator app, in place of an earlier one, once it shows a right code. Return new recovery codes.

    Refuses (90290) a code that is not right.
    """
    step = _step_of(secret, code)
    if step is None:
        raise BillingError(ErrorCode.CODE_NOT_RIGHT, field="code")
    now = timezone.now()
    values = {"secret": seal(secret), "last_step": step, "added_at": now, "last_used_at": now}
    AuthenticatorApp.objects.update_or_create(user=user, defaults=values)
    record(user, caller, "person.factor_added", factor=APP)
    return new_codes(user)


def use_code(user: Any, code: str) -> str:
    """Use up a code of the authenticator app or a recovery code, and return which it was: APP or RECOVERY.

    Refuses (90290) a code that is not right or was used before.
    """
    typed = code.replace(" ", "").replace("-", "").lower()
    if _use_app(user, typed):
        return APP
    if _use_recovery_code(user, typed):
        record(user, Caller(staff=user), "person.recovery_code_used", left=codes_left(user))
        return RECOVERY
    raise BillingError(ErrorCode.CODE_NOT_RIGHT, field="code")


@transaction.atomic
def new_recovery_codes(user: Any, *, caller: Caller) -> list[str]:
    """Return new recovery codes. Earlier ones do not count any more. Refuses (90293) a user without a second factor."""
    if not has_factor(user):
        raise BillingError(ErrorCode.NO_SECOND_FACTOR)
    record(user, caller, "person.recovery_codes_made")
    return new_codes(user)


def codes_left(user: Any) -> int:
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


@transaction.atomic
def remove_app(user: Any, *, caller: Caller) -> None:
    """Remove the authenticator app. Refuses (90291) the last second factor of a user who needs one."""
    check_may_go(user, Passkey.objects.filter(user=user).exists())
    if AuthenticatorApp.objects.filter(user=user).delete()[0]:
        record(user, caller, "person.factor_removed", factor=APP)
    forget_codes_alone(user)


@transaction.atomic
def reset_factors(user: Any) -> list[str]:
    """Remove all second factors and recovery codes of a user, and return which kinds there were.

    Refuses (90293) a user who has none.
    """
    rows: dict[str, Any] = {
        APP: AuthenticatorApp.objects.filter(user=user),
        PASSKEY: Passkey.objects.filter(user=user),
        RECOVERY: RecoveryCode.objects.filter(user=user),
    }
    removed = [kind for kind, found in rows.items() if found.delete()[0]]
    if not removed:
        raise BillingError(ErrorCode.NO_SECOND_FACTOR)
    return removed


def record(user: Any, caller: Caller, act: str, *, before: dict[str, Any] | None = None, **after: Any) -> None:
    """Write an event about a person in each client that the person works for."""
    named = {"username": user.get_username()}
    earlier = {} if before is None else {**named, **before}
    for client in Client.objects.filter(staff=user).order_by("pk"):
        record_acts(client, caller, [Act(act, before=earlier, after={**named, **after}, row_no=user.pk)])


def check_may_go(user: Any, has_another: bool) -> None:
    if not has_another and must_have_factor(user):
        raise BillingError(ErrorCode.FACTOR_NEEDED)


def forget_codes_alone(user: Any) -> None:
    if not has_factor(user):
        RecoveryCode.objects.filter(user=user).delete()


def _use_app(user: Any, typed: str) -> bool:
    app = AuthenticatorApp.objects.filter(user=user).first()
    secret = unseal(app.secret) if app is not None else None
    step = _step_of(secret, typed) if secret is not None else None
    if app is None or step is None:
        return False
    unused = AuthenticatorApp.objects.filter(pk=app.pk, secret=app.secret, last_step__lt=step)
    return bool(unused.update(last_step=step, last_used_at=timezone.now()))


def _use_recovery_code(user: Any, typed: str) -> bool:
    unused = RecoveryCode.objects.filter(user=user, code_hash=_hash(user, typed), used_at=None)
    return bool(unused.update(used_at=timezone.now()))


def _step_of(secret: str, code: str) -> int | None:
    """Return the time step whose code this is, or None."""
    now, codes = int(time.time()) // SECONDS, HOTP(_bytes(secret), DIGITS, SHA1(), enforce_key_length=False)
    typed = code.replace(" ", "").encode()
    steps: Iterable[int] = range(now - STEPS_ASIDE, now + STEPS_ASIDE + 1)
    found = [step for step in steps if hmac.compare_digest(codes.generate(step), typed)]
    return found[-1] if found else None


def new_codes(user: Any) -> list[str]:
    codes = [base64.b32encode(secrets.token_bytes(RECOVERY_CODE_BYTES)).decode().lower() for _number in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, code_hash=_hash(user, code)) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def _hash(user: Any, code: str) -> str:
    """Return the SHA-256. It is sufficient for a random code of 80 bits."""
    return hashlib.sha256(f"{user.pk}:{code}".encode()).hexdigest()


def _bytes(secret: str) -> bytes:
    return base64.b32decode(secret)
