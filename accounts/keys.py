"""Making API keys, finding them again, and ending them. A key is 32 characters, as Aria's auth_key."""

import hashlib
import hmac
import secrets
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import ApiKey, Client
from accounts.rights import KEY_RIGHTS
from accounts.validators import networks

USE_NOTED_EACH = timedelta(minutes=1)

PREFIX_LENGTH = 8


def _hash(key: str) -> str:
    """SHA-256 suffices for a random key of 192 bits, and costs microseconds where a password hasher costs 0.2 s a call."""
    return hashlib.sha256(key.encode()).hexdigest()


def create_key(client: Client, *, name: str, **rights: Any) -> tuple[ApiKey, str]:
    """A new key with its rights (may_approve, may_collect, may_rebill, may_correct) and limits (read_only,
    allowed_addresses): its row, and the auth_key that can be shown only now."""
    auth_key = secrets.token_urlsafe(24)
    row = ApiKey.objects.create(
        client=client,
        name=name,
        prefix=auth_key[:PREFIX_LENGTH],
        secret_hash=_hash(auth_key),
        **rights,
    )
    return row, auth_key


def rotate_key(key: ApiKey) -> tuple[ApiKey, str]:
    """A new key with the rights and limits of another. Both live until that one is revoked."""
    kept = (*KEY_RIGHTS, "read_only", "allowed_addresses")
    return create_key(key.client, name=key.name, **{name: getattr(key, name) for name in kept})


def revoke_key(key: ApiKey) -> None:
    """From now on the key is none any more. When that was is kept."""
    with transaction.atomic():
        live = ApiKey.objects.select_for_update(no_key=True).filter(pk=key.pk, revoked_at=None).first()
        if live is not None:
            live.revoked_at = timezone.now()
            live.save(update_fields=["revoked_at"])


def note_use(key: ApiKey) -> None:
    """Keeps when a key was used last, to the minute: most calls write nothing."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at >= USE_NOTED_EACH:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def may_call_from(key: ApiKey, address: str) -> bool:
    """Whether a key may be used from an address."""
    allowed = networks(key.allowed_addresses)
    if not allowed:
        return True
    try:
        return any(ip_address(address) in network for network in allowed)
    except ValueError:
        return False


def find_key(client_no: int, auth_key: str) -> ApiKey | None:
    """The live key of this client with this secret, compared in constant time."""
    row = (
        ApiKey.objects.select_related("client")
        .filter(client_id=client_no, prefix=auth_key[:PREFIX_LENGTH], revoked_at=None)
        .first()
    )
    if row is not None and hmac.compare_digest(row.secret_hash, _hash(auth_key)):
        return row
    return None
