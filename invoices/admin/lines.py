"""Lines of documents in the admin, each with the explanation of its amount: units, rate, band or percent."""

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.figures import days, plain, rate
from accounts.admin.rows import ReadOnlyAdmin, ReadOnlyInline, cached_per_row, link_to_page, page_link
from accounts.models import RateSchedule
from invoices.admin.amounts import amount
from invoices.line_explanations import line_explanation, tier_text
from invoices.models import CreditDetail, InvoiceLine, OneTimeCharge

LINE_COLUMNS = ("line", "gl_code", "period", "story", "units_plain", "rate_plain", "amount_in_currency")
CREDIT_COLUMNS = ("credit_line", "credited_line", "taken_in_currency")


class LineFigures:
    """The figures of a line, for the lines of an invoice and for the page of a line."""

    @admin.display(description=_("explanation"))
    def story(self, line: InvoiceLine) -> SafeString:
        parts = [line.get_line_type_display(), *line_explanation(line)]
        return format_html_join(SafeString("<br>"), "{}", ((part,) for part in parts))

    @admin.display(description=_("period"))
    def period(self, line: InvoiceLine) -> SafeString:
        return days(line.period_start, line.period_end)

    @admin.display(description=_("units"))
    def units_plain(self, line: InvoiceLine) -> SafeString:
        return plain(line.units)

    @admin.display(description=_("rate per unit"))
    def rate_plain(self, line: InvoiceLine) -> SafeString:
        return rate(line.rate_per_unit, line.invoice.currency)

    @admin.display(description=_("amount"), ordering="amount")
    def amount_in_currency(self, line: InvoiceLine) -> SafeString:
        return amount(line.amount, line.invoice.currency)


class LinesOfInvoice(LineFigures, ReadOnlyInline):  # type: ignore[misc]
    model = InvoiceLine
    fields = LINE_COLUMNS
    readonly_fields = LINE_COLUMNS
    line = link_to_page(_("line"))
    verbose_name_plural = _("lines")

    def get_queryset(self, request: HttpRequest) -> QuerySet[InvoiceLine]:
        return super().get_queryset(request).select_related("invoice")


class CreditsOfInvoice(ReadOnlyInline):
    """The amounts by which credit lines reduce charge lines. A line is taxed on the remainder."""

    model = CreditDetail
    fields = CREDIT_COLUMNS
    readonly_fields = CREDIT_COLUMNS
    verbose_name_plural = _("credit details: lines that reduce other lines")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditDetail]:
        details: QuerySet[CreditDetail] = super().get_queryset(request).select_related("invoice")
        return details.annotate(credit_text=_text_of("credit_line_no"), credited_text=_text_of("credited_line_no"))

    @admin.display(description=_("credit line"))
    def credit_line(self, detail: CreditDetail) -> str:
        return f"{detail.credit_line_no}. {detail.credit_text}"  # type: ignore[attr-defined]

    @admin.display(description=_("of line"))
    def credited_line(self, detail: CreditDetail) -> str:
        return f"{detail.credited_line_no}. {detail.credited_text}"  # type: ignore[attr-defined]

    @admin.display(description=_("amount"))
    def taken_in_currency(self, detail: CreditDetail) -> SafeString:
        return amount(detail.amount, detail.invoice.currency)


def _text_of(line_no: str) -> Subquery:
    """Return the description of the line with the number in `line_no`."""
    lines = InvoiceLine.objects.filter(invoice=OuterRef("invoice"), line_no=OuterRef(line_no))
    return Subquery(lines.values("description"))


@admin.register(InvoiceLine)
class InvoiceLineAdmin(LineFigures, ReadOnlyAdmin):  # type: ignore[misc]
    """All columns of a line. Reached from its invoice."""

    client_path = "invoice__client"
    list_display = ["description", "line_no", "invoice", "line_type", "gl_code", "amount_in_currency"]
    list_filter = ["line_type", "invoice__client"]
    list_select_related = ["invoice"]
    search_fields = ["invoice__document_number", "invoice__id__exact", "description", "gl_code__exact"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("invoice", "line_no"),
                    ("line_type", "description"),
                    ("service", "plan_name"),
                    ("plan_instance", "po_num"),
                    ("order_line", "accounting_reference", "object_reference"),
                    "is_return",
                    ("gl_code", "tax_category"),
                    ("period_start", "period_end"),
                ]
            },
        ),
        (
            _("Amount"),
            {
                "fields": [
                    ("units_plain", "rate_plain"),
                    ("unit_code", "price_units_plain"),
                    ("list_rate_plain", "price"),
                    ("tier", "tier_no"),
                    ("tier_from_plain", "tier_to_plain"),
                    ("percent_plain", "base_in_currency"),
                    ("proration_factor_plain", "proration_text"),
                    ("period_total_days", "proration_remaining_days"),
                    ("order", "coupon_code"),
                    ("amount_in_currency", "explanation"),
                ]
            },
        ),
        (
            _("Addresses for tax"),
            {"fields": [("bill_from_location", "ship_from_location"), ("bill_to_contact", "ship_to_contact")]},
        ),
    ]

    @admin.display(description=_("price units"))
    def price_units_plain(self, line: InvoiceLine) -> SafeString:
        return plain(line.price_units)

    @admin.display(description=_("list rate per unit"))
    def list_rate_plain(self, line: InvoiceLine) -> SafeString:
        return rate(line.list_rate_per_unit, line.invoice.currency)

    @admin.display(description=_("price that applied"))
    @cached_per_row
    def price(self, line: InvoiceLine) -> SafeString | str:
        """The price, with a link while it exists."""
        return _named(RateSchedule, line.rate_schedule_no)

    @admin.display(description=_("tier"))
    def tier(self, line: InvoiceLine) -> str:
        return tier_text(line) or "-"

    @admin.display(description=_("tier from"))
    def tier_from_plain(self, line: InvoiceLine) -> SafeString:
        return plain(line.tier_from)

    @admin.display(description=_("tier to"))
    def tier_to_plain(self, line: InvoiceLine) -> SafeString:
        return plain(line.tier_to)

    @admin.display(description=_("percent"))
    def percent_plain(self, line: InvoiceLine) -> SafeString:
        return plain(line.percent)

    @admin.display(description=_("base amount"))
    def base_in_currency(self, line: InvoiceLine) -> SafeString | str:
        return "-" if line.base_amount is None else amount(line.base_amount, line.invoice.currency)

    @admin.display(description=_("proration factor"))
    def proration_factor_plain(self, line: InvoiceLine) -> SafeString:
        return plain(line.proration_factor)

    @admin.display(description=_("one-time charge"))
    @cached_per_row
    def order(self, line: InvoiceLine) -> SafeString | str:
        return _named(OneTimeCharge, line.order_no)


def _named(model: type[RateSchedule] | type[OneTimeCharge], number: int | None) -> SafeString | str:
    """Return a link to a row that a line names by number, or just the number if the row no longer exists."""
    row = None if number is None else model._default_manager.filter(pk=number).first()
    return str(number or "-") if row is None else page_link(row, number)
