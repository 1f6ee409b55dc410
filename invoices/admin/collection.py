"""Gateways in the admin: collection attempts, payment methods with tokens, and received messages."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin.accounts import PaymentMethodAdmin
from accounts.admin.rows import ReadOnlyAdmin, ReadOnlyInline, cached_per_row, link_to_page, only_superusers, page_link
from accounts.callers import Caller
from accounts.clock import today
from accounts.models import PaymentMethod
from accounts.models.identities import PAYER_FIELDS
from accounts.staff import name_of
from billing_site.errors import BillingError
from invoices.admin.amounts import amount
from invoices.admin.batches import outcomes_by_client, show_collected
from invoices.kinds import AttemptStatus
from invoices.models import CollectionAttempt, GatewayEvent, Invoice
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.documents.rights import COLLECT_PERMISSION
from invoices.services.money.payment_methods import add_payment_method

ATTEMPT_COLOURS = {
    AttemptStatus.REQUESTED.value: "info",
    AttemptStatus.STARTED.value: "warning",
    AttemptStatus.UNKNOWN.value: "warning",
    AttemptStatus.COLLECTED.value: "success",
    AttemptStatus.DECLINED.value: "danger",
    AttemptStatus.NOT_MADE.value: "info",
}


class AttemptColumns:
    @admin.display(description=_("amount"), ordering="amount")
    def amount_in_currency(self, attempt: CollectionAttempt) -> SafeString:
        return SafeString("-") if attempt.amount is None else amount(attempt.amount, attempt.currency)

    @admin.display(description=_("payment"))
    def payment_link(self, attempt: CollectionAttempt) -> SafeString:
        return page_link(attempt.payment) if attempt.payment is not None else SafeString("-")

    @display(description=_("status"), ordering="status", label=ATTEMPT_COLOURS)  # type: ignore[arg-type]
    def status_label(self, attempt: CollectionAttempt) -> tuple[str, str]:
        return attempt.status, attempt.get_status_display()


class AttemptsOfInvoice(AttemptColumns, ReadOnlyInline):  # type: ignore[misc]
    model = CollectionAttempt
    fields = readonly_fields = (
        "attempt",
        "status",
        "amount_in_currency",
        "proc_status_code",
        "message",
        "payment_link",
        "requested_at",
    )
    attempt = link_to_page(_("attempt"), lambda attempt: attempt.attempt_no)
    verbose_name_plural = _("collection attempts")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CollectionAttempt]:
        return super().get_queryset(request).select_related("payment__entry")


@admin.register(CollectionAttempt)
class CollectionAttemptAdmin(AttemptColumns, ReadOnlyAdmin):  # type: ignore[misc]
    """Attempts, without token and key."""

    client_path = "invoice__client"
    list_display = ["id", "invoice", "attempt_no", "status_label", "amount_in_currency", "proc_status_code", "requested_at"]
    list_filter = ["status", "gateway", "proc_status_code", "requested_on", "invoice__client"]
    list_select_related = ["invoice"]
    search_fields = ["invoice__document_number", "invoice__id__exact", "proc_payment_id", "invoice__account__client_acct_id"]
    actions = ["ask_the_gateway"]
    fields = (
        ("invoice", "attempt_no"),
        ("status", "at_issue"),
        ("amount_in_currency", "currency"),
        ("gateway", "payment_link"),
        ("error_code", "message"),
        ("proc_status_code", "proc_status_text"),
        ("proc_payment_id", "proc_auth_code"),
        ("proc_cvv_response", "proc_avs_response"),
        ("proc_cavv_response", "proc_merch_comments"),
        ("who", "requested_on"),
        ("requested_at", "started_at"),
        "settled_at",
    )
    readonly_fields = ["amount_in_currency", "payment_link", "who"]

    @admin.display(description=_("requested by"))
    @cached_per_row
    def who(self, attempt: CollectionAttempt) -> str:
        return name_of(attempt.requested_by)

    def has_collect_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(COLLECT_PERMISSION)

    @admin.action(description=_("Ask the gateway for the outcome, then continue"), permissions=["collect"])
    def ask_the_gateway(self, request: HttpRequest, queryset: QuerySet[CollectionAttempt]) -> None:
        collect(request, Invoice.objects.filter(pk__in=queryset.values("invoice")))


def collect(request: HttpRequest, invoices: QuerySet[Invoice]) -> None:
    """Collect invoices of one or several clients, and show the results."""
    caller = Caller(staff=request.user)
    collected = outcomes_by_client(
        invoices,
        lambda client, numbers: collect_invoices(client=client, invoice_nos=numbers, caller=caller, today=today(client)),
    )
    show_collected(request, collected)


admin.site.unregister(PaymentMethod)


@admin.register(PaymentMethod)
class KeptPaymentMethodAdmin(PaymentMethodAdmin):
    """Payment methods. The token of a new one goes to the gateway before it is stored, and is never shown again."""

    def get_fields(self, request: HttpRequest, obj: PaymentMethod | None = None) -> list[Any]:
        if obj:
            return ["account", "type", "label", *PAYER_FIELDS, "is_default", "is_disabled"]
        return ["account", "type", "token", "label", *PAYER_FIELDS]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Save outside the transaction that Django opens for a page, so that no gateway is called inside one.

        If it is not saved, the form is shown again as on any page.
        """
        if request.method == "POST":
            try:
                response = self._changeform_view(request, object_id, form_url, extra_context)
                if response.status_code == 302:
                    return response
            except BillingError as refusal:
                request.refusal = refusal  # type: ignore[attr-defined]
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        fields = {name: form.cleaned_data[name] for name in ("type", "token", "label", *PAYER_FIELDS)}
        obj.pk = add_payment_method(
            client=obj.account.client, account_no=obj.account_id, caller=Caller(staff=request.user), **fields
        ).pk


@admin.register(GatewayEvent)
class GatewayEventAdmin(ReadOnlyAdmin):
    """Gateway messages. They name the gateway's own numbers, and no client, so only superusers see them."""

    client_path = None
    has_view_permission = has_module_permission = only_superusers
    list_display = ["event_id", "gateway", "type", "received_at"]
    list_filter = ["gateway", "type", "received_at"]
    search_fields = ["event_id"]
    fields = ["gateway", "event_id", "type", "received_at"]
