"""What a caller may do: staff by their permissions, a program by its key's rights, the server's own commands all of it."""

from accounts.callers import Caller
from billing_site.errors import BillingError, ErrorCode

GENERATE_PERMISSION = "invoices.generate_invoice"
APPROVE_PERMISSION = "invoices.approve_invoice"
COLLECT_PERMISSION = "invoices.collect_money"
CORRECT_PERMISSION = "invoices.correct_money"
REBILL_PERMISSION = "invoices.rebill_invoice"


def check_may_generate(caller: Caller) -> None:
    """Generating invoices. Any key may, unless it may only read."""
    if caller.staff is not None and not caller.staff.has_perm(GENERATE_PERMISSION):
        raise BillingError(ErrorCode.PERMISSION, "generating invoices")


def check_may_approve(caller: Caller) -> None:
    """Approving, discarding and regenerating."""
    _check(caller, APPROVE_PERMISSION, "may_approve", ErrorCode.APPROVAL_NOT_PERMITTED)


def check_may_collect(caller: Caller) -> None:
    """Collecting invoices, and recording and applying payments."""
    _check(caller, COLLECT_PERMISSION, "may_collect", ErrorCode.COLLECTION_NOT_PERMITTED)


def check_may_correct(caller: Caller) -> None:
    """Voiding, crediting, writing off, disputing and refunding."""
    _check(caller, CORRECT_PERMISSION, "may_correct", ErrorCode.CORRECTION_NOT_PERMITTED)


def check_may_rebill(caller: Caller) -> None:
    """Crediting an issued invoice and replacing it by a rebill."""
    _check(caller, REBILL_PERMISSION, "may_rebill", ErrorCode.REBILL_NOT_PERMITTED)


def _check(caller: Caller, permission: str, right: str, refused: ErrorCode) -> None:
    if caller.staff is not None:
        permitted = caller.staff.has_perm(permission)
    else:
        permitted = caller.api_key is None or bool(getattr(caller.api_key, right))
    if not permitted:
        raise BillingError(refused)
