"""Issuing rebills: memo and rebill at once, and the debt of the original exchanged for the rebill's. Under the accounts' locks.

A rebill that waits has no memo yet: what offsets its original is the negative of that, which does not change.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.common.storage import insert_rows, reserve_ids
from invoices.fingerprints import Content, DocumentLine
from invoices.kinds import LineType, SeriesKind, gives_days_back
from invoices.models import CouponUse, CreditUse, Invoice
from invoices.services.collecting.starting import request_collection, stop_collecting
from invoices.services.correcting.memo_documents import memo_of_all
from invoices.services.documents.account_acts import billing_changed_of
from invoices.services.documents.numbers import take_numbers
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.rows import Links, insert_documents, issue, stored_contents
from invoices.services.issuing.issuing import Issuing, collects, issue_pending
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.charging import Issued
from invoices.services.money.ledger.exchanging import Exchange, exchange
from invoices.services.planning.unused_days import move_unused_days

REBILLED = "invoice.rebilled"


class Pair(NamedTuple):
    """A rebill, what it replaces, and the number that its memo gets."""

    rebill: Invoice
    original: Invoice
    memo_no: int

    @property
    def why(self) -> Why:
        return Why(self.rebill.reason_code or 0, self.rebill.comments)


def issue_rebills(rebills: Sequence[Invoice], contents: Mapping[int, Content], issuing: Issuing) -> None:
    """Issues pending rebills, each with a memo that offsets its original to the cent. `contents` are of the rebills, and of
    those originals that are at hand."""
    if not rebills:
        return
    pairs = _pairs(rebills)
    unread = [pair.original.pk for pair in pairs if pair.original.pk not in contents]
    contents = {**contents, **(stored_contents(unread) if unread else {})}
    stop_collecting([pair.original.pk for pair in pairs], "The invoice was rebilled.")
    _issue_memos(pairs, contents, issuing)
    due = exchange([_exchange(pair) for pair in pairs], issuing.stamp)
    wanted = [pair.rebill for pair in pairs if _collects(pair.rebill, issuing)]
    request_collection(
        [(Issued(one.account_id, one.pk, one.total_amount, one.currency), due[one.pk]) for one in wanted], issuing.stamp
    )
    _move_credits(pairs, contents)
    _move_coupons(pairs, contents)
    move_unused_days({pair.rebill.pk: pair.original.pk for pair in pairs}, contents)
    billing_changed_of([pair.rebill.account_id for pair in pairs])
    kept = [pair for pair in pairs if _keeps_due_date(pair.rebill, issuing.client)]
    due_dates = {pair.rebill.pk: pair.original.due_date for pair in kept if pair.original.due_date is not None}
    issue_pending(
        [pair.rebill for pair in pairs],
        contents,
        SeriesKind.REBILL,
        issuing,
        due_dates=due_dates,
        memos={pair.rebill.pk: pair.memo_no for pair in pairs},
    )
    record_acts(issuing.client, issuing.caller, [_act(pair) for pair in pairs], issuing.at)


def _pairs(rebills: Sequence[Invoice]) -> list[Pair]:
    numbers = reserve_ids(Invoice, len(rebills))
    return [
        Pair(rebill, rebill.corrects, memo_no)
        for rebill, memo_no in zip(rebills, numbers, strict=True)
        if rebill.corrects is not None
    ]


def _keeps_due_date(rebill: Invoice, client: Client) -> bool:
    """What was asked for when it was made counts before the client's setting."""
    return client.original_due_date_on_rebill if rebill.keeps_due_date is None else rebill.keeps_due_date


def _collects(rebill: Invoice, issuing: Issuing) -> bool:
    """A rebill that waited keeps what was asked for when it was made."""
    asked = rebill.collect_when_issued if issuing.collect is None else issuing.collect
    return collects(issuing.client, rebill.kind, asked)


