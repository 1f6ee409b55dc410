"""Write ledger entries and allocations. No other module writes these tables. The accounts must be locked."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts.models import Account
from accounts.trail import Act, record_consequences
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.currencies import LARGEST_AMOUNT
from billing_site.common.storage import insert_rows, reserve_ids, update_rows
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO, amount_text, rounded
from invoices.kinds import CYCLE_KINDS, FREE_KINDS, AllocationKind, EntryKind, InvoiceStatus
from invoices.models import Allocation, Invoice, LedgerEntry
from invoices.plan.allocating import Taken

ENTRY_FIELDS = (
    "account_id",
    "entry_no",
    "kind",
    "amount",
    "balance_after",
    "invoice_id",
    "voids_id",
    "entry_date",
    "created_at",
    "created_by",
    "reason_code",
    "comments",
)


class AccountPosition(NamedTuple):
    """The newest entry number and balance of a locked account, and its pending invoice of a cycle.

    `has_credits` says whether the account has payments or cash credits, even if they are used up.
    """

    entry_no: int = 0
    balance: Decimal = ZERO
    has_credits: bool = False
    pending_invoice_no: int | None = None


class Draft(NamedTuple):
    """An entry to be written. An amount above zero increases what the account owes."""

    account_no: int
    kind: EntryKind
    amount: Decimal
    invoice_no: int | None = None
    voids: int | None = None
    reason_code: int | None = None
    comments: str = ""


class PostedBy(NamedTuple):
    """When and by whom entries are posted; `day` is the date in the client's time zone."""

    day: date
    at: datetime
    identity: str


def account_positions(account_nos: Collection[int]) -> dict[int, AccountPosition]:
    """Return the position of each account. One query, which reads only the newest entry of each account."""
    return {
        number: AccountPosition(entry_no or 0, balance if balance is not None else ZERO, has_credits, pending_no)
        for number, entry_no, balance, has_credits, pending_no in position_rows(sorted(account_nos))
    }


@compiled_read
def position_rows(account_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    """Read what `account_positions` returns."""
    newest = LedgerEntry.objects.filter(account=OuterRef("pk")).order_by("-entry_no")
    credits = LedgerEntry.objects.filter(account=OuterRef("pk"), amount__lt=0, kind__in=FREE_KINDS)
    pending = Invoice.objects.filter(account=OuterRef("pk"), status=InvoiceStatus.PENDING, kind__in=CYCLE_KINDS).order_by("pk")
    return (
        Account.objects.filter(pk__in=account_nos)
        .order_by("pk")
        .values_list(
            "pk",
            Subquery(newest.values("entry_no")[:1]),
            Subquery(newest.values("balance_after")[:1]),
            Exists(credits),
            Subquery(pending.values("pk")[:1]),
        )
    )


def post(drafts: Sequence[Draft], posted_by: PostedBy, positions: dict[int, AccountPosition] | None = None) -> list[int]:
    """Write entries, and return their numbers in the same order. The accounts must be locked.

    If the positions were read before, give them as `positions`; they are updated with the new balances. Refuses a balance that
    is too large to be stored exactly (90008).
    """
    if not drafts:
        return []
    if positions is None:
        positions = account_positions({draft.account_no for draft in drafts})
    numbers = reserve_ids(LedgerEntry, len(drafts))
    rows = _rows(drafts, posted_by, positions)
    insert_rows(LedgerEntry, ("id", *ENTRY_FIELDS), [(number, *row) for number, row in zip(numbers, rows, strict=True)])
    return numbers


def post_unnumbered(drafts: Sequence[Draft], posted_by: PostedBy, positions: dict[int, AccountPosition]) -> None:
    """Write entries whose numbers are not needed, so that the database can assign them."""
    insert_rows(LedgerEntry, ENTRY_FIELDS, _rows(drafts, posted_by, positions))


def _balance_after(balance: Decimal, draft: Draft) -> Decimal:
    """Return the balance after the entry. Refuses a balance that is too large to be stored exactly (90008)."""
    after = balance + draft.amount
    if abs(after) > LARGEST_AMOUNT:
        first = (
            Detail("record payments or credits first") if after > ZERO else Detail("refund or void payments or credits first")
        )
        detail = Detail(
            "account {account_no}: its balance would be {after}; {first}",
            account_no=draft.account_no,
            after=f"{after.normalize():f}",
            first=first,
        )
        raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, detail)
    return after


