"""Writing a batch in one transaction, so that one member that the database refuses harms no other."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from django.db import DataError, IntegrityError, OperationalError, transaction

from accounts.storage import is_lock_failure, limit_lock_wait
from billing_site.errors import BillingError, ErrorCode
from invoices.services.outcomes import Outcome

logger = logging.getLogger(__name__)

LOCK_WAIT_SECONDS = 5


class Member(Protocol):
    @property
    def account_no(self) -> int | None: ...


M = TypeVar("M", bound=Member)
R = TypeVar("R")


def write_in_halves(batch: Sequence[M], write: Callable[[Sequence[M]], list[Outcome]]) -> list[Outcome]:
    """As `in_halves`, of members whose outcomes are `Outcome`s."""
    return in_halves(batch, write, lambda member, error: Outcome(member.account_no, error=error))


def in_halves(batch: Sequence[M], write: Callable[[Sequence[M]], list[R]], refused: Callable[[M, BillingError], R]) -> list[R]:
    """`write` gets the batch whole in a transaction of its own; where the database refuses it, its halves, down to the one
    member that is at fault. A lock is waited for 5 seconds; then the outcome is 3108."""
    if not batch:
        return []
    try:
        with transaction.atomic(durable=True):
            limit_lock_wait(LOCK_WAIT_SECONDS)
            return write(batch)
    except (IntegrityError, DataError, OperationalError) as error:
        if isinstance(error, OperationalError) and not is_lock_failure(error):
            raise
        if len(batch) == 1:
            return [refused(batch[0], _refused_by_database(error))]
    middle = len(batch) // 2
    return in_halves(batch[:middle], write, refused) + in_halves(batch[middle:], write, refused)


def _refused_by_database(error: Exception) -> BillingError:
    """A lock or a unique key says that another transaction is at the account; a value that does not fit is our fault."""
    if isinstance(error, DataError):
        logger.error("a document could not be stored", exc_info=error)
        return BillingError(ErrorCode.UNEXPECTED)
    return BillingError(ErrorCode.IN_PROGRESS)
