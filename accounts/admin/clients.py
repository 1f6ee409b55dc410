"""Clients with their settings, and the keys of their programs."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.options import InlineModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin.rows import HistoryAdmin, MasterDataForm
from accounts.keys import create_key, revoke_key, rotate_key
from accounts.models import ApiKey, Client, CollectionThreshold
from accounts.services import create_client

RIGHTS = ("may_approve", "may_collect", "may_rebill", "may_correct")
ADDRESS_FIELDS: tuple[str | tuple[str, ...], ...] = ("address1", "address2", ("city", "region"), ("postal_code", "country"))


def show_once(request: HttpRequest, key: ApiKey, auth_key: str) -> None:
    text = _("Keep this key now, it cannot be shown again: client_no %(client)s, auth_key %(auth_key)s")
    messages.warning(request, text % {"client": key.client_id, "auth_key": auth_key})


class ClientForm(MasterDataForm):
    tax_engine = forms.ChoiceField(
        choices=lambda: [(name, name) for name in settings.TAX_ENGINES],
        widget=UnfoldAdminSelectWidget,
        help_text=_("The tax engine that quotes this client's invoices."),
    )
    gateway = forms.ChoiceField(
        choices=lambda: [(name, name) for name in settings.GATEWAYS],
        widget=UnfoldAdminSelectWidget,
        initial="sandbox",
        help_text=_("The payment gateway that collects for this client."),
    )


class ThresholdsOfClient(TabularInline):
    model = CollectionThreshold
    fields = ["currency", "amount"]
    extra = 0
    verbose_name_plural = _("minimum collection thresholds")


@admin.register(Client)
class ClientAdmin(HistoryAdmin):
    client_path = "id"
    form = ClientForm
    list_display = ["name", "id", "time_zone", "invoice_approval_required", "four_eyes", "tax_engine"]
    search_fields = ["name", "id__exact"]
    readonly_fields = ["clock_offset", "created_at"]
    autocomplete_fields = ["staff"]
    fieldsets = [
        (None, {"fields": ["name", *ADDRESS_FIELDS]}),
        (_("Time"), {"fields": ["time_zone", "clock_offset", "created_at"]}),
        (_("Approval"), {"fields": ["invoice_approval_required", "pending_discard_days", ("four_eyes", "four_eyes_amount")]}),
        (_("Flags"), {"fields": ["flag_change_percent", ("flag_first", "flag_lines", "flag_missing_po")]}),
        (_("Terms"), {"fields": ["payment_terms_days"]}),
        (_("Tax"), {"fields": ["taxable_address_order", "tax_categories", ("tax_rounding", "tax_engine")]}),
        (
            _("Collection"),
            {"fields": ["gateway", "collect_on_approval", "void_on_collection_failure", "dunning_on_collection_failure"]},
        ),
        (
            _("Rebills"),
            {
                "fields": [
                    ("rebill_approval_required", "collect_on_rebill"),
                    ("carry_unlisted_lines", "original_due_date_on_rebill"),
                ]
            },
        ),
        (_("Changes of plans"), {"fields": [("credit_unused_on_change", "credit_unused_on_end")]}),
        (_("Statements"), {"fields": ["statement_on_issue"]}),
        (_("Calls"), {"fields": ["never_allow_used_receipt_id"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who works for a client is for superusers to say."""
        fieldsets = super().get_fieldsets(request, obj)
        staff = [(_("Staff"), {"fields": ["staff"]})] if obj is not None and request.user.is_superuser else []
        return [*fieldsets, *staff]

    def get_inlines(self, request: HttpRequest, obj: Client | None) -> list[type[InlineModelAdmin]]:
        return [ThresholdsOfClient] if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        client, key, auth_key = create_client(**form.cleaned_data)
        if not request.user.is_superuser:
            # Whoever makes a client works for it.
            client.staff.add(request.user)  # type: ignore[arg-type]
        obj.pk = client.pk
        show_once(request, key, auth_key)


@admin.register(ApiKey)
class ApiKeyAdmin(HistoryAdmin):
    """A key is made and revoked, never deleted: documents and events name it as who made them."""

    client_path = "client"
    fields = ["client", "name", *RIGHTS, "read_only", "allowed_addresses"]
    fixed_fields = ["client"]
    list_display = ["name", "prefix", "client", *RIGHTS, "read_only", "last_used_at", "revoked_at"]
    list_filter = [*RIGHTS, ("revoked_at", admin.EmptyFieldListFilter), "client"]
    list_select_related = ["client"]
    search_fields = ["name", "prefix"]
    autocomplete_fields = ["client"]
    actions = ["rotate", "revoke"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[Any]:
        return [*self.fields, "prefix", "created_at", "last_used_at", "revoked_at"] if obj else [*self.fields]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return ["prefix", "created_at", "last_used_at", "revoked_at"]

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        key, auth_key = create_key(**form.cleaned_data)
        obj.pk, obj.prefix = key.pk, key.prefix
        show_once(request, key, auth_key)

    @admin.action(description=_("Rotate selected keys: a new one of the same rights beside each"), permissions=["add"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset.filter(revoked_at=None):
            new, auth_key = rotate_key(key)
            self.log_addition(request, new, "rotated")
            show_once(request, new, auth_key)

    @admin.action(description=_("Revoke selected keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        live = list(queryset.filter(revoked_at=None))
        for key in live:
            revoke_key(key)
            self.log_change(request, key, "revoked")
        messages.success(request, _("Keys revoked: %(count)d") % {"count": len(live)})
