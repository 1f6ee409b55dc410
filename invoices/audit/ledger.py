"""Check the ledger: each balance follows from the one before it, and no credit pays twice."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Exists, F, FloatField, IntegerField, OuterRef, Q, QuerySet, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Abs, Cast, Coalesce

from accounts.models import Event
from billing_site.common.storage import ExactSum
from invoices.audit.amounts import shown
from invoices.audit.reads import scope_read
from invoices.audit.reports import AuditReport
from invoices.audit.rules import Rule, differ
from invoices.audit.scopes import Scope, of_client
from invoices.calculation import ZERO
from invoices.kinds import (
    CHARGE_KINDS,
    FREE_KINDS,
    ISSUED_STATUSES,
    OFFSETTING_KINDS,
    OPEN_ATTEMPTS,
    PAYMENT_KINDS,
    REFUND_KINDS,
    AllocationKind,
    AttemptStatus,
    EntryKind,
    InvoiceKind,
    InvoiceStatus,
    RefundStatus,
)
from invoices.models import Allocation, CollectionAttempt, DailySum, Invoice, LedgerEntry, Payment, Refund, SummedLedger
from invoices.services.money.daily_sums import daily_sums, stored_sums

NEGATED = -1
# A number, because SQLite compares a sum with a decimal written as text by type, not by value.
NOTHING = Value(0, output_field=IntegerField())
BELOW_ANY_AMOUNT = Value(0.00005, output_field=FloatField())
"""Half the smallest difference of two amounts: SQLite adds up doubles."""


class Entry(NamedTuple):
    account_no: int
    client_no: int
    currency: str
    entry_no: int
    kind: str
    amount: Decimal
    balance_after: Decimal
    voided_kind: str | None

    @property
    def side(self) -> str:
        """Return the group of the entry in the sums. A void is in the group of the entry that it voids."""
        kind = self.voided_kind or self.kind
        if kind == EntryKind.INVOICE:
            return "charges"
        if kind in PAYMENT_KINDS:
            return "payments"
        return "refunds" if kind in REFUND_KINDS else "credits"


class _Sides:
    """Sums of charges, credits, payments and refunds, each above zero, and the balance that must follow from them."""

    def __init__(self) -> None:
        self.sums: dict[str, Decimal] = defaultdict(Decimal)
        self.balance = ZERO

    def add(self, entry: Entry) -> None:
        sign = 1 if entry.side in ("charges", "refunds") else NEGATED
        self.sums[entry.side] += sign * entry.amount

    def wrong(self) -> str | None:
        made = self.sums["charges"] - self.sums["credits"] - self.sums["payments"] + self.sums["refunds"]
        if made == self.balance:
            return None
        parts = ", ".join(f"{side} {shown(self.sums[side])}" for side in ("charges", "credits", "payments", "refunds"))
        return f"{parts} add up to {shown(made)}, but the balance is {shown(self.balance)}"


def balances(scope: Scope) -> tuple[AuditReport, AuditReport]:
    """Check that each balance is the one before plus the amount, and that charges less credits and payments are the balance.

    The second rule is checked for each account, and for all accounts of a client in one currency. All entries are read once.
    """
    entries = (Entry._make(row) for row in _entries(scope))
    count = 0
    running: list[str] = []
    conservation: list[str] = []
    clients: dict[tuple[int, str], _Sides] = defaultdict(_Sides)
    for account_no, mine in groupby(entries, itemgetter(0)):
        sides, before = _Sides(), Entry(account_no, 0, "", 0, "", ZERO, ZERO, None)
        for entry in mine:
            count += 1
            running.extend(f"account {account_no}: {words}" for words in _step(before, entry))
            sides.add(entry)
            clients[entry.client_no, entry.currency].add(entry)
            before = entry
        sides.balance = before.balance_after
        clients[before.client_no, before.currency].balance += before.balance_after
        if words := sides.wrong():
            conservation.append(f"account {account_no}: {words}")
    for (client_no, currency), sides in clients.items():
        if words := sides.wrong():
            conservation.append(f"client {client_no} in {currency}: {words}")
    return (
        AuditReport("Each balance is the one before it and the transaction's amount", count, running),
        AuditReport("Charges - credits - payments + refunds = balance", count, conservation),
    )


@scope_read
def _entries(scope: Scope) -> QuerySet[Any, Any]:
    rows = of_client(LedgerEntry, "account__client", scope).order_by("account_id", "entry_no")
    return rows.values_list(
        "account_id",
        "account__client_id",
        "account__currency",
        "entry_no",
        "kind",
        "amount",
        "balance_after",
        "voids__kind",
    )


def _step(before: Entry, entry: Entry) -> Iterator[str]:
    if entry.entry_no != before.entry_no + 1:
        yield f"transaction {entry.entry_no} comes after transaction {before.entry_no}"
    if entry.balance_after != before.balance_after + entry.amount:
        yield (
            f"transaction {entry.entry_no} of {shown(entry.amount)} brings {shown(before.balance_after)} to "
            f"{shown(entry.balance_after)}"
        )


def allocations(scope: Scope) -> AuditReport:
    """Check that no credit is used and no debit is paid beyond its amount, and that a release only frees what was allocated."""
    findings = [
        f"account {account_no}: debit {debit_no} releases more of credit {credit_no} than was allocated to it"
        for account_no, credit_no, debit_no, _ in _released_too_much(scope)
    ]
    findings += [
        f"account {account_no}: {shown(used)} is used of credit {number} of {shown(-amount)}"
        for account_no, number, amount, used in _used_too_much(scope)
    ]
    findings += [
        f"account {account_no}: debit {number} of {shown(amount)} is paid with {shown(used)}"
        for account_no, number, amount, used in _paid_too_much(scope)
    ]
    findings += [
        f"account {account_no}: debit {number} of {shown(amount)} is paid with {shown(used)} only"
        for account_no, number, amount, used in _paid_too_little(scope)
    ]
    findings += [
        f"account {account_no}: credit {number} of {shown(-amount)} is used for {shown(used)} only"
        for account_no, number, amount, used in _used_too_little(scope)
    ]
    return AuditReport("Payments and credits are used up to their amounts, once", _allocations.count(scope), findings)


@scope_read
def _allocations(scope: Scope) -> QuerySet[Any, Any]:
    return of_client(Allocation, "credit__account__client", scope).order_by().values("pk")


@scope_read
def _released_too_much(scope: Scope) -> Any:
    pairs = of_client(Allocation, "credit__account__client", scope).order_by()
    sums = pairs.values_list("credit__account_id", "credit_id", "debit_id").annotate(sum=ExactSum("amount"))
    return sums.filter(sum__lt=NOTHING).order_by("credit_id", "debit_id")


@scope_read
def _used_too_much(scope: Scope) -> QuerySet[Any, Any]:
    return _odd(_taken(scope).filter(sum__gt=-F("amount")))


@scope_read
def _paid_too_much(scope: Scope) -> QuerySet[Any, Any]:
    return _odd(_paid(scope).filter(sum__gt=F("amount")))


@scope_read
def _paid_too_little(scope: Scope) -> QuerySet[Any, Any]:
    """Only of debits that must be paid as a whole: those of no invoice, and voided ones."""
    paid = _paid(scope)
    whole = paid.exclude(kind=EntryKind.INVOICE) | paid.filter(voided_by__isnull=False)
    return _odd(whole.filter(sum__lt=F("amount")))


@scope_read
def _used_too_little(scope: Scope) -> QuerySet[Any, Any]:
    """Only of credits that may not be left over: those that are of an invoice, and voided ones."""
    taken = _taken(scope)
    tied = taken.exclude(kind__in=FREE_KINDS) | taken.filter(voided_by__isnull=False)
    return _odd(tied.filter(sum__lt=-F("amount")))


def _taken(scope: Scope) -> Any:
    credits = of_client(LedgerEntry, "account__client", scope).filter(amount__lt=0)
    return credits.annotate(sum=Coalesce(ExactSum("taken_by__amount"), ZERO))


def _paid(scope: Scope) -> Any:
    debits = of_client(LedgerEntry, "account__client", scope).filter(amount__gt=0)
    return debits.annotate(sum=Coalesce(ExactSum("paid_by__amount"), ZERO))


def _odd(entries: QuerySet[Any]) -> QuerySet[Any, Any]:
    rows: QuerySet[Any, Any] = entries.order_by("pk").values_list("account_id", "pk", "amount", "sum")
    return rows


def open_amounts(scope: Scope) -> AuditReport:
    """What is stored as open on each invoice is its transaction's amount less what is taken of credits for it."""
    findings = [
        f"invoice {number} of account {account_no}: has {shown(left)} open, but of {shown(amount)} {shown(used)} is paid"
        for number, account_no, amount, left, used in _wrongly_open(scope)
    ]
    return AuditReport("What is open on invoices is what the ledger leaves due", _charges.count(scope), findings)


