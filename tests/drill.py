"""A drill: real processes under mixed load, fuzzed requests at all doors, killed workers, and a clock that moves.

The suite runs it for a short time (tests/test_drill.py), `make soak` for longer (`DRILL_SECONDS`).
"""

import base64
import json
import os
import random
import signal
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.support.documentation import Site
from tests.support.served_work import workers_of

LOADERS, FUZZERS = 2, 2
KILL_EVERY = 2.0
DOORS = (
    *("/api/v1/invoices/", "/api/v1/accounts/", "/api/v1/payments/", "/api/v1/usage/", "/api/v1/rebills/", "/api/v1/plans/"),
    *("/api/v1/invoices/preview/", "/api/v1/personal-data/1/erase/", "/api/v1/none/", "/api/v1/webhooks/stripe/"),
    *("/v1/core", "/login/", "/accounts/1/", "/invoices/pending/decide/", "/admin/login/", "/api/schema/", "/metrics"),
)
PIECES = (
    *(b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"acct_no": 1e400}', b'{"acct_no": "\\u0000"}', b"a=1&b=%00", b'[{"a":' * 400),
    *(b'{"acct_no": -1, "units": "NaN"}', b'{"rest_call": "gen_invoice"}', b'{"client_no": [1], "auth_key": {}}'),
)


class Answer(NamedTuple):
    status: int
    body: bytes


class Drill:
    """What was asked and answered. `wrong` are answers that must not be."""

    def __init__(self, site: Site, client_no: int, auth_key: str, account_nos: list[int], seed: int = 1) -> None:
        self.site, self.client_no, self.auth_key, self.account_nos = site, client_no, auth_key, account_nos
        self.random = random.Random(seed)
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.invoiced: dict[int, int] = {}
        self.paid: set[str] = set()
        self.kills = 0
        self.is_over = threading.Event()

    def run(self, seconds: float) -> None:
        """Load, fuzz, kill and move the clock for a time. Returns when all threads have ended."""
        works = [*[self._load] * LOADERS, *[self._fuzz] * FUZZERS, self._kill, self._move_clock]
        threads = [threading.Thread(target=self._repeat, args=(work, random.Random(place))) for place, work in enumerate(works)]
        for one in threads:
            one.start()
        time.sleep(seconds)
        self.is_over.set()
        for one in threads:
            one.join()

    def _repeat(self, work: Callable[[random.Random], None], chance: random.Random) -> None:
        while not self.is_over.is_set():
            try:
                work(chance)
            except Exception as error:
                self.wrong.append(f"{work.__name__}: {type(error).__name__}: {error}")
                return

    def _load(self, chance: random.Random) -> None:
        """Bill an account, read it, and pay it, under receipts that are sent twice."""
        account = chance.choice(self.account_nos)
        key = f"invoice-{account}"
        for _again in "12":
            answer = self.rest("/api/v1/invoices/", {"acct_no": account}, key)
            if answer.status == 201:
                number = json.loads(answer.body)["invoice_no"]
                if self.invoiced.setdefault(account, number) != number:
                    self.wrong.append(f"account {account} was billed twice under one key")
        self.rest("/api/v1/invoices/?limit=5")
        reference = f"payment-{account}-{chance.getrandbits(40)}"
        answer = self.method("record_external_payment", acct_no=account, payment_amount="1.00", reference_code=reference)
        if answer.status == 200 and json.loads(answer.body)["error_code"] == 0:
            self.paid.add(reference)

    def _fuzz(self, chance: random.Random) -> None:
        door, body = chance.choice(DOORS), b"".join(chance.choices(PIECES, k=chance.randrange(1, 4)))
        kind = chance.choice(
            ["application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]
        )
        headers = {"Content-Type": kind, "X-Request-ID": "\x7f" * 5, "Accept": chance.choice(["*/*", "text/csv", "x"])}
        if chance.random() < 0.5:
            headers["Authorization"] = self.basic
        self.ask(
            door + chance.choice(["", "?cursor=x", "?limit=-1", "?%00"]),
            body,
            headers,
            chance.choice(["GET", "POST", "PATCH", "PUT"]),
        )

    def _kill(self, chance: random.Random) -> None:
        """Kill a worker. The supervisor starts another one, which takes over."""
        self.is_over.wait(KILL_EVERY)
        for pid in workers_of(self.site)[-1:]:
            try:
                os.kill(pid, signal.SIGKILL)
                self.kills += 1
            except ProcessLookupError:
                pass

    def _move_clock(self, chance: random.Random) -> None:
        self.is_over.wait(3)
        self.method("advance_virtual_datetime_m", hours=chance.choice([1, 24, 700]))

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.client_no}:{self.auth_key}".encode()).decode()

    def rest(self, path: str, body: Any = None, key: str = "") -> Answer:
        headers = {"Authorization": self.basic, "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        return self.ask(path, None if body is None else json.dumps(body).encode(), headers, "GET" if body is None else "POST")

    def method(self, rest_call: str, **arguments: Any) -> Answer:
        call = {
            "client_no": self.client_no,
            "auth_key": self.auth_key,
            "rest_call": rest_call,
            "output_format": "json",
            **arguments,
        }
        return self.ask("/v1/core", json.dumps(call).encode(), {"Content-Type": "application/json"}, "POST")

    def ask(self, path: str, body: bytes | None, headers: dict[str, str], verb: str) -> Answer:
        """Send a request, and note an answer that must not be: a failure that is not the named 503."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.site.port}{path}", body, headers, method=verb)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = Answer(response.status, response.read())
        except urllib.error.HTTPError as error:
            answer = Answer(error.code, error.read())
        self.statuses[answer.status] += 1
        if answer.status >= 500 and not (answer.status == 503 and b"9009" in answer.body):
            self.wrong.append(f"{verb} {path} {body!r:.200}: {answer.status}")
        return answer
