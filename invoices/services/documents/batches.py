"""Write a batch in one transaction, so that a member that the database refuses does not affect the others."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import DataError, IntegrityError, OperationalError, transaction

from billing_site.common.database_errors import refusal_of
from billing_site.common.storage import is_lock_failure, limit_lock_wait, writes_together
from billing_site.errors import BillingError, ErrorCode

LOCK_WAIT_SECONDS = 5

OF_ONE_MEMBER = (ErrorCode.CLOCK_WENT_BACK, ErrorCode.TIME_WENT_BACK, ErrorCode.AMOUNT_TOO_LARGE, ErrorCode.E_INVOICE_NOT_VALID)
"""Refusals that are found while a batch is written, and that concern only some of its members."""


class Overtaken(Exception):
    """The data that a batch was planned from has changed. Which member is affected is found by halving the batch."""


M = TypeVar("M")
R = TypeVar("R")


def in_halves(batch: Sequence[M], write: Callable[[Sequence[M]], list[R]], refused: Callable[[M, BillingError], R]) -> list[R]:
    """Write the batch in one transaction, and return the results. If the database refuses it, try its halves, down to one
    member.

    The member that fails gets a refused result: the one that `refusal_of` gives; 3108 if another call has changed its data or
    locks it for more than 5 seconds; 90094 if the clock went back; 90008 if its balance would be too large; 90120 if it cannot
    be an electronic invoice. Other errors are raised. Must not be called inside a transaction.
    """
    if not batch:
        return []
    try:
        with transaction.atomic(durable=True), writes_together():
            limit_lock_wait(LOCK_WAIT_SECONDS)
            return write(batch)
    except Overtaken:
        if len(batch) == 1:
            return [refused(batch[0], BillingError(ErrorCode.IN_PROGRESS))]
    except BillingError as error:
        # These depend on what is written. The other members are written without this one.
        if error.code not in OF_ONE_MEMBER:
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
