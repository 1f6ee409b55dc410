"""Send one request. Nothing here reads or writes the database.

The name is resolved once, and the connection goes to that address: a name that leads elsewhere a moment later changes nothing.
Redirects are not followed. All together takes at most 10 seconds, however slowly the other side answers.
"""

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from invoices.services.webhooks.addresses import NotAllowed, addresses_of, port_of

SECONDS = 10.0
ANSWER_BYTES = 2000


class Posted(NamedTuple):
    """What came of a request. `problem` is empty if it was accepted, with a status from 200 to 299."""

    milliseconds: int
    address: str = ""
    http_status: int | None = None
    answer: str = ""
    problem: str = ""


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
    """Post a body, and return what came of it. Never raises."""
    begun = time.monotonic()
    posted = _post(urlsplit(url), body, headers, begun + SECONDS)
    return posted._replace(milliseconds=round((time.monotonic() - begun) * 1000))


def _post(parts: SplitResult, body: bytes, headers: Mapping[str, str], deadline: float) -> Posted:
    address = ""
    try:
        address = addresses_of(parts)[0]
        with _Pinned(parts, address, deadline) as connection:
            connection.request("POST", _path(parts), body, dict(headers))
            response = connection.getresponse()
            text = response.read(ANSWER_BYTES).decode("utf-8", "replace").replace("\0", "")
            return Posted(0, address, response.status, text, _problem(response.status))
    except NotAllowed as refused:
        return Posted(0, address, problem=str(refused)[:300])
    except (OSError, HTTPException, ValueError) as error:
        late = time.monotonic() >= deadline
        words = f"no answer within {SECONDS:.0f} seconds" if late else f"{type(error).__name__}: {error}"
        return Posted(0, address, problem=words.replace("\0", "")[:300])


def _problem(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return f"answered {status}; redirects are not followed" if 300 <= status < 400 else f"answered {status}"


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


class _Pinned(HTTPConnection):
    """A connection to one network address, for the name of the URL, that ends at the deadline."""

    def __init__(self, parts: SplitResult, address: str, deadline: float) -> None:
        super().__init__(parts.hostname or "", port_of(parts))
        self.default_port = 443 if parts.scheme == "https" else 80
        self._context = ssl.create_default_context() if parts.scheme == "https" else None
        self._address, self._deadline = address, deadline

    def __enter__(self) -> "_Pinned":
        self._watch = threading.Timer(self._left(), self._cut)
        self._watch.daemon = True
        self._watch.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._watch.cancel()
        self.close()

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), timeout=self._left())
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()

    def _left(self) -> float:
        return max(0.1, self._deadline - time.monotonic())

    def _cut(self) -> None:
        """End the connection, whatever it is reading or writing."""
        with suppress(OSError, AttributeError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
