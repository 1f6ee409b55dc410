"""The ledger in the admin: every transaction with the balance after it, and the transactions it pays or is paid by."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.figures import day, figures
from accounts.admin.rows import (
    ReadOnlyAdmin,
    cached_per_row,
    page_link,
    text_link,
)
from accounts.staff import name_of
from invoices.admin.amounts import amount
from invoices.kinds import (
    CHARGE_KINDS,
    FREE_KINDS,
    PAYMENT_KINDS,
    EntryKind,
    VoidReason,
)
from invoices.models import LedgerEntry, ReasonCode
from invoices.services.money.ledger.history import description, with_voids
from invoices.services.money.ledger.open_items import left_of_credit
from invoices.services.money.ledger.voids import UNDOABLE_KINDS


class EntryColumns:
    """Columns of a ledger entry, including the entries on the other side."""

    def entry(self, row: Any) -> LedgerEntry:
        return row if isinstance(row, LedgerEntry) else row.entry

    @admin.display(description=_("transaction"))
    def named(self, row: Any) -> str:
        return description(self.entry(row))

    @admin.display(description=_("amount"), ordering="amount")
    def amount_in_currency(self, row: Any) -> SafeString:
        entry = self.entry(row)
        return amount(entry.amount, entry.account.currency)

    @admin.display(description=_("balance after"))
    def balance_in_currency(self, row: Any) -> SafeString:
        entry = self.entry(row)
        return amount(entry.balance_after, entry.account.currency)

    @admin.display(description=_("invoice"))
    def invoice_link(self, row: Any) -> SafeString:
        invoice = self.entry(row).invoice
        return page_link(invoice) if invoice is not None else SafeString("-")

    @admin.display(description=_("date"), ordering="entry_date")
    def date(self, row: Any) -> str:
        return day(self.entry(row).entry_date)

    @admin.display(description=_("reason"))
    @cached_per_row
    def reason(self, row: Any) -> str:
        """The reason as in the list of reasons, or Aria's for a void."""
        entry = self.entry(row)
        if entry.reason_code is None:
            return "-"
        if entry.kind == EntryKind.VOID:
            return f"{entry.reason_code} {VoidReason(entry.reason_code).label}"
        rows = ReasonCode.objects.filter(
            Q(client=entry.account.client_id) | Q(client=None), code=entry.reason_code, type__in=_reason_types(entry)
        )
        found = rows.order_by("client").first()
        return str(found or entry.reason_code)

    @admin.display(description=_("comments"))
    def comment(self, row: Any) -> str:
        return self.entry(row).comments or "-"

    @admin.display(description=_("by"))
    def who(self, row: Any) -> str:
        return name_of(self.entry(row).created_by)

    @admin.display(description=_("applied"))
    @cached_per_row
    def applied(self, row: Any) -> SafeString:
        """What a credit pays, or what pays a debit, summed by entry on the other side."""
        entry = self.entry(row)
        side, other = ("taken_by", "debit") if entry.amount < 0 else ("paid_by", "credit")
        sums: dict[LedgerEntry, Decimal] = {}
        parts = getattr(entry, side).select_related(f"{other}__invoice", f"{other}__voids").order_by("pk")
        for part in parts:
            against = getattr(part, other)
            sums[against] = sums.get(against, Decimal(0)) + part.amount
        currency = entry.account.currency
        rows = [(page_link(against, description(against)), amount(sum_, currency)) for against, sum_ in sums.items() if sum_]
        return figures([_("Transaction"), _("Amount")], rows)

    @admin.display(description=_("voided by"))
    def voided(self, row: Any) -> SafeString:
        void = LedgerEntry.objects.filter(voids=self.entry(row)).first()
        return page_link(void, description(void)) if void else SafeString("-")

    @admin.display(description=_("actions"))
    @cached_per_row
    def acts(self, row: Any) -> SafeString:
        entry = self.entry(row)
        if entry.kind in CHARGE_KINDS or entry.kind == EntryKind.VOID or entry.is_voided:
            return SafeString("-")
        links = [text_link(reverse("void-transaction", args=[entry.pk]), _("Void transaction"))]
        if entry.kind in UNDOABLE_KINDS:
            links = [text_link(reverse("undo-transaction", args=[entry.pk]), _("Undo transaction"))]
        if entry.kind in PAYMENT_KINDS:
            links.insert(0, text_link(reverse("refund", args=[entry.pk]), _("Refund payment")))
        return format_html_join(SafeString(" &middot; "), "{}", ((link,) for link in links))

    @admin.display(description=_("unapplied"))
    @cached_per_row
    def left(self, row: Any) -> SafeString:
        entry = self.entry(row)
        return amount(left_of_credit(entry.pk), entry.account.currency) if entry.kind in FREE_KINDS else SafeString("-")


class ColumnsOfEntry(EntryColumns):
    """Columns of rows that are joined with their ledger entry, and sorted by its columns."""

    @admin.display(description=_("amount"), ordering="entry__amount")
    def amount_in_currency(self, row: Any) -> SafeString:
        return super().amount_in_currency(row)

    @admin.display(description=_("date"), ordering="entry__entry_date")
    def date(self, row: Any) -> str:
        return super().date(row)


def _reason_types(entry: LedgerEntry) -> list[str]:
    return ["refund" if entry.kind in (EntryKind.REFUND, EntryKind.ELECTRONIC_REFUND) else entry.kind]


def flat(fields: Iterable[Any]) -> list[str]:
    """Return the names of fields, including those grouped on one line."""
    return [name for field in fields for name in (field if isinstance(field, tuple) else (field,))]


STANDING = ("applied", "voided", "acts")
TRAIL = (("who", "created_at"),)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(EntryColumns, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "account__client"
    list_display = ["named", "account", "date", "amount_in_currency", "balance_in_currency", "invoice_link"]
    list_filter = ["kind", "entry_date", "account__client"]
    search_fields = ["id__exact", "account__client_acct_id", "account__id__exact", "invoice__document_number"]
    ordering = ["-id"]
    fields = (
        ("account", "named"),
        ("date", "invoice_link"),
        ("amount_in_currency", "balance_in_currency"),
        ("reason", "comment"),
        *STANDING,
        *TRAIL,
    )
    readonly_fields = flat(fields)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        return with_voids(super().get_queryset(request))


class EntryAdmin(EntryColumns, ReadOnlyAdmin):  # type: ignore[misc]
    """Entries of one kind. The pages of the back office make and void them."""

    client_path = "account__client"
    kind: EntryKind
    list_display = ["named", "account", "date", "invoice_link", "amount_in_currency"]
    list_filter = ["entry_date", "account__client"]
    search_fields = ["id__exact", "account__client_acct_id", "account__id__exact"]
    fields = LedgerEntryAdmin.fields
    readonly_fields = LedgerEntryAdmin.readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_voids(super().get_queryset(request)).filter(kind=self.kind)
