"""PURE: the parts of a document that is not stored yet."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from billing_site.common.currencies import Currency
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.basis import Basis, ChargeBasis, CoverBasis, MinimumBasis
from invoices.calculation import MOST_BEFORE_TAX, ZERO, split, split_in_order, total
from invoices.document import Credit, Line

T = TypeVar("T")


LONGEST_TEXT = 200
"""The longest description or explanation of a line."""


def fitted(text: str) -> str:
    """Shorten a text that is too long for a line."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


class UsageClaim(NamedTuple):
    """The usage of a service that the document bills: the number of records, the last day (`through`) and the highest key
    (`last_record`)."""

    plan_instance_no: int
    service_no: int
    through: date
    last_record: int
    records: int


class CouponClaim(NamedTuple):
    redemption_no: int
    line_no: int


class CreditClaim(NamedTuple):
    credit_no: int
    line_no: int
    amount: Decimal


class UnusedClaim(NamedTuple):
    """Unused days that a line credits, and the line that charged them."""

    line_no: int
    plan_instance_no: int
    source_no: int
    source_line_no: int
    step: int
    first_day: date
    last_day: date
    amount: Decimal


class Claims(NamedTuple):
    """What the document holds, so that no other document bills or uses it."""

    usage: tuple[UsageClaim, ...] = ()
    orders: tuple[int, ...] = ()
    coupons: tuple[CouponClaim, ...] = ()
    credits: tuple[CreditClaim, ...] = ()
    unused: tuple[UnusedClaim, ...] = ()


class Contacts(NamedTuple):
    """The contacts of lines with services, by primary key."""

    bill_to: int | None = None
    ship_to: int | None = None


NO_CONTACTS = Contacts()


class Lines:
    """Collects the lines of a document. `left` is what credits leave of each charge; `gross` are lines whose prices contain
    tax."""

    def __init__(self, currency: Currency, contacts: Contacts = NO_CONTACTS) -> None:
        self.currency = currency
        self.contacts = contacts
        self.drafts: list[Line] = []
        self.credits: list[Credit] = []
        self.left: dict[int, Decimal] = {}
        self.gross: set[int] = set()
        self.charges: list[ChargeBasis] = []
        self.covers: list[CoverBasis] = []
        self.minimums: list[MinimumBasis] = []
        self.left_out: list[Detail] = []

    def add_if_it_fits(self, what: Detail, add: Callable[[], T]) -> T | None:
        """Return what `add` returns, or None if the invoice would become too large.

        In that case nothing is added, and `what` is noted as left out. So one wrong record or order does not stop the billing
        of its account.
        """
        drafts, credits = len(self.drafts), len(self.credits)
        charges, covers = len(self.charges), len(self.covers)
        left = dict(self.left)
        try:
            added = add()
            if total(line.amount for line in self.drafts) > MOST_BEFORE_TAX:
                raise BillingError(ErrorCode.AMOUNT_TOO_LARGE)
        except BillingError as error:
            if error.code is not ErrorCode.AMOUNT_TOO_LARGE:
                raise
            del self.drafts[drafts:], self.credits[credits:], self.charges[charges:], self.covers[covers:]
            self.left = left
            self.gross = {line_no for line_no in self.gross if line_no <= drafts}
            self.left_out.append(what)
            return None
        return added

    @property
    def basis(self) -> Basis:
        return Basis(tuple(self.charges), tuple(self.covers), tuple(self.minimums))

    def add(self, line_type: int, description: str, amount: Decimal, **columns: Any) -> int:
        """Add a charge, and return its line number."""
        line_no = self._append(line_type, description, amount, columns)
        self.left[line_no] = amount
        return line_no

    def reduce(self, line_type: int, description: str, amount: Decimal, line_nos: Sequence[int], **columns: Any) -> int:
        """Add a line that reduces other lines, spread over what is left of them, and return its number."""
        parts = split(amount, [self.left[line_no] for line_no in line_nos], self.currency)
        return self._take(line_type, description, dict(zip(line_nos, parts, strict=True)), columns)

    def give_back(self, line_type: int, description: str, amount: Decimal, **columns: Any) -> int | None:
        """Add a charge of -`amount`, and return its line number, or None if the lines of its tax category are too small.

        It reduces the lines of its own service first, then others of its tax category, so that its own rate is given back.
        """
        same = [line for line in self.drafts if line.tax_category == columns.get("tax_category", "")]
        left = {line.line_no: self.left[line.line_no] for line in same if self.left.get(line.line_no, ZERO) > ZERO}
        if total(left.values()) < amount:
            return None
        own = frozenset(line.line_no for line in same if line.service_id == columns.get("service_id"))
        return self._take(line_type, description, split_in_order(amount, left, (own,), self.currency), columns)

    def _take(self, line_type: int, description: str, parts: Mapping[int, Decimal], columns: dict[str, Any]) -> int:
        credit_line_no = self._append(line_type, description, -total(parts.values()), columns)
        for line_no, part in parts.items():
            if part:
                self.left[line_no] -= part
                self.credits.append(Credit(credit_line_no=credit_line_no, credited_line_no=line_no, amount=part))
        return credit_line_no

    def _append(self, line_type: int, description: str, amount: Decimal, columns: dict[str, Any]) -> int:
        line_no = len(self.drafts) + 1
        if columns.pop("is_gross", False):
            self.gross.add(line_no)
        if columns.get("service_id") is not None:
            columns["bill_to_contact_id"], columns["ship_to_contact_id"] = self.contacts
        if "explanation" in columns:
            columns["explanation"] = fitted(columns["explanation"])
        line = Line(line_no=line_no, line_type=line_type, description=fitted(description), amount=amount, **columns)
        self.drafts.append(line)
        return line_no

    def charging_for(self, service_nos: Iterable[int]) -> list[int]:
        """Return the charges of these services, or of all if none are given, that are not fully credited."""
        chosen = frozenset(service_nos)
        return [
            line.line_no
            for line in self.drafts
            if self.left.get(line.line_no, ZERO) > ZERO and (not chosen or line.service_id in chosen)
        ]
