"""Tax by rate: what was charged in a period, less what credit memos and voids gave back. Lines without tax are in it, too."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Case, Count, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from accounts.models import Client
from accounts.vat_categories import default_category
from billing_site.common.storage import ExactSum
from invoices.calculation import ZERO
from invoices.kinds import OFFSETTING_KINDS, InvoiceKind, LineType
from invoices.models import CreditDetail, InvoiceLine, TaxDetail
from invoices.models.documents import AmountField
from invoices.plan.vat import untaxed_category
from invoices.services.lists.reports.posted import posted

RATE = ("invoice__currency", "jurisdiction", "authority", "percent", "vat_category")

IS_OFFSETTING = Q(invoice__kind__in=OFFSETTING_KINDS)
OFFSETS_A_MEMO = Q(invoice__corrects__kind=InvoiceKind.CREDIT_MEMO)
IS_MEMO_ALONE = Q(invoice__kind=InvoiceKind.CREDIT_MEMO, invoice__issued_with__isnull=True)

SPREAD_BY: Any = Case(
    When(OFFSETS_A_MEMO, then=F("invoice__corrects__corrects")),
    When(IS_MEMO_ALONE, then=Value(None)),
    When(IS_OFFSETTING, then=F("invoice__corrects")),
    default=F("invoice"),
)
"""The document that says which line reduces which: a reversal and the memo of a rebill leave it to the document that they
offset. Another memo has no lines that reduce others."""

SPREAD_LINE = Case(When(IS_OFFSETTING, then=F("source_line_no")), default=F("line_no"))
"""The number of a line on that document."""

DIRECTION = Case(When(IS_OFFSETTING & ~OFFSETS_A_MEMO, then=Value(1)), default=Value(-1))
"""The sign of lines that reduce others: above zero where the document itself is below zero."""


class TaxRateSum(NamedTuple):
    """The tax of one rate in a period. `taxable` is the amount before tax; `documents` counts those that were posted or
    voided. Lines without tax have no place and no name."""

    currency: str
    jurisdiction: str
    authority: str
    percent: Decimal
    vat_category: str
    documents: int
    taxable: Decimal
    tax: Decimal


def tax_by_rate(client: Client, first: date, last: date) -> list[TaxRateSum]:
    """Return the tax of each rate, ordered by currency, place, name, percent and category, lines without tax by category.

    Credit memos count negatively on their own day, a voided document on the day of its void. Four queries."""
    sums: dict[tuple[str, str, str, Decimal, str], tuple[int, Decimal, Decimal]] = defaultdict(lambda: (0, ZERO, ZERO))
    for sign, entries in posted(client, first, last):
        numbers = entries.order_by().values("invoice_id")
        for one in (*_taxed(numbers), *_untaxed(numbers)):
            rate = one[:5]
            documents, taxable, tax = sums[rate]
            sums[rate] = (documents + one.documents, taxable + sign * one.taxable, tax + sign * one.tax)
    return [TaxRateSum(*rate, *sums[rate]) for rate in sorted(sums)]


def _taxed(numbers: Any) -> Iterator[TaxRateSum]:
    rows = TaxDetail.objects.filter(invoice__in=numbers).order_by().values_list(*RATE)
    found = rows.annotate(Count("invoice", distinct=True), ExactSum("taxable_amount"), ExactSum("amount"))
    for currency, place, name, percent, category, documents, taxable, tax in found:
        # Documents from before the category was stored have the one that follows from the percent.
        known = category or default_category(percent).value
        yield TaxRateSum(currency, place, name, percent, known, documents, taxable, tax)


def _untaxed(numbers: Any) -> Iterator[TaxRateSum]:
    """Yield the lines without tax, less what coupons and credits take off them."""
    untaxed = InvoiceLine.objects.filter(invoice__in=numbers).exclude(line_type=LineType.TAX).exclude(amount=0)
    untaxed = untaxed.filter(~Exists(TaxDetail.objects.filter(invoice=OuterRef("invoice"), taxed_line_no=OuterRef("line_no"))))
    lines = untaxed.alias(spread_by=SPREAD_BY, spread_line=SPREAD_LINE)
    reductions = CreditDetail.objects.filter(invoice=OuterRef("spread_by"))
    charges = lines.filter(~Exists(reductions.filter(credit_line_no=OuterRef("spread_line"))))
    reduced = Coalesce(_reduced(reductions), ZERO, output_field=AmountField())
    net = ExpressionWrapper(F("amount") + DIRECTION * reduced, output_field=AmountField())
    grouped = charges.annotate(net=net).order_by().values_list("invoice__currency", "invoice__tax_exemption", "tax_category")
    for currency, exemption, tax_category, documents, amount in grouped.annotate(
        Count("invoice", distinct=True), ExactSum("net")
    ):
        category = untaxed_category(exemption, tax_category).value
        yield TaxRateSum(currency, "", "", ZERO, category, documents, amount, ZERO)


def _reduced(reductions: QuerySet[CreditDetail]) -> Subquery:
    """Return what other lines take off a line."""
    return Subquery(
        reductions.filter(credited_line_no=OuterRef("spread_line"))
        .order_by()
        .values("credited_line_no")
        .annotate(sum=ExactSum("amount"))
        .values("sum")
    )
