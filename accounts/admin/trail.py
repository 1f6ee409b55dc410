"""What was asked and done: events and receipts, to read."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin.rows import ReadOnlyAdmin
from accounts.models import Event, Receipt


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
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
        return str(event.staff or event.api_key or event.process)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ["receipt_id", "client", "method", "succeeded", "invoice_no", "created_at"]
    list_filter = ["client", "method", "succeeded", "created_at"]
    list_select_related = ["client"]
    search_fields = ["receipt_id", "invoice_no__exact"]
