"""The rights to acts on invoices and money: the checks that services begin with."""

from accounts.callers import Caller
from accounts.rights import APPROVE, COLLECT, CORRECT, GENERATE, REBILL, check_may

GENERATE_PERMISSION = GENERATE.permission
APPROVE_PERMISSION = APPROVE.permission
COLLECT_PERMISSION = COLLECT.permission
CORRECT_PERMISSION = CORRECT.permission
REBILL_PERMISSION = REBILL.permission


def check_may_generate(caller: Caller) -> None:
    """Generating invoices: any key may, unless it may only read. Else 90009."""
    check_may(caller, GENERATE)


def check_may_approve(caller: Caller) -> None:
    """Approving, discarding and regenerating. Else 90001."""
    check_may(caller, APPROVE)


def check_may_collect(caller: Caller) -> None:
    """Collecting invoices, and recording and applying payments. Else 90025."""
    check_may(caller, COLLECT)


def check_may_correct(caller: Caller) -> None:
    """Voiding, crediting, writing off, disputing and refunding. Else 90026."""
    check_may(caller, CORRECT)


def check_may_rebill(caller: Caller) -> None:
    """Crediting an issued invoice and replacing it by a rebill. Else 90028."""
    check_may(caller, REBILL)
