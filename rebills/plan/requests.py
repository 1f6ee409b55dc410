"""PURE: what is asked of a rebill, and what is known of the invoice that it replaces."""

from collections.abc import Callable, Hashable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from invoices.calculation import ZERO
from invoices.document import Document
from invoices.plan.actions import PayerFacts
from invoices.plan.allocating import OpenItem
from invoices.plan.facts import ServiceFacts
from invoices.tax_engines.protocol import TaxAddress
from rebills.plan.differences import Names


class LineChange(NamedTuple):
    """What is asked for a line. Nothing given leaves what stands on the original.

    `path` is where it stands in what was sent, and `prefix` what its prices are called there, for messages. Locations and
    contacts are given by their primary keys. `retax`: the tax rates of the line are looked up again.
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
    """The total units of a metered charge of the original: by one of its lines, or by plan instance, service and first day as
    far as given. `path` is where it is in what was sent."""

    units: Decimal
    path: str = ""
    line_no: int | None = None
    plan_instance_no: int | None = None
    service_no: int | None = None
    period_start: date | None = None
    comments: str = ""


class MoneyFacts(NamedTuple):
    """The account's money: its balance, what payments and credits have paid of the original, what is left of others (the
    oldest first), and what is due on other invoices (the oldest first)."""

    balance: Decimal = ZERO
    paid: tuple[OpenItem, ...] = ()
    credits: tuple[OpenItem, ...] = ()
    debits: tuple[OpenItem, ...] = ()
    payer: PayerFacts = PayerFacts(is_test=False, status=1, has_method=False)
    threshold: Decimal = ZERO


class TaxFacts(NamedTuple):
    """What is known of taxes today: the client's engine, and what that looks at of an address; and where contacts and locations
    are. Only for documents that do not say it themselves: how tax is rounded, and which services' prices contain it."""

    engine: str
    place: Callable[[TaxAddress], Hashable]
    contacts: Mapping[int, TaxAddress]
    locations: Mapping[int, TaxAddress]
    per_line: bool
    gross_services: frozenset[int]


class RebillFacts(NamedTuple):
    """What a rebill is planned from.

    `collects`: what is due is to be collected. `chain_root` is the first invoice of the chain, `statement_contact` who is to
    get the statement. `parties` are the account's contacts as they are printed, by their keys; `bill_to_contact` and
    `taxed_contact` are those that lines without a contact go to. `retax`: the tax rates of all lines are looked up again.
    `names` are for words on what was changed.
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

    @property
    def currency(self) -> str:
        return self.original.terms.currency
