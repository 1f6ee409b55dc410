"""Who is billed, in the admin: accounts, contacts, payment methods and plan instances."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.account_files import AccountFile, ContactFile
from accounts.admin.clients import ADDRESS_FIELDS
from accounts.admin.figures import plain
from accounts.admin.files import FilesAdmin
from accounts.admin.prices import OwnPricesOfPlanInstance
from accounts.admin.rows import HistoryAdmin, ReadOnlyInline, add_link, link_to_page, may_add
from accounts.callers import Caller
from accounts.models import Account, Contact, PaymentMethod, PlanInstance, RateSchedule
from accounts.services import assign_plan, create_account, lock_account, plans_changed, update_plan_instance


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
    # A bill day that has begun moves only with the account's first invoice (alt_bill_day).
    fixed_fields = ["client", "currency", "bill_day"]
    # Without the approval setting: a new account inherits its client's.
    add_fieldsets = [  # type: ignore[assignment]
        (None, {"fields": ["client", "client_acct_id", "status", "currency", "is_test"]}),
        (_("Billing"), {"fields": ["bill_day", "payment_terms_days"]}),
    ]
    fieldsets = [
        (None, {"fields": [("client", "client_acct_id"), ("status", "currency"), ("is_test", "created_at")]}),
        (
            _("Billing"),
            {
                "fields": [
                    ("bill_day", "payment_terms_days"),
                    ("next_bill_date", "last_bill_date"),
                    "invoice_approval_required",
                ]
            },
        ),
    ]

    def get_inlines(self, request: HttpRequest, obj: Account | None) -> list[type[InlineModelAdmin]]:
        return [PlansOfAccount, ContactsOfAccount, PaymentMethodsOfAccount] if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            obj.pk = create_account(**form.cleaned_data, caller=Caller(staff=request.user)).pk


@admin.register(Contact)
class ContactAdmin(FilesAdmin, HistoryAdmin):  # type: ignore[misc]
    resource_classes = [ContactFile]
    client_path = "account__client"
    fields = ["account", ("contact_no", "role"), ("name", "company"), ("email", "phone"), *ADDRESS_FIELDS]
    fixed_fields = ["account"]
    list_display = ["name", "contact_no", "role", "account", "city", "region", "country"]
    list_filter = ["role", "country", "account__client"]
    list_select_related = ["account"]
    search_fields = ["name", "company", "email", "account__client_acct_id"]
    autocomplete_fields = ["account"]


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


@admin.register(PlanInstance)
class PlanInstanceAdmin(HistoryAdmin):
    """Every change of a plan instance moves its account's next bill date and version with it, under the account's lock."""

    client_path = "account__client"
    fixed_fields = ["account", "plan"]
    list_display = ["plan", "id", "account", "units", "start_date", "end_date", "billed_through"]
    list_filter = ["account__client", "start_date", ("end_date", admin.EmptyFieldListFilter)]
    list_select_related = ["plan", "account"]
    search_fields = ["plan__name", "account__client_acct_id", "po_num", "id__exact"]
    autocomplete_fields = ["account", "plan"]
    readonly_fields = ["billed_through", "add_own_price"]
    add_fieldsets = [  # type: ignore[assignment]
        (
            None,
            {
                "fields": ["account", "plan", "units", ("start_date", "end_date"), "po_num"],
                "description": _("Own prices are given once the plan instance is saved: choose 'Save and continue editing'."),
            },
        )
    ]
    fieldsets = [
        (None, {"fields": [("account", "plan"), "units", ("start_date", "end_date"), "billed_through", "po_num"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanInstance]:
        """With what names them: where they are searched for by others, a list of names asks one query."""
        return super().get_queryset(request).select_related("plan")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or not may_add(request, RateSchedule):
            return super().get_fieldsets(request, obj)
        return [*super().get_fieldsets(request, obj), (None, {"fields": ["add_own_price"]})]

    def get_inlines(self, request: HttpRequest, obj: PlanInstance | None) -> list[type[InlineModelAdmin]]:
        return [OwnPricesOfPlanInstance] if obj else []

    @admin.display(description=_("another price"))
    def add_own_price(self, instance: PlanInstance) -> SafeString:
        currency = instance.account.currency
        return add_link(RateSchedule, _("Add an own price"), plan_instance=instance.pk, currency=currency)

    def get_fixed_fields(self, obj: PlanInstance) -> Sequence[str]:
        """Days that are billed cannot begin on another day any more."""
        return [*self.fixed_fields, "start_date"] if obj.billed_through else self.fixed_fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.pk = assign_plan(**form.cleaned_data, caller=Caller(staff=request.user)).pk
            return
        update_plan_instance(obj, form.changed_data, caller=Caller(staff=request.user))

    def delete_model(self, request: HttpRequest, obj: PlanInstance) -> None:
        account = lock_account(obj.account_id)
        obj.delete()
        plans_changed(account)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PlanInstance]) -> None:
        for instance in queryset.order_by("account_id", "pk"):
            self.delete_model(request, instance)
