"""Requests to a payment gateway, and its answers. Card numbers never come here: only the gateway knows them, we store its
token.

A request is repeated with the same key until its outcome is known. A gateway charges or refunds only once per key.
"""

from decimal import Decimal
from enum import Enum
from typing import NamedTuple, Protocol


class Result(Enum):
    DONE = "done"
    DECLINED = "declined"
    UNKNOWN = "unknown"


class TokenRefused(Exception):
    """The token cannot be charged. The text says why, without quoting the token."""


class UnexpectedAnswer(Exception):
    """The gateway's answer does not match the request, for example by its amount. A person has to check."""


class Holder(NamedTuple):
    """The account that a token is stored for. `kept` is the account's previous token, if any."""

    account_no: int
    name: str
    email: str = ""
    kept: str = ""


class ChargeRequest(NamedTuple):
    """A request to charge an amount by a stored token."""

    key: str
    amount: Decimal
    currency: str
    token: str
    account_no: int
    invoice_no: int


class RefundRequest(NamedTuple):
    """A request to give back a part of an earlier charge."""

    key: str
    amount: Decimal
    currency: str
    payment_id: str


class Answer(NamedTuple):
    """The result of a request. Names are those of Aria's proc_ fields. `reference` is the gateway's id of the charge or refund.

    UNKNOWN means that the gateway gave no result: the money may have moved or not.
    """

    result: Result
    reference: str = ""
    status_code: str = ""
    status_text: str = ""
    auth_code: str = ""
    cvv_response: str = ""
    avs_response: str = ""
    cavv_response: str = ""
    merch_comments: str = ""


class Gateway(Protocol):
    """A gateway. If it does not answer, or its answer cannot be read, it raises; callers treat that as UNKNOWN."""

    def keep_token(self, token: str, holder: Holder) -> str:
        """Prepare a token for later charges of an account, and return the token to store. Raises TokenRefused if it is not
        usable."""
        ...

    def charge(self, request: ChargeRequest) -> Answer: ...

    def find_charge(self, request: ChargeRequest) -> Answer | None:
        """Return the result of a charge that may have been requested before, or None if the gateway does not know it."""
        ...

    def refund(self, request: RefundRequest) -> Answer: ...

    def find_refund(self, request: RefundRequest) -> Answer | None: ...


class News(NamedTuple):
    """The state of the charge or refund that was requested under a key, with its amount and currency."""

    key: str
    amount: Decimal
    currency: str
    answer: Answer


class Message(NamedTuple):
    """A message that a gateway sent on its own. It need not be about a charge or refund of ours."""

    event_id: str
    type: str
    charges: tuple[News, ...] = ()
    refunds: tuple[News, ...] = ()


class Notifier(Protocol):
    """A gateway that sends messages on its own."""

    def read_message(self, body: bytes, signature: str) -> Message:
        """Return the message. Refuses one without a recent, valid signature (90023)."""
        ...
