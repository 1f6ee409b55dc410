"""Files of documents: which are made, which are owed, and why."""

from django.contrib import admin

from accounts.admin.rows import ReadOnlyAdmin
from invoices.models import DocumentFile


@admin.register(DocumentFile)
class DocumentFileAdmin(ReadOnlyAdmin):
    client_path = "invoice__client"
    list_display = ["invoice", "kind", "state", "reason", "size", "made_at"]
    list_filter = ["state", "kind", "invoice__client"]
    list_select_related = ["invoice"]
    search_fields = ["invoice__document_number", "invoice__id__exact", "sha256"]
