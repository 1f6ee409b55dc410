"""The result of collecting an invoice."""

from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from billing_site.errors import BillingError, Detail, ErrorCode, error_from_event, shown_message
from invoices.kinds import AttemptStatus
from invoices.models import CollectionAttempt


class CollectionResult(Enum):
    COLLECTED = "collected"
    NOTHING_DUE = "nothing_due"
    BELOW_THRESHOLD = "below_threshold"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class Collected(NamedTuple):
    """The result for one invoice. Nothing open and an amount below the threshold are successes, with a message.

    `attempt` is None if the gateway was not called.
    """

    account_no: int | None
    invoice_no: int
    result: CollectionResult
    message: str = ""
    error: BillingError | None = None
    attempt: CollectionAttempt | None = None

    @property
    def shown(self) -> str:
        """The message for a page, in the reader's language."""
        if self.error is not None:
            return self.error.shown
        return self.message.shown if isinstance(self.message, Detail) else shown_message(0, self.message)

    @property
    def error_code(self) -> int:
        return self.error.code.number if self.error else 0

    @property
    def amount(self) -> Decimal | None:
        collected = self.result is CollectionResult.COLLECTED
        return self.attempt.amount if self.attempt is not None and collected else None


def refused(account_no: int | None, invoice_no: int, error: BillingError) -> Collected:
    return Collected(account_no, invoice_no, CollectionResult.REFUSED, error.message, error)


def outcome_of(attempt: CollectionAttempt, account_no: int | None) -> Collected:
    """Return the result of a stored attempt."""
    if attempt.status == AttemptStatus.COLLECTED:
        return Collected(account_no, attempt.invoice_id, CollectionResult.COLLECTED, attempt=attempt)
    if attempt.status == AttemptStatus.DECLINED:
        error = BillingError(ErrorCode.COLLECTION_DECLINED, attempt.proc_status_text)
        return Collected(account_no, attempt.invoice_id, CollectionResult.DECLINED, error.message, error, attempt)
    if attempt.status == AttemptStatus.NOT_MADE and attempt.error_code:
        return refused(account_no, attempt.invoice_id, error_from_event(attempt.error_code, attempt.message))
    if attempt.status == AttemptStatus.NOT_MADE:
        return Collected(account_no, attempt.invoice_id, CollectionResult.NOTHING_DUE, attempt.message, attempt=attempt)
    error = BillingError(ErrorCode.OUTCOME_UNKNOWN)
    return Collected(account_no, attempt.invoice_id, CollectionResult.UNKNOWN, error.message, error, attempt)
