"""What is asked of a payment gateway, and what it answers. Card numbers never come here: a gateway knows them, we its token.

A request is sent again with the same key until its outcome is known; a gateway charges or refunds once for a key.
"""

from decimal import Decimal
from enum import Enum
from typing import NamedTuple, Protocol


class Result(Enum):
    DONE = "done"
    DECLINED = "declined"
    UNKNOWN = "unknown"


class TokenRefused(Exception):
    """The token stands for nothing that can be charged. Its text says why, and does not quote the token."""


class UnexpectedAnswer(Exception):
    """The gateway's answer does not fit what it was asked: another amount, say. What came of it has to be looked up."""


class Holder(NamedTuple):
    """The account that a token is kept for. `kept` is the token that was kept for it last, if there is one."""

    account_no: int
    name: str
    email: str = ""
    kept: str = ""


class ChargeRequest(NamedTuple):
    """So much of a currency from whatever the token stands for."""

    key: str
    amount: Decimal
    currency: str
    token: str
    account_no: int
    invoice_no: int


class RefundRequest(NamedTuple):
    """So much of an earlier charge goes back."""

    key: str
    amount: Decimal
    currency: str
    payment_id: str


class Answer(NamedTuple):
    """What came of a request. The names are those of Aria's proc_ fields; `reference` is the gateway's own id of the charge or
    refund. Of an UNKNOWN one the gateway has said nothing: the money may have moved or not."""

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
    """A gateway that does not answer, or answers what cannot be read, raises; the caller takes that for UNKNOWN."""

    def keep_token(self, token: str, holder: Holder) -> str:
        """Keeps a token for later charges of an account, and gives the one that is to be stored. TokenRefused says why not."""
        ...

    def charge(self, request: ChargeRequest) -> Answer: ...

    def find_charge(self, request: ChargeRequest) -> Answer | None:
        """What came of a charge that may have been asked before; None where the gateway knows nothing of it."""
        ...

    def refund(self, request: RefundRequest) -> Answer: ...

    def find_refund(self, request: RefundRequest) -> Answer | None: ...


class News(NamedTuple):
    """What a gateway has to say of the charge or refund that it was asked for under a key, and of how much of what it is."""

    key: str
    amount: Decimal
    currency: str
    answer: Answer


class Message(NamedTuple):
    """What a gateway sent of itself. It may have nothing to say of a charge or refund of ours."""

    event_id: str
    type: str
    charges: tuple[News, ...] = ()
    refunds: tuple[News, ...] = ()


class Notifier(Protocol):
    """A gateway that sends messages of itself."""

    def read_message(self, body: bytes, signature: str) -> Message:
        """The message, if it bears a fresh signature of the gateway; else it is refused (90023)."""
        ...
