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

    def check_token(self, token: str) -> str:
        """Empty where the token stands for something that can be charged; else why not."""
        ...

    def charge(self, request: ChargeRequest) -> Answer: ...

    def find_charge(self, request: ChargeRequest) -> Answer | None:
        """What came of a charge that may have been asked before; None where the gateway knows nothing of it."""
        ...

    def refund(self, request: RefundRequest) -> Answer: ...

    def find_refund(self, request: RefundRequest) -> Answer | None: ...
