"""Writing a batch in one transaction, so that one member that the database refuses harms no other."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from django.db import DataError, IntegrityError, OperationalError, transaction

from billing_site.common.database_errors import refusal_of
from billing_site.common.storage import is_lock_failure, limit_lock_wait
from billing_site.errors import BillingError, ErrorCode
from invoices.services.documents.outcomes import Outcome

LOCK_WAIT_SECONDS = 5


class Overtaken(Exception):
    """What a batch was planned on has changed since, for a member that only halving the batch finds out."""


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
    member that is at fault. Its refusal is the one that `refusal_of` gives, 3108 where another act has overtaken it, 90094
    where the clock went back, and 90008 where its account's balance would be too large. A lock is waited for 5 seconds; then
    the outcome is 3108."""
    if not batch:
        return []
    try:
        with transaction.atomic(durable=True):
            limit_lock_wait(LOCK_WAIT_SECONDS)
            return write(batch)
    except Overtaken:
        if len(batch) == 1:
            return [refused(batch[0], BillingError(ErrorCode.IN_PROGRESS))]
    except BillingError as error:
        # Whether a member takes a number, and what its balance comes to, is known once it is written: the others are written
        # without it.
        if error.code not in (ErrorCode.CLOCK_WENT_BACK, ErrorCode.AMOUNT_TOO_LARGE):
            raise
        if len(batch) == 1:
            return [refused(batch[0], error)]
    except (IntegrityError, DataError, OperationalError) as error:
        if isinstance(error, OperationalError) and not is_lock_failure(error):
            raise
        if len(batch) == 1:
            return [refused(batch[0], refusal_of(error))]
    middle = len(batch) // 2
    return in_halves(batch[:middle], write, refused) + in_halves(batch[middle:], write, refused)
