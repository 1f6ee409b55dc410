"""What is asked of rebills, as it comes in at a door: services, locations and contacts by the numbers that callers know."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from billing_site.errors import BillingError
from invoices.models import Statement
from invoices.services.documents.collection_results import Collected
from rebills.plan import RebillPlan


class RequestedLine(NamedTuple):
    """A line to be rebilled: `service_no` or, where that is not given, `client_service_id`; contacts by their numbers on the
    account. Nothing given leaves what is on the original. `retax`: its tax rates are looked up again. `path` and `prefix` are
    for messages."""

    line_no: int
    path: str = ""
    prefix: str = ""
    exclude: bool = False
    service_no: int | None = None
    client_service_id: str | None = None
    rate_per_unit: Decimal | None = None
    units: Decimal | None = None
    amount: Decimal | None = None
    comments: str = ""
    po_num: str | None = None
    bill_from_location_no: int | None = None
    ship_from_location_no: int | None = None
    bill_to_address_seq: int | None = None
    ship_to_address_seq: int | None = None
    description: str | None = None
    period_start: date | None = None
    period_end: date | None = None
    retax: bool = False


class RequestedUsage(NamedTuple):
    """The total units of a metered charge: by one of its lines, or by plan instance, service and first day, as far as these are
    needed to name one charge."""

    units: Decimal
    path: str = ""
    line_no: int | None = None
    plan_instance_no: int | None = None
    service_no: int | None = None
    client_service_id: str | None = None
    period_start: date | None = None
    comments: str = ""


class RebillRequest(NamedTuple):
    """A rebill that is asked for.

    `carries_unlisted`, `collect`, `keeps_due_date`: None leaves it to the client's settings. `statement_contact_no` is of the
    account. `account_no` or `client_acct_id` is whose invoice the caller takes it for. `fingerprint` is that of the preview
    that was seen. Only a preview may have no reason yet. `retax`: the tax rates of all lines are looked up again.
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


class RebillOutcome(NamedTuple):
    """What came of a rebill: a plan and, once it is recorded, its number; or the error that refused it.

    `waits`: it is held for approval. `collection` and `statement` are what came of settling it.
    """

    request: RebillRequest
    account_no: int | None = None
    plan: RebillPlan | None = None
    rebill_no: int | None = None
    waits: bool = False
    error: BillingError | None = None
    collection: Collected | None = None
    statement: Statement | None = None
