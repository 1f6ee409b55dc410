"""Rebill requests as the API, pages and commands send them: with the numbers that callers know, not primary keys."""

from decimal import Decimal
from typing import NamedTuple

from billing_site.errors import BillingError
from invoices.models import Statement
from invoices.services.documents.collection_results import Collected
from rebills.plan import RebillPlan
from rebills.plan.requests import RequestedLine, RequestedUsage

__all__ = [
    "PlannedRebill",
    "RebillOutcome",
    "RebillRequest",
    "RecordedRebill",
    "RefusedRebill",
    "RequestedLine",
    "RequestedUsage",
    "SettledRebill",
]


class RebillRequest(NamedTuple):
    """A requested rebill.

    For `carries_unlisted`, `collect` and `keeps_due_date`, None means the client's setting, and so does an empty `credit_to`, a
    value of CreditTo: where freed payments go. `statement_contact_no` is a number within the account. If `account_no` or
    `client_acct_id` is set, the invoice must belong to that account. `fingerprint` is of the preview that was seen.
    `reason_code` may be missing only for a preview. `retax`: look all tax rates up again. `discount_percent` is taken off all
    lines.
    """

    invoice_no: int
    reason_code: int | None = None
    lines: tuple[RequestedLine, ...] = ()
    carries_unlisted: bool | None = None
    comments: str = ""
    collect: bool | None = None
    keeps_due_date: bool | None = None
    statement_contact_no: int | None = None
    account_no: int | None = None
    client_acct_id: str | None = None
    fingerprint: str = ""
    usage_corrections: tuple[RequestedUsage, ...] = ()
    retax: bool = False
    credit_to: str = ""
    discount_percent: Decimal | None = None


class PlannedRebill(NamedTuple):
    """The rebill that would be issued for a request."""

    request: RebillRequest
    account_no: int
    plan: RebillPlan


class RefusedRebill(NamedTuple):
    """Why a request gets no rebill. An invoice that does not exist has no account."""

    request: RebillRequest
    account_no: int | None
    error: BillingError


class RecordedRebill(NamedTuple):
    """A rebill that was written: issued, or pending until it is approved."""

    request: RebillRequest
    account_no: int
    rebill_no: int
    is_pending: bool


class SettledRebill(NamedTuple):
    """A rebill after the commit: the result of collecting what is due on it, and the statement sent. Each is None if it was not
    requested, and if the rebill is pending."""

    recorded: RecordedRebill
    collection: Collected | None = None
    statement: Statement | None = None

    @property
    def request(self) -> RebillRequest:
        return self.recorded.request

    @property
    def account_no(self) -> int:
        return self.recorded.account_no

    @property
    def rebill_no(self) -> int:
        return self.recorded.rebill_no


RebillOutcome = SettledRebill | RefusedRebill
"""What rebilling returns for a request."""
