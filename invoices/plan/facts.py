"""PURE: what is known of an account before it is billed, and what is asked of a generation."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from accounts.periods import InstanceDates
from accounts.rates import Rates
from billing_site.common.currencies import Currency
from invoices.kinds import InvoiceKind
from invoices.plan.drafts import Contacts
from invoices.plan.holes import Billed
from invoices.plan.tax_answers import Exemption
from invoices.plan.unused import SourceLine


class ServiceFacts(NamedTuple):
    service_no: int
    name: str
    gl_code: str
    tax_category: str
    tax_inclusive: bool
    location_no: int | None


class ChargeFacts(NamedTuple):
    """What a plan charges for a service, with its list prices and the plan instance's own prices in their place."""

    line_type: int
    service: ServiceFacts
    listed: tuple[Rates, ...]
    own: tuple[Rates, ...] = ()


class UsageTotal(NamedTuple):
    """The records of one service and day, added up: how many they are, and the newest of them.

    Days of one cycle may stand under the first of them, since they are billed together.
    """

    service_no: int
    day: date
    units: Decimal
    records: int
    last_record: int


class BilledUsage(NamedTuple):
    """What an invoice has charged for the usage of a service from a day on: units at rates, or what a bound has added."""

    service_no: int
    day: date
    units: Decimal
    amount: Decimal
    adjustment: Decimal


class InstanceFacts(NamedTuple):
    """A plan instance. `usage` is not on an invoice yet; `billed_usage` is, in cycles of which more usage came in late."""

    plan_instance_no: int
    dates: InstanceDates
    plan_name: str
    units: Decimal
    po_num: str
    charges: tuple[ChargeFacts, ...]
    usage: tuple[UsageTotal, ...] = ()
    billed_usage: tuple[BilledUsage, ...] = ()


class OrderFacts(NamedTuple):
    """A one-time charge that no invoice holds."""

    order_no: int
    client_order_id: str
    description: str
    service: ServiceFacts
    units: Decimal
    rate: Decimal
    charge_date: date
    po_num: str


class SurchargeFacts(NamedTuple):
    """A surcharge of the client. No `service_nos`: it counts on everything."""

    name: str
    service: ServiceFacts
    percent: Decimal | None
    amount: Decimal | None
    currency: str
    service_nos: frozenset[int]
    valid_from: date
    valid_to: date | None

    def same(self) -> tuple[str, int, str]:
        """What identifies a surcharge."""
        return (self.name.casefold(), self.service.service_no, self.currency)


class CouponFacts(NamedTuple):
    """A redeemed coupon that has a cycle left. No `service_nos`: it is taken off everything."""

    redemption_no: int
    code: str
    name: str
    gl_code: str
    percent: Decimal | None
    amount: Decimal | None
    service_nos: frozenset[int]


class CreditFacts(NamedTuple):
    """A service credit of which something is left."""

    credit_no: int
    reason: str
    gl_code: str
    service_no: int | None
    expires_on: date | None
    amount: Decimal
    left: Decimal


class BillingState(NamedTuple):
    """The facts of an account that a plan stands on: when one of them has moved, the plan is void."""

    account_no: int
    status: int
    is_test: bool
    currency: Currency
    bill_day: int | None
    next_bill_date: date | None
    last_bill_date: date | None
    arrears_due_from: date | None
    billing_version: int


class AccountFacts(NamedTuple):
    """Everything that is read of an account before it is billed. `charged_days` are the lines of issued documents whose days
    are to be given back, or of which something was."""

    state: BillingState
    approval_required: bool
    payment_terms_days: int
    instances: tuple[InstanceFacts, ...]
    orders: tuple[OrderFacts, ...]
    surcharges: tuple[SurchargeFacts, ...]
    coupons: tuple[CouponFacts, ...]
    credits: tuple[CreditFacts, ...]
    charged_days: tuple[SourceLine, ...]
    pending_invoice_no: int | None
    pending_recurring_date: date | None
    approved_invoice_no: int | None
    advance_bill_date: date | None
    bill_to: dict[str, str]
    bill_to_contact_no: int | None
    taxed_contact_no: int | None
    exemptions: tuple[Exemption, ...] = ()
    read_at: datetime | None = None
    again: "Again | None" = None

    @property
    def contacts(self) -> Contacts:
        return Contacts(self.bill_to_contact_no, self.taxed_contact_no)

    def exemption_on(self, day: date) -> Exemption | None:
        """Why the customer is charged no tax on a day: by the account, else by the contact whose address is taxed."""
        return next((one for one in self.exemptions if one.holds_on(day)), None)


class Again(NamedTuple):
    """What of a voided invoice is to be billed again: in its kind and for its bill date."""

    kind: InvoiceKind
    bill_date: date
    bill_day: int
    hole: Billed


class BillingRequest(NamedTuple):
    """What is asked of a generation, the same for every account of a batch. `again_for` is a voided invoice of the one account:
    its periods are billed again, not the account's next cycle."""

    today: date
    advance: bool = False
    alt_bill_day: int | None = None
    force_pending: bool = False
    again_for: int | None = None
