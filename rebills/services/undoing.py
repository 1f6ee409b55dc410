"""Undo rebills: reversals offset the rebill and its credit memo, and the original counts as before.

The rebill and its memo keep their numbers and are voided. Each gets a reversal, a document with a number of its own and exactly
negated lines and taxes. Payments, coupons, service credits and credits of unused days go back to the original.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from django.db.models import Min
from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.event_types import MEMO_VOIDED, NOT_PUBLIC
from accounts.kinds import GuardedAct
from accounts.models import Client
from accounts.trail import Act, record_acts, refusal
from billing_site.common.storage import reserve_ids, update_rows
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.document import Document
from invoices.kinds import (
    LIVE_STATUSES,
    AllocationKind,
    InvoiceKind,
    InvoiceStatus,
    ReasonType,
)
from invoices.models import Allocation, CouponUse, CreditUse, Invoice, InvoiceLine, UnusedCredit
from invoices.plan.action_facts import DocumentFacts
from invoices.plan.actions import Action, why_not
from invoices.plan.allocating import Taken
from invoices.plan.money_back import MoneyBack, UndoMoney, plan_money_back
from invoices.services.collecting.starting import stop_collecting
from invoices.services.correcting.memo_documents import reversal_of
from invoices.services.correcting.memo_undoing import REASON
from invoices.services.document_facts import document_facts
from invoices.services.documents.account_acts import billing_changed_of
from invoices.services.documents.approval_rules import four_eyes_apply, rebill_approval_amount
from invoices.services.documents.batches import in_halves
from invoices.services.documents.document_storage import Links, stored_contents
from invoices.services.documents.open_periods import check_open
from invoices.services.documents.rights import check_may_rebill
from invoices.services.issuing.issuing import IssuePolicy, Issuing, ToIssue, issue
from invoices.services.money.dunning import end_dunning
from invoices.services.money.ledger.acts import REFUSED, Why, account_of_invoice, check_reason, money_act
from invoices.services.money.ledger.entries import AccountPosition, account_positions, allocate
from invoices.services.money.ledger.open_items import Charge, OpenAfter, charges_of, open_after
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person
from invoices.services.planning.facts import lock_states
from invoices.services.undoing.money_back import (
    AccountMoney,
    MovedMoney,
    check_coupons,
    check_credits,
    check_not_refunded,
    money_of_accounts,
    moved_money,
    undo_money,
    used_since,
)
from rebills.models import Rebill

UNDONE = "invoice.rebill_undone"
REBILL_AGAIN = Detail("rebill the rebill again instead")


class UndoPlan(NamedTuple):
    """What an undo would do. Amounts are in the currency of the documents.

    `due` has the original first, then the rebill, then other invoices that money leaves or comes to. `fingerprint` covers the
    documents and all amounts: give it to `undo_rebill`, so that nothing else is done.
    """

    rebill: Invoice
    memo: Invoice
    original: Invoice
    due: tuple[OpenAfter, ...]
    money: MoneyBack
    balance_before: Decimal
    balance_after: Decimal

    @property
    def fingerprint(self) -> str:
        parts = (
            [one.pk for one in (self.rebill, self.memo, self.original)],
            [[str(value) for value in one] for one in (*self.money.released, *self.money.applied)],
            [[one.invoice.pk, f"{one.before.normalize():f}", f"{one.after.normalize():f}"] for one in self.due],
            f"{self.balance_before.normalize():f}",
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    @property
    def balance_change(self) -> Decimal:
        return self.balance_after - self.balance_before

    @property
    def reversed(self) -> tuple[Invoice, Invoice]:
        """The documents that get a reversal."""
        return self.rebill, self.memo

    @property
    def approval_amount(self) -> Decimal:
        return rebill_approval_amount(self.original.total_amount, self.rebill.total_amount)


class UndoneRebill(NamedTuple):
    """An undone rebill, with the reversals of the rebill and of its memo."""

    rebill: Invoice
    reversals: tuple[Invoice, ...]


def preview_undo(*, client: Client, rebill_no: int, today: date) -> UndoPlan:
    """Return what undoing a rebill would do. Writes nothing. Refuses what `undo_rebill` refuses."""
    account_of_invoice(client, rebill_no)
    return _plan(rebill_no, today)


def undo_rebill(
    *, client: Client, rebill_no: int, caller: Caller, today: date, why: Why, seen: str = "", is_approved: bool = False
) -> UndoneRebill:
    """Undo an issued rebill. The original is open, collectable and rebillable as before the rebill.

    `is_approved`: a second person has approved it together with others.

    `seen` is the fingerprint of the preview. Refuses a caller who may not rebill (90028), an unknown document (3004), one that
    is no issued rebill (90170), a rebill that was rebilled, credited, written off or disputed, whose money was refunded, or
    whose coupons, credits or unused days were used since (90171, 90022, 90032), one that is being collected (90023), a wrong
    reason (3024), and a preview that no longer holds (90003). Needs a second person (90073) if rebills of this client do.
    """
    account_no = account_of_invoice(client, rebill_no)
    with money_act(client, account_no, caller, today, invoice_no=rebill_no) as posted_by:
        check_may_rebill(caller)
        check_reason(client, ReasonType.REBILL, why)
        plan = _plan(rebill_no, today)
        if seen and seen != plan.fingerprint:
            detail = Detail("undo of {document}", document=plan.rebill.document_number)
            raise BillingError(ErrorCode.DOCUMENT_MOVED, detail, field="fingerprint")
        if not is_approved:
            require_second_person(_requested(plan, why), client, caller, always=client.rebill_approval_required)
        receipts.use(client, caller.receipt, invoice_no=rebill_no)
        _record([plan], why, Issuing(IssuePolicy(client), caller, posted_by.day, posted_by.at))
        return undone_rebill(rebill_no)


Noted = Callable[[Sequence[int]], None]


def undo_rebills(
    *,
    client: Client,
    rebill_nos: Sequence[int],
    caller: Caller,
    today: date,
    why: Why,
    note: Noted,
    seen_open: Mapping[int, Decimal] = {},
) -> dict[int, BillingError]:
    """Undo rebills that a second person has approved together, in their order, and return the errors of the others by number.

    `note` gets what was undone, in the transaction that undoes it. A rebill on which something else is open than `seen_open`
    says is refused (90003). Each is refused as by `undo_rebill`, and a refusal has an
    event. One that another call locks is refused (3108). Locks the accounts itself.
    """
    errors: dict[int, BillingError] = {}
    try:
        check_may_rebill(caller)
        check_reason(client, ReasonType.REBILL, why)
        check_open(client, today)
    except BillingError as error:
        return dict.fromkeys(rebill_nos, error)
    accounts = dict(Rebill.objects.filter(client=client, pk__in=rebill_nos).values_list("pk", "account_id"))
    for wave in _waves(rebill_nos, accounts):
        write = partial(_undo_wave, client, caller, today, why, note, accounts, seen_open)
        refused = [one for one in in_halves(wave, write, _Refused) if one is not None]
        errors |= {one.rebill_no: one.error for one in refused}
        acts = [refusal(REFUSED, one.error, account_no=accounts[one.rebill_no], invoice_no=one.rebill_no) for one in refused]
        record_acts(client, caller, acts)
    return errors


class _Refused(NamedTuple):
    rebill_no: int
    error: BillingError


def _waves(rebill_nos: Sequence[int], accounts: Mapping[int, int]) -> list[list[int]]:
    """Group rebills into waves in which no account repeats."""
    waves: list[list[int]] = []
    seen: dict[int, int] = defaultdict(int)
    for number in rebill_nos:
        place = seen[accounts[number]]
        seen[accounts[number]] += 1
        if place == len(waves):
            waves.append([])
        waves[place].append(number)
    return waves


def _undo_wave(
    client: Client,
    caller: Caller,
    today: date,
    why: Why,
    note: Noted,
    accounts: Mapping[int, int],
    seen_open: Mapping[int, Decimal],
    rebill_nos: Sequence[int],
) -> list[_Refused | None]:
    locked = lock_states([accounts[number] for number in rebill_nos], skip_locked=len(rebill_nos) > 1)
    read = _read(rebill_nos, today)
    plans: dict[int, UndoPlan] = {}
    refused: dict[int, _Refused] = {}
    for number in rebill_nos:
        try:
            if accounts[number] not in locked:
                raise BillingError(ErrorCode.IN_PROGRESS)
            plan = _planned(number, read)
            if plan.rebill.open_amount != seen_open.get(number, plan.rebill.open_amount):
                detail = Detail("{document}; ask for the undo again", document=plan.rebill.document_number)
                raise BillingError(ErrorCode.DOCUMENT_MOVED, detail)
            plans[number] = plan
        except BillingError as error:
            refused[number] = _Refused(number, error)
    if plans:
        at = timezone.now()
        _record(list(plans.values()), why, Issuing(IssuePolicy(client), caller, today, at))
        end_dunning(client, caller, [accounts[number] for number in plans], today)
        note(list(plans))
    return [refused.get(number) for number in rebill_nos]


def undo_needs_approval(client: Client, plan: UndoPlan) -> bool:
    """Return whether a second person must approve the undo: as rebills of the client need one."""
    return client.rebill_approval_required or four_eyes_apply(client, GuardedAct.REBILLS, plan.approval_amount)


def undo_requested(arguments: Mapping[str, Any], by: Mapping[str, Any]) -> int:
    """Undo a rebill as a request says that a second person has approved. Returns the number of the rebill's reversal."""
    why = Why(arguments["reason_code"], arguments["comments"])
    return undo_rebill(rebill_no=arguments["rebill_no"], why=why, **by).reversals[0].pk


