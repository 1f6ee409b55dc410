"""The explanation of changes: a rebill beside the document that it replaces, and what became of the payments."""

from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

from babel import Locale
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from billing_site.common.numbers import short_number
from invoices.calculation import ZERO
from invoices.document import Document
from invoices.kinds import FREE_KINDS, AllocationKind, EntryKind
from invoices.models import Allocation, Invoice
from invoices.services.documents.chains import read_chain
from invoices.services.documents.document_storage import stored_contents
from rebills.plan.differences import differences, tax_differences
from rebills.services.facts import read_names
from rebills.services.shown_changes import location_names, shown


class PaymentsMoved(NamedTuple):
    """What the issue of a rebill did with payments and credits. No amount is negative.

    `paid`: what had paid the original. `carried`: the part of it that pays the rebill. `from_credit`: other credits of the
    account that pay the rebill. `due`: what was left to pay on the rebill.
    """

    paid: Decimal
    carried: Decimal
    from_credit: Decimal
    due: Decimal

    @property
    def left(self) -> Decimal:
        """What had paid the original and does not pay the rebill: it pays other invoices, or is left as credit."""
        return self.paid - self.carried


class SideBySide(NamedTuple):
    """An amount on the original and on its replacement. `memo` is the negative of the original."""

    name: str
    original: Decimal
    rebill: Decimal
    is_total: bool = False

    @property
    def memo(self) -> Decimal:
        return -self.original

    @property
    def difference(self) -> Decimal:
        return self.rebill - self.original


def totals(before: Document, after: Document) -> list[SideBySide]:
    """Return the amounts of two documents before tax, of each tax by authority, and in total."""

    def side_by_side(name: str, term: str, *, is_total: bool = False) -> SideBySide:
        return SideBySide(name, getattr(before.terms, term), getattr(after.terms, term), is_total)

    taxes = [
        SideBySide(_tax_name(tax.authority, tax.percent, tax.jurisdiction, tax.is_inclusive), tax.original, tax.rebill)
        for tax in tax_differences(before, after)
    ]
    return [side_by_side(_("Before tax"), "net_amount"), *taxes, side_by_side(_("Total"), "total_amount", is_total=True)]


def _tax_name(authority: str, percent: Decimal, jurisdiction: str, is_inclusive: bool) -> str:
    shown = {"authority": authority, "percent": short_number(percent), "jurisdiction": jurisdiction}
    text = _("%(authority)s %(percent)s %% (%(jurisdiction)s)") % shown
    return _("%(tax)s, in prices") % {"tax": text} if is_inclusive else text


def payments_moved(rebill: Invoice) -> PaymentsMoved | None:
    """Return what the issue of a rebill did with payments, or None while it is not issued. One query."""
    if rebill.approved_at is None:
        return None
    moved = Allocation.objects.filter(
        debit__invoice__in=(rebill.corrects_id, rebill.pk),
        debit__kind=EntryKind.INVOICE,
        credit__kind__in=FREE_KINDS,
        created_at=rebill.approved_at,
    )
    released: dict[int, Decimal] = defaultdict(Decimal)
    applied: dict[int, Decimal] = defaultdict(Decimal)
    for invoice_no, kind, credit_no, amount in moved.values_list("debit__invoice", "kind", "credit", "amount"):
        if invoice_no == rebill.pk:
            applied[credit_no] += amount
        elif kind == AllocationKind.RELEASED:
            released[credit_no] -= amount
    carried = sum((min(amount, applied[credit_no]) for credit_no, amount in released.items()), ZERO)
    pays = sum(applied.values(), ZERO)
    return PaymentsMoved(sum(released.values(), ZERO), carried, pays - carried, rebill.total_amount - pays)


def explanation_of(rebill: Invoice, content: Document, locale: Locale) -> str:
    """Return the explanation of changes of a rebill as HTML, in the active language, for its PDF.

    It has each line before and after with what changed, the totals and taxes, the reason, and what became of the payments.
    Services have the names that they have when it is written. Eight queries.
    """
    assert rebill.corrects_id is not None
    original = stored_contents([rebill.corrects_id])[rebill.corrects_id]
    names = {**read_names([original, content]), **location_names(rebill.client)}
    steps = read_chain(client=rebill.client, invoice_no=rebill.pk).steps
    shown_here = {
        "locale": locale,
        "invoice": rebill,
        "original": rebill.corrects,
        "reason": next(step.reason for step in steps if step.document.pk == rebill.pk),
        "rows": shown(differences(original, content, names), names),
        "totals": totals(original, content),
        "payments": payments_moved(rebill),
    }
    return render_to_string("rebills/explanation.html", shown_here)
