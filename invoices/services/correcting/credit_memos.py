"""Credit memos: documents that credit chosen lines or an amount of an issued invoice."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.callers import Caller
from accounts.event_types import NOT_PUBLIC
from accounts.kinds import CreditTo, GuardedAct
from accounts.models import Client
from accounts.trail import Act
from billing_site.common.storage import reserve_ids
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO, amount_text
from invoices.document import Document, Line
from invoices.kinds import EntryKind, InvoiceKind, InvoiceStatus, ReasonType, SeriesKind
from invoices.models import Invoice, LedgerEntry
from invoices.plan.actions import Action
from invoices.plan.allocating import OpenItem, Taken
from invoices.plan.memo import (
    LineToCredit,
    MemoPlan,
    TaxOfLine,
    TaxToCredit,
    plan_memo,
    plan_memo_of_all,
    spread,
    taxes_to_credit,
    with_given_back,
)
from invoices.services.actions import check_allowed
from invoices.services.correcting.memo_documents import memo_document
from invoices.services.documents.account_acts import billing_changed_of
from invoices.services.documents.document_storage import Links, stored_contents
from invoices.services.documents.rights import check_may_correct
from invoices.services.issuing.e_invoicing import corrected_electronically
from invoices.services.issuing.issuing import HowIssued, IssuePolicy, Issuing, ToIssue, issue
from invoices.services.money.ledger.acts import (
    Why,
    account_of_invoice,
    check_amount,
    check_not_above,
    check_reason,
    check_seen,
    money_act,
    seen_as,
)
from invoices.services.money.ledger.applying import held_up_to, release_debit
from invoices.services.money.ledger.entries import Draft, PostedBy, allocate, post
from invoices.services.money.ledger.freed_money import (
    Freed,
    FreedMoney,
    ask_refunds,
    check_may_refund,
    credit_to_of,
    freed_money,
    place_freed,
    refundable,
)
from invoices.services.money.ledger.open_items import charges_of
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person
from invoices.services.planning.charged_days import given_back_of


class CreditRequest(NamedTuple):
    """What to credit. Give one of: `lines`, each with an amount or None for the whole line; `amount`, before added tax, spread
    over the lines; or `everything` that is not yet credited, written off or disputed. A charge is credited with its tax, a tax
    line alone."""

    lines: Mapping[int, Decimal | None] = {}
    amount: Decimal | None = None
    everything: bool = False


def lines_to_credit(invoice: Invoice) -> list[LineToCredit]:
    """Return each charge of an invoice with the amount that can still be credited.

    This is the charge less credits, credit memos and unused days that were credited elsewhere. A line that credits unused days
    is included, below zero.
    """
    memos = Invoice.objects.filter(corrects=invoice, kind=InvoiceKind.CREDIT_MEMO, status=InvoiceStatus.APPROVED)
    numbers = list(memos.order_by("pk").values_list("pk", flat=True))
    contents = stored_contents([invoice.pk, *numbers])
    content = contents[invoice.pk]
    reduced = _sums((credit.credited_line_no, credit.amount) for credit in content.credits)
    credited, given_back = _credited([contents[number] for number in numbers])
    unused = given_back_of(invoice.pk)
    taxes: dict[int, list[TaxOfLine]] = defaultdict(list)
    for tax in content.taxes:
        back = given_back.get((tax.tax_line_no, tax.taxed_line_no), ZERO)
        taxes[tax.taxed_line_no].append(TaxOfLine(tax.tax_line_no, tax.is_inclusive, tax.amount, back))
    lines = [
        LineToCredit(line.line_no, base, credited.get(line.line_no, ZERO), tuple(taxes[line.line_no]))
        for line in _charging_lines(content)
        if (base := line.amount - reduced.get(line.line_no, ZERO))
    ]
    return [with_given_back(line, unused.get(line.line_no, ZERO), invoice.billing_currency) for line in lines]


def creditable_lines(invoice: Invoice) -> list[LineToCredit | TaxToCredit]:
    """Return each line of an invoice with the amount that can still be credited: its charges, and then its taxes alone."""
    lines = lines_to_credit(invoice)
    return [*lines, *taxes_to_credit(lines)]


def preview_credit_memo(*, client: Client, invoice_no: int, credit: CreditRequest, today: date) -> MemoPlan:
    """Return what a credit memo would credit. Writes nothing. Refuses what cannot be credited, as `create_credit_memo` does."""
    account_of_invoice(client, invoice_no)
    check_allowed(Action.CREDIT, invoice_no, today)
    return _plan(Invoice.objects.get(pk=invoice_no), credit)


def preview_memo_document(*, client: Client, invoice_no: int, credit: CreditRequest, why: Why, today: date) -> Document:
    """Return the document that `create_credit_memo` would issue. Writes nothing. Refuses as `preview_credit_memo` does."""
    memo = preview_credit_memo(client=client, invoice_no=invoice_no, credit=credit, today=today)
    return memo_document(Invoice.objects.get(pk=invoice_no), stored_contents([invoice_no])[invoice_no], memo, why)


class MemoPreview(NamedTuple):
    """A planned credit memo, and what is open on its invoice before it. `seen` binds the act to the preview."""

    plan: MemoPlan
    due: Decimal
    seen: str

    @property
    def left(self) -> Decimal:
        """What is open on the invoice afterwards."""
        return max(self.due - self.plan.total_amount, ZERO)

    @property
    def released(self) -> Decimal:
        """The payments that the memo replaces: they pay other invoices, or become unapplied credit."""
        return max(self.plan.total_amount - self.due, ZERO)


def preview_memo(*, client: Client, invoice_no: int, credit: CreditRequest, today: date) -> MemoPreview:
    """Return what `create_credit_memo` would do to the invoice. Writes nothing. Refuses as `preview_credit_memo` does."""
    plan = preview_credit_memo(client=client, invoice_no=invoice_no, credit=credit, today=today)
    due = charges_of([invoice_no])[invoice_no].due
    return MemoPreview(plan, due, seen_as(plan, due))


def preview_freed_money(client: Client, invoice: Invoice, amount: Decimal, credit_to: str) -> FreedMoney:
    """Return where the payments would go that a memo of this amount replaces. Writes nothing."""
    charge, to = charges_of([invoice.pk])[invoice.pk], credit_to_of(client, credit_to, CreditTo.OLDEST_OPEN_INVOICE)
    parts = held_up_to(charge.entry_no, amount - charge.due) if amount > charge.due else ()
    return freed_money(invoice.account_id, charge.entry_no, parts, to)


def create_credit_memo(
    *,
    client: Client,
    invoice_no: int,
    caller: Caller,
    today: date,
    why: Why,
    credit: CreditRequest | None = None,
    seen: str = "",
    credit_to: str = "",
) -> Invoice:
    """Issue a credit memo and return it. It reduces its invoice before payments do; payments that it replaces go where
    `credit_to` says, else the client's setting; else they pay other invoices.

    Refuses missing comments (29007), a caller who may not correct (90026), an unknown invoice (3004), one that may not be
    credited (the codes of `Action.CREDIT`), a wrong reason (3024), a request with neither amount, lines nor `everything`, or
    with two of them (90047), more than can be credited (90021), and a memo that is not what was `seen` in its preview (90003).
    May need a second person (90073).
    """
    if not why.comments.strip():
        raise BillingError(ErrorCode.MISSING_MEMO_COMMENTS, field="comments")
    account_no = account_of_invoice(client, invoice_no)
    with money_act(client, account_no, caller, today, invoice_no=invoice_no) as posted_by:
        check_may_correct(caller)
        check_allowed(Action.CREDIT, invoice_no, today)
        invoice = Invoice.objects.get(pk=invoice_no)
        check_reason(client, ReasonType.CREDIT_MEMO, why)
        memo = _plan(invoice, credit or CreditRequest())
        if seen:
            check_seen(seen, memo, charges_of([invoice_no])[invoice_no].due)
        require_second_person(_wanted(invoice, memo, why, credit or CreditRequest(), credit_to), client, caller)
        memo_no = issue_memo(client, invoice, memo, why, caller, posted_by, credit_to)
        billing_changed_of([account_no])
    ask_refunds(client, [memo_no], caller, today)
    return Invoice.objects.get(pk=memo_no)


def _wanted(invoice: Invoice, memo: MemoPlan, why: Why, credit: CreditRequest, credit_to: str) -> GuardedRequest:
    lines = [[number, None if amount is None else str(amount)] for number, amount in credit.lines.items()]
    given = None if credit.amount is None else str(credit.amount)
    asked_for = {"lines": lines, "amount": given, "everything": credit.everything, "credit_to": credit_to}
    arguments = {"invoice_no": invoice.pk, **asked_for, **why._asdict()}
    return GuardedRequest(GuardedAct.MEMOS, invoice.account_id, memo.total_amount, invoice.currency, arguments, invoice.pk)


def _plan(invoice: Invoice, credit: CreditRequest) -> MemoPlan:
    lines, currency = lines_to_credit(invoice), invoice.billing_currency
    if credit.lines and credit.amount is not None:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("amount: give either lines or an amount"), field="amount")
    if (bool(credit.lines) or credit.amount is not None) is credit.everything:
        raise BillingError(ErrorCode.AMOUNT_OR_ALL, field="amount")
    if credit.amount is not None:
        amount = check_amount(credit.amount, invoice.currency)
        memo = plan_memo(lines, spread(lines, amount, currency), currency)
    elif credit.lines:
        memo = _plan_of_lines(invoice, lines, credit.lines)
    else:
        memo = plan_memo_of_all(lines, left_to_credit(invoice), currency)
    if not memo.lines or memo.total_amount <= ZERO:
        raise BillingError(
            ErrorCode.ABOVE_WHAT_IS_OPEN,
            Detail("invoice {invoice_no} has no amount left to credit", invoice_no=invoice.pk),
            field="invoice_no",
        )
    open_amount = left_to_credit(invoice)
    check_not_above(memo.total_amount, open_amount, invoice.currency, Detail("of the invoice can still be credited"))
    return memo


def _plan_of_lines(invoice: Invoice, lines: Sequence[LineToCredit], asked: Mapping[int, Decimal | None]) -> MemoPlan:
    """Refuses (90120) a tax alone where the memo is an electronic invoice: its VAT is a percentage of what is credited."""
    currency = invoice.billing_currency
    left, taxes = {line.line_no: line.left for line in lines}, {tax.line_no for tax in taxes_to_credit(lines)}
    amounts: dict[int, Decimal] = {}
    alone: dict[int, Decimal | None] = {}
    for number, amount in asked.items():
        name = Detail("line {line_no}", line_no=number)
        if number in taxes:
            alone[number] = None if amount is None else check_amount(amount, currency.code, "lines", name=name)
        elif number in left:
            amounts[number] = check_amount(left[number] if amount is None else amount, currency.code, "lines", name=name)
        else:
            amounts[number] = ZERO if amount is None else amount
    if alone and corrected_electronically(invoice.client, invoice.pk):
        detail = Detail(
            "BR-CO-17: A tax cannot be credited alone electronically. Rebill the invoice and look its tax up again."
        )
        raise BillingError(ErrorCode.E_INVOICE_NOT_VALID, detail, field="lines")
    return plan_memo(lines, amounts, currency, alone)


def left_to_credit(invoice: Invoice) -> Decimal:
    """Return the invoice's total less what is credited, written off or disputed."""
    kinds = (EntryKind.CREDIT_MEMO, EntryKind.WRITE_OFF, EntryKind.DISPUTE)
    entries = LedgerEntry.objects.filter(kind__in=kinds, voided_by=None)
    off = entries.filter(invoice=invoice) | entries.filter(invoice__corrects=invoice)
    return invoice.total_amount + sum(off.values_list("amount", flat=True), ZERO)


