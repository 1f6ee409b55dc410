"""PURE: what is asked of a rebill, and what is known of the invoice that it replaces."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from invoices.calculation import ZERO
from invoices.fingerprints import Content
from invoices.plan.actions import PayerFacts
from invoices.plan.allocating import OpenItem
from invoices.plan.facts import ServiceFacts
from rebills.plan.differences import Names


class LineChange(NamedTuple):
    """What is asked for a line. Nothing given leaves what stands on the original.

    `path` is where it stands in what was sent, and `prefix` what its prices are called there, for messages. Locations and
    contacts are given by their primary keys.
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


class RebillFacts(NamedTuple):
    """What a rebill is planned from.

    `inclusive` are the services whose prices contain tax. `collects`: what is due is to be collected. `chain_root` is the first
    invoice of the chain, `statement_contact` who is to get the statement. `parties` are the account's contacts as they are
    printed, by their keys, and `bill_to` its billing contact. `names` are for words on what was changed.
    """

    invoice_no: int
    account_no: int
    original: Content
    inclusive: frozenset[int]
    carries_unlisted: bool
    tax_per_line: bool
    collects: bool
    seller: Mapping[str, str]
    bill_to: Mapping[str, str]
    parties: Mapping[int, Mapping[str, str]]
    names: Names
    money: MoneyFacts
    reason_code: int | None
    comments: str
    chain_root: int
    statement_contact: int | None

    @property
    def currency(self) -> str:
        return str(self.original.term("currency"))
