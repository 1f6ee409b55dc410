"""Payments, refunds and cash credits in the admin, to read. The pages of the back office record and void them."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin.rows import ReadOnlyAdmin, page_link
from invoices.admin.ledger import STANDING, ColumnsOfEntry, EntryAdmin, flat
from invoices.kinds import EntryKind, RefundStatus
from invoices.models import CashCredit, Payment, Refund

REFUND_COLOURS = {
    RefundStatus.ASKED.value: "warning",
    RefundStatus.DONE.value: "success",
    RefundStatus.FAILED.value: "danger",
    RefundStatus.WITHDRAWN.value: "info",
}


@admin.register(Payment)
class PaymentAdmin(ColumnsOfEntry, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "account__client"
    list_display = ["named", "account", "date", "type", "reference", "amount_in_currency"]
    list_filter = ["type", "gateway", "account__client"]
    list_select_related = ["account", "entry__account", "entry__voids"]
    search_fields = ["entry__id__exact", "reference", "gateway_payment_id", "account__client_acct_id"]
    fields = (
        ("account", "named"),
        ("amount_in_currency", "left"),
        ("date", "type"),
        ("reference", "comment"),
        ("gateway", "gateway_payment_id"),
        *STANDING,
        "who",
    )
    readonly_fields = flat(fields)


@admin.register(Refund)
class RefundAdmin(ColumnsOfEntry, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "payment__account__client"
    list_display = ["named", "account", "payment", "date", "status_label", "amount_in_currency"]
    list_filter = ["status", "payment__account__client"]
    list_select_related = ["entry__account", "entry__voids", "payment"]
    search_fields = ["entry__id__exact", "gateway_refund_id", "payment__account__client_acct_id"]
    fields = (
        ("account", "payment"),
        ("amount_in_currency", "status"),
        ("reason", "comment"),
        ("gateway_refund_id", "proc_status_code"),
        "proc_status_text",
        ("asked_at", "settled_at"),
        *STANDING,
        "who",
    )
    readonly_fields = flat(fields)

    @admin.display(description=_("account"))
    def account(self, refund: Refund) -> SafeString:
        return page_link(refund.entry.account)

    @display(description=_("status"), ordering="status", label=REFUND_COLOURS)  # type: ignore[arg-type]
    def status_label(self, refund: Refund) -> tuple[str, str]:
        return refund.status, refund.get_status_display()


@admin.register(CashCredit)
class CashCreditAdmin(EntryAdmin):
    kind = EntryKind.CASH_CREDIT
