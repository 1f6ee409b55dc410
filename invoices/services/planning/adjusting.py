"""Apply the adjustments of pending documents again when the documents are recalculated.

Who adjusts lines is another app: it registers here how its adjustments are applied.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from django.db.models import Model

from accounts.models import Client
from billing_site.common.storage import update_rows
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.document import Document
from invoices.models import Adjustment, Comparison, CouponUse, CreditUse, UnusedCredit
from invoices.models import TaxAnswer as StoredAnswer
from invoices.plan.tax_answers import TaxAnswer
from invoices.services.documents.versions import newest_versions

ADJUSTED_FIELDS = ("line_no", "changes", "why_not")


class Adjusted(NamedTuple):
    """A document with its adjustments. Its lines name the generated lines that they come from in `source_line_no`.

    `rows` are adjustments by primary key, with the values of ADJUSTED_FIELDS.
    """

    content: Document
    tax_answer: TaxAnswer
    rows: Sequence[tuple[int, int | None, list[Any], str]] = ()


Adjust = Callable[[Client, Mapping[int, Document], Mapping[int, TaxAnswer], date], Mapping[int, Adjusted | BillingError]]
"""Applies the current adjustments of documents to newly generated ones, which come with their tax answers, by number. No
writes. What does not fit any more is left out, and its row says why."""

_ADJUST: list[Adjust] = []


def register_adjusting(adjust: Adjust) -> None:
    """Register how adjustments are applied. Call it when the app is ready."""
    _ADJUST[:] = [adjust]


def adjusted_documents(invoice_nos: Collection[int]) -> frozenset[int]:
    """Return the documents that have adjustments. One query."""
    rows = Adjustment.objects.filter(invoice__in=invoice_nos, through_version=None).order_by()
    return frozenset(rows.values_list("invoice_id", flat=True).distinct()) if invoice_nos else frozenset()


def adjust_again(
    client: Client, generated: Mapping[int, Document], answers: Mapping[int, TaxAnswer], today: date
) -> Mapping[int, Adjusted | BillingError]:
    """Return newly generated documents with their adjustments, or why they cannot be applied. Documents without adjustments are
    left out. Nothing is written."""
    numbers = adjusted_documents(list(generated))
    if not numbers:
        return {}
    (adjust,) = _ADJUST
    return adjust(client, {number: generated[number] for number in sorted(numbers)}, answers, today)


def record_adjusted(adjusted: Sequence[Adjusted]) -> None:
    """Store on which lines adjustments are now, and which no longer fit. In the transaction that writes the documents."""
    update_rows(Adjustment, ADJUSTED_FIELDS, [row for one in adjusted for row in one.rows])


def forget_derived(invoice_nos: Sequence[int]) -> None:
    """Delete the comparisons and tax answers of documents whose content is replaced. New ones follow."""
    Comparison.objects.filter(invoice__in=invoice_nos).delete()
    StoredAnswer.objects.filter(invoice__in=invoice_nos).delete()


def would_lose_adjustments(invoice_no: int) -> BillingError:
    """Return the refusal of an act that would make another document, without the adjustments of this one."""
    detail = Detail("invoice {invoice_no}; recalculate it, which keeps them, or withdraw them first", invoice_no=invoice_no)
    return BillingError(ErrorCode.HAS_ADJUSTMENTS, detail, field="invoice_no")


def settle_adjusted(invoice_nos: Sequence[int]) -> None:
    """Move the coupons, service credits and credits of unused days of adjusted documents to the lines that they are on now.

    While a document is pending, it holds what was generated. When it is issued, a coupon or credit that is on none of its lines
    is free again. Must be called under the accounts' locks, when the documents are issued.
    """
    versions = newest_versions(invoice_nos) if invoice_nos else {}
    contents = {number: one.content for number, one in versions.items() if one.is_adjusted}
    for model, columns in HELD.items() if contents else ():
        moved, gone = [], []
        rows = model._default_manager.filter(invoice__in=contents).order_by("pk")
        for number, invoice_no, line_no in rows.values_list("pk", "invoice_id", "line_no"):
            line = next((one for one in contents[invoice_no].lines if one.source_line_no == line_no), None)
            if line is None or not line.amount:
                gone.append(number)
            else:
                moved.append((number, line.line_no, -line.amount)[: len(columns) + 1])
        model._default_manager.filter(pk__in=gone).delete()
        # A line may move to the number that another one leaves, and each number is taken once at any moment.
        update_rows(model, ("line_no",), [(number, line_no + BEYOND_LINES) for number, line_no, *_ in moved])
        update_rows(model, columns, moved)


BEYOND_LINES = 1_000_000
"""No line has a number above this."""

HELD: dict[type[Model], tuple[str, ...]] = {
    CouponUse: ("line_no",),
    CreditUse: ("line_no", "amount"),
    UnusedCredit: ("line_no", "amount"),
}
"""What documents use up, with the columns that name its line and amount."""
