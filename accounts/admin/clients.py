"""Clients with their settings and API keys."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from accounts.admin.rows import DigitsOnly, HistoryAdmin, MasterDataForm, ReadOnlyAdmin, page_link
from accounts.callers import Caller
from accounts.client_settings import change_settings, confirm_change, proposed_change, withdraw_change
from accounts.keys import change_key, create_key, revoke_key, rotate_key
from accounts.kinds import GuardedAct
from accounts.models import ApiKey, Client, CollectionThreshold, SettingsChange
from accounts.models.identities import PAYEE_FIELDS, REPRESENTATIVE_FIELDS
from accounts.rights import CHANGE_SETTINGS, KEY_RIGHTS
from accounts.services.accounts import create_client
from accounts.staff import names_of
from billing_site.errors import BillingError

ADDRESS_FIELDS: tuple[str | tuple[str, ...], ...] = ("address1", "address2", ("city", "region"), ("postal_code", "country"))


def show_once(request: HttpRequest, key: ApiKey, auth_key: str) -> None:
    text = _("Keep this key now, it cannot be shown again: client_no %(client)s, auth_key %(auth_key)s")
    messages.warning(request, text % {"client": key.client_id, "auth_key": auth_key})


class ActsField(forms.MultipleChoiceField):
    """Choose kinds of acts by check boxes. The column stores their names separated by commas."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=GuardedAct.choices, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget, **options)

    def prepare_value(self, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    def clean(self, value: Any) -> Any:
        return ",".join(super().clean(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial or []), data)


class RolesField(ActsField):
    """Choose roles by check boxes. The column stores their names separated by commas."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.choices = lambda: [(name, name) for name in Group.objects.order_by("name").values_list("name", flat=True)]

    def prepare_value(self, value: Any) -> Any:
        return [one for one in value.split(",") if one] if isinstance(value, str) else value


class ClientForm(MasterDataForm):
    tax_engine = forms.ChoiceField(
        choices=lambda: [(name, name) for name in settings.TAX_ENGINES],
        widget=UnfoldAdminSelectWidget,
        help_text=_("The tax engine that quotes this client's invoices."),
    )
    second_person_for = ActsField(
        label=_("Second person for"), initial=GuardedAct.values, help_text=Client._meta.get_field("second_person_for").help_text
    )
    second_factor_roles = RolesField(
        label=_("Second factor roles"), help_text=Client._meta.get_field("second_factor_roles").help_text
    )
    gateway = forms.ChoiceField(
        choices=lambda: [(name, name) for name in settings.GATEWAYS],
        widget=UnfoldAdminSelectWidget,
        initial="sandbox",
        help_text=_("The payment gateway that collects for this client."),
    )


class ThresholdsOfClient(DigitsOnly, TabularInline):  # type: ignore[misc]
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
    readonly_fields = ["clock_offset", "created_at", "proposed"]
    autocomplete_fields = ["staff"]
    fieldsets = [
        (None, {"fields": ["name", *ADDRESS_FIELDS]}),
        (
            _("Company, as printed on documents"),
            {
                "fields": [
                    ("legal_name", "registration_number", "registration_scheme"),
                    ("tax_ids", "tax_number", "party_numbers"),
                    ("bank_name", "iban", "bic", "creditor_id"),
                    ("electronic_scheme", "electronic_address"),
                    ("contact_name", "contact_phone", "contact_email"),
                    "legal_text",
                    ("logo", "document_color"),
                ]
            },
        ),
        (_("Payee and tax representative"), {"fields": [PAYEE_FIELDS, *REPRESENTATIVE_FIELDS]}),
        (_("Time"), {"fields": ["time_zone", "clock_offset", "created_at"]}),
        (
            _("Approval"),
            {
                "fields": [
                    "invoice_approval_required",
                    "pending_discard_days",
                    ("four_eyes", "four_eyes_amount"),
                    "second_person_for",
                ]
            },
        ),
        (_("Flags"), {"fields": ["flag_change_percent", ("flag_first", "flag_lines", "flag_missing_po")]}),
        (
            _("Limits of billing runs"),
            {
                "fields": [
                    ("stop_above_refusals", "stop_above_refused_percent"),
                    ("stop_above_percent_of_last", "stop_above_invoice"),
                ]
            },
        ),
        (_("Terms"), {"fields": ["payment_terms_days"]}),
        (_("Tax"), {"fields": ["taxable_address_order", "tax_categories", "missing_tax_data", ("tax_rounding", "tax_engine")]}),
        (
            _("Collection"),
            {"fields": ["gateway", "collect_on_approval", "void_on_collection_failure", "dunning_on_collection_failure"]},
        ),
        (
            _("Rebills"),
            {
                "fields": [
                    ("rebill_approval_required", "collect_on_rebill"),
                    ("carry_unlisted_lines", "credit_to", "original_due_date_on_rebill"),
                ]
            },
        ),
        (_("Plan changes"), {"fields": [("credit_unused_on_change", "credit_unused_on_end")]}),
        (
            _("Electronic invoices"),
            {"fields": [("e_invoice", "e_invoice_profile"), ("tax_currency", "tax_currency_rates")]},
        ),
        (_("Statements"), {"fields": [("statement_on_issue", "attach_pdf"), "reply_to", "language"]}),
        (_("Signing in"), {"fields": ["second_factor_roles"]}),
        (
            _("Personal data"),
            {
                "fields": [
                    ("keep_documents_years", "keep_accesses_days"),
                    ("keep_calls_days", "keep_mails_days", "keep_event_data_days"),
                ]
            },
        ),
        (_("Calls"), {"fields": ["never_allow_used_receipt_id"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only superusers may assign staff to a client."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None and proposed_change(obj) is not None:
            fieldsets = [(_("To be confirmed"), {"fields": ["proposed"]}), *fieldsets]
        staff = [(_("Staff"), {"fields": ["staff"]})] if obj is not None and request.user.is_superuser else []
        return [*fieldsets, *staff]

    def get_inlines(self, request: HttpRequest, obj: Client | None) -> list[type[InlineModelAdmin]]:
        return [ThresholdsOfClient] if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            self._change(request, obj, form)
            return
        client, key, auth_key = create_client(**form.cleaned_data, caller=Caller(staff=request.user))
        if not request.user.is_superuser:
            # The user who creates a client is assigned to it.
            client.staff.add(request.user)  # type: ignore[arg-type]
        obj.pk = client.pk
        if key is not None:
            show_once(request, key, auth_key)

    def _change(self, request: HttpRequest, obj: Client, form: Any) -> None:
        columns = {field.name for field in obj._meta.concrete_fields}
        proposed = change_settings(obj, columns.intersection(form.changed_data), caller=Caller(staff=request.user))
        if proposed is not None:
            text = _("Proposed, not changed yet: %(what)s. Another administrator must confirm the change.")
            messages.warning(request, text % {"what": proposed.words})

    def get_urls(self) -> list[Any]:
        logo = path("<path:object_id>/logo/", self.admin_site.admin_view(self.logo), name="accounts_client_logo")
        return [logo, *super().get_urls()]

    def logo(self, request: HttpRequest, object_id: str) -> FileResponse:
        """Download the logo of a client."""
        client = self.get_object(request, object_id)
        if not self.has_view_permission(request, client):
            raise PermissionDenied
        if not client.logo or not client.logo.storage.exists(client.logo.name):
            raise Http404
        return FileResponse(client.logo.open("rb"), as_attachment=True, filename=PurePath(client.logo.name).name)

    @admin.display(description=_("proposed change"))
    def proposed(self, client: Client) -> Any:
        change = proposed_change(client)
        return "-" if change is None else page_link(change, f"{change.words} ({change.proposed_by})")


@admin.register(SettingsChange)
class SettingsChangeAdmin(ReadOnlyAdmin):
    """Changes of four-eyes settings. Another administrator than the one who proposed a change confirms it."""

    client_path = "client"
    list_display = ["client", "words", "state", "proposed_by", "proposed_at", "decided_by", "decided_at"]
    list_filter = ["state", "client"]
    list_select_related = ["client", "proposed_by", "decided_by"]
    actions = ["confirm", "withdraw"]

    @admin.display(description=_("change"))
    def words(self, change: SettingsChange) -> str:
        return change.words

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CHANGE_SETTINGS.permission)

    @admin.action(description=_("Confirm selected changes"), permissions=["decide"])
    def confirm(self, request: HttpRequest, queryset: QuerySet[SettingsChange]) -> None:
        self._decide(request, queryset, confirm_change, _("Confirmed: %(what)s"))

    @admin.action(description=_("Withdraw selected changes"), permissions=["decide"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[SettingsChange]) -> None:
        self._decide(request, queryset, withdraw_change, _("Withdrawn: %(what)s"))

    def _decide(self, request: HttpRequest, chosen: QuerySet[SettingsChange], decide: Any, done: Any) -> None:
        for change in chosen.select_related("client"):
            try:
                decide(change.client, change.pk, caller=Caller(staff=request.user))
            except BillingError as refusal:
                messages.error(request, f"{change}: {refusal.shown}")
            else:
                messages.success(request, done % {"what": change})


@admin.register(ApiKey)
class ApiKeyAdmin(HistoryAdmin):
    """API keys. They are created and revoked but never deleted, because documents and events name them."""

    client_path = "client"
    fields = ["client", "name", *KEY_RIGHTS, "read_only", "allowed_addresses"]
    fixed_fields = ["client"]
    list_display = ["name", "prefix", "client", *KEY_RIGHTS, "read_only", "last_used_at", "revoked_at"]
    list_filter = [*KEY_RIGHTS, ("revoked_at", admin.EmptyFieldListFilter), "client"]
    list_select_related = ["client"]
    search_fields = ["name", "prefix"]
    autocomplete_fields = ["client"]
    actions = ["rotate", "revoke"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[Any]:
        return [*self.fields, *self.facts] if obj else [*self.fields]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return [*self.facts]

    facts = ("prefix", "created_at", "made_by", "last_used_at", "revoked_at")

    @admin.display(description=_("created or rotated by"))
    def made_by(self, key: ApiKey) -> str:
        """Return the key's makers, the latest first. Four eyes treats them and the key as one person."""
        names = names_of(key.stands_for)
        return ", ".join(names[one] for one in key.stands_for) or "-"

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        caller = Caller(staff=request.user)
        if change:
            change_key(obj, form.changed_data, caller=caller)
            return
        key, auth_key = create_key(**form.cleaned_data, caller=caller)
        obj.pk, obj.prefix = key.pk, key.prefix
        show_once(request, key, auth_key)

    @admin.action(description=_("Rotate selected keys: create a new key with the same rights for each"), permissions=["add"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset.filter(revoked_at=None).select_related("client"):
            try:
                new, auth_key = rotate_key(key, caller=Caller(staff=request.user))
            except BillingError as refusal:
                messages.error(request, f"{key}: {refusal.shown}")
                continue
            self.log_addition(request, new, "rotated")
            show_once(request, new, auth_key)

    @admin.action(description=_("Revoke selected keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        live = list(queryset.filter(revoked_at=None))
        for key in live:
            revoke_key(key)
            self.log_change(request, key, "revoked")
        messages.success(request, _("Keys revoked: %(count)d") % {"count": len(live)})
