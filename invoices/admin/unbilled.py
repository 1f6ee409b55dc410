"""Unbilled usage and one-time charges, to be read."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.paginator import InfinitePaginator

from accounts.admin.figures import plain, rate
from accounts.admin.rows import ReadOnlyAdmin
from invoices.models import OneTimeCharge, Usage


class OnAnInvoice(admin.SimpleListFilter):
    """Filter: not billed yet, or held by an invoice."""

    title = _("billed or not")
    parameter_name = "billed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("Not yet")), ("yes", _("On an invoice"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = self.value()
        return queryset if chosen is None else queryset.filter(invoice__isnull=chosen == "no")


@admin.register(Usage)
class UsageAdmin(ReadOnlyAdmin):
    """Usage is loaded by the API. The table grows without limit, so the list does not count its rows."""

    client_path = "client"
    paginator = InfinitePaginator
    ordering = ["-id"]
    fields = [
        ("record_id", "client"),
        ("account", "plan_instance"),
        ("service", "units_plain"),
        ("used_at", "used_on"),
        ("description", "loaded_at"),
        "invoice",
    ]
    list_display = ["record_id", "account", "plan_instance", "service", "units_plain", "used_at", "used_on", "invoice"]
    list_filter = ["client", "service", "used_on", OnAnInvoice]
    list_select_related = ["account", "plan_instance__plan", "service", "invoice"]
    search_fields = ["record_id__exact", "account__client_acct_id__exact", "account__id__exact"]
    search_help_text = _("Record id, or the account's number or client account id")

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Allow links from invoices and accounts to their usage. A list filter with all of them would be too long to be
        useful."""
        return lookup in ("invoice__id__exact", "account__id__exact") or super().lookup_allowed(lookup, value, request)

    @admin.display(description=_("units"), ordering="units")
    def units_plain(self, usage: Usage) -> SafeString:
        return plain(usage.units)


@admin.register(OneTimeCharge)
class OneTimeChargeAdmin(ReadOnlyAdmin):
    """Orders. Until an invoice holds them, they are changed and cancelled on the page of their account."""

    client_path = "account__client"
    fields = [
        ("account", "client_order_id"),
        ("service", "description"),
        ("units_plain", "rate_plain"),
        ("charge_date", "po_num"),
        ("order_line", "accounting_reference", "object_reference"),
        ("invoice", "created_at"),
    ]
    list_display = ["order", "id", "account", "service", "units_plain", "rate_plain", "charge_date", "invoice"]
    list_filter = ["account__client", "charge_date", OnAnInvoice]
    list_select_related = ["account", "service", "invoice"]
    search_fields = ["client_order_id", "description", "id__exact", "account__client_acct_id", "po_num"]

    @admin.display(description=_("order"), ordering="client_order_id")
    def order(self, order: OneTimeCharge) -> str:
        return order.client_order_id or str(order)

    @admin.display(description=_("units"), ordering="units")
    def units_plain(self, order: OneTimeCharge) -> SafeString:
        return plain(order.units)

    @admin.display(description=_("rate per unit"), ordering="rate_per_unit")
    def rate_plain(self, order: OneTimeCharge) -> SafeString:
        return rate(order.rate_per_unit, order.account.currency)