@scope_read
def _charges(scope: Scope) -> QuerySet[Any, Any]:
    return of_client(LedgerEntry, "account__client", scope).filter(kind=EntryKind.INVOICE).order_by().values("pk")


@scope_read
def _wrongly_open(scope: Scope) -> Any:
    charges = of_client(LedgerEntry, "account__client", scope).filter(kind=EntryKind.INVOICE)
    paid = charges.annotate(paid=Coalesce(ExactSum("paid_by__amount"), ZERO))
    gap = Abs(F("amount") - F("paid") - F("invoice__open_amount"), output_field=FloatField())
    wrong = paid.annotate(gap=gap).filter(gap__gt=BELOW_ANY_AMOUNT).order_by("pk")
    return wrong.values_list("invoice_id", "account_id", "amount", "invoice__open_amount", "paid")


def sums_of_days(scope: Scope) -> AuditReport:
    """The stored sums of days are those of the ledger, as far as they reach."""
    through = SummedLedger.objects.values_list("through", flat=True).first() or 0
    made = daily_sums(of_client(LedgerEntry, "account__client", scope).filter(pk__lte=through))
    kept = stored_sums(of_client(DailySum, "client", scope))
    findings = [
        f"client {one.client_no}: {shown(kept.get(one, ZERO))} is stored as {one.kind} of {one.day} in {one.currency}, but the "
        f"ledger has {shown(made.get(one, ZERO))}"
        for one in sorted({*made, *kept})
        if made.get(one, ZERO) != kept.get(one, ZERO)
    ]
    return AuditReport("Sums of days are those of their transactions", len(kept), findings)


