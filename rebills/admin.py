"""Rebills in the admin: what each replaces, and the difference line by line. Those that wait are decided on here too."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.figures import figures
from accounts.admin.rows import ReadOnlyAdmin, asked_once, page_link
from invoices.admin.amounts import amount
from invoices.admin.decisions import DecidedInList
from invoices.models import Invoice
from invoices.services.chains import read_chain
from invoices.services.rows import stored_contents
from rebills.models import Rebill
from rebills.plan.differences import differences
from rebills.services.facts import read_names


@admin.register(Rebill)
class RebillAdmin(DecidedInList, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "client"
    list_display = ["named", "account", "original", "status", "total_in_currency", "difference_in_currency", "generated_by"]
    list_filter = ["status", "reason_code", "client", "invoice_date"]
    list_select_related = ["account", "corrects"]
    search_fields = ["document_number", "id__exact", "corrects__document_number", "account__client_acct_id"]
    actions = ["approve_selected", "discard_selected"]
    fields = [
        ("named", "status"),
        ("account", "original"),
        ("memo_link", "document"),
        ("total_in_currency", "difference_in_currency"),
        ("reason_code", "comments"),
        ("generated_by", "approved_by"),
        "line_by_line",
        "chain_of_corrections",
    ]

    @admin.display(description=_("rebill"), ordering="id")
    def named(self, rebill: Rebill) -> str:
        return str(rebill)

    @admin.display(description=_("original"))
    def original(self, rebill: Rebill) -> SafeString:
        return page_link(rebill.corrects) if rebill.corrects is not None else SafeString("-")

    @admin.display(description=_("credit memo"))
    def memo_link(self, rebill: Rebill) -> SafeString:
        return page_link(rebill.memo) if rebill.memo is not None else SafeString("-")

    @admin.display(description=_("the document"))
    @asked_once
    def document(self, rebill: Rebill) -> SafeString:
        return page_link(Invoice.objects.get(pk=rebill.pk), _("Lines, taxes and what can be done"))

    @admin.display(description=_("total"), ordering="total_amount")
    def total_in_currency(self, rebill: Rebill) -> SafeString:
        return amount(rebill.total_amount, rebill.currency)

    @admin.display(description=_("difference"))
    def difference_in_currency(self, rebill: Rebill) -> SafeString:
        if rebill.corrects is None:
            return SafeString("-")
        return amount(rebill.total_amount - rebill.corrects.total_amount, rebill.currency)

    @admin.display(description=_("line by line"))
    @asked_once
    def line_by_line(self, rebill: Rebill) -> SafeString:
        """Original, rebill and difference with tax, and what was changed."""
        contents = stored_contents([rebill.corrects_id or 0, rebill.pk])
        rows = [
            (
                row.description,
                "; ".join((*row.changes, *([row.comments] if row.comments else []))) or "-",
                *(amount(one.total, rebill.currency) for one in (row.original, row.rebill, row.difference)),
            )
            for row in differences(contents[rebill.corrects_id or 0], contents[rebill.pk], read_names(contents.values()))
        ]
        return figures([_("Line"), _("Changes"), _("Original"), _("Rebill"), _("Difference")], rows, words=2)

    @admin.display(description=_("chain of corrections"))
    @asked_once
    def chain_of_corrections(self, rebill: Rebill) -> SafeString:
        chain = read_chain(client=rebill.client, invoice_no=rebill.pk)
        rows = [
            (
                page_link(Invoice(pk=step.document.pk), step.document),
                step.document.get_status_display(),
                step.document.generated_by,
                step.reason or "-",
                amount(step.document.total_amount, chain.root.currency),
                amount(step.difference, chain.root.currency),
            )
            for step in chain.steps
        ]
        headings = [_("Document"), _("Status"), _("By"), _("Reason"), _("Total"), _("Difference")]
        return figures(headings, rows, words=4)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("client", "memo")
