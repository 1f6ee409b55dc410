"""The keys of seals. They are settings, so that whoever can write to the database alone cannot make a seal."""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from django.conf import settings
from django.utils.encoding import force_bytes

SHORTEST_SECRET = 32
"""A secret has at least this number of characters."""


def wrong_keys() -> list[str]:
    """Return the ids of configured keys that are not usable: without an id, with a short secret, or used twice."""
    pairs = [_pair(one) for one in settings.SEAL_KEYS]
    ids = [key_id for key_id, _ in pairs]
    return [key_id for key_id, secret in pairs if not key_id or len(secret) < SHORTEST_SECRET or ids.count(key_id) > 1]


def newest_key() -> tuple[str, bytes]:
    """Return the id and the key that make new seals."""
    return next(iter(keys().items()))


def keys() -> Mapping[str, bytes]:
    """Return the keys by their ids, the one for new seals first. The last one is made from SECRET_KEY."""
    configured = {key_id: secret.encode() for key_id, secret in map(_pair, settings.SEAL_KEYS)}
    derived = [_derived(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return configured | {f"site-{sha256(key).hexdigest()[:12]}": key for key in derived}


def _pair(written: str) -> tuple[str, str]:
    key_id, _, secret = written.partition(":")
    return key_id.strip(), secret.strip()


def _derived(secret: str | bytes) -> bytes:
    return hmac.digest(force_bytes(secret), b"seals of rows", "sha256")
