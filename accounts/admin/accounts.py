"""Who is billed, in the admin: accounts, contacts and payment methods."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.account_files import AccountFile, ContactFile
from accounts.admin.clients import ADDRESS_FIELDS
from accounts.admin.figures import plain
from accounts.admin.files import FilesAdmin
from accounts.admin.rows import HistoryAdmin, ReadOnlyInline, link_to_page
from accounts.callers import Caller
from accounts.models import Account, BillingPause, Contact, PaymentMethod, PlanInstance
from accounts.services.accounts import create_account
from accounts.services.changing import FIXED
from accounts.services.personal_access import note_access


class PlansOfAccount(ReadOnlyInline):
    model = PlanInstance
    fields = ["plan_instance", "start_date", "end_date", "billed_through", "units_plain"]
    readonly_fields = ["plan_instance", "billed_through", "units_plain"]
    plan_instance = link_to_page(_("plan instance"))
    verbose_name_plural = _("plan instances")

    @admin.display(description=_("units"))
    def units_plain(self, instance: PlanInstance) -> SafeString:
        return plain(instance.units)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanInstance]:
        return super().get_queryset(request).select_related("plan")


class PausesOfAccount(ReadOnlyInline):
    model = BillingPause
    fields = readonly_fields = ("first_day", "last_day", "by_status")
    verbose_name_plural = _("pauses of billing")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who sees an account sees its pauses."""
        return request.user.has_perm("accounts.view_account")


class ContactsOfAccount(ReadOnlyInline):
    model = Contact
    fields = ["contact", "role", "city", "region", "country", "email"]
    readonly_fields = ["contact"]
    contact = link_to_page(_("contact"))


class PaymentMethodsOfAccount(ReadOnlyInline):
    model = PaymentMethod
    fields = ["payment_method", "type"]
    readonly_fields = ["payment_method"]
    payment_method = link_to_page(_("payment method"))


TAX_FIELDS: list[str | list[str] | tuple[str, ...] | tuple[()]] = [
    ("tax_exemption", "tax_exemption_reason"),
    ("tax_exemption_from", "tax_exemption_to"),
]


COMPANY_FIELDS: list[str | list[str] | tuple[str, ...] | tuple[()]] = [
    ("tax_id", "registration_number", "registration_scheme"),
    ("electronic_scheme", "electronic_address", "party_number"),
    ("buyer_reference", "accounting_reference"),
    ("contract_reference", "project_reference", "tender_reference"),
    ("object_reference", "sales_order_reference"),
    ("despatch_reference", "receiving_reference"),
    ("supporting_reference", "supporting_description", "supporting_link"),
    ("delivery_name", "delivery_location"),
    "e_invoice_profile",
]


STAFF_FIELDS: list[str | list[str] | tuple[str, ...] | tuple[()]] = ["tags", "note"]


@admin.register(Account)
class AccountAdmin(FilesAdmin, HistoryAdmin):  # type: ignore[misc]
    resource_classes = [AccountFile]
    client_path = "client"
    list_display = ["client_acct_id", "id", "client", "status", "currency", "bill_day", "next_bill_date", "is_test"]
    list_filter = ["client", "status", "is_test", "invoice_approval_required", "next_bill_date"]
    list_select_related = ["client"]
    search_fields = ["client_acct_id", "id__exact", "contacts__name"]
    autocomplete_fields = ["client"]
    readonly_fields = ["next_bill_date", "last_bill_date", "created_at"]
    # Once billing has begun, the bill day moves only with the account's first invoice (alt_bill_day).
    fixed_fields = FIXED["accounts.account"]
    # Without the approval setting: a new account takes its client's.
    add_fieldsets = [  # type: ignore[assignment]
        (None, {"fields": ["client", "client_acct_id", "status", "currency", "is_test"]}),
        (_("Billing"), {"fields": ["bill_day", "payment_terms_days", "language"]}),
        (_("Tax"), {"fields": TAX_FIELDS}),
        (_("Company"), {"fields": COMPANY_FIELDS}),
        (_("For staff"), {"fields": STAFF_FIELDS}),
    ]
    fieldsets = [
        (None, {"fields": [("client", "client_acct_id"), ("status", "currency"), ("is_test", "created_at")]}),
        (
            _("Billing"),
            {
                "fields": [
                    ("bill_day", "payment_terms_days"),
                    ("next_bill_date", "last_bill_date"),
                    ("invoice_approval_required", "language"),
                ]
            },
        ),
        (_("Tax"), {"fields": TAX_FIELDS}),
        (_("Company"), {"fields": COMPANY_FIELDS}),
        (_("For staff"), {"fields": STAFF_FIELDS}),
    ]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the account. Who opens it sees its contacts, which is noted."""
        account = super().get_object(request, object_id, from_field)
        note_access(account.client, [account.pk], Caller(staff=request.user))
        return account

    def get_inlines(self, request: HttpRequest, obj: Account | None) -> list[type[InlineModelAdmin]]:
        return [PlansOfAccount, PausesOfAccount, ContactsOfAccount, PaymentMethodsOfAccount] if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            obj.pk = create_account(**form.cleaned_data, caller=Caller(staff=request.user)).pk


@admin.register(Contact)
class ContactAdmin(FilesAdmin, HistoryAdmin):  # type: ignore[misc]
    resource_classes = [ContactFile]
    client_path = "account__client"
    fields = [
        "account",
        ("contact_no", "role"),
        ("name", "company"),
        ("email", "copy_of_statements"),
        "phone",
        *ADDRESS_FIELDS,
        *TAX_FIELDS,
        *COMPANY_FIELDS,
    ]
    fixed_fields = FIXED["accounts.contact"]

    list_display = ["name", "contact_no", "role", "account", "city", "region", "country"]
    list_filter = ["role", "country", "account__client"]
    list_select_related = ["account"]
    search_fields = ["name", "company", "email", "account__client_acct_id"]
    autocomplete_fields = ["account"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the contact, and note who opens it."""
        contact = super().get_object(request, object_id, from_field)
        note_access(contact.account.client, [contact.account_id], Caller(staff=request.user))
        return contact


@admin.register(PaymentMethod)
class PaymentMethodAdmin(HistoryAdmin):
    client_path = "account__client"
    fields = ["account", "type", "token", "label"]
    fixed_fields = ["account"]
    list_display = ["id", "account", "type", "label"]
    list_filter = ["type", "account__client"]
    list_select_related = ["account"]
    search_fields = ["label", "account__client_acct_id"]
    autocomplete_fields = ["account"]
