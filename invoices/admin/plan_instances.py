"""Customers' plans in the admin, to be read. The pages of their account change them, and show what happens to billed days."""

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.prices import OwnPricesOfPlanInstance
from accounts.admin.rows import HistoryAdmin, never, text_link
from accounts.models import PlanInstance


@admin.register(PlanInstance)
class PlanInstanceAdmin(HistoryAdmin):
    """Plan instances with their history and own prices."""

    client_path = "account__client"
    list_display = ["plan", "id", "account", "units", "start_date", "end_date", "billed_through"]
    list_filter = ["account__client", "start_date", ("end_date", admin.EmptyFieldListFilter)]
    list_select_related = ["plan", "account"]
    search_fields = ["plan__name", "account__client_acct_id", "po_num", "id__exact"]
    readonly_fields = ["billed_through", "page_of_account"]
    fields = [
        ("account", "plan"),
        ("units", "po_num"),
        ("start_date", "end_date"),
        ("billed_through", "trial_end"),
        "page_of_account",
    ]
    has_add_permission = never
    has_change_permission = never
    has_delete_permission = never

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanInstance]:
        """Join the names that are shown, so that a list of search results needs one query."""
        return super().get_queryset(request).select_related("plan")

    def get_inlines(self, request: HttpRequest, obj: PlanInstance | None) -> list[type[InlineModelAdmin]]:
        return [OwnPricesOfPlanInstance] if obj else []

    @admin.display(description=_("to change it"))
    def page_of_account(self, instance: PlanInstance) -> SafeString:
        return text_link(reverse("account", args=[instance.account_id]), _("The page of the account"))
