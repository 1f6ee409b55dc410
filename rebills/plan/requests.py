"""PURE: the requested changes of a rebill, and the facts about the invoice that it replaces."""

from collections.abc import Callable, Hashable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.kinds import CreditTo
from billing_site.common.currencies import Currency
from invoices.calculation import ZERO
from invoices.document import Document
from invoices.plan.action_facts import PayerFacts
from invoices.plan.allocating import OpenItem
from invoices.plan.facts import ServiceFacts
from invoices.tax_engines.protocol import TaxAddress
from rebills.plan.differences import Names


class RequestedLine(NamedTuple):
    """The requested change of a line. None keeps the original's value.

    `service_no` and `client_service_id` name the same service. Contacts are numbers within the account. `retax`: look the tax
    rates up again. `discount_percent` is taken off the rate, or the amount. `path` and `prefix` locate the line in the
    request, for error messages.
    """

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
    discount_percent: Decimal | None = None


class RequestedUsage(NamedTuple):
    """The corrected total units of a metered charge.

    The charge is named by one of its lines, or by plan instance, service and first day, as far as needed to name only one.
    """

    units: Decimal
    path: str = ""
    line_no: int | None = None
    plan_instance_no: int | None = None
    service_no: int | None = None
    client_service_id: str | None = None
    period_start: date | None = None
    comments: str = ""


class LineChange(NamedTuple):
    """The requested change of a line. None keeps the original's value.

    `path` is the position in the request and `prefix` the prefix of its price fields, both for error messages. Locations and
    contacts are primary keys. `retax`: look the line's tax rates up again.
    """

    line_no: int
    path: str = ""
    prefix: str = ""
    exclude: bool = False
    service: ServiceFacts | None = None
    rate: Decimal | None = None
    units: Decimal | None = None
    amount: Decimal | None = None
    comments: str = ""
    po_num: str | None = None
    bill_from: int | None = None
    ship_from: int | None = None
    bill_to: int | None = None
    ship_to: int | None = None
    description: str | None = None
    period_start: date | None = None
    period_end: date | None = None
    retax: bool = False

    @property
    def is_priced(self) -> bool:
        return not (self.rate is None and self.units is None and self.amount is None)


class UsageCorrection(NamedTuple):
    """The corrected total units of a metered charge.

    The charge is named by one of its lines, or by plan instance, service and first day, as far as they are set. `path` is the
    position in the request.
    """

    units: Decimal
    path: str = ""
    line_no: int | None = None
    plan_instance_no: int | None = None
    service_no: int | None = None
    period_start: date | None = None
    comments: str = ""


class MoneyFacts(NamedTuple):
    """The money of an account: balance, payments and credits applied to the original, unapplied credits, and the open
    amounts of other invoices. The last two are oldest first. `payments` are those of
    `paid` that can be refunded; they are read only if freed money is refunded."""

    balance: Decimal = ZERO
    paid: tuple[OpenItem, ...] = ()
    credits: tuple[OpenItem, ...] = ()
    debits: tuple[OpenItem, ...] = ()
    payer: PayerFacts = PayerFacts(is_test=False, status=1, has_method=False)
    threshold: Decimal = ZERO
    payments: frozenset[int] = frozenset()


class TaxFacts(NamedTuple):
    """The client's tax setup today: engine, the part of an address that the engine looks at, and all addresses.

    `per_line` (tax is rounded per line) and `gross_services` (their prices contain tax) are used only for older documents that
    do not store this.
    """

    engine: str
    place: Callable[[TaxAddress], Hashable]
    contacts: Mapping[int, TaxAddress]
    locations: Mapping[int, TaxAddress]
    per_line: bool
    gross_services: frozenset[int]


class RebillFacts(NamedTuple):
    """What a rebill is planned from.

    `collects`: the amount due is to be collected. `chain_root` is the first invoice of the chain. `statement_contact` gets the
    statement. `parties` are the account's contacts as printed, by primary key. Lines without a contact get `bill_to_contact`
    and `taxed_contact`. `retax`: look the tax rates of all lines up again. `names` are used to describe changes.
    """

    invoice_no: int
    account_no: int
    original: Document
    carries_unlisted: bool
    retax: bool
    tax: TaxFacts
    collects: bool
    parties: Mapping[int, Mapping[str, str]]
    bill_to_contact: int | None
    taxed_contact: int | None
    names: Names
    money: MoneyFacts
    reason_code: int | None
    comments: str
    chain_root: int
    statement_contact: int | None
    credit_to: CreditTo = CreditTo.OLDEST_OPEN_INVOICE

    @property
    def currency(self) -> Currency:
        return self.original.currency
