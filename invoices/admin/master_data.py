"""The tax table and the reason codes in the admin: pages and CSV files."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.admin.files import CLIENT_NO, ClientFile, FilesAdmin
from accounts.admin.rows import HistoryAdmin, never
from accounts.services.changing import FIXED
from invoices.models import ReasonCode, TaxRate


class TaxRateFile(ClientFile):
    """Tax rates, identified by client, name, place, category and first day."""

    class Meta(ClientFile.Meta):
        model = TaxRate
        import_id_fields = ("client_no", "name", "country", "region", "category", "valid_from")
        fields = (*import_id_fields, "percent", "vat_category", "exemption_reason", "taxed_at", "valid_to")


class ReasonCodeFile(ClientFile):
    """Reason codes. Superusers import reasons without a client, which all clients have; staff import those of their clients."""

    class Meta(ClientFile.Meta):
        model = ReasonCode
        import_id_fields = ("client_no", "type", "code")
        fields = ("client_no", "type", "code", "name", "is_active")

    def client_of(self, number: str) -> int | None:
        if number:
            return super().client_of(number)
        if not self.user.is_superuser:
            raise ValidationError({CLIENT_NO: _("Give the number of one of your clients.")})
        return None


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


@admin.register(TaxRate)
class TaxRateAdmin(FilesAdmin, HistoryAdmin):  # type: ignore[misc]
    resource_classes = [TaxRateFile]
    client_path = "client"
    fields = [
        "client",
        "name",
        ("country", "region"),
        ("category", "percent", "taxed_at"),
        ("vat_category", "exemption_reason"),
        ("valid_from", "valid_to"),
    ]
    fixed_fields = FIXED["invoices.taxrate"]
    list_display = ["name", "client", "country", "region", "category", "percent", "vat_category", "valid_from", "valid_to"]
    list_filter = ["client", "country", "category"]
    list_select_related = ["client"]
    search_fields = ["name", "country", "region", "category"]
    autocomplete_fields = ["client"]
