"""Limit the calls of a key, of an address, and wrong keys from an address. Counted in the cache, minute by minute.

What is counted is in the cache of `CACHES`: that of the process, unless `CACHE_URL` names one that all processes share.
"""

import hashlib
import time
from typing import NamedTuple

from django.conf import settings
from django.core.cache import cache

from billing_site.errors import BillingError, ErrorCode

WINDOW_SECONDS = 60


class Limit(NamedTuple):
    """A limit as the answer reports it (draft-ietf-httpapi-ratelimit-headers-10): `left` of `quota` calls, for a number of
    seconds."""

    name: str
    quota: int
    left: int
    seconds: int

    @property
    def headers(self) -> dict[str, str]:
        found = {
            "RateLimit-Policy": f'"{self.name}";q={self.quota};w={WINDOW_SECONDS}',
            "RateLimit": f'"{self.name}";r={max(self.left, 0)};t={self.seconds}',
        }
        return found if self.left >= 0 else {**found, "Retry-After": str(self.seconds)}


def count_call(name: str, subject: object, quota: int) -> Limit | None:
    """Count a call, and return what is left of the limit: below zero, the call is one too many. None: there is no limit."""
    return _limit(name, subject, quota, counts=True) if quota else None


def check_guesses(address: str) -> Limit | None:
    """Return the limit of wrong keys from an address if it is reached, else None."""
    limit = _limit("wrong keys", address, settings.WRONG_KEYS_PER_ADDRESS, counts=False)
    return limit if settings.WRONG_KEYS_PER_ADDRESS and limit.left < 0 else None


def note_guess(address: str) -> None:
    """Count a wrong key from an address."""
    if settings.WRONG_KEYS_PER_ADDRESS:
        _limit("wrong keys", address, settings.WRONG_KEYS_PER_ADDRESS, counts=True)


def too_many_calls() -> BillingError:
    return BillingError(ErrorCode.TOO_MANY_CALLS)


def _limit(name: str, subject: object, quota: int, *, counts: bool) -> Limit:
    now = int(time.time())
    minute, second = divmod(now, WINDOW_SECONDS)
    # Hashed, because an address may have characters that a cache does not allow in its keys.
    key = "calls-" + hashlib.sha256(f"{name} {subject} {minute}".encode()).hexdigest()
    used = _counted(key) if counts else int(cache.get(key, 0)) + 1
    return Limit(name, quota, quota - used, WINDOW_SECONDS - second)


def _counted(key: str) -> int:
    cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
    try:
        return int(cache.incr(key))
    except ValueError:  # The cache has dropped it meanwhile.
        return 1
