"""Reason codes in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.files import FilesAdmin
from accounts.admin.rows import (
    HistoryAdmin,
    never,
)
from invoices.admin.files import ReasonCodeFile
from invoices.models import (
    ReasonCode,
)


@admin.register(ReasonCode)
class ReasonCodeAdmin(FilesAdmin, HistoryAdmin):  # type: ignore[misc]
    """A client's own reasons and, for superusers, reasons that all clients have. None is deleted, because entries refer to
    them."""

    resource_classes = [ReasonCodeFile]
    client_path = "client"
    common_rows = True
    fields = ["client", "type", ("code", "name"), "is_active"]
    fixed_fields = ["client", "type", "code"]
    list_display = ["name", "code", "type", "client", "is_active"]
    list_filter = ["type", "is_active", "client"]
    list_select_related = ["client"]
    search_fields = ["name", "code"]
    autocomplete_fields = ["client"]
    has_delete_permission = never

    def has_change_permission(self, request: HttpRequest, obj: ReasonCode | None = None) -> bool:
        common = obj is not None and obj.client_id is None
        return super().has_change_permission(request, obj) and (request.user.is_superuser or not common)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "client" in form.base_fields:
            form.base_fields["client"].required = not request.user.is_superuser
        return form
