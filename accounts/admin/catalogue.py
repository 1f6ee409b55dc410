"""The catalogue in the admin: service locations, services, and plans with their charges."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from accounts.admin.catalogue_files import PlanChargeFile, PlanFile, ServiceFile
from accounts.admin.clients import ADDRESS_FIELDS
from accounts.admin.files import FilesAdmin
from accounts.admin.prices import ListPricesOfCharge, list_prices, price_texts
from accounts.admin.rows import HistoryAdmin, MasterDataForm, OwnChoices, add_link, may_add, page_link
from accounts.clock import today
from accounts.models import Client, Plan, PlanCharge, PlanMinimum, RateSchedule, Service, ServiceLocation
from accounts.services.changing import FIXED
from billing_site.errors import BillingError, Detail, ErrorCode


def check_of_client(row: Any, client: Client | None, field: str) -> None:
    """Refuse a row that belongs to another client than the row that names it, with the message that services use."""
    if row is not None and client is not None and row.client_id != client.pk:
        refusal = BillingError(ErrorCode.NO_DATA, Detail("{field} {value}", field=field, value=row.pk), field=field)
        raise forms.ValidationError({field: refusal.shown})


@admin.register(ServiceLocation)
class ServiceLocationAdmin(HistoryAdmin):
    client_path = "client"
    fields = ["client", "client_service_location_id", "name", *ADDRESS_FIELDS]
    fixed_fields = FIXED["accounts.servicelocation"]
    list_display = ["client_service_location_id", "name", "client", "city", "region", "country"]
    list_filter = ["client", "country"]
    list_select_related = ["client"]
    search_fields = ["client_service_location_id", "name", "city"]
    autocomplete_fields = ["client"]


class ServiceForm(MasterDataForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        check_of_client(cleaned.get("location"), cleaned.get("client"), "location")
        return cleaned


@admin.register(Service)
class ServiceAdmin(FilesAdmin, HistoryAdmin):  # type: ignore[misc]
    resource_classes = [ServiceFile]
    client_path = "client"
    form = ServiceForm
    fields = [
        "client",
        ("client_service_id", "name"),
        ("gl_code", "tax_category"),
        "tax_inclusive",
        "location",
        ("unit_code", "price_units", "item_number"),
        ("buyer_item_number", "classifications", "origin_country"),
    ]
    fixed_fields = FIXED["accounts.service"]
    list_display = ["name", "client_service_id", "client", "gl_code", "tax_category", "tax_inclusive"]
    list_filter = ["client", "tax_category", "tax_inclusive"]
    list_select_related = ["client"]
    search_fields = ["name", "client_service_id", "gl_code"]
    autocomplete_fields = ["client", "location"]


class PlanChargeForm(MasterDataForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        plan: Plan | None = cleaned.get("plan")
        if plan is not None and plan.client_id is not None:
            check_of_client(cleaned.get("service"), plan.client, "service")
        return cleaned


class PricesNow:
    """Shows today's price of a charge, by the clock of its client."""

    @admin.display(description=_("list prices"), empty_value="-")
    def prices_now(self, charge: PlanCharge) -> str | None:
        return price_texts(charge.list_rates, today(charge.plan.client)) if charge.pk else None  # type: ignore[attr-defined]


class ChargesOfPlan(PricesNow, OwnChoices, TabularInline):  # type: ignore[misc]
    model = PlanCharge
    form = PlanChargeForm
    fields = ["service", "line_type", "billing_interval", "prices_now", "page"]
    readonly_fields = ["prices_now", "page"]
    autocomplete_fields = ["service"]
    extra = 0
    hide_title = True
    verbose_name = _("charge")
    verbose_name_plural = _("charges")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanCharge]:
        return super().get_queryset(request).select_related("plan__client").prefetch_related(list_prices())

    @admin.display(description=_("page"), empty_value="-")
    def page(self, charge: PlanCharge) -> SafeString | None:
        return page_link(charge, _("Prices")) if charge.pk else None


class MinimumsOfPlan(OwnChoices, TabularInline):  # type: ignore[misc]
    """The minimums of a plan. Staff who may change a plan may change them."""

    model = PlanMinimum
    form = PlanChargeForm
    fields = ["currency", "amount", "service"]
    autocomplete_fields = ["service"]
    extra = 0
    hide_title = True
    verbose_name = _("minimum of the plan")
    verbose_name_plural = _("minimums of the plan")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.view_plan") or self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.change_plan") or request.user.has_perm("accounts.add_plan")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)


@admin.register(Plan)
class PlanAdmin(FilesAdmin, HistoryAdmin):  # type: ignore[misc]
    resource_classes = [PlanFile]
    client_path = "client"
    fields = [
        "client",
        ("client_plan_id", "name"),
        ("billing_interval", "term_months"),
        ("trial_length", "trial_unit"),
    ]
    # Accounts of this client may have the plan already.
    fixed_fields = FIXED["accounts.plan"]
    list_display = ["name", "client_plan_id", "client", "billing_interval", "term_months"]
    list_filter = ["client", "billing_interval"]
    list_select_related = ["client"]
    search_fields = ["name", "client_plan_id"]
    autocomplete_fields = ["client"]
    inlines = [ChargesOfPlan, MinimumsOfPlan]


@admin.register(PlanCharge)
class PlanChargeAdmin(PricesNow, FilesAdmin, HistoryAdmin):  # type: ignore[misc]
    """A plan's charge for a service, with its list prices. Reached from its plan."""

    resource_classes = [PlanChargeFile]
    client_path = "plan__client"
    form = PlanChargeForm
    # Plan instances may have own prices of this charge.
    fixed_fields = ["plan"]
    readonly_fields = ["prices_now", "add_price"]
    list_display = ["service", "plan", "line_type", "prices_now"]
    list_filter = ["plan__client", "line_type"]
    list_select_related = ["plan__client", "service"]
    search_fields = ["plan__name", "service__name", "plan__client_plan_id", "service__client_service_id"]
    autocomplete_fields = ["plan", "service"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanCharge]:
        return super().get_queryset(request).prefetch_related(list_prices())

    def get_fields(self, request: HttpRequest, obj: PlanCharge | None = None) -> list[Any]:
        prices = ("prices_now", "add_price") if may_add(request, RateSchedule) else ("prices_now",)
        return [
            "plan",
            ("service", "line_type"),
            ("billing_interval", "record_increment", "record_minimum"),
            *([prices] if obj else []),
        ]

    def get_inlines(self, request: HttpRequest, obj: PlanCharge | None) -> list[type[InlineModelAdmin]]:
        return [ListPricesOfCharge] if obj else []

    @admin.display(description=_("another price"))
    def add_price(self, charge: PlanCharge) -> SafeString:
        return add_link(RateSchedule, _("Add a price"), charge=charge.pk)
