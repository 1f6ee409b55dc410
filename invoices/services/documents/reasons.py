"""Reason codes of acts on money: the client's own, and the common ones."""

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts import receipts
from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import check_may_change
from billing_site.common.database_errors import refusal_of
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.models import ReasonCode


def reasons_of(client: Client, type: str | None = None, code: int | None = None) -> list[ReasonCode]:
    """Return the reasons that the client may use, ordered by type and code. Its own reason overrides the common one of that
    code."""
    rows = ReasonCode.objects.filter(Q(client=client) | Q(client=None))
    if type is not None:
        rows = rows.filter(type=type)
    if code is not None:
        rows = rows.filter(code=code)
    found: dict[tuple[str, int], ReasonCode] = {}
    for row in rows.order_by("type", "code"):
        if row.client_id is not None or (row.type, row.code) not in found:
            found[(row.type, row.code)] = row
    return list(found.values())


def add_reason(*, client: Client, caller: Caller, type: str, code: int, name: str) -> ReasonCode:
    """Add a reason of the client's own, with a code from 1 to 9999, and return it.

    Refuses a caller who may not add reasons (90009), another code (1016), and a code that the client already uses (90013).
    """
    check_may_change(caller, "add", "invoices.reasoncode")
    if not 1 <= code <= 9999:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("reason_code: give a number from 1 to 9999"), field="reason_code")
    try:
        with transaction.atomic():
            reason = ReasonCode.objects.create(client=client, type=type, code=code, name=name)
            receipts.use(client, caller.receipt, row_no=reason.pk)
            return reason
    except IntegrityError as error:
        raise refusal_of(error) from error
