"""Create, find, change and revoke API keys. A key is 32 characters, as Aria's auth_key."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from django.db import Error, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import ApiKey, Client
from accounts.rights import KEY_RIGHTS, may_give, may_make_keys
from accounts.validators import networks
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.storage import is_not_writable
from billing_site.errors import BillingError, Detail, ErrorCode, word

USE_NOTED_EACH = timedelta(minutes=1)

PREFIX_LENGTH = 8


def _hash(key: str) -> str:
    """Return the SHA-256. It is sufficient for a random key of 192 bits, and takes microseconds; a password hasher takes 0.2
    s."""
    return hashlib.sha256(key.encode()).hexdigest()


def create_key(client: Client, *, caller: Caller, name: str, **columns: Any) -> tuple[ApiKey, str]:
    """Create a key with rights (KEY_RIGHTS) and limits (read_only, allowed_addresses), and return it with its auth_key.

    The auth_key cannot be shown later. Refuses (90070) rights that the caller does not have.
    """
    _check_may_give(caller, columns)
    return _create(client, [caller], name=name, **columns)


def rotate_key(key: ApiKey, *, caller: Caller) -> tuple[ApiKey, str]:
    """Create a key with the rights and limits of another, and return it with its auth_key. Both are valid until the old one is
    revoked.

    Refuses (90070) a caller who may not create such a key.
    """
    columns = {name: getattr(key, name) for name in (*KEY_RIGHTS, "read_only", "allowed_addresses")}
    _check_may_give(caller, columns)
    return _create(key.client, [caller, Caller(api_key=key)], name=key.name, **columns)


def change_key(key: ApiKey, changed: Collection[str], *, caller: Caller) -> None:
    """Write the changed columns of a key. Refuses (90070) to add rights that the caller does not have."""
    with transaction.atomic():
        before = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
        had, gets = (
            {name for name in (*KEY_RIGHTS, "") if not one.read_only and (not name or getattr(one, name))}
            for one in (before, key)
        )
        if gets - had:
            _check_may_give(caller, {"read_only": key.read_only, **dict.fromkeys(gets - had - {""}, True)})
        key.save(update_fields=list(changed))


def rights_to_give(caller: Caller) -> dict[str, bool]:
    """Return all rights that the caller may give to a key."""
    return {"read_only": not may_make_keys(caller, read_only=False), **{name: may_give(caller, name) for name in KEY_RIGHTS}}


def _check_may_give(caller: Caller, columns: Mapping[str, Any]) -> None:
    """Refuse rights that the caller does not have. Those of a read-only key count too, because the limit can be removed
    later."""
    read_only = bool(columns.get("read_only"))
    if not may_make_keys(caller, read_only=read_only):
        what = (
            Detail("reading everything that an API key can read")
            if read_only
            else Detail("generating invoices, sending statements and reading everything that an API key can read")
        )
        raise BillingError(
            ErrorCode.KEY_ABOVE_ITS_MAKER, Detail("{what}; ask an administrator to make it", what=what), field="read_only"
        )
    for name in KEY_RIGHTS:
        if columns.get(name) and not may_give(caller, name):
            detail = Detail("{what}; ask an administrator to make it", what=word(name.replace("_", " ")))
            raise BillingError(ErrorCode.KEY_ABOVE_ITS_MAKER, detail, field=name)


def _create(client: Client, known_to: Iterable[Caller], *, name: str, **columns: Any) -> tuple[ApiKey, str]:
    auth_key = secrets.token_urlsafe(24)
    chain = (one for caller in known_to for one in (caller.identity, *_stands_for(caller)))
    people = dict.fromkeys(one for one in chain if not one.startswith("process:"))
    row = ApiKey.objects.create(
        client=client,
        name=name,
        prefix=auth_key[:PREFIX_LENGTH],
        secret_hash=_hash(auth_key),
        stands_for=list(people),
        **columns,
    )
    return row, auth_key


def _stands_for(caller: Caller) -> list[str]:
    return caller.api_key.stands_for if caller.api_key is not None else []


def people_behind(identities: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the identities that four eyes treat as one with each of these: see `Caller.people`. One query."""
    found = {one: frozenset([one]) for one in identities}
    numbers = [int(one[4:]) for one in found if one.startswith("key:") and one[4:].isdecimal()]
    for key in ApiKey.objects.filter(pk__in=numbers).only("stands_for") if numbers else ():
        caller = Caller(api_key=key)
        found[caller.identity] = caller.people
    return found


def revoke_key(key: ApiKey) -> None:
    """Revoke the key and record when."""
    with transaction.atomic():
        live = ApiKey.objects.select_for_update(no_key=True).filter(pk=key.pk, revoked_at=None).first()
        if live is not None:
            live.revoked_at = timezone.now()
            live.save(update_fields=["revoked_at"])


def note_use(key: ApiKey) -> None:
    """Record when the key was last used, to the minute, so most calls write nothing. Skipped if the database is read-only."""
    now = timezone.now()
    if key.last_used_at is not None and now - key.last_used_at < USE_NOTED_EACH:
        return
    try:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    except Error as error:
        if not is_not_writable(error):
            raise


def may_call_from(key: ApiKey, address: str) -> bool:
    """Whether a key may be used from this address."""
    allowed = networks(key.allowed_addresses)
    if not allowed:
        return True
    try:
        return any(ip_address(address) in network for network in allowed)
    except ValueError:
        return False


@compiled_read
def _live_keys(client_no: int, prefix: str) -> QuerySet[ApiKey]:
    keys = ApiKey.objects.select_related("client").filter(client_id=client_no, prefix=prefix, revoked_at=None)
    return keys.order_by("pk")[:1]


def find_key(client_no: int, auth_key: str) -> ApiKey | None:
    """Return the client's live key with this secret, or None. The comparison takes constant time."""
    row = next(iter(_live_keys(client_no, auth_key[:PREFIX_LENGTH])), None)
    if row is not None and hmac.compare_digest(row.secret_hash, _hash(auth_key)):
        return row
    return None