def _issue_memos(pairs: Sequence[Pair], contents: Mapping[int, Content], issuing: Issuing) -> None:
    documents = []
    numbers = take_numbers(issuing.client, SeriesKind.CREDIT_MEMO, len(pairs), issuing.today)
    for pair, numbered in zip(pairs, numbers, strict=True):
        issued = issue(numbered, 0)._asdict()
        documents.append((pair.memo_no, memo_of_all(pair.original.pk, contents[pair.original.pk], pair.why, issued)))
    insert_documents(
        documents,
        generated_by=issuing.caller.identity,
        remarks=Remarks(),
        at=issuing.at,
        today=issuing.today,
        approved=frozenset(pair.memo_no for pair in pairs),
        links={pair.memo_no: Links(pair.rebill.chain_root_id) for pair in pairs},
    )
    acts = [
        Act(
            "invoice.generated",
            pair.rebill.account_id,
            pair.memo_no,
            after={
                "status": "approved",
                "total_amount": str(-pair.original.total_amount),
                "currency": pair.rebill.currency,
                "corrects": pair.original.pk,
                **pair.why._asdict(),
            },
        )
        for pair in pairs
    ]
    record_acts(issuing.client, issuing.caller, acts, issuing.at)


def _exchange(pair: Pair) -> Exchange:
    original, rebill = pair.original, pair.rebill
    totals = original.total_amount, rebill.total_amount
    return Exchange(rebill.account_id, original.pk, pair.memo_no, rebill.pk, *totals, pair.why)


def _move_credits(pairs: Sequence[Pair], contents: Mapping[int, Content]) -> None:
    """A rebill takes from service credits what its lines say, instead of the original: the rest goes back to the account."""
    uses = CreditUse.objects.filter(invoice__in=[pair.original.pk for pair in pairs])
    credits = {(invoice_no, line_no): credit_no for invoice_no, line_no, credit_no in uses.values_list(*CREDIT_USE)}
    if not credits:
        return
    uses.update(is_given_back=True)
    rows = [
        (pair.rebill.pk, line.line_no, credits[pair.original.pk, source], -line.amount, False)
        for pair in pairs
        for line, source in _carried(pair, contents, LineType.SERVICE_CREDIT)
        if not gives_days_back(line.line_type, line.plan_instance_id)
    ]
    insert_rows(CreditUse, (*CREDIT_USE, "amount", "is_given_back"), rows)


def _move_coupons(pairs: Sequence[Pair], contents: Mapping[int, Content]) -> None:
    """A coupon that a rebill does not carry is not used up by its original: it is taken off another invoice instead."""
    uses = CouponUse.objects.filter(invoice__in=[pair.original.pk for pair in pairs])
    redeemed = {(invoice_no, line_no): number for invoice_no, line_no, number in uses.values_list(*COUPON_USE)}
    if not redeemed:
        return
    uses.update(is_given_back=True)
    rows = [
        (pair.rebill.pk, line.line_no, redeemed[pair.original.pk, source], False)
        for pair in pairs
        for line, source in _carried(pair, contents, LineType.COUPON)
        if (pair.original.pk, source) in redeemed
    ]
    insert_rows(CouponUse, (*COUPON_USE, "is_given_back"), rows)


def _carried(pair: Pair, contents: Mapping[int, Content], line_type: LineType) -> list[tuple[DocumentLine, int]]:
    """The lines of a type on a rebill, each with the number of the original's line that it carries."""
    content = contents[pair.rebill.pk]
    sources = content.correction.source_line_nos if content.correction else ()
    lines = zip(content.document_lines, sources, strict=True)
    return [(line, source or 0) for line, source in lines if line.line_type == line_type]


CREDIT_USE = ("invoice_id", "line_no", "credit_id")
COUPON_USE = ("invoice_id", "line_no", "redemption_id")


def _act(pair: Pair) -> Act:
    after = {
        "rebill": pair.rebill.pk,
        "memo": pair.memo_no,
        "difference": str(pair.rebill.total_amount - pair.original.total_amount),
        **pair.why._asdict(),
    }
    return Act(REBILLED, pair.original.account_id, pair.original.pk, after=after)
