"""What a client sells, in the admin: service locations, services and plans."""

from typing import Any

from django import forms
from django.contrib import admin
from unfold.admin import TabularInline

from accounts.admin.clients import ADDRESS_FIELDS
from accounts.admin.rows import MasterDataAdmin, MasterDataForm
from accounts.models import Client, Plan, PlanCharge, Service, ServiceLocation
from billing_site.errors import BillingError, ErrorCode


def check_of_client(row: Service | ServiceLocation | None, client: Client | None, field: str) -> None:
    """A client's catalogue is made of its own rows. The message is the one that services give for another client's row."""
    if row is not None and client is not None and row.client_id != client.pk:
        refusal = BillingError(ErrorCode.NO_DATA, f"{field} {row.pk}", field=field)
        raise forms.ValidationError({field: refusal.message})


@admin.register(ServiceLocation)
class ServiceLocationAdmin(MasterDataAdmin):
    fields = ["client", "client_service_location_id", "name", *ADDRESS_FIELDS]
    fixed_fields = ["client"]
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
class ServiceAdmin(MasterDataAdmin):
    form = ServiceForm
    fields = ["client", ("client_service_id", "name"), ("gl_code", "tax_category"), "tax_inclusive", "location"]
    fixed_fields = ["client"]
    list_display = ["name", "client_service_id", "client", "gl_code", "tax_category", "tax_inclusive"]
    list_filter = ["client", "tax_category", "tax_inclusive"]
    list_select_related = ["client"]
    search_fields = ["name", "client_service_id", "gl_code"]
    autocomplete_fields = ["client", "location"]


class PlanChargeForm(forms.ModelForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        plan: Plan | None = cleaned.get("plan")
        if plan is not None and plan.client_id is not None:
            check_of_client(cleaned.get("service"), plan.client, "service")
        return cleaned


class PlanChargeInline(TabularInline):
    model = PlanCharge
    form = PlanChargeForm
    fields = ["service", "line_type"]
    autocomplete_fields = ["service"]
    extra = 0
    hide_title = True


@admin.register(Plan)
class PlanAdmin(MasterDataAdmin):
    fields = ["client", ("client_plan_id", "name"), ("billing_interval", "term_months")]
    # Plan instances were given to accounts of this client.
    fixed_fields = ["client"]
    list_display = ["name", "client_plan_id", "client", "billing_interval", "term_months"]
    list_filter = ["client", "billing_interval"]
    list_select_related = ["client"]
    search_fields = ["name", "client_plan_id"]
    autocomplete_fields = ["client"]
    inlines = [PlanChargeInline]