NOT_MADE = (RefundStatus.FAILED, RefundStatus.WITHDRAWN)
"""Refunds by a gateway in these states are voided in the ledger."""

IN_LEDGER = (
    Rule(
        Invoice,
        "client",
        ~Exists(
            LedgerEntry.objects.filter(
                invoice=OuterRef("corrects"),
                account=OuterRef("account"),
                kind=EntryKind.VOID,
                voids__kind__in=CHARGE_KINDS,
                amount=OuterRef("total_amount"),
            )
        ),
        "reversal {pk} of account {account_id}: of {total_amount}, voids no transaction of document {corrects_id} with this "
        "amount",
        checked=Q(kind=InvoiceKind.REVERSAL),
    ),
    # The last rule of a model says which of its rows are counted as checked.
    Rule(
        Invoice,
        "client",
        ~Exists(
            LedgerEntry.objects.filter(
                invoice=OuterRef("pk"), account=OuterRef("account"), kind__in=CHARGE_KINDS, amount=OuterRef("total_amount")
            )
        ),
        "invoice {pk} of account {account_id}: of {total_amount}, is not in the ledger with this amount",
        checked=Q(status__in=ISSUED_STATUSES) & ~Q(kind=InvoiceKind.REVERSAL),
    ),
    Rule(
        LedgerEntry,
        "account__client",
        ~Q(invoice__status__in=ISSUED_STATUSES)
        | (Q(kind=EntryKind.CREDIT_MEMO) & ~Q(invoice__kind=InvoiceKind.CREDIT_MEMO))
        | (Q(kind=EntryKind.INVOICE) & Q(invoice__kind__in=OFFSETTING_KINDS))
        | differ("invoice__account", "account"),
        "account {account_id}: transaction {pk} is a {kind} of invoice {invoice_id}, a {invoice__kind} that is "
        "{invoice__status} and of account {invoice__account_id}",
        checked=Q(kind__in=CHARGE_KINDS),
    ),
)

