"""PURE: the catalogue of the company, and the customer that one row of its file describes. No database, no file.

List prices are round, and each customer pays a little more or less. The difference becomes the customer's own price of one
line, so that the lines of an account add up exactly to its MonthlyCharges.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple, TypeVar

from accounts.kinds import PaymentMethodType
from accounts.periods import ONE_DAY, bill_date_in_month, bill_date_months_on

REFERENCE_DATE = date(2026, 1, 1)
"""Customers were billed elsewhere until this date. The first open cycle begins on the bill day of this month."""

CURRENCY = "usd"
LONGEST_ID = 50
LONGEST_TENURE = 1200
HIGHEST_PRICE = Decimal("100000.00")


class Offer(NamedTuple):
    """A service that the company sells, with its list price for one month."""

    service_id: str
    name: str
    gl_code: str
    tax_category: str
    list_price: Decimal


PHONE = Offer("phone", "Phone", "4010", "telecom", Decimal("20.00"))
SECOND_LINE = Offer("second-line", "Second line", "4020", "telecom", Decimal("5.00"))
DSL = Offer("dsl", "DSL internet", "4030", "internet", Decimal("25.00"))
FIBRE = Offer("fibre", "Fibre internet", "4040", "internet", Decimal("50.00"))
EXTRAS = {
    "OnlineSecurity": Offer("online-security", "Online security", "4050", "digital", Decimal("5.00")),
    "OnlineBackup": Offer("online-backup", "Online backup", "4060", "digital", Decimal("5.00")),
    "DeviceProtection": Offer("device-protection", "Device protection", "4070", "digital", Decimal("5.00")),
    "TechSupport": Offer("tech-support", "Tech support", "4080", "digital", Decimal("5.00")),
    "StreamingTV": Offer("streaming-tv", "Streaming TV", "4090", "digital", Decimal("10.00")),
    "StreamingMovies": Offer("streaming-movies", "Streaming movies", "4100", "digital", Decimal("10.00")),
}
OFFERS = (PHONE, SECOND_LINE, DSL, FIBRE, *EXTRAS.values())

YES_OR_NO = {"Yes": True, "No": False}
NO_PHONE = "No phone service"
NO_INTERNET = "No internet service"
INTERNET = {"DSL": DSL, "Fiber optic": FIBRE, "No": None}
CONTRACT_MONTHS = {"Month-to-month": 0, "One year": 12, "Two year": 24}
PAYMENT_TYPES = {
    "Credit card (automatic)": PaymentMethodType.CARD,
    "Bank transfer (automatic)": PaymentMethodType.BANK_TRANSFER,
    "Electronic check": PaymentMethodType.ELECTRONIC_CHECK,
    "Mailed check": PaymentMethodType.MAILED_CHECK,
}

ID_COLUMN = "customerID"
COLUMNS = (
    ID_COLUMN,
    "tenure",
    "PhoneService",
    "MultipleLines",
    "InternetService",
    *EXTRAS,
    "Contract",
    "PaymentMethod",
    "MonthlyCharges",
    "Churn",
)
"""Columns that a file must have."""

AMOUNT_COLUMNS = ("MonthlyCharges", "TotalCharges")

UNUSED_COLUMNS = ("gender", "SeniorCitizen", "Partner", "Dependents", "PaperlessBilling", "TotalCharges")
"""Columns that a file may have and that are not used, except that TotalCharges is checked. Any other column is refused."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer of the company. `offers` are the services taken. The base line (internet, else phone) is first."""

    customer_id: str
    tenure: int
    term_months: int
    offers: tuple[Offer, ...]
    monthly_amount: Decimal
    payment_type: PaymentMethodType
    has_left: bool

    @property
    def base_price(self) -> Decimal:
        """The customer's price of the base line: MonthlyCharges minus the list prices of the other lines."""
        return self.monthly_amount - sum(offer.list_price for offer in self.offers[1:])

    @property
    def own_price(self) -> Decimal | None:
        """The customer's own price of the base line, or None if it is the list price."""
        return None if self.base_price == self.offers[0].list_price else self.base_price

    @property
    def bill_day(self) -> int:
        """The bill day. The file has none, so the customer's id spreads them over 1 to 28, the same on every machine."""
        return zlib.crc32(self.customer_id.encode()) % 28 + 1

    @property
    def first_bill_date(self) -> date:
        """The day on which the first open cycle begins."""
        return bill_date_in_month(REFERENCE_DATE.year, REFERENCE_DATE.month, self.bill_day)

    @property
    def start_date(self) -> date:
        return bill_date_months_on(self.first_bill_date, -self.tenure, self.bill_day)

    @property
    def billed_through(self) -> date | None:
        """The last day billed elsewhere, or None for a new customer."""
        return self.first_bill_date - ONE_DAY if self.tenure else None

    @property
    def gateway_token(self) -> str:
        """A token that the sandbox gateway approves, with the customer's id. The file has none."""
        return "" if self.payment_type is PaymentMethodType.MAILED_CHECK else f"sandbox_approved:{self.customer_id}"


class ColumnFault(NamedTuple):
    """What is wrong with the value in one column."""

    column: str
    message: str