def _rows(drafts: Sequence[Draft], posted_by: PostedBy, positions: dict[int, AccountPosition]) -> list[tuple[Any, ...]]:
    rows = []
    for draft in drafts:
        before = positions[draft.account_no]
        after = before._replace(entry_no=before.entry_no + 1, balance=_balance_after(before.balance, draft))
        positions[draft.account_no] = after
        rows.append(
            (
                draft.account_no,
                after.entry_no,
                draft.kind.value,
                draft.amount,
                after.balance,
                draft.invoice_no,
                draft.voids,
                posted_by.day,
                posted_by.at,
                posted_by.identity,
                draft.reason_code,
                draft.comments,
            )
        )
    return rows


def allocate(
    taken: Sequence[Taken],
    posted_by: PostedBy,
    kind: AllocationKind = AllocationKind.APPLIED,
    *,
    own_events: Collection[int] = (),
) -> None:
    """Write which credit pays which debit. An amount below zero releases the credit. The open amounts of the invoices among the
    debits change with it, and each that is paid by it gets an event. A payment with an earlier date than the invoice that it
    pays counts from the invoice's day. The accounts must be locked.

    `own_events` are invoices without this event: the act is about them, and its own events say what became of them.
    """
    if not taken:
        return
    lowered: dict[int, Decimal] = defaultdict(Decimal)
    for one in taken:
        lowered[one.debit_no] += one.amount
    rows = [_Open._make(row) for row in _open_amounts(sorted(lowered))]
    issued = {row.entry_no: row.day for row in rows}
    days = {number: max(posted_by.day, issued.get(number, posted_by.day)) for number in lowered}
    insert_rows(
        Allocation,
        ("credit_id", "debit_id", "kind", "amount", "day", "created_at"),
        [(one.credit_no, one.debit_no, kind.value, one.amount, days[one.debit_no], posted_by.at) for one in taken],
    )
    update_rows(Invoice, ("open_amount",), [(row.invoice_no, row.left - lowered[row.entry_no]) for row in rows])
    paid = [
        (row.client_no, paid_act(row.account_no, row.invoice_no, row.left, row.total, row.currency))
        for row in rows
        if row.left > ZERO and row.left == lowered[row.entry_no] and row.invoice_no not in own_events
    ]
    record_consequences(paid, posted_by.identity, posted_by.at)


class _Open(NamedTuple):
    """What is open on an invoice."""

    invoice_no: int
    left: Decimal
    entry_no: int
    day: date
    client_no: int
    account_no: int
    total: Decimal
    currency: str


PAID = "invoice.paid"


def paid_act(account_no: int, invoice_no: int, was_open: Decimal, total: Decimal, currency: str) -> Act:
    """Return the event of an invoice that is paid. Amounts have the decimals of their currency."""
    before, after, of_all = (amount_text(amount, currency) for amount in (was_open, ZERO, total))
    values = {"open_amount": after, "total_amount": of_all, "currency": currency}
    return Act(PAID, account_no, invoice_no, before={"open_amount": before}, after=values)


def account_balance(account: Account) -> Decimal:
    """Return invoices less credits and payments, plus refunds. Pending and discarded invoices do not count. One query."""
    newest = LedgerEntry.objects.filter(account=account).order_by("-entry_no").values_list("balance_after", flat=True)
    return rounded(newest.first() or ZERO, account.billing_currency)


@compiled_read
def _open_amounts(entry_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    charges = LedgerEntry.objects.filter(pk__in=entry_nos, kind=EntryKind.INVOICE)
    invoice = "invoice__client_id", "invoice__account_id", "invoice__total_amount", "invoice__currency"
    return charges.values_list("invoice_id", "invoice__open_amount", "pk", "entry_date", *invoice)