def undone_rebill(rebill_no: int) -> UndoneRebill:
    """Return an undone rebill as it is stored."""
    rebill = Invoice.objects.select_related("corrects", "memo").get(pk=rebill_no)
    reversals = Invoice.objects.filter(kind=InvoiceKind.REVERSAL, corrects__in=[rebill.pk, rebill.memo_id])
    return UndoneRebill(rebill, tuple(reversals.select_related("corrects").order_by("pk")))


def _requested(plan: UndoPlan, why: Why) -> GuardedRequest:
    rebill, arguments = plan.rebill, {"rebill_no": plan.rebill.pk, **why._asdict()}
    return GuardedRequest(GuardedAct.REBILLS, rebill.account_id, plan.approval_amount, rebill.currency, arguments, rebill.pk)


class _Read(NamedTuple):
    """What undos of several rebills are planned from, by rebill, document or account. The number of queries is constant."""

    facts: Mapping[int, DocumentFacts]
    rebills: Mapping[int, Rebill]
    with_uses: frozenset[int]
    with_unused_days: frozenset[int]
    charges: Mapping[int, Charge]
    money: AccountMoney
    positions: Mapping[int, AccountPosition]


def _read(rebill_nos: Collection[int], today: date) -> _Read:
    rows = Rebill.objects.select_related("corrects", "memo").filter(pk__in=rebill_nos)
    rebills = {one.pk: one for one in rows}
    originals = [one.corrects_id or 0 for one in rebills.values()]
    account_nos = {one.account_id for one in rebills.values()}
    of_originals = [
        set(model._default_manager.filter(invoice__in=originals).values_list("invoice_id", flat=True))
        for model in (CouponUse, CreditUse)
    ]
    unused = UnusedCredit.objects.filter(source__in=[*originals, *rebills]).values_list("source_id", flat=True)
    return _Read(
        document_facts(rebill_nos, today),
        rebills,
        frozenset().union(*of_originals),
        frozenset(unused),
        charges_of([*originals, *rebills]),
        money_of_accounts(account_nos),
        account_positions(account_nos),
    )


