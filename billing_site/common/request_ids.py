"""The id of the current request, which every line of the server's log has. Imports no other module of ours."""

import logging
import re
import secrets
from contextvars import ContextVar

request_id_now: ContextVar[str] = ContextVar("request_id", default="-")


def request_id_of(sent: str) -> str:
    """Return the id that was sent with the request, or a new one."""
    return sent if re.fullmatch(r"[A-Za-z0-9._-]{1,60}", sent) else secrets.token_hex(12)


class RequestIdFilter(logging.Filter):
    """Adds the request's id to log lines."""

    def filter(self, line: logging.LogRecord) -> bool:
        line.request_id = request_id_now.get()
        return True
