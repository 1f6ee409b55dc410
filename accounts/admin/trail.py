"""Events, receipts and API calls in the admin, read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin.rows import ReadOnlyAdmin
from accounts.models import ApiCall, Event, Receipt
from accounts.staff import who_did
from billing_site.errors import ErrorCode


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    client_path = "client"
    list_display = ["act", "at", "account", "invoice_no", "who", "error_code", "message"]
    list_filter = ["client", "act", "at"]
    list_select_related = ["account", "staff", "api_key"]
    search_fields = ["invoice_no__exact", "account__client_acct_id", "message", "request_id"]
    fieldsets = [
        (None, {"fields": ["act", "at", "client", ("account", "invoice_no")]}),
        (_("Who"), {"fields": [("staff", "api_key", "process"), "caller", "request_id"]}),
        (_("What"), {"fields": ["error_code", "message", "before", "after"]}),
    ]

    @admin.display(description=_("who"))
    def who(self, event: Event) -> str:
        return who_did(event)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    client_path = "client"
    list_display = ["receipt_id", "client", "method", "succeeded", "invoice_no", "created_at"]
    list_filter = ["client", "method", "succeeded", "created_at"]
    list_select_related = ["client"]
    search_fields = ["receipt_id", "invoice_no__exact"]


class RefusedOrNot(admin.SimpleListFilter):
    title = _("outcome")
    parameter_name = "refused"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("Done")), ("yes", _("Refused")), ("missing", _("Method does not exist"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiCall]) -> QuerySet[ApiCall]:
        if self.value() == "yes":
            return queryset.exclude(error_code=0)
        if self.value() == "missing":
            return queryset.filter(error_code=ErrorCode.API_NOT_FOUND.number)
        return queryset.filter(error_code=0) if self.value() == "no" else queryset


@admin.register(ApiCall)
class ApiCallAdmin(ReadOnlyAdmin):
    client_path = "client"
    list_display = ["at", "method", "account_no", "error_code", "http_status", "milliseconds", "who", "address", "request_id"]
    list_filter = ["client", RefusedOrNot, "at", "http_status"]
    list_select_related = ["api_key", "staff"]
    search_fields = [
        "method__icontains",
        "message__icontains",
        "account_no__exact",
        "receipt_id__exact",
        "request_id__exact",
        "error_code__exact",
        "address__exact",
        "caller__exact",
    ]
    search_help_text = _("Request id, receipt id, account number, method, message, code or address")
    date_hierarchy = "at"

    @admin.display(description=_("who"))
    def who(self, call: ApiCall) -> str:
        return who_did(call) or "-"