VOIDS = (
    Rule(
        LedgerEntry,
        "account__client",
        differ("voids__account", "account")
        | ~Q(voids__amount=F("amount") * NEGATED)
        | differ("voids__invoice", "invoice")
        | Q(voids__kind=EntryKind.VOID),
        "account {account_id}: transaction {pk} of {amount} voids {voids_id}, a {voids__kind} of {voids__amount} of account "
        "{voids__account_id}",
        checked=Q(kind=EntryKind.VOID),
    ),
    Rule(
        Invoice,
        "client",
        (
            Q(status=InvoiceStatus.VOIDED)
            & ~Exists(LedgerEntry.objects.filter(invoice=OuterRef("pk"), kind__in=CHARGE_KINDS, voided_by__isnull=False))
        )
        | (
            Q(status=InvoiceStatus.APPROVED)
            & Exists(LedgerEntry.objects.filter(invoice=OuterRef("pk"), kind__in=CHARGE_KINDS, voided_by__isnull=False))
        ),
        "invoice {pk} of account {account_id}: is {status}, but the ledger says otherwise",
        checked=Q(status__in=ISSUED_STATUSES),
    ),
)

PAID = (
    Rule(
        Allocation,
        "credit__account__client",
        differ("credit__account", "debit__account"),
        "account {debit__account_id}: debit {debit_id} is paid by credit {credit_id} of account {credit__account_id}",
    ),
    Rule(
        Allocation,
        "credit__account__client",
        Q(kind=AllocationKind.REFUNDED) & ~Q(debit__kind=EntryKind.INVOICE),
        "account {debit__account_id}: a refund has released money of {debit_id}, a {debit__kind}",
    ),
    Rule(
        Allocation,
        "credit__account__client",
        Q(credit__kind__in=[EntryKind.WRITE_OFF, EntryKind.DISPUTE])
        & Q(debit__kind=EntryKind.INVOICE)
        & differ("credit__invoice", "debit__invoice"),
        "account {debit__account_id}: {credit__kind} {credit_id} of invoice {credit__invoice_id} pays invoice "
        "{debit__invoice_id}",
    ),
    Rule(
        Allocation,
        "credit__account__client",
        Q(credit__kind=EntryKind.CREDIT_MEMO)
        & Q(debit__kind=EntryKind.INVOICE)
        & differ("credit__invoice__corrects", "debit__invoice"),
        "account {debit__account_id}: credit memo {credit__invoice_id} pays invoice {debit__invoice_id}, which it does "
        "not correct",
    ),
)

