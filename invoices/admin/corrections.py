"""Corrections of debts in the admin, to read: write-offs, disputes, credit memos and voids."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.rows import ReadOnlyAdmin, page_link
from invoices.admin.amounts import amount
from invoices.admin.ledger import EntryAdmin, flat
from invoices.kinds import EntryKind, InvoiceKind
from invoices.models import CreditMemo, Dispute, Invoice, TransactionVoid, WriteOff


@admin.register(WriteOff)
class WriteOffAdmin(EntryAdmin):
    kind = EntryKind.WRITE_OFF


@admin.register(Dispute)
class DisputeAdmin(EntryAdmin):
    kind = EntryKind.DISPUTE


@admin.register(TransactionVoid)
class TransactionVoidAdmin(EntryAdmin):
    kind = EntryKind.VOID


@admin.register(CreditMemo)
class CreditMemoAdmin(ReadOnlyAdmin):
    client_path = "client"
    list_display = ["document_number", "account", "corrects", "invoice_date", "status", "total_in_currency"]
    list_filter = ["status", "client", "invoice_date"]
    list_select_related = ["account", "corrects"]
    search_fields = ["document_number", "id__exact", "corrects__document_number", "account__client_acct_id"]
    fields = (
        ("document_number", "status"),
        ("account", "corrects"),
        ("invoice_date", "total_in_currency"),
        ("reason_code", "comments"),
        "document",
    )
    readonly_fields = flat(fields)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(kind=InvoiceKind.CREDIT_MEMO)

    @admin.display(description=_("total"), ordering="total_amount")
    def total_in_currency(self, memo: CreditMemo) -> SafeString:
        return amount(memo.total_amount, memo.currency)

    @admin.display(description=_("document"))
    def document(self, memo: CreditMemo) -> SafeString:
        return page_link(Invoice.objects.get(pk=memo.pk), _("Lines and taxes"))