def _plan(rebill_no: int, today: date) -> UndoPlan:
    return _planned(rebill_no, _read([rebill_no], today))


def _planned(rebill_no: int, read: _Read) -> UndoPlan:
    why = why_not(Action.UNDO, read.facts[rebill_no])
    if why is not None:
        raise why.error
    rebill = read.rebills[rebill_no]
    original, memo = rebill.corrects, rebill.memo
    assert original is not None and memo is not None
    if original.pk in read.with_uses:
        check_coupons(original, (original.pk, rebill.pk), REBILL_AGAIN)
        check_credits(original, (original.pk, rebill.pk), REBILL_AGAIN)
    if not read.with_unused_days.isdisjoint((original.pk, rebill.pk)):
        _check_unused_days(rebill, original)
    money = _money(rebill, original, read)
    back = plan_money_back(money)
    if back.missing:
        check_not_refunded(back, money.act, REBILL_AGAIN)
    balance = read.positions[rebill.account_id].balance
    after = balance - rebill.total_amount - memo.total_amount
    return UndoPlan(rebill, memo, original, _due(rebill, original, money, back), back, balance, after)


def _money(rebill: Invoice, original: Invoice, read: _Read) -> UndoMoney:
    """Return the money of the account, and what the rebill did to it. No query if nothing was paid."""
    old, new = read.charges[original.pk].entry_no, read.charges[rebill.pk].entry_no
    assert rebill.approved_at is not None
    rows = read.money.allocations.get(rebill.account_id, ())
    moved = moved_money(rows, new, rebill.approved_at, _first_allocation(rebill, new) if rows else 0)
    elsewhere = _moved(rebill, moved, (old, new)) if rows else ()
    return undo_money(rebill.account_id, read.money, moved, old, new, original.total_amount, elsewhere)


