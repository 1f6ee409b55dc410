"""Issue rebills: memo and rebill together, with the original's debt replaced by the rebill's. The accounts must be locked.

A pending rebill has no memo yet. The memo is the negative of the original, which cannot change meanwhile.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple

from django.db.models import QuerySet

from accounts.event_types import NOT_PUBLIC
from accounts.kinds import CreditTo
from accounts.models import Client
from accounts.trail import Act
from billing_site.common.compiled_reads import compiled_read, read_ahead
from billing_site.common.storage import insert_rows, reserve_ids
from invoices.calculation import amount_text
from invoices.document import Document, Line
from invoices.kinds import InvoiceKind, LineType, SeriesKind
from invoices.models import CouponUse, CreditUse, Invoice
from invoices.services.collecting.starting import stop_collecting
from invoices.services.correcting.memo_documents import memo_of_all
from invoices.services.documents.account_acts import billing_changed_of
from invoices.services.documents.document_storage import Links, stored_contents
from invoices.services.issuing.issuing import HowIssued, Issuing, ToIssue
from invoices.services.money.dunning import dunning_rows, end_dunning
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.freed_money import credit_to_of
from invoices.services.planning.unused_days import move_unused_days, unused_days_readings
from rebills.services.exchanging import Exchange, exchange

REBILLED = "invoice.rebilled"


class Pair(NamedTuple):
    """A rebill, its original, and the number reserved for its memo."""

    rebill: Invoice
    original: Invoice
    memo_no: int

    @property
    def why(self) -> Why:
        return Why(self.rebill.reason_code or 0, self.rebill.comments)


def _with_memos(rebills: Sequence[ToIssue], issuing: Issuing) -> Sequence[ToIssue]:
    """Return the rebills, each preceded by a memo that offsets its original exactly. Reads originals whose content is
    missing."""
    numbers = reserve_ids(Invoice, len(rebills))
    rebills = [one._replace(memo_no=memo_no) for one, memo_no in zip(rebills, numbers, strict=True)]
    pairs = _pairs(rebills)
    unread = [pair.original.pk for one, pair in zip(rebills, pairs, strict=True) if one.original is None]
    read = stored_contents(unread) if unread else {}
    documents: list[ToIssue] = []
    for one, pair in zip(rebills, pairs, strict=True):
        original = one.original or read[pair.original.pk]
        documents += [_memo(pair, original), one._replace(original=original)]
    return documents


def _pairs(documents: Sequence[ToIssue]) -> list[Pair]:
    """Return the rebill, original and memo number of each rebill among these documents."""
    return [
        Pair(one.pending, one.pending.corrects, one.memo_no)
        for one in documents
        if one.pending is not None and one.pending.corrects is not None and one.memo_no is not None
    ]


def _memo(pair: Pair, original: Document) -> ToIssue:
    after = {
        "status": "approved",
        "total_amount": amount_text(-pair.original.total_amount, pair.rebill.currency),
        "currency": pair.rebill.currency,
        "corrects": pair.original.pk,
        **pair.why._asdict(),
    }
    generated = Act("invoice.generated", pair.rebill.account_id, pair.memo_no, after=after, type=NOT_PUBLIC)
    content = memo_of_all(pair.original.pk, original, pair.why)
    return ToIssue(pair.memo_no, content, Links(pair.rebill.chain_root_id), acts=(generated,))


def _enter(documents: Sequence[ToIssue], issuing: Issuing) -> Mapping[int, Decimal]:
    pairs = _pairs(documents)
    stop_collecting([pair.original.pk for pair in pairs], "The invoice was rebilled.")
    return exchange([_exchange(pair, issuing.client) for pair in pairs], issuing)


def _finish(documents: Sequence[ToIssue], issuing: Issuing) -> Sequence[Act]:
    """Move credits, coupons and unused days from originals to rebills. End the dunning of accounts that owe nothing overdue."""
    pairs, contents = _pairs(documents), _contents(documents)
    original_nos = sorted(pair.original.pk for pair in pairs)
    account_nos = sorted({pair.rebill.account_id for pair in pairs})
    with read_ahead(
        _credit_uses.of(original_nos),
        _coupon_uses.of(original_nos),
        *unused_days_readings(original_nos),
        dunning_rows.of(issuing.client.pk, account_nos),
    ):
        _move_credits(pairs, contents)
        _move_coupons(pairs, contents)
        move_unused_days({pair.rebill.pk: pair.original.pk for pair in pairs}, contents)
        billing_changed_of(account_nos)
        end_dunning(issuing.client, issuing.caller, account_nos, issuing.today)
    return [_act(pair) for pair in pairs]


def _contents(documents: Sequence[ToIssue]) -> dict[int, Document]:
    """Return the contents of the rebills and their originals, by number."""
    contents: dict[int, Document] = {}
    for one, pair in zip([one for one in documents if one.kind == InvoiceKind.REBILL], _pairs(documents), strict=True):
        assert one.original is not None
        contents |= {one.invoice_no: one.content, pair.original.pk: one.original}
    return contents


def _exchange(pair: Pair, client: Client) -> Exchange:
    original, rebill = pair.original, pair.rebill
    totals = original.total_amount, rebill.total_amount
    credit_to = credit_to_of(client, rebill.credit_to, CreditTo.OLDEST_OPEN_INVOICE)
    return Exchange(rebill.account_id, original.pk, pair.memo_no, rebill.pk, *totals, pair.why, credit_to)


def _move_credits(pairs: Sequence[Pair], contents: Mapping[int, Document]) -> None:
    """Record the rebill's use of service credits in place of the original's. Any difference returns to the account."""
    original_nos = sorted(pair.original.pk for pair in pairs)
    credits = {(invoice_no, line_no): credit_no for invoice_no, line_no, credit_no in _credit_uses(original_nos)}
    if not credits:
        return
    CreditUse.objects.filter(invoice__in=original_nos).update(is_given_back=True)
    rows = [
        (pair.rebill.pk, line.line_no, credits[pair.original.pk, source], -line.amount, False)
        for pair in pairs
        for line, source in _carried(pair, contents, LineType.SERVICE_CREDIT)
        if not line.gives_days_back
    ]
    insert_rows(CreditUse, (*CREDIT_USE, "amount", "is_given_back"), rows)


def _move_coupons(pairs: Sequence[Pair], contents: Mapping[int, Document]) -> None:
    """Record the rebill's use of coupons in place of the original's. A coupon that it does not carry can be used again."""
    original_nos = sorted(pair.original.pk for pair in pairs)
    redeemed = {(invoice_no, line_no): number for invoice_no, line_no, number in _coupon_uses(original_nos)}
    if not redeemed:
        return
    CouponUse.objects.filter(invoice__in=original_nos).update(is_given_back=True)
    rows = [
        (pair.rebill.pk, line.line_no, redeemed[pair.original.pk, source], False)
        for pair in pairs
        for line, source in _carried(pair, contents, LineType.COUPON)
        if (pair.original.pk, source) in redeemed
    ]
    insert_rows(CouponUse, (*COUPON_USE, "is_given_back"), rows)


def _carried(pair: Pair, contents: Mapping[int, Document], line_type: LineType) -> list[tuple[Line, int]]:
    """Return the rebill's lines of this type, each with the original line number that it replaces."""
    return [(line, line.source_line_no or 0) for line in contents[pair.rebill.pk].lines if line.line_type == line_type]


CREDIT_USE = ("invoice_id", "line_no", "credit_id")
COUPON_USE = ("invoice_id", "line_no", "redemption_id")


@compiled_read
def _credit_uses(invoice_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    return CreditUse.objects.filter(invoice__in=invoice_nos).values_list(*CREDIT_USE)


@compiled_read
def _coupon_uses(invoice_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    return CouponUse.objects.filter(invoice__in=invoice_nos).values_list(*COUPON_USE)


def _act(pair: Pair) -> Act:
    after = {
        "rebill": pair.rebill.pk,
        "memo": pair.memo_no,
        "difference": amount_text(pair.rebill.total_amount - pair.original.total_amount, pair.rebill.currency),
        **pair.why._asdict(),
    }
    return Act(REBILLED, pair.original.account_id, pair.original.pk, after=after)


REBILLS = HowIssued(
    SeriesKind.REBILL,
    _enter,
    collects=attrgetter("collect_on_rebill"),
    has_statement=True,
    keeps_due_date=attrgetter("original_due_date_on_rebill"),
    prepare=_with_memos,
    finish=_finish,
)
"""How rebills are issued. `rebills.apps` registers it."""
