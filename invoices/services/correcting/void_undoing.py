"""Undo the void of an invoice: an invoice with a number of its own charges again exactly what the voided one charged.

The voided invoice stays as it is. Its payments, usage, one-time charges, coupons, service credits, credits of unused days and
periods go to the invoice that restores it, so that balance, open amounts and next invoice are as before the void.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Max, Q

from accounts import receipts
from accounts.callers import Caller
from accounts.event_types import NOT_PUBLIC
from accounts.kinds import GuardedAct
from accounts.models import Account, Client
from accounts.trail import Act, record_acts
from billing_site.common.storage import ExactSum, insert_rows, reserve_ids
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.document import Correction, Document
from invoices.kinds import (
    CHARGE_KINDS,
    CYCLE_KINDS,
    LIVE_STATUSES,
    AllocationKind,
    DataKind,
    EntryKind,
    InvoiceStatus,
    LineType,
)
from invoices.models import (
    Allocation,
    CouponUse,
    CreditUse,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    OneTimeCharge,
    UnusedCredit,
    Usage,
)
from invoices.plan.actions import Action, why_not
from invoices.plan.money_back import MoneyBack, plan_money_back
from invoices.services.document_facts import document_facts
from invoices.services.documents.account_acts import billing_changed_of
from invoices.services.documents.approval_rules import four_eyes_apply
from invoices.services.documents.document_storage import Links, stored_contents
from invoices.services.documents.orders_due import orders_billed
from invoices.services.documents.rights import check_may_correct
from invoices.services.issuing.issuing import IssuePolicy, Issuing, ToIssue, issue
from invoices.services.money.ledger.acts import account_of_invoice, money_act, seen_as
from invoices.services.money.ledger.entries import account_positions, allocate
from invoices.services.money.ledger.open_items import OpenAfter, open_after
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person
from invoices.services.money.ledger.voids import void_reason
from invoices.services.planning.holds import UNUSED_CREDIT
from invoices.services.planning.out_of_date import note_of_account
from invoices.services.undoing.money_back import (
    check_coupons,
    check_credits,
    check_not_refunded,
    money_of_accounts,
    moved_money,
    undo_money,
    used_since,
)
from invoices.services.undoing.reopen_cycle import bill_as_before
from invoices.services.usage.usage_storage import CHARGED_UNITS

VOID_UNDONE = "invoice.void_undone"
BILL_AGAIN = Detail("bill its charges again instead")


class UndoVoidPlan(NamedTuple):
    """What undoing a void would do. Amounts are in the currency of the invoice.

    `due` has the restored invoice first, named by the voided one, then other invoices that money leaves or comes to. `seen`
    binds the act to the preview.
    """

    voided: Invoice
    due: tuple[OpenAfter, ...]
    money: MoneyBack
    balance_before: Decimal
    balance_after: Decimal

    @property
    def seen(self) -> str:
        money = [[tuple(one) for one in part] for part in self.money]
        due = [(one.invoice.pk, one.before, one.after) for one in self.due]
        return seen_as(self.voided.pk, money, due, self.balance_before)

    @property
    def paid(self) -> Decimal:
        """What payments pay of the restored invoice."""
        return self.voided.total_amount - self.due[0].after


def preview_undo_void(*, client: Client, invoice_no: int, today: date) -> UndoVoidPlan:
    """Return what undoing the void of an invoice would do. Writes nothing. Refuses what `undo_void` refuses."""
    account_of_invoice(client, invoice_no)
    return _plan(invoice_no, today)


def undo_void(
    *, client: Client, invoice_no: int, caller: Caller, today: date, reason_code: int, comments: str = "", seen: str = ""
) -> Invoice:
    """Undo the void of an invoice, and return the invoice that restores it: the same lines, taxes, periods and due date, with a
    number and date of its own. Nothing is collected and no statement is sent.

    `seen` binds the act to its preview. Refuses a caller who may not correct (90026), an unknown invoice (3004), a document
    that is no voided invoice (90340), later acts that are in the way (90171): a document that bills the cycle or its usage,
    orders, coupons, credits or unused days, a pending invoice, a refund of its payments, a changed plan; an unknown reason
    (3024), and a preview that no longer holds (90003). May need a second person (90073), as voids of the client do.
    """
    account_no = account_of_invoice(client, invoice_no)
    with money_act(client, account_no, caller, today, invoice_no=invoice_no) as posted_by:
        check_may_correct(caller)
        reason = void_reason(reason_code)
        plan = _plan(invoice_no, today)
        if seen and seen != plan.seen:
            raise BillingError(ErrorCode.DOCUMENT_MOVED)
        require_second_person(_requested(plan, reason_code, comments), client, caller)
        (number,) = reserve_ids(Invoice, 1)
        receipts.use(client, caller.receipt, invoice_no=number)
        correction = Correction(corrects_id=invoice_no, reason_code=reason.value, comments=comments)
        issuing = Issuing(IssuePolicy(client, collect=False, statement=False), caller, posted_by.day, posted_by.at)
        _record(plan, number, correction, issuing)
        return Invoice.objects.get(pk=number)


def undo_void_requested(arguments: Any, by: Any) -> int:
    """Undo a void as a request says that a second person has approved. Returns the transaction of the invoice that
    restores it."""
    reason = {"reason_code": arguments["reason_code"], "comments": arguments["comments"]}
    restored = undo_void(invoice_no=arguments["voided_no"], **reason, **by)
    return LedgerEntry.objects.get(invoice=restored, kind=EntryKind.INVOICE).pk


def undo_void_needs_approval(client: Client, plan: UndoVoidPlan) -> bool:
    """Return whether a second person must approve the undo, as a void of this amount."""
    return four_eyes_apply(client, GuardedAct.VOIDS, plan.voided.total_amount)


def _requested(plan: UndoVoidPlan, reason_code: int, comments: str) -> GuardedRequest:
    voided = plan.voided
    arguments = {"voided_no": voided.pk, "reason_code": reason_code, "comments": comments}
    return GuardedRequest(GuardedAct.VOIDS, voided.account_id, voided.total_amount, voided.currency, arguments, voided.pk)


def _plan(invoice_no: int, today: date) -> UndoVoidPlan:
    refusal = why_not(Action.UNDO_VOID, document_facts([invoice_no], today)[invoice_no])
    if refusal is not None:
        raise refusal.error
    voided = Invoice.objects.get(pk=invoice_no)
    content = stored_contents([invoice_no])[invoice_no]
    _check_billed_since(voided)
    _check_usage(voided, content)
    _check_orders(voided, content)
    _check_coupon_lines(voided, content)
    check_coupons(voided, (invoice_no,))
    check_credits(voided, (invoice_no,))
    _check_unused_days(voided)
    entry = LedgerEntry.objects.select_related("voided_by").get(invoice=voided, kind__in=CHARGE_KINDS)
    void = entry.voided_by
    first = Allocation.objects.filter(debit=entry, kind=AllocationKind.RELEASED, created_at=void.created_at)
    first_no = first.order_by("pk").values_list("pk", flat=True).first() or 0
    account = money_of_accounts([voided.account_id])
    moved = moved_money(account.allocations.get(voided.account_id, ()), void.pk, void.created_at, first_no)
    elsewhere = moved.moved_elsewhere((entry.pk,)) if first_no else ()
    money = undo_money(voided.account_id, account, moved, entry.pk, void.pk, voided.total_amount, elsewhere)
    back = plan_money_back(money)
    check_not_refunded(back, void.pk, BILL_AGAIN)
    balance = account_positions([voided.account_id])[voided.account_id].balance
    return UndoVoidPlan(voided, _due(voided, entry.pk, back), back, balance, balance + voided.total_amount)


def _due(voided: Invoice, entry_no: int, back: MoneyBack) -> tuple[OpenAfter, ...]:
    change: dict[int, Decimal] = defaultdict(Decimal)
    for one in (*back.released, *back.applied):
        change[one.debit_no] -= one.amount
    of_restored = change.pop(entry_no, ZERO)
    return OpenAfter(voided, ZERO, voided.total_amount + of_restored), *open_after(change)


def _check_billed_since(voided: Invoice) -> None:
    """Refuse (90171) if another live document bills the cycle, days or arrears of the voided one, or bills it again."""
    live = Invoice.objects.filter(account=voided.account_id, status__in=LIVE_STATUSES, kind__in=CYCLE_KINDS)
    again = Q(bills_again__in=[one for one in (voided.pk, voided.bills_again_id) if one is not None])
    cycle = Q(pk__in=())
    if voided.kind in CYCLE_KINDS and voided.bills_again_id is None:
        cycle = Q(kind=voided.kind, bill_date=voided.bill_date, bills_again=None)
    days = [
        Q(billed_periods__plan_instance=row[0], billed_periods__start_date__lte=row[2], billed_periods__end_date__gte=row[1])
        for row in voided.billed_periods.values_list("plan_instance_id", "start_date", "end_date")
    ]
    mine = InvoiceLine.objects.filter(invoice=voided, line_type=LineType.ARREARS, period_start__isnull=False)
    arrears = [
        Q(
            lines__line_type=LineType.ARREARS,
            lines__plan_instance=row[0],
            lines__service=row[1],
            lines__period_start__lte=row[3],
            lines__period_end__gte=row[2],
        )
        for row in mine.values_list("plan_instance_id", "service_id", "period_start", "period_end").distinct()
    ]
    for one in (cycle, again, *days, *arrears):
        blocker = live.filter(one).order_by("-pk").first()
        if blocker is not None:
            raise used_since(Detail("the cycle of {document}", document=voided.document_number), blocker)


def _check_usage(voided: Invoice, content: Document) -> None:
    """Refuse (90171) if the usage that the voided invoice billed is billed, moved or removed."""
    usage = Usage.objects.filter(account=voided.account_id, released_from=voided)
    taken = usage.filter(invoice__isnull=False).select_related("invoice").order_by("-invoice").first()
    if taken is not None and taken.invoice is not None:
        raise used_since(Detail("its usage"), taken.invoice)
    rows = usage.order_by().values_list("plan_instance_id", "service_id").annotate(charged=ExactSum(CHARGED_UNITS))
    held = {(instance_no, service_no): units for instance_no, service_no, units in rows}
    billed: dict[tuple[int | None, int | None], Decimal] = defaultdict(Decimal)
    may_be_flat = set()
    for line in content.lines:
        if line.line_type == LineType.USAGE and line.units is not None:
            key = line.plan_instance_id, line.service_id
            billed[key] += line.units
            if line.tier_no is None and line.units in (0, 1):
                may_be_flat.add(key)
    for key in {**billed, **held}:
        if key not in may_be_flat and held.get(key, ZERO) != billed[key]:
            detail = Detail(
                "the usage that {document} billed has changed since; {instead}",
                document=voided.document_number,
                instead=BILL_AGAIN,
            )
            raise BillingError(ErrorCode.UNDO_BLOCKED, detail, field="invoice_no")


def _check_orders(voided: Invoice, content: Document) -> None:
    """Refuse (90171) if a one-time charge of the voided invoice is billed, changed or cancelled."""
    lines = {line.order_no: line for line in content.lines if line.order_no is not None}
    orders = {one.pk: one for one in OneTimeCharge.objects.filter(pk__in=lines).select_related("invoice")}
    for number, line in lines.items():
        order = orders.get(number)
        if order is not None and order.invoice is not None:
            raise used_since(Detail("one-time charge {number}", number=number), order.invoice)
        if order is None or (order.units, order.rate_per_unit) != (line.units, line.rate_per_unit):
            detail = Detail("one-time charge {number} has changed since; {instead}", number=number, instead=BILL_AGAIN)
            raise BillingError(ErrorCode.UNDO_BLOCKED, detail, field="invoice_no")


def _check_coupon_lines(voided: Invoice, content: Document) -> None:
    """Refuse (90171) if a coupon of the voided invoice was withdrawn since."""
    used = set(CouponUse.objects.filter(invoice=voided).values_list("line_no", flat=True))
    for line in content.lines:
        if line.line_type == LineType.COUPON and line.line_no not in used:
            detail = Detail("coupon {code} was withdrawn since; {instead}", code=line.coupon_code, instead=BILL_AGAIN)
            raise BillingError(ErrorCode.UNDO_BLOCKED, detail, field="invoice_no")


def _check_unused_days(voided: Invoice) -> None:
    """Refuse (90171) if another document credits unused days that the voided one credited."""
    live = UnusedCredit.objects.filter(invoice__status__in=LIVE_STATUSES, source__account=voided.account_id)
    for row in UnusedCredit.objects.filter(invoice=voided):
        same = live.filter(source=row.source_id, source_line_no=row.source_line_no)
        later = same.filter(first_day__lte=row.last_day, last_day__gte=row.first_day, step__gt=row.step)
        newest = later.select_related("invoice").order_by("-pk").first()
        if newest is not None:
            raise used_since(Detail("unused days of its plans"), newest.invoice)


def _record(plan: UndoVoidPlan, number: int, correction: Correction, issuing: Issuing) -> None:
    """Issue the restoring invoice, and move money, usage, orders, coupons, credits, unused days and dates to it. Under the
    lock."""
    voided = plan.voided
    assert voided.due_date is not None
    content = stored_contents([voided.pk])[voided.pk]
    document = ToIssue(
        number,
        replace(content, terms=content.terms.unissued(), correction=correction),
        Links(voided.chain_root_id or voided.pk, bills_again_id=voided.bills_again_id),
        acts=(_generated(voided, number, correction),),
        restored_due_date=voided.due_date,
    )
    allocate(plan.money.released, issuing.posted_by, AllocationKind.RELEASED)
    issue([document], issuing)
    _pay(plan, number, issuing)
    _hold(voided, number)
    if voided.kind in CYCLE_KINDS:
        bill_as_before(voided)
    orders_billed([voided.account_id])
    billing_changed_of([voided.account_id])
    account = Account.objects.get(pk=voided.account_id)
    note_of_account(DataKind.USAGE, account, f"Invoice {voided}: its void is undone, so what it billed is billed")
    after = {
        "invoice": number,
        "balance": str(plan.balance_after),
        "reason_code": correction.reason_code,
        "comments": correction.comments,
    }
    before = {"balance": str(plan.balance_before)}
    act = Act(VOID_UNDONE, voided.account_id, voided.pk, before=before, after=after)
    record_acts(issuing.client, issuing.caller, [act], issuing.at)


def _generated(voided: Invoice, number: int, correction: Correction) -> Act:
    after = {
        "status": InvoiceStatus.APPROVED.value,
        "total_amount": str(voided.total_amount),
        "currency": voided.currency,
        "corrects": voided.pk,
        "reason_code": correction.reason_code,
        "comments": correction.comments,
    }
    return Act("invoice.generated", voided.account_id, number, after=after, type=NOT_PUBLIC)


def _pay(plan: UndoVoidPlan, number: int, issuing: Issuing) -> None:
    """Let the payments of the voided invoice pay the one that restores it."""
    old = LedgerEntry.objects.get(invoice=plan.voided, kind__in=CHARGE_KINDS).pk
    new = LedgerEntry.objects.get(invoice=number, kind=EntryKind.INVOICE).pk
    taken = [one._replace(debit_no=new) if one.debit_no == old else one for one in plan.money.applied]
    allocate(taken, issuing.posted_by)


def _hold(voided: Invoice, number: int) -> None:
    """Let the restoring invoice hold and use what the voided one held and used."""
    usage = Usage.objects.filter(account=voided.account_id, released_from=voided)
    usage.update(invoice=number, released_from=None)
    orders = InvoiceLine.objects.filter(invoice=voided, order_no__isnull=False).values_list("order_no", flat=True)
    OneTimeCharge.objects.filter(pk__in=list(orders)).update(invoice=number)
    coupons = CouponUse.objects.filter(invoice=voided).values_list("redemption_id", "line_no")
    insert_rows(
        CouponUse,
        ("redemption_id", "line_no", "invoice_id", "is_given_back"),
        [(*row, number, False) for row in coupons],
    )
    credits = CreditUse.objects.filter(invoice=voided).values_list("credit_id", "line_no", "amount")
    insert_rows(
        CreditUse,
        ("credit_id", "line_no", "amount", "invoice_id", "is_given_back"),
        [(*row, number, False) for row in credits],
    )
    _hold_unused_days(voided, number)


def _hold_unused_days(voided: Invoice, number: int) -> None:
    """Credit the unused days again that the voided invoice credited. Credits of its own days name the restoring invoice."""
    rows = []
    for row in UnusedCredit.objects.filter(invoice=voided).values(*UNUSED_CREDIT):
        same = UnusedCredit.objects.filter(source=row["source_id"], source_line_no=row["source_line_no"])
        step = same.aggregate(last=Max("step"))["last"] + 1
        rows.append(tuple({**row, "step": step, "invoice_id": number}[name] for name in UNUSED_CREDIT))
    insert_rows(UnusedCredit, UNUSED_CREDIT, rows)
    UnusedCredit.objects.filter(source=voided).update(source=number)
