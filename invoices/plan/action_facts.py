"""What decides on acts on a document, read by services and passed to the rules in `actions`."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.kinds import BILLABLE_STATUSES
from billing_site.errors import Detail, shown_detail, word
from invoices.calculation import ZERO
from invoices.kinds import NOUNS, InvoiceKind, InvoiceStatus


class InTheWay(NamedTuple):
    """What blocks an act: a document, a transaction or a collection attempt."""

    type: str
    number: int
    name: str

    @property
    def shown(self) -> str:
        """Its name for a page, in the reader's language."""
        return str(shown_detail(self.name))


def _name(kind: str, invoice_no: int, document_number: str) -> str:
    """Return a document's number, or what it is called as long as it has none."""
    return document_number or Detail("{kind} {number}", kind=word(NOUNS[kind]), number=invoice_no)


class Correcting(NamedTuple):
    """A live document that corrects another."""

    invoice_no: int
    kind: str
    status: str
    document_number: str

    @property
    def blocker(self) -> InTheWay:
        return InTheWay("invoice", self.invoice_no, _name(self.kind, self.invoice_no, self.document_number))


class InvoiceCredit(NamedTuple):
    """A write-off or dispute that is not voided."""

    transaction_id: int
    kind: str

    @property
    def blocker(self) -> InTheWay:
        return InTheWay(
            "transaction",
            self.transaction_id,
            Detail("{kind} {number}", kind=word(self.kind.replace("_", "-")), number=self.transaction_id),
        )


class PayerFacts(NamedTuple):
    """What decides whether an account can be billed, and whether a gateway can collect from it."""

    is_test: bool
    status: int
    has_method: bool

    @property
    def is_billed(self) -> bool:
        return not self.is_test and self.status in BILLABLE_STATUSES


class DocumentFacts(NamedTuple):
    """What decides on acts on a document, on the client's day `today`.

    `invoice_date` is None before it is issued. `to_credit` is its total less credit memos, write-offs and disputes. `part_of`
    is the rebill that a memo was issued with, `original` the document that it corrects, `newest` the last issued rebill of its
    chain. `refund_no` is a refund that has left it unpaid. `reopens` says that voiding it makes its cycle due again;
    `cycle_is_open` that its cycle can be billed now. `billed_by` is another live document of its cycle, `pending_no` the
    account's pending invoice of a cycle. `closed_through` is the last day of the client's closed periods.
    `restored_by` is the invoice by which its void was undone. `bills_again`: it billed periods of another voided invoice again.
    """

    invoice_no: int
    account_no: int
    kind: str
    status: str
    document_number: str
    currency: str
    total: Decimal
    due: Decimal
    payer: PayerFacts
    today: date
    invoice_date: date | None
    to_credit: Decimal = ZERO
    corrected_by: tuple[Correcting, ...] = ()
    part_of: Correcting | None = None
    original: Correcting | None = None
    newest: Correcting | None = None
    billed_by: Correcting | None = None
    cycle_is_open: bool = False
    credits: tuple[InvoiceCredit, ...] = ()
    refund_no: int | None = None
    attempt_status: str | None = None
    attempt_no: int | None = None
    has_payments: bool = False
    reopens: bool = False
    pending_no: int | None = None
    closed_through: date | None = None
    restored_by: Correcting | None = None
    bills_again: bool = False

    @property
    def name(self) -> str:
        return _name(self.kind, self.invoice_no, self.document_number)

    def rebill(self, status: InvoiceStatus) -> Correcting | None:
        """Return its rebill with this status: approved, or pending."""
        rebills = (one for one in self.corrected_by if one.kind == InvoiceKind.REBILL and one.status == status)
        return next(rebills, None)

    @property
    def memo(self) -> Correcting | None:
        """Return a credit memo of it that was not issued with a rebill."""
        return next((one for one in self.corrected_by if one.kind == InvoiceKind.CREDIT_MEMO), None)
