"""The rights that services check first."""

from accounts.callers import Caller
from accounts.rights import APPROVE, COLLECT, CORRECT, GENERATE, REBILL, check_may

GENERATE_PERMISSION = GENERATE.permission
APPROVE_PERMISSION = APPROVE.permission
COLLECT_PERMISSION = COLLECT.permission
CORRECT_PERMISSION = CORRECT.permission
REBILL_PERMISSION = REBILL.permission


def check_may_generate(caller: Caller) -> None:
    """Refuse (90009) a caller who may not generate invoices. Any key may that is not limited to reading."""
    check_may(caller, GENERATE)


def check_may_approve(caller: Caller) -> None:
    """Refuse (90001) a caller who may not approve, discard and regenerate."""
    check_may(caller, APPROVE)


def check_may_collect(caller: Caller) -> None:
    """Refuse (90025) a caller who may not collect, and record and apply payments."""
    check_may(caller, COLLECT)


def check_may_correct(caller: Caller) -> None:
    """Refuse (90026) a caller who may not void, credit, write off, dispute and refund."""
    check_may(caller, CORRECT)


def check_may_rebill(caller: Caller) -> None:
    """Refuse (90028) a caller who may not rebill."""
    check_may(caller, REBILL)
