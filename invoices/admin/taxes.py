"""The tax table in the admin."""

from django.contrib import admin

from accounts.admin.files import FilesAdmin
from accounts.admin.rows import HistoryAdmin
from invoices.admin.files import TaxRateFile
from invoices.models import TaxRate


@admin.register(TaxRate)
class TaxRateAdmin(FilesAdmin, HistoryAdmin):  # type: ignore[misc]
    resource_classes = [TaxRateFile]
    client_path = "client"
    fields = ["client", "name", ("country", "region"), ("category", "percent", "taxed_at"), ("valid_from", "valid_to")]
    fixed_fields = ["client"]
    list_display = ["name", "client", "country", "region", "category", "percent", "valid_from", "valid_to"]
    list_filter = ["client", "country", "category"]
    list_select_related = ["client"]
    search_fields = ["name", "country", "region", "category"]
    autocomplete_fields = ["client"]