def _first_allocation(rebill: Invoice, entry_no: int) -> int:
    """Return the number of the first allocation of the rebill or its memo, or 0 if both are 0."""
    of_memo = Allocation.objects.filter(credit__invoice=rebill.memo_id).aggregate(first=Min("pk"))["first"]
    of_rebill = Allocation.objects.filter(debit=entry_no).aggregate(first=Min("pk"))["first"]
    return min((one for one in (of_memo, of_rebill) if one is not None), default=0)


def _moved(rebill: Invoice, money: MovedMoney, own: tuple[int, int]) -> tuple[Taken, ...]:
    """Return what the rebill applied to other invoices. If several rebills of the account were issued at the same moment, only
    credits that paid this rebill or its original count."""
    others = Invoice.objects.filter(account=rebill.account_id, kind=InvoiceKind.REBILL, approved_at=rebill.approved_at)
    elsewhere = money.moved_elsewhere(own)
    if not others.exclude(pk=rebill.pk).exists():
        return elsewhere
    mine = {one.credit_no for one in money.by_act if one.debit_no in own}
    return tuple(one for one in elsewhere if one.credit_no in mine)


def _check_unused_days(rebill: Invoice, original: Invoice) -> None:
    """Refuse (90171) an undo if a document has credited unused days of the rebill or its original since."""
    later = UnusedCredit.objects.filter(
        source__in=[rebill.pk, original.pk],
        invoice__generated_at__gt=rebill.approved_at,
        invoice__status__in=LIVE_STATUSES,
    )
    row = later.select_related("invoice").order_by("-pk").first()
    if row is not None:
        raise used_since(Detail("unused days of its plans"), row.invoice, REBILL_AGAIN)


def _due(rebill: Invoice, original: Invoice, money: UndoMoney, back: MoneyBack) -> tuple[OpenAfter, ...]:
    change: dict[int, Decimal] = defaultdict(Decimal)
    for one in (*back.released, *back.applied):
        change[one.debit_no] -= one.amount
    others = {number: amount for number, amount in change.items() if number not in (money.original, money.act)}
    return (
        OpenAfter(original, ZERO, money.total + change[money.original]),
        OpenAfter(rebill, rebill.open_amount, ZERO),
        *open_after(others),
    )


