"""The journal of documents for the general ledger: receivables, revenue by GL code, and tax.

Revenue is without tax: a tax that the price includes is taken from its line. Receivables are the revenue plus the tax.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from accounts.models import Client
from billing_site.common.keyset_pages import Order, in_chunks
from billing_site.common.storage import ExactSum
from invoices.calculation import ZERO
from invoices.kinds import LineType
from invoices.models import InvoiceLine, LedgerEntry, TaxDetail
from invoices.services.lists.reports.posted import posted

LINES_AT_ONCE = 1000


class JournalAccount(Enum):
    RECEIVABLES = "receivables"
    REVENUE = "revenue"
    TAX = "tax"


class JournalSum(NamedTuple):
    """What is posted in a period. A debit is positive, a credit is negative. `code` is the GL code of revenue ("" if the
    service has none), or the name of a tax."""

    currency: str
    account: JournalAccount
    code: str
    amount: Decimal


class JournalRow(NamedTuple):
    """One line of a document that was posted, or taken back by a void. `line` has its revenue or tax as `posted_amount`: a
    credit to revenue or tax is negative."""

    day: date
    is_void: bool
    line: Any
    amount: Decimal


def journal_by_gl_code(client: Client, first: date, last: date) -> list[JournalSum]:
    """Return the sums of the documents posted from `first` to `last`, less those voided in these days. The amounts of each
    currency sum to zero. Six queries."""
    sums: dict[tuple[str, JournalAccount, str], Decimal] = defaultdict(lambda: ZERO)
    for sign, entries in posted(client, first, last):
        for currency, amount in entries.order_by().values_list("account__currency").annotate(ExactSum("amount")):
            # A void's amount already has the opposite sign.
            sums[currency, JournalAccount.RECEIVABLES, ""] += amount
        for currency, code, amount in _revenue(entries):
            sums[currency, JournalAccount.REVENUE, code] -= sign * amount
        for currency, code, name, amount, is_inclusive in _taxes(entries):
            sums[currency, JournalAccount.TAX, name] -= sign * amount
            if is_inclusive:
                sums[currency, JournalAccount.REVENUE, code or ""] += sign * amount
    order = list(JournalAccount)
    keys = sorted(sums, key=lambda key: (key[0], order.index(key[1]), key[2]))
    return [JournalSum(*key, sums[key]) for key in keys if sums[key] != ZERO]


def journal_rows(client: Client, first: date, last: date) -> Iterator[list[JournalRow]]:
    """Yield the lines behind `journal_by_gl_code` without receivables: first of posted documents, then of voided ones, each in
    the order of their numbers. At most 1,000 at a time."""
    for sign, entries in posted(client, first, last):
        days = Subquery(entries.filter(invoice=OuterRef("invoice")).order_by().values("entry_date")[:1])
        lines = _lines(entries).annotate(day=days, included=Coalesce(_inclusive_tax_of_line(), Value(ZERO)))
        for chunk in in_chunks(lines.select_related("invoice__account", "service"), Order("pk"), LINES_AT_ONCE):
            yield [JournalRow(line.day, sign < 0, line, -sign * (line.amount - line.included)) for line in chunk]


def _lines(entries: QuerySet[LedgerEntry]) -> QuerySet[Any]:
    return InvoiceLine.objects.filter(invoice__in=entries.order_by().values("invoice_id"))


def _revenue(entries: QuerySet[LedgerEntry]) -> Any:
    rows = _lines(entries).exclude(line_type=LineType.TAX).order_by()
    return rows.values_list("invoice__currency", "gl_code").annotate(ExactSum("amount"))


def _taxes(entries: QuerySet[LedgerEntry]) -> Any:
    """Return the taxes by currency, GL code of the taxed line, name, and whether the price includes them."""
    taxed = InvoiceLine.objects.filter(invoice=OuterRef("invoice"), line_no=OuterRef("taxed_line_no"))
    rows = TaxDetail.objects.filter(invoice__in=entries.order_by().values("invoice_id")).order_by()
    groups = rows.annotate(code=Subquery(taxed.values("gl_code")[:1])).values("invoice__currency", "code", "authority")
    found = groups.values("is_inclusive", *("invoice__currency", "code", "authority")).annotate(sum=ExactSum("amount"))
    return found.values_list("invoice__currency", "code", "authority", "sum", "is_inclusive")


def _inclusive_tax_of_line() -> Subquery:
    included = TaxDetail.objects.filter(invoice=OuterRef("invoice"), taxed_line_no=OuterRef("line_no"), is_inclusive=True)
    return Subquery(included.order_by().values("invoice").annotate(sum=ExactSum("amount")).values("sum"))
