"""Unbilled usage (read-only), and one-time charges, which can be added and changed until they are billed."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.paginator import InfinitePaginator

from accounts.admin.catalogue import FormOfAccount
from accounts.admin.figures import plain, rate
from accounts.admin.rows import MasterDataAdmin, ReadOnlyAdmin
from accounts.callers import Caller
from accounts.clock import today
from invoices.models import OneTimeCharge, Usage
from invoices.services.billing.one_time_charges import add_one_time_charge, cancel_one_time_charge, change_one_time_charge


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


class OneTimeChargeForm(FormOfAccount):
    guarded: ClassVar = {"one_order_per_client_id": ("client_order_id", _("The account already has an order with this id."))}
    of_client = "service"


@admin.register(OneTimeCharge)
class OneTimeChargeAdmin(MasterDataAdmin):
    """Orders may be changed and deleted until an invoice holds them."""

    client_path = "account__client"
    form = OneTimeChargeForm
    fixed_fields = ["account"]
    readonly_fields = ["invoice", "created_at"]
    list_display = ["order", "id", "account", "service", "units_plain", "rate_plain", "charge_date", "invoice"]
    list_filter = ["account__client", "charge_date", OnAnInvoice]
    list_select_related = ["account", "service", "invoice"]
    search_fields = ["client_order_id", "description", "id__exact", "account__client_acct_id", "po_num"]
    autocomplete_fields = ["account", "service"]

    def get_fields(self, request: HttpRequest, obj: OneTimeCharge | None = None) -> list[Any]:
        fields = [
            ("account", "client_order_id"),
            ("service", "description"),
            ("units", "rate_per_unit"),
            ("charge_date", "po_num"),
        ]
        return [*fields, ("invoice", "created_at")] if obj else [*fields]

    def has_change_permission(self, request: HttpRequest, obj: OneTimeCharge | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.invoice_id is None)

    def has_delete_permission(self, request: HttpRequest, obj: OneTimeCharge | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.invoice_id is None)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        terms = {name: value for name, value in form.cleaned_data.items() if name != "account"}
        client, caller = obj.account.client, Caller(staff=request.user)
        if change:
            change_one_time_charge(client=client, order_no=obj.pk, caller=caller, **terms)
        else:
            obj.pk = add_one_time_charge(
                client=client, account_no=obj.account_id, caller=caller, today=today(client), **terms
            ).pk

    def delete_model(self, request: HttpRequest, obj: OneTimeCharge) -> None:
        cancel_one_time_charge(client=obj.account.client, order_no=obj.pk, caller=Caller(staff=request.user))

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[OneTimeCharge]) -> None:
        for order in queryset.select_related("account__client").order_by("account_id", "pk"):
            self.delete_model(request, order)

    @admin.display(description=_("order"), ordering="client_order_id")
    def order(self, order: OneTimeCharge) -> str:
        return order.client_order_id or str(order)

    @admin.display(description=_("units"), ordering="units")
    def units_plain(self, order: OneTimeCharge) -> SafeString:
        return plain(order.units)

    @admin.display(description=_("rate per unit"), ordering="rate_per_unit")
    def rate_plain(self, order: OneTimeCharge) -> SafeString:
        return rate(order.rate_per_unit, order.account.currency)