class BadValues(Exception):
    """A row that does not describe a customer, with all its errors."""

    def __init__(self, faults: list[ColumnFault]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{column}: {message}" for column, message in faults))


def read_customer(row: Mapping[str, str]) -> Customer:
    """Return the customer that a row describes. Raises BadValues, which names every wrong column."""
    values = _Values(row)
    customer_id = values.customer_id()
    offers = _offers(values)
    tenure = values.tenure()
    term_months = values.one_of("Contract", CONTRACT_MONTHS)
    payment_type = values.one_of("PaymentMethod", PAYMENT_TYPES)
    monthly_amount = values.price("MonthlyCharges")
    has_left = values.one_of("Churn", YES_OR_NO)
    values.check_number_or_blank("TotalCharges")
    if (
        values.faults
        or tenure is None
        or term_months is None
        or payment_type is None
        or monthly_amount is None
        or has_left is None
    ):
        raise BadValues(values.faults)
    customer = Customer(customer_id, tenure, term_months, offers, monthly_amount, payment_type, has_left)
    if customer.base_price <= 0:
        others = monthly_amount - customer.base_price
        message = f"{monthly_amount} leaves no amount for {offers[0].name}, because the other services cost {others}"
        raise BadValues([ColumnFault("MonthlyCharges", message)])
    return customer


def _offers(values: "_Values") -> tuple[Offer, ...]:
    has_phone = values.one_of("PhoneService", YES_OR_NO)
    internet = values.one_of("InternetService", INTERNET)
    base = [offer for offer in (internet, PHONE if has_phone else None) if offer]
    second_line = values.part("MultipleLines", NO_PHONE, of="PhoneService", taken=has_phone)
    has_internet = None if values.is_wrong("InternetService") else internet is not None
    extras = [
        offer for column, offer in EXTRAS.items() if values.part(column, NO_INTERNET, of="InternetService", taken=has_internet)
    ]
    if has_phone is False and has_internet is False:
        values.refuse("PhoneService", "the customer has neither phone nor internet, so there is nothing to bill")
    return (*base, *([SECOND_LINE] if second_line else []), *extras)


class _Values:
    """The values of one row, and their errors. A refused value is None."""

    def __init__(self, row: Mapping[str, str]) -> None:
        self.row = row
        self.faults: list[ColumnFault] = []

    def refuse(self, column: str, message: str) -> None:
        self.faults.append(ColumnFault(column, message))

    def is_wrong(self, column: str) -> bool:
        return any(fault.column == column for fault in self.faults)

    def one_of(self, column: str, meanings: Mapping[str, T]) -> T | None:
        text = self.row[column]
        if text not in meanings:
            self.refuse(column, f"{shown(text)} is not one of {', '.join(meanings)}")
            return None
        return meanings[text]

    def part(self, column: str, without: str, *, of: str, taken: bool | None) -> bool:
        """Return whether a service that is part of another is taken. `without` is the file's word for not having that other
        service."""
        answer = self.one_of(column, {**YES_OR_NO, without: None})
        text = self.row[column]
        if taken is False and answer:
            self.refuse(column, f"{shown(text)} contradicts {of}, which is 'No'")
        if taken and text == without:
            self.refuse(column, f"{shown(text)} contradicts {of}, which is {shown(self.row[of])}")
        return bool(answer)

    def customer_id(self) -> str:
        text = self.row[ID_COLUMN]
        if not text.strip():
            self.refuse(ID_COLUMN, "is empty")
        elif len(text) > LONGEST_ID:
            self.refuse(ID_COLUMN, f"{shown(text)} is longer than {LONGEST_ID} characters")
        elif text != text.strip() or not text.isprintable():
            self.refuse(ID_COLUMN, f"{shown(text)} has spaces around it or characters that cannot be printed")
        return text

    def tenure(self) -> int | None:
        text = self.row["tenure"]
        if not re.fullmatch(r"-?[0-9]+", text):
            self.refuse("tenure", f"{shown(text)} is not a whole number of months")
        elif text.startswith("-"):
            self.refuse("tenure", f"{shown(text)} is negative")
        elif Decimal(text) > LONGEST_TENURE:
            self.refuse("tenure", f"{shown(text)} is more than {LONGEST_TENURE} months")
        else:
            return int(text)
        return None

    def price(self, column: str) -> Decimal | None:
        text = self.row[column]
        if not _is_number(text):
            self.refuse(column, f"{shown(text)} is not a number")
        elif text.startswith("-"):
            self.refuse(column, f"{shown(text)} is negative")
        elif len(text.partition(".")[2]) > 2:
            self.refuse(column, f"{shown(text)} has more than 2 decimals")
        elif Decimal(text) > HIGHEST_PRICE:
            self.refuse(column, f"{shown(text)} is more than {HIGHEST_PRICE}")
        else:
            return Decimal(text)
        return None

    def check_number_or_blank(self, column: str) -> None:
        text = self.row.get(column, "").strip()
        if text and not _is_number(text):
            self.refuse(column, f"{shown(text)} is not a number")


def _is_number(text: str) -> bool:
    """Whether the text is plain digits. Decimal also accepts NaN, Infinity, 1e5 and digits of other scripts, which are no
    prices."""
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) is not None


def shown(text: str) -> str:
    """Return a value as a report quotes it: on one line, and shortened."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