def _charging_lines(content: Document) -> list[Line]:
    """Return the lines that can be credited: charges above zero, and lines below zero that are taxed themselves."""
    charging = [line for line in content.lines if line.is_charge and line.amount > ZERO]
    return charging + [line for line in content.lines if line.has_own_tax]


def _credited(memos: Sequence[Document]) -> tuple[dict[int, Decimal], dict[tuple[int, int], Decimal]]:
    """Return what memos have credited of each line, and of each tax on a line, by the line numbers of the invoice."""
    credited: dict[int, Decimal] = defaultdict(Decimal)
    given_back: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for memo in memos:
        source = {line.line_no: line.source_line_no or 0 for line in memo.lines}
        for line in memo.lines:
            if not line.is_tax:
                credited[source[line.line_no]] -= line.amount
        for tax in memo.taxes:
            given_back[source[tax.tax_line_no], source[tax.taxed_line_no]] -= tax.amount
    return credited, given_back


def _sums(pairs: Any) -> dict[int, Decimal]:
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for number, amount in pairs:
        sums[number] += amount
    return sums


def issue_memo(
    client: Client, invoice: Invoice, memo: MemoPlan, why: Why, caller: Caller, posted_by: PostedBy, credit_to: str = ""
) -> int:
    """Issue a planned memo of an invoice, and return its number. Under the account's lock."""
    (memo_no,) = reserve_ids(Invoice, 1)
    after = {
        "status": "approved",
        "total_amount": amount_text(-memo.total_amount, invoice.currency),
        "currency": invoice.currency,
        "corrects": invoice.pk,
        **why._asdict(),
    }
    document = ToIssue(
        memo_no,
        memo_document(invoice, stored_contents([invoice.pk])[invoice.pk], memo, why),
        Links(invoice.chain_root_id or invoice.pk, credit_to=credit_to),
        acts=(Act("invoice.generated", invoice.account_id, memo_no, after=after, type=NOT_PUBLIC),),
    )
    issue([document], Issuing(IssuePolicy(client), caller, posted_by.day, posted_by.at))
    return memo_no


