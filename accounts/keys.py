"""Making API keys and finding them again. A key is 32 characters, as Aria's auth_key."""

import hashlib
import hmac
import secrets

from accounts.models import ApiKey, Client

PREFIX_LENGTH = 8


def _hash(key: str) -> str:
    """SHA-256 suffices for a random key of 192 bits, and costs microseconds where a password hasher costs 0.2 s a call."""
    return hashlib.sha256(key.encode()).hexdigest()


def create_key(client: Client, *, name: str, **rights: bool) -> tuple[ApiKey, str]:
    """A new key with its rights (may_approve, may_collect, may_rebill, may_correct): its row, and the auth_key that can be
    shown only now."""
    auth_key = secrets.token_urlsafe(24)
    row = ApiKey.objects.create(
        client=client,
        name=name,
        prefix=auth_key[:PREFIX_LENGTH],
        secret_hash=_hash(auth_key),
        **rights,
    )
    return row, auth_key


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
