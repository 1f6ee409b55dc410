"""The id of the request that is being answered: it stands in every line of the server's log. Imports nothing of ours."""

import logging
import re
import secrets
from contextvars import ContextVar

request_id_now: ContextVar[str] = ContextVar("request_id", default="-")


def request_id_of(given: str) -> str:
    """The id that a request came with, or a new one."""
    return given if re.fullmatch(r"[A-Za-z0-9._-]{1,60}", given) else secrets.token_hex(12)


class RequestIdFilter(logging.Filter):
    """Puts the request's id into log lines."""

    def filter(self, line: logging.LogRecord) -> bool:
        line.request_id = request_id_now.get()
        return True