def _enter(memos: Sequence[ToIssue], issuing: Issuing) -> Mapping[int, Decimal]:
    for memo in memos:
        _apply(memo, issuing)
    return {}


def _apply(memo: ToIssue, issuing: Issuing) -> None:
    """Enter the memo into the ledger. It pays its invoice completely; released payments go where `credit_to` says."""
    correction, amount, posted_by = memo.content.correction, -memo.terms.total_amount, issuing.posted_by
    assert correction is not None
    why = correction.reason_code, correction.comments
    credit_to = credit_to_of(issuing.client, memo.links.credit_to, CreditTo.OLDEST_OPEN_INVOICE)
    charge = charges_of([correction.corrects_id])[correction.corrects_id]
    released: tuple[OpenItem, ...] = ()
    if amount > charge.due:
        released = held_up_to(charge.entry_no, amount - charge.due)
        if credit_to.refunds:
            check_may_refund(issuing.client, issuing.caller, sum(refundable(released).values(), ZERO))
    (entry_no,) = post([Draft(memo.account_no, EntryKind.CREDIT_MEMO, -amount, memo.invoice_no, None, *why)], posted_by)
    if released:
        release_debit(charge.entry_no, posted_by, amount - charge.due)
    allocate([Taken(entry_no, charge.entry_no, amount)], posted_by, own_events=[correction.corrects_id])
    if released:
        freed = Freed(memo.account_no, memo.invoice_no, released, credit_to, correction.comments)
        place_freed([freed], client=issuing.client, caller=issuing.caller, posted_by=posted_by)


CREDIT_MEMOS = HowIssued(SeriesKind.CREDIT_MEMO, _enter)
"""How credit memos are issued. A memo that is issued with a rebill is entered by the rebill instead."""
