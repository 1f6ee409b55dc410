"""Read for each transaction: the applied amount, the receipt of its call, and the name of its reason.

The number of queries is constant.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q

from accounts.models import Client, Event, Receipt
from billing_site.common.storage import ExactSum
from invoices.calculation import ZERO
from invoices.kinds import CHARGE_KINDS, EntryKind, ReasonType
from invoices.models import Allocation, Invoice, LedgerEntry
from invoices.services.documents.reasons import reasons_of

ISSUING_ACTS = ("invoice.generated", "invoice.approved")
VOIDING_ACT = "invoice.voided"
APPLYING_ACTS = ("payment.applied", "payment.moved")
"""These events name a transaction that an earlier call made."""

REASON_TYPES = {
    EntryKind.CASH_CREDIT: ReasonType.CASH_CREDIT,
    EntryKind.CREDIT_MEMO: ReasonType.CREDIT_MEMO,
    EntryKind.WRITE_OFF: ReasonType.WRITE_OFF,
    EntryKind.DISPUTE: ReasonType.DISPUTE,
    EntryKind.REFUND: ReasonType.REFUND,
    EntryKind.ELECTRONIC_REFUND: ReasonType.REFUND,
}
"""The reason type of each kind of entry. A credit memo that was issued with a rebill has a rebill reason instead."""


class EntryFacts(NamedTuple):
    """`applied` is the amount of a credit that is used, or of a debit that is paid, above zero; voids do not count.

    `receipt_id` and `reason` are empty if there is none.
    """

    applied: Decimal = ZERO
    receipt_id: str = ""
    reason: str = ""


def facts_of(client: Client, entries: Sequence[LedgerEntry]) -> dict[int, EntryFacts]:
    """Return the facts of a client's transactions by number. The entries must be read with `voids` selected."""
    applied, receipts, reasons = _applied(entries), _receipt_ids(client, entries), _reasons(client, entries)
    return {
        entry.pk: EntryFacts(applied.get(entry.pk, ZERO), receipts.get(entry.pk, ""), reasons.get(entry.pk, ""))
        for entry in entries
    }


def _applied(entries: Sequence[LedgerEntry]) -> dict[int, Decimal]:
    numbers = [entry.pk for entry in entries]
    taken = Allocation.objects.exclude(Q(debit__kind=EntryKind.VOID) | Q(credit__kind=EntryKind.VOID)).order_by()
    sums: dict[int, Decimal] = {}
    for side in ("credit", "debit"):
        rows = taken.filter(**{f"{side}__in": numbers}).values(side).annotate(sum=ExactSum("amount"))
        sums.update(rows.values_list(side, "sum"))
    return sums


def _receipt_ids(client: Client, entries: Sequence[LedgerEntry]) -> dict[int, str]:
    """Return the client_receipt_id of the method call that made each transaction.

    The transaction of a document has that of the call that issued it, or else of the call that generated it as pending.
    """
    tokens = _tokens(entries)
    # REST calls have an Idempotency-Key instead, and store their address as the method.
    receipts = Receipt.objects.filter(client=client, token__in=set(tokens.values())).exclude(method__contains="/")
    ids: Mapping[str, str] = dict(receipts.values_list("token", "receipt_id"))
    return {number: ids[token] for number, token in tokens.items() if token in ids}


def _tokens(entries: Sequence[LedgerEntry]) -> dict[int, str]:
    documents, voided = _of_documents(entries)
    numbers = [entry.pk for entry in entries]
    made = Q(after__transaction_id__in=numbers) & ~Q(act__in=APPLYING_ACTS)
    issued = Q(act__in=ISSUING_ACTS, invoice_no__in=documents) | Q(act=VOIDING_ACT, invoice_no__in=voided)
    accounts = {entry.account_id for entry in entries}
    events = Event.objects.filter(made | issued, account__in=accounts, error_code=0).exclude(call_token="").order_by("pk")
    tokens: dict[int, str] = {}
    for act, invoice_no, after, token in events.values_list("act", "invoice_no", "after", "call_token"):
        if act in ISSUING_ACTS:
            tokens[documents[invoice_no]] = token
        elif act == VOIDING_ACT:
            tokens[voided[invoice_no]] = token
        else:
            tokens.setdefault(after["transaction_id"], token)
    return tokens


def _of_documents(entries: Sequence[LedgerEntry]) -> tuple[dict[int | None, int], dict[int | None, int]]:
    """Return the entries that issued documents, and the entries that voided them, each by document number."""
    documents = {entry.invoice_id: entry.pk for entry in entries if entry.kind in CHARGE_KINDS}
    voided = {entry.invoice_id: entry.pk for entry in entries if entry.voids is not None and entry.voids.kind in CHARGE_KINDS}
    return documents, voided


def _reasons(client: Client, entries: Sequence[LedgerEntry]) -> dict[int, str]:
    """Return the name of each entry's reason, from the client's current list."""
    with_reason = [entry for entry in entries if entry.reason_code is not None and entry.kind in REASON_TYPES]
    if not with_reason:
        return {}
    names: dict[str, dict[int, str]] = defaultdict(dict)
    for reason in reasons_of(client):
        names[reason.type][reason.code] = reason.name
    memos = [entry.invoice_id for entry in with_reason if entry.kind == EntryKind.CREDIT_MEMO]
    with_rebill = set(Invoice.objects.filter(memo__in=memos).values_list("memo_id", flat=True)) if memos else set()
    found = {}
    for entry in with_reason:
        kind = EntryKind(entry.kind)
        of_rebill = kind == EntryKind.CREDIT_MEMO and entry.invoice_id in with_rebill
        type = ReasonType.REBILL if of_rebill else REASON_TYPES[kind]
        found[entry.pk] = names[type].get(entry.reason_code or 0, "")
    return found
