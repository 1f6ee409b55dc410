"""Credit unused days of accounts that get no further invoice, by credit memos."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from decimal import Decimal

from accounts.callers import Caller
from accounts.models import Account, Client
from billing_site.common.currencies import currency_of
from billing_site.common.storage import insert_rows
from billing_site.errors import BillingError
from invoices.calculation import ZERO
from invoices.models import Invoice, UnusedCredit
from invoices.plan.actions import Action
from invoices.plan.memo import plan_memo
from invoices.plan.unused import Unused, claim_of, unused_of
from invoices.services.actions import check_allowed
from invoices.services.correcting.credit_memos import issue_memo, left_to_credit, lines_to_credit
from invoices.services.money.dunning import end_dunning
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.planning.charged_days import instances_with_unused_days, read_charged_days
from invoices.services.planning.holds import UNUSED_CREDIT

NOT_PROVIDED = 2
"""The code of a common reason for credit memos: service not provided."""
LONGEST_COMMENTS = 3000


def credit_unused_days(client: Client, account_nos: Collection[int], caller: Caller, posted_by: PostedBy) -> None:
    """Issue credit memos for the unused days of those accounts that get no further invoice. Under the accounts' locks.

    An invoice that cannot be credited now, or is written off or disputed, is skipped; its days stay open.
    """
    if not account_nos:
        return
    ended = Account.objects.filter(pk__in=account_nos, next_bill_date=None)
    numbers = list(instances_with_unused_days(account__in=ended).order_by().values_list("account_id", flat=True).distinct())
    currencies = dict(Account.objects.filter(pk__in=numbers).values_list("pk", "currency"))
    for account_no, sources in sorted(read_charged_days(numbers).items()):
        by_invoice: dict[int, list[Unused]] = defaultdict(list)
        for one in unused_of(sources, currency_of(currencies[account_no])):
            if one.amount > ZERO:
                by_invoice[one.source.invoice_no].append(one)
        for invoice_no, unused in by_invoice.items():
            _credit(client, Invoice.objects.get(pk=invoice_no), unused, caller, posted_by)
    if numbers:
        end_dunning(client, caller, numbers, posted_by.day)


def _credit(client: Client, invoice: Invoice, unused: Sequence[Unused], caller: Caller, posted_by: PostedBy) -> None:
    try:
        check_allowed(Action.CREDIT, invoice.pk, posted_by.day)
    except BillingError:
        return
    lines = lines_to_credit(invoice)
    left = {line.line_no: line.left for line in lines}
    amounts = {one.source.line_no: min(one.amount, left.get(one.source.line_no, ZERO)) for one in unused}
    memo = plan_memo(lines, {number: amount for number, amount in amounts.items() if amount > ZERO}, invoice.billing_currency)
    if not memo.lines or memo.total_amount > left_to_credit(invoice):
        return
    why = Why(NOT_PROVIDED, _comments(unused))
    memo_no = issue_memo(client, invoice, memo, why, caller, posted_by)
    given: dict[int, tuple[int, Decimal]] = {
        credit.line_no: (place, credit.amount) for place, credit in enumerate(memo.lines, 1)
    }
    rows = [(*claim_of(one, given[one.source.line_no][1], given[one.source.line_no][0]), memo_no) for one in unused]
    insert_rows(UnusedCredit, UNUSED_CREDIT, rows)


def _comments(unused: Sequence[Unused]) -> str:
    texts = [f"Unused days of {one.source.description}: {one.first_day} to {one.source.last_day}" for one in unused]
    return "; ".join(texts)[:LONGEST_COMMENTS]
