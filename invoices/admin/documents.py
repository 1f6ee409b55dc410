"""Invoices in the admin: read-only documents, decisions on pending ones, and number series."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext, pgettext_lazy
from unfold.decorators import display

from accounts.admin.figures import day, figures, plain
from accounts.admin.rows import HistoryAdmin, ReadOnlyAdmin, ReadOnlyInline, cached_per_row, page_link, text_link
from accounts.callers import Caller
from accounts.clock import today
from accounts.staff import name_of
from billing_site.errors import shown_message
from invoices.admin.amounts import amount
from invoices.admin.collection import AttemptsOfInvoice
from invoices.admin.decisions import DecidedInList, decide
from invoices.admin.holdings import HeldByInvoice
from invoices.admin.lines import CreditsOfInvoice, LinesOfInvoice
from invoices.calculation import ZERO
from invoices.kinds import CHARGE_KINDS, EntryKind, InvoiceStatus
from invoices.models import (
    Allocation,
    BilledPeriod,
    Invoice,
    LedgerEntry,
    NumberSeries,
    TaxDetail,
)
from invoices.plan.actions import Action
from invoices.services.actions import available_actions
from invoices.services.documents.rebill_markers import with_rebills
from invoices.services.documents.rights import COLLECT_PERMISSION
from invoices.services.money.ledger.history import description

STATUS_COLOURS = {
    InvoiceStatus.PENDING.value: "warning",
    InvoiceStatus.APPROVED.value: "success",
    InvoiceStatus.DISCARDED.value: "info",
    InvoiceStatus.VOIDED.value: "danger",
}
TAX_COLUMNS = (
    "tax_line_no",
    "taxed_line_no",
    "authority",
    "jurisdiction",
    "is_inclusive",
    "percent_plain",
    "taxable_in_currency",
    "tax_in_currency",
    "vat_category",
    "exemption_reason",
)
PARTY_PARTS = ("company", "name", "address1", "address2", "city", "region", "postal_code", "country")


def as_printed(party: dict[str, str]) -> SafeString:
    """Return a party of a document with one line per part."""
    return format_html_join(SafeString("<br>"), "{}", ((party[part],) for part in PARTY_PARTS if party.get(part)))


ACTION_NAMES = {
    Action.APPROVE: _("Approve"),
    Action.DISCARD: _("Discard"),
    Action.RECALCULATE: _("Recalculate"),
    Action.REGENERATE: _("Regenerate"),
    Action.ADJUST: _("Adjust lines"),
    Action.VOID: _("Void"),
    Action.COLLECT: _("Collect"),
    Action.REFUND: pgettext_lazy("act", "Refund"),
    Action.CREDIT: _("Credit memo"),
    Action.WRITE_OFF: _("Write off"),
    Action.DISPUTE: pgettext_lazy("act", "Dispute"),
    Action.REBILL: pgettext_lazy("act", "Rebill"),
    Action.UNDO: _("Undo rebill"),
    Action.UNDO_MEMO: _("Undo credit memo"),
    Action.UNDO_VOID: _("Undo void"),
}


def _act_links(invoice: Invoice) -> dict[Action, SafeString]:
    """Return links to the pages of acts that have one."""
    links = {
        Action.CREDIT: text_link(reverse("credit-lines", args=[invoice.pk]), _("Credit memo")),
        Action.WRITE_OFF: text_link(reverse("write-off", args=[invoice.pk]), _("Write off")),
        Action.DISPUTE: text_link(reverse("dispute", args=[invoice.pk]), pgettext("act", "Dispute")),
        Action.REFUND: text_link(reverse("refund-invoice", args=[invoice.pk]), pgettext("act", "Refund")),
        Action.REBILL: format_html('<a href="{}">{}</a>', reverse("rebill", args=[invoice.pk]), _("Rebill in the builder")),
        Action.ADJUST: format_html('<a href="{}">{}</a>', reverse("adjust", args=[invoice.pk]), _("Adjust in the builder")),
        Action.UNDO: format_html('<a href="{}">{}</a>', reverse("undo", args=[invoice.pk]), _("Preview the undo")),
        Action.UNDO_MEMO: text_link(reverse("undo-memo", args=[invoice.pk]), _("Undo credit memo")),
        Action.UNDO_VOID: text_link(reverse("undo-void", args=[invoice.pk]), _("Undo void")),
    }
    entry = LedgerEntry.objects.filter(invoice=invoice, kind__in=CHARGE_KINDS).first()
    if entry is not None:
        links[Action.VOID] = text_link(reverse("void-transaction", args=[entry.pk]), _("Void"))
    return links


class TaxesOfInvoice(ReadOnlyInline):
    model = TaxDetail
    fields = TAX_COLUMNS
    readonly_fields = TAX_COLUMNS
    verbose_name_plural = _("tax details")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaxDetail]:
        return super().get_queryset(request).select_related("invoice")

    @admin.display(description=_("percent"))
    def percent_plain(self, tax: TaxDetail) -> SafeString:
        return plain(tax.percent)

    @admin.display(description=_("taxable amount"))
    def taxable_in_currency(self, tax: TaxDetail) -> SafeString:
        return amount(tax.taxable_amount, tax.invoice.currency)

    @admin.display(description=_("amount"))
    def tax_in_currency(self, tax: TaxDetail) -> SafeString:
        return amount(tax.amount, tax.invoice.currency)


class PeriodsOfInvoice(ReadOnlyInline):
    model = BilledPeriod
    fields = ["plan_instance", "start_date", "end_date"]
    verbose_name_plural = _("billed periods")

    def get_queryset(self, request: HttpRequest) -> QuerySet[BilledPeriod]:
        return super().get_queryset(request).select_related("plan_instance__plan")


@admin.register(Invoice)
class InvoiceAdmin(DecidedInList, HeldByInvoice, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "client"
    list_display = [
        "id",
        "document_number",
        "status_label",
        "account",
        "bill_date",
        "due_date",
        "currency",
        "total_in_currency",
        "due_in_currency",
    ]
    list_filter = ["status", "kind", "client", "bill_date", "invoice_date"]
    list_select_related = ["account"]
    search_fields = ["document_number", "id__exact", "account__client_acct_id"]
    actions = ["approve_selected", "discard_selected", "recalculate_selected", "regenerate_selected", "collect_selected"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("document_number", "id"),
                    ("status", "custom_status_label"),
                    ("posting_status", "posting_user", "posting_at"),
                    ("account", "client"),
                    ("kind", "currency"),
                    ("net_in_currency", "tax_in_currency"),
                    ("total_in_currency", "due_in_currency"),
                    ("corrects", "void_reason_code"),
                    ("replaced_by", "rebill_waits"),
                    "what_can_be_done",
                    "client_notes",
                ]
            },
        ),
        (
            _("Dates"),
            {
                "fields": [
                    ("period_start", "period_end"),
                    ("bill_date", "bill_day"),
                    ("invoice_date", "due_date"),
                    ("payment_terms_days", "tax_date"),
                ]
            },
        ),
        (_("Payments and credits"), {"fields": ["paid_by"]}),
        (_("Statements"), {"fields": ["statements_sent"]}),
        (_("Holds"), {"fields": [("usage_held", "orders_held"), ("coupons_held", "credits_held")]}),
        (_("Parties"), {"fields": [("seller_as_printed", "bill_to_as_printed")]}),
        (
            _("Trail"),
            {
                "fields": [
                    ("who_generated", "generated_at"),
                    ("who_approved", "approved_at"),
                    ("series", "number"),
                    "fingerprint",
                ]
            },
        ),
    ]

    def get_inlines(self, request: HttpRequest, obj: Invoice | None) -> list[type[InlineModelAdmin]]:
        """Leave out the table of credits if there are none."""
        has_credits = obj is not None and obj.credit_details.exists()
        attempts = [AttemptsOfInvoice] if obj is not None and obj.collection_attempts.exists() else []
        return [LinesOfInvoice, *([CreditsOfInvoice] if has_credits else []), TaxesOfInvoice, PeriodsOfInvoice, *attempts]

    @display(description=_("status"), ordering="status", label=STATUS_COLOURS)  # type: ignore[arg-type]
    def status_label(self, invoice: Invoice) -> tuple[str, Any]:
        return invoice.status, invoice.get_status_display()

    @admin.display(description=_("generated by"))
    @cached_per_row
    def who_generated(self, invoice: Invoice) -> str:
        return name_of(invoice.generated_by)

    @admin.display(description=_("approved by"))
    @cached_per_row
    def who_approved(self, invoice: Invoice) -> str:
        return name_of(invoice.approved_by) or "-"

    @admin.display(description=_("net"), ordering="net_amount")
    def net_in_currency(self, invoice: Invoice) -> SafeString:
        return amount(invoice.net_amount, invoice.currency)

    @admin.display(description=_("tax"), ordering="tax_amount")
    def tax_in_currency(self, invoice: Invoice) -> SafeString:
        return amount(invoice.tax_amount, invoice.currency)

    @admin.display(description=_("total"), ordering="total_amount")
    def total_in_currency(self, invoice: Invoice) -> SafeString:
        return amount(invoice.total_amount, invoice.currency)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invoice]:
        return with_rebills(super().get_queryset(request))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Remember the user, because the page shows what this user may do."""
        invoice = super().get_object(request, object_id, from_field)
        if invoice is not None:
            invoice.looked_at_by = Caller(staff=request.user)
        return invoice

    def has_collect_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(COLLECT_PERMISSION)

    @admin.display(description=_("due"))
    def due_in_currency(self, invoice: Any) -> SafeString:
        due = invoice.amount_due
        return SafeString("-") if due is None else amount(due, invoice.currency)

    @admin.display(description=_("payments and credits"))
    @cached_per_row
    def paid_by(self, invoice: Invoice) -> SafeString:
        """The transactions that paid or reduced it."""
        parts = Allocation.objects.filter(debit__invoice=invoice, debit__kind=EntryKind.INVOICE).order_by("pk")
        sums: dict[LedgerEntry, Decimal] = {}
        for part in parts.select_related("credit__invoice", "credit__voids"):
            sums[part.credit] = sums.get(part.credit, ZERO) + part.amount
        rows = [
            (page_link(credit, description(credit)), day(credit.entry_date), amount(sum_, invoice.currency))
            for credit, sum_ in sums.items()
            if sum_
        ]
        return figures([_("Transaction"), _("Date"), _("Amount")], rows, words=2)

    @admin.display(description=_("replaced by"))
    @cached_per_row
    def replaced_by(self, invoice: Any) -> SafeString:
        return page_link(Invoice.objects.get(pk=invoice.rb_no)) if invoice.rb_no else SafeString("-")

    @admin.display(description=_("pending rebill"))
    @cached_per_row
    def rebill_waits(self, invoice: Any) -> SafeString:
        """A pending rebill. Until it is approved, the invoice stays unchanged and other corrections are blocked."""
        return page_link(Invoice.objects.get(pk=invoice.rebill_waiting)) if invoice.rebill_waiting else SafeString("-")

    @admin.display(description=_("actions"))
    @cached_per_row
    def what_can_be_done(self, invoice: Any) -> SafeString:
        """Each act with a link, or why it is not possible. Acts without a page are done from the list."""
        actions = available_actions(invoice.client, [invoice.pk], invoice.looked_at_by, today(invoice.client))[invoice.pk]
        links = _act_links(invoice)
        rows = [
            (str(ACTION_NAMES[one.action]), links.get(one.action, _("in the list")) if one.error is None else one.error.shown)
            for one in actions
        ]
        return figures([_("Act"), _("How, or why not")], rows, words=2)

    @admin.display(description=_("sent to"))
    @cached_per_row
    def statements_sent(self, invoice: Invoice) -> SafeString:
        rows = [
            (page_link(one), one.get_status_display(), shown_message(one.error_code, one.message))
            for one in invoice.statements.all()
        ]
        return figures([_("Statement"), _("Status"), _("Message")], rows, words=3)

    @admin.display(description=_("seller"))
    def seller_as_printed(self, invoice: Invoice) -> SafeString:
        return as_printed(invoice.seller)

    @admin.display(description=_("bill to"))
    def bill_to_as_printed(self, invoice: Invoice) -> SafeString:
        return as_printed(invoice.bill_to)

    @admin.action(description=_("Recalculate selected"), permissions=["approve"])
    def recalculate_selected(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> TemplateResponse:
        return decide(self, request, queryset, Action.RECALCULATE)

    @admin.action(description=_("Regenerate selected"), permissions=["approve"])
    def regenerate_selected(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> TemplateResponse:
        return decide(self, request, queryset, Action.REGENERATE)

    @admin.action(description=_("Collect selected"), permissions=["collect"])
    def collect_selected(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> TemplateResponse:
        return decide(self, request, queryset, Action.COLLECT)


@admin.register(NumberSeries)
class NumberSeriesAdmin(HistoryAdmin):
    """Number series. Prefix and suffix can be chosen. Approval moves the counter, and a series is never deleted: no gaps."""

    client_path = "client"
    fields = ["client", "kind", ("prefix", "suffix"), "last_number", ("year", "last_of_year")]
    fixed_fields = ["client", "kind"]
    readonly_fields = ["last_number", "year", "last_of_year"]
    list_display = ["client", "kind", "prefix", "suffix", "last_number", "year", "last_of_year"]
    list_filter = ["client", "kind"]
    list_select_related = ["client"]
    search_fields = ["client__name", "prefix"]
    autocomplete_fields = ["client"]

    def has_delete_permission(self, request: HttpRequest, obj: NumberSeries | None = None) -> bool:
        return False
