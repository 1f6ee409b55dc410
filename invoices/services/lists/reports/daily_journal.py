"""The whole journal by day: documents, payments, refunds, credits, write-offs and disputes, in debit and credit.

Each transaction changes the receivables, and the same amount is posted to another account. So each day balances, in each
currency. A void counts as what it voids, on its own day.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import Client
from billing_site.common.storage import ExactSum
from invoices.calculation import ZERO
from invoices.kinds import CHARGE_KINDS, PAYMENT_KINDS, REFUND_KINDS, EntryKind, LineType
from invoices.models import InvoiceLine, LedgerEntry
from invoices.services.lists.reports.posted import posted


class PostedTo(Enum):
    """The accounts of the journal, in the order of a day's rows."""

    RECEIVABLES = "receivables"
    REVENUE = "revenue"
    TAX = "tax"
    PAYMENTS = "payments"
    REFUNDS = "refunds"
    CASH_CREDITS = "cash_credits"
    WRITE_OFFS = "write_offs"
    DISPUTES = "disputes"


OF_KIND: Mapping[str, PostedTo] = {
    **dict.fromkeys(PAYMENT_KINDS, PostedTo.PAYMENTS),
    **dict.fromkeys(REFUND_KINDS, PostedTo.REFUNDS),
    EntryKind.CASH_CREDIT: PostedTo.CASH_CREDITS,
    EntryKind.WRITE_OFF: PostedTo.WRITE_OFFS,
    EntryKind.DISPUTE: PostedTo.DISPUTES,
}
"""The account against which money is posted, by the kind of its transaction."""


class JournalEntry(NamedTuple):
    """The sum of a day that is posted to one account. A debit is positive, a credit negative. `code` is the GL code of revenue
    ("" if the service has none), the name of a tax, or the type of payments."""

    day: date
    currency: str
    account: PostedTo
    code: str
    amount: Decimal

    @property
    def debit(self) -> Decimal:
        return max(self.amount, ZERO)

    @property
    def credit(self) -> Decimal:
        return max(-self.amount, ZERO)


Key = tuple[date, str, PostedTo, str]


def daily_journal(client: Client, first: date, last: date) -> list[JournalEntry]:
    """Return what was posted on each day from `first` to `last`, ordered by day, currency, account and code. The amounts of a
    day and currency sum to zero. Six queries."""
    sums: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for day, currency, kind, type, amount in _money(client, first, last):
        sums[day, currency, PostedTo.RECEIVABLES, ""] += amount
        if kind not in CHARGE_KINDS:
            sums[day, currency, OF_KIND[kind], type or ""] -= amount
    for sign, entries in posted(client, first, last):
        for key, amount in (*_revenue(entries), *_taxes(entries)):
            sums[key] -= sign * amount
    order = list(PostedTo)
    keys = sorted(sums, key=lambda key: (key[0], key[1], order.index(key[2]), key[3]))
    return [JournalEntry(*key, sums[key]) for key in keys if sums[key] != ZERO]


def _money(client: Client, first: date, last: date) -> Any:
    """Return day, currency, kind, type of payment and sum of all transactions. A void has the kind of what it voids."""
    entries = LedgerEntry.objects.filter(account__client=client, entry_date__range=(first, last)).order_by()
    what = entries.annotate(what=Coalesce("voids__kind", "kind"), type=Coalesce("voids__payment__type", "payment__type"))
    return what.values_list("entry_date", "account__currency", "what", "type").annotate(ExactSum("amount"))


def _revenue(entries: QuerySet[LedgerEntry]) -> Iterator[tuple[Key, Decimal]]:
    found = _charged(entries).values_list("entry_date", "account__currency", "invoice__lines__gl_code")
    for day, currency, code, amount in found.annotate(ExactSum("invoice__lines__amount")):
        yield (day, currency, PostedTo.REVENUE, code), amount


def _charged(entries: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
    return entries.order_by().filter(invoice__lines__line_type__in=[one for one in LineType if one is not LineType.TAX])


def _taxes(entries: QuerySet[LedgerEntry]) -> Iterator[tuple[Key, Decimal]]:
    """Yield the taxes. A tax that the price includes is taken from the revenue of its line."""
    taxed = InvoiceLine.objects.filter(invoice=OuterRef("invoice"), line_no=OuterRef("invoice__tax_details__taxed_line_no"))
    rows = entries.order_by().filter(invoice__tax_details__isnull=False)
    groups = rows.annotate(
        name=F("invoice__tax_details__authority"),
        included=F("invoice__tax_details__is_inclusive"),
        code=Subquery(taxed.values("gl_code")[:1]),
    ).values_list("entry_date", "account__currency", "name", "included", "code")
    for day, currency, name, included, code, amount in groups.annotate(ExactSum("invoice__tax_details__amount")):
        yield (day, currency, PostedTo.TAX, name), amount
        if included:
            yield (day, currency, PostedTo.REVENUE, code or ""), -amount
