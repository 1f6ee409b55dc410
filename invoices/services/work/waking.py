"""Have work begun at once, where workers do not look for it all the time by themselves: by the executor's messages.

Work that is due is rows. Workers find it in any case, so a message that cannot be sent is only logged."""

import logging
import time
from collections.abc import Callable
from functools import partial

from django.db import transaction

logger = logging.getLogger(__name__)

Send = Callable[[str], object]
"""Send a message that there may be work of the kind of this name."""

REST_SECONDS = 30.0
"""After a message could not be sent, none is tried for so long: no request waits for a broker that is away again and again."""

_SENDERS: list[Send] = []
_rests_until = 0.0


def wake_by(send: Send) -> None:
    """Have messages sent by a function. Without one, nothing is sent: local workers look each second."""
    _SENDERS[:] = [send]


def wake(kind: str) -> None:
    """Tell workers after the commit that there is work of a kind. Never fails: what goes wrong is logged."""
    for send in _SENDERS:
        transaction.on_commit(partial(_send, send, kind))


def _send(send: Send, kind: str) -> None:
    global _rests_until
    if time.monotonic() < _rests_until:
        return
    try:
        send(kind)
    except Exception as error:  # whatever a broker's library raises: the next sweep finds the work
        _rests_until = time.monotonic() + REST_SECONDS
        logger.warning("work: no message for %s, the next sweep finds it: %s: %s", kind, type(error).__name__, error)
