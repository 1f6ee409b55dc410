"""The built-in test gateway. The token decides the result of a charge. It keeps its own records in a separate file.

A token is `sandbox_` and an outcome, with an optional suffix after a colon: sandbox_approved, sandbox_declined:customer 7.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings

from invoices.gateways.protocol import Answer, ChargeRequest, Holder, RefundRequest, Result, TokenRefused

PREFIX = "sandbox_"


class Outcome(NamedTuple):
    """The outcome that a token leads to. `silent`: the answer is lost, before or after the charge was made."""

    result: Result
    code: str = ""
    text: str = ""
    cvv: str = "M"
    avs: str = "Y"
    silent: str = ""


APPROVED = Outcome(Result.DONE, "approved", "Approved")
OUTCOMES = {
    "approved": APPROVED,
    "declined": Outcome(Result.DECLINED, "card_declined", "The card was declined"),
    "insufficient_funds": Outcome(Result.DECLINED, "insufficient_funds", "The account has insufficient funds"),
    "cvv_mismatch": Outcome(Result.DECLINED, "incorrect_cvc", "The security code does not match", cvv="N"),
    "avs_mismatch": Outcome(Result.DECLINED, "incorrect_address", "The address does not match", avs="N"),
    "3ds_required": Outcome(Result.DECLINED, "authentication_required", "The cardholder must authenticate (3-D Secure)"),
    "expired": Outcome(Result.DECLINED, "expired_token", "The token has expired"),
    "timeout_before": APPROVED._replace(silent="before"),
    "timeout_after": APPROVED._replace(silent="after"),
}
UNKNOWN_TOKEN = Outcome(Result.DECLINED, "unknown_token", "The token is unknown")

TABLES = """
CREATE TABLE IF NOT EXISTS charges (
    key TEXT PRIMARY KEY, reference TEXT UNIQUE, amount TEXT, currency TEXT, token TEXT, result TEXT, code TEXT, text TEXT,
    auth_code TEXT, cvv TEXT, avs TEXT
);
CREATE TABLE IF NOT EXISTS refunds (key TEXT PRIMARY KEY, reference TEXT UNIQUE, charge TEXT, amount TEXT);
"""


class GatewayTimeout(Exception):
    """The gateway did not answer."""


class SandboxGateway:
    def keep_token(self, token: str, holder: Holder) -> str:
        outcome = _outcome(token)
        if outcome in (UNKNOWN_TOKEN, OUTCOMES["expired"]):
            raise TokenRefused(outcome.text)
        return token

    def charge(self, request: ChargeRequest) -> Answer:
        outcome = _outcome(request.token)
        with _books() as books:
            known = _charge(books, request.key)
            if known is not None:
                return known
            if outcome.silent == "before":
                raise GatewayTimeout("no answer; nothing was charged")
            _enter_charge(books, request, outcome)
            answer = _charge(books, request.key)
        if outcome.silent == "after" or answer is None:
            raise GatewayTimeout("no answer; it was charged")
        return answer

    def find_charge(self, request: ChargeRequest) -> Answer | None:
        with _books() as books:
            return _charge(books, request.key)

    def refund(self, request: RefundRequest) -> Answer:
        with _books() as books:
            known = _refund(books, request.key)
            if known is not None:
                return known
            if request.amount > _left_of_charge(books, request.payment_id):
                return Answer(
                    Result.DECLINED, status_code="above_charge", status_text="The amount exceeds what is left of the charge"
                )
            reference = f"sr_{request.key}"
            books.execute(
                "INSERT INTO refunds VALUES (?, ?, ?, ?)", (request.key, reference, request.payment_id, str(request.amount))
            )
            return _refunded(reference)

    def find_refund(self, request: RefundRequest) -> Answer | None:
        with _books() as books:
            return _refund(books, request.key)


def _outcome(token: str) -> Outcome:
    name = token.removeprefix(PREFIX).partition(":")[0]
    return OUTCOMES.get(name, UNKNOWN_TOKEN) if token.startswith(PREFIX) else UNKNOWN_TOKEN


@contextmanager
def _books() -> Iterator[sqlite3.Connection]:
    """Open the gateway's own database in one transaction."""
    with closing(sqlite3.connect(settings.SANDBOX_GATEWAY_FILE, timeout=30, isolation_level=None)) as books:
        if not books.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            books.executescript("PRAGMA journal_mode=WAL;" + TABLES)
        books.execute("PRAGMA synchronous=NORMAL")
        books.execute("BEGIN IMMEDIATE")
        try:
            yield books
        except BaseException:
            books.execute("ROLLBACK")
            raise
        books.execute("COMMIT")


def _enter_charge(books: sqlite3.Connection, request: ChargeRequest, outcome: Outcome) -> None:
    done = outcome.result is Result.DONE
    books.execute(
        "INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.key,
            f"sp_{request.key}" if done else None,
            str(request.amount),
            request.currency,
            request.token,
            outcome.result.value,
            outcome.code,
            outcome.text,
            f"A{books.execute('SELECT coalesce(max(rowid), 0) + 1 FROM charges').fetchone()[0]:06d}" if done else "",
            outcome.cvv,
            outcome.avs,
        ),
    )


def _charge(books: sqlite3.Connection, key: str) -> Answer | None:
    row = books.execute(
        "SELECT result, reference, code, text, auth_code, cvv, avs FROM charges WHERE key = ?", (key,)
    ).fetchone()
    if row is None:
        return None
    result, reference, code, text, auth_code, cvv, avs = row
    return Answer(
        Result(result),
        reference=reference or "",
        status_code=code,
        status_text=text,
        auth_code=auth_code,
        cvv_response=cvv,
        avs_response=avs,
    )


def _left_of_charge(books: sqlite3.Connection, reference: str) -> Decimal:
    charged = books.execute("SELECT amount FROM charges WHERE reference = ?", (reference,)).fetchone()
    refunded = books.execute("SELECT amount FROM refunds WHERE charge = ?", (reference,)).fetchall()
    return Decimal(charged[0] if charged else 0) - sum((Decimal(amount) for (amount,) in refunded), Decimal(0))


def _refund(books: sqlite3.Connection, key: str) -> Answer | None:
    row = books.execute("SELECT reference FROM refunds WHERE key = ?", (key,)).fetchone()
    return None if row is None else _refunded(row[0])


def _refunded(reference: str) -> Answer:
    return Answer(Result.DONE, reference=reference, status_code="refunded", status_text="Refunded")