PAYMENTS = (
    Rule(
        Payment,
        "account__client",
        ~Exists(CollectionAttempt.objects.filter(payment=OuterRef("pk"))),
        "payment {pk} of account {account_id}: came by {gateway}, but no attempt has collected it",
        checked=~Q(gateway_payment_id=""),
    ),
    Rule(
        LedgerEntry,
        "account__client",
        ~Exists(Payment.objects.filter(entry=OuterRef("pk"), account=OuterRef("account"))),
        "account {account_id}: transaction {pk} is a {kind} without a payment",
        checked=Q(kind__in=PAYMENT_KINDS),
    ),
    Rule(
        Payment,
        "account__client",
        ~Q(entry__kind__in=PAYMENT_KINDS) | (Q(entry__kind=EntryKind.ELECTRONIC_PAYMENT) & Q(gateway_payment_id="")),
        "payment {pk} of account {account_id}: is in the ledger as {entry__kind}, and of the gateway as '{gateway_payment_id}'",
    ),
    Rule(
        Payment,
        "account__client",
        ~Q(received_on=F("entry__entry_date"))
        | Q(is_voided=True, entry__voided_by=None)
        | Q(is_voided=False, entry__voided_by__isnull=False),
        "payment {pk} of account {account_id}: says received on {received_on}, voided {is_voided}; its ledger entry of "
        "{entry__entry_date} says otherwise",
    ),
    Rule(
        LedgerEntry,
        "account__client",
        ~Exists(Refund.objects.filter(entry=OuterRef("pk"), payment__account=OuterRef("account"))),
        "account {account_id}: transaction {pk} is a {kind} of no payment of the account",
        checked=Q(kind__in=REFUND_KINDS),
    ),
    Rule(
        Refund,
        "payment__account__client",
        (Q(status__in=NOT_MADE) & Q(entry__voided_by=None))
        | (Q(entry__kind=EntryKind.ELECTRONIC_REFUND) & ~Q(status__in=NOT_MADE) & Q(entry__voided_by__isnull=False)),
        "refund {pk} of payment {payment_id}: is {status}, but the ledger says otherwise",
    ),
)

ATTEMPTS = (
    Rule(
        CollectionAttempt,
        "invoice__client",
        differ("payment__account", "invoice__account")
        | ~Q(payment__entry__amount=F("amount") * NEGATED)
        | differ("payment__gateway", "gateway"),
        "invoice {invoice_id}: attempt {attempt_no} has collected {amount} by {gateway}, but its payment is of "
        "{payment__entry__amount} by {payment__gateway}",
        checked=Q(status=AttemptStatus.COLLECTED),
    ),
    Rule(
        CollectionAttempt,
        "invoice__client",
        Q(status__in=OPEN_ATTEMPTS) & Q(invoice__status=InvoiceStatus.VOIDED),
        "invoice {invoice_id}: is voided, but attempt {attempt_no} is {status}",
    ),
)

REASONED = (
    EntryKind.CASH_CREDIT,
    EntryKind.CREDIT_MEMO,
    EntryKind.WRITE_OFF,
    EntryKind.DISPUTE,
    EntryKind.REFUND,
    EntryKind.ELECTRONIC_REFUND,
    EntryKind.VOID,
)
REASONS = (
    Rule(
        LedgerEntry,
        "account__client",
        Q(reason_code=None),
        "account {account_id}: transaction {pk}, a {kind}, has no reason",
        checked=Q(kind__in=REASONED),
    ),
)

# The events of these acts must name their transaction.
ACTS_WITH_EVENTS = (*PAYMENT_KINDS, *REFUND_KINDS, EntryKind.CASH_CREDIT, EntryKind.WRITE_OFF, EntryKind.DISPUTE)
NAMED_IN_EVENTS = (
    Event.objects.filter(error_code=0, after__has_key="transaction_id")
    .annotate(transaction_id=Cast(KeyTextTransform("transaction_id", "after"), BigIntegerField()))
    .values("transaction_id")
)
TRAIL = (
    Rule(
        LedgerEntry,
        "account__client",
        ~Q(pk__in=NAMED_IN_EVENTS),
        "account {account_id}: transaction {pk}, a {kind}, has no event",
        checked=Q(kind__in=ACTS_WITH_EVENTS),
    ),
)
