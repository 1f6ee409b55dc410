"""PURE: the facts of an account before it is billed, and the request to bill it."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from accounts.periods import InstanceDates, Pause
from accounts.rates import PerRecord, Rates
from accounts.unit_codes import PIECE
from billing_site.common.currencies import Currency
from invoices.calculation import ONE
from invoices.kinds import InvoiceKind
from invoices.plan.drafts import Contacts
from invoices.plan.tax_answers import Exemption
from invoices.plan.unbilled_periods import Billed
from invoices.plan.unused import SourceLine


class ServiceFacts(NamedTuple):
    service_no: int
    name: str
    gl_code: str
    tax_category: str
    tax_inclusive: bool
    location_no: int | None
    unit_code: str = PIECE
    price_units: Decimal = ONE


class ChargeFacts(NamedTuple):
    """A charge of a plan for a service, with list prices and customer prices (`own`), which replace them.

    `interval` is the number of months that it covers. None: those of its plan instance's cycles. `per_record` is how its usage
    records were rounded when they were loaded. `charge_no` is its number.
    """

    line_type: int
    service: ServiceFacts
    listed: tuple[Rates, ...]
    own: tuple[Rates, ...] = ()
    interval: int | None = None
    per_record: PerRecord = PerRecord()
    charge_no: int = 0


class UsageTotal(NamedTuple):
    """The usage of one service and day, added up.

    Usage of several days of one cycle may be added up under the first of them, because it is billed together.
    """

    service_no: int
    day: date
    units: Decimal
    records: int
    last_record: int


class BilledUsage(NamedTuple):
    """What a document has charged for the usage of a service in the cycle of a day."""

    service_no: int
    day: date
    units: Decimal
    amount: Decimal
    adjustment: Decimal


class Spent(NamedTuple):
    """What issued documents have charged for a period that begins on a day."""

    day: date
    amount: Decimal


class MinimumFacts(NamedTuple):
    """The minimum of a plan for `interval` months, and the service of the line that adds what is missing.

    `spent` is what issued documents have charged without such lines, `added` what such lines have charged.
    """

    amount: Decimal
    service: ServiceFacts
    interval: int
    spent: tuple[Spent, ...] = ()
    added: tuple[Spent, ...] = ()


class InstanceFacts(NamedTuple):
    """A plan instance. `usage` is not billed yet; `billed_usage` is what cycles with late usage have already billed.

    `pauses` are days that are not charged. `last_day` is set if a voided invoice's days are billed again, whose end is then the
    end in `dates`: the plan instance's own last day, or `date.max`.
    """

    plan_instance_no: int
    dates: InstanceDates
    plan_name: str
    units: Decimal
    po_num: str
    charges: tuple[ChargeFacts, ...]
    usage: tuple[UsageTotal, ...] = ()
    billed_usage: tuple[BilledUsage, ...] = ()
    pauses: tuple[Pause, ...] = ()
    last_day: date | None = None
    minimum: MinimumFacts | None = None

    @property
    def ends_on(self) -> date | None:
        """The last day, also while the days of a voided invoice are billed again."""
        return self.dates.end if self.last_day is None else self.last_day


class LineReferences(NamedTuple):
    """What a line refers to: the line of the customer's order, where the customer books it, and what it is for."""

    order_line: str = ""
    accounting_reference: str = ""
    object_reference: str = ""


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
    references: LineReferences = LineReferences()


class SurchargeFacts(NamedTuple):
    """A surcharge of the client. Without `service_nos` it is added to all services."""

    name: str
    service: ServiceFacts
    percent: Decimal | None
    amount: Decimal | None
    currency: str
    service_nos: frozenset[int]
    valid_from: date
    valid_to: date | None

    def same(self) -> tuple[str, int, str]:
        """Return what identifies a surcharge."""
        return (self.name.casefold(), self.service.service_no, self.currency)


class CouponFacts(NamedTuple):
    """A redeemed coupon that has a cycle left. Without `service_nos` it reduces all services."""

    redemption_no: int
    code: str
    name: str
    gl_code: str
    percent: Decimal | None
    amount: Decimal | None
    service_nos: frozenset[int]


class CreditFacts(NamedTuple):
    """A service credit that is not used up."""

    credit_no: int
    reason: str
    gl_code: str
    service_no: int | None
    expires_on: date | None
    amount: Decimal
    left: Decimal


class BillingState(NamedTuple):
    """The facts that a plan depends on. If one of them has changed, the plan is not recorded."""

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
    """All facts of an account before it is billed. `charged_days` are lines of issued documents whose unused days must be
    credited or were credited."""

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
        """Return the tax exemption on a day: of the account, else of the contact whose address is taxed."""
        return next((one for one in self.exemptions if one.holds_on(day)), None)


class Again(NamedTuple):
    """What must be billed again of a voided invoice, with its kind and bill date."""

    kind: InvoiceKind
    bill_date: date
    bill_day: int
    missing: Billed


class OneOff(NamedTuple):
    """Charges of one account to be billed at once: new ones, and stored ones by number.

    New charges have numbers below zero until they are stored, in the transaction that writes their document.
    """

    new: tuple[OrderFacts, ...] = ()
    order_nos: tuple[int, ...] = ()


class BillingRequest(NamedTuple):
    """The request to bill, the same for all accounts of a batch.

    `again_for` is a voided invoice of the only account: its periods are billed again, and not the account's next cycle. `final`
    bills what plans that have ended have left, today, without waiting for the account's next bill date. `one_off` bills
    charges of the only account at once, and nothing else.
    """

    today: date
    advance: bool = False
    alt_bill_day: int | None = None
    force_pending: bool = False
    again_for: int | None = None
    final: bool = False
    one_off: OneOff | None = None