def _record(plans: Sequence[UndoPlan], why: Why, issuing: Issuing) -> None:
    """Write the reversals, void what they offset, and move money, coupons, credits and unused days back. At most one rebill of
    each account, under the locks of the accounts. The number of queries is constant."""
    pairs = [one for plan in plans for one in plan.reversed]
    undone, originals = [one.pk for one in pairs], [plan.original.pk for plan in plans]
    stop_collecting([plan.rebill.pk for plan in plans], "The rebill was undone.")
    allocate([one for plan in plans for one in plan.money.released], issuing.posted_by, AllocationKind.RELEASED)
    contents = stored_contents(undone)
    numbers = reserve_ids(Invoice, len(pairs))
    reversals = [_reversal(number, one, contents[one.pk], why) for number, one in zip(numbers, pairs, strict=True)]
    issue(reversals, issuing)
    allocate([one for plan in plans for one in plan.money.applied], issuing.posted_by, own_events=undone)
    Invoice.objects.filter(pk__in=undone).update(status=InvoiceStatus.VOIDED, void_reason_code=REASON)
    for model in (CouponUse, CreditUse):
        model._default_manager.filter(invoice__in=originals).update(is_given_back=False)
    with_unused = set(UnusedCredit.objects.filter(source__in=undone).values_list("source_id", flat=True))
    for plan in plans:
        if plan.rebill.pk in with_unused:
            _move_unused_days(plan.rebill, plan.original)
    billing_changed_of([plan.rebill.account_id for plan in plans])
    acts = [act for plan, *two in zip(plans, numbers[::2], numbers[1::2], strict=True) for act in _acts(plan, two, why)]
    record_acts(issuing.client, issuing.caller, acts, issuing.at)


def _reversal(number: int, document: Invoice, content: Document, why: Why) -> ToIssue:
    after = {
        "status": "approved",
        "total_amount": str(-document.total_amount),
        "currency": document.currency,
        "corrects": document.pk,
        **why._asdict(),
    }
    generated = Act("invoice.generated", document.account_id, number, after=after, type=NOT_PUBLIC)
    return ToIssue(number, reversal_of(document.pk, content, why), Links(document.chain_root_id), acts=(generated,))


def _acts(plan: UndoPlan, numbers: Sequence[int], why: Why) -> list[Act]:
    rebill, memo, original = plan.rebill, plan.memo, plan.original
    voided = {"status": "voided", "reason_code": REASON.value, "comments": why.comments, "reopened": False}
    acts = [
        Act(
            "invoice.voided",
            one.account_id,
            one.pk,
            before={"status": "approved"},
            after={**voided, "reversal": number, "kind": one.kind},
            type=MEMO_VOIDED if one == memo else None,
        )
        for number, one in zip(numbers, (rebill, memo), strict=True)
    ]
    after = {
        "rebill": rebill.pk,
        "memo": memo.pk,
        "reversals": list(numbers),
        "difference": str(original.total_amount - rebill.total_amount),
        "balance": str(plan.balance_after),
        **why._asdict(),
    }
    return [*acts, Act(UNDONE, original.account_id, original.pk, before={"balance": str(plan.balance_before)}, after=after)]


def _move_unused_days(rebill: Invoice, original: Invoice) -> None:
    """Give the credits of unused days that the rebill took over back to the original's lines."""
    rows = UnusedCredit.objects.filter(source=rebill).values_list("pk", "source_line_no")
    if not rows:
        return
    lines = InvoiceLine.objects.filter(invoice=rebill, source_line_no__isnull=False)
    sources = dict(lines.values_list("line_no", "source_line_no"))
    update_rows(UnusedCredit, ("source_id", "source_line_no"), [(pk, original.pk, sources[line]) for pk, line in rows])
