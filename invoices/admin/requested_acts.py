"""Acts that need a second person: the request, who made it, and who approved or discarded it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.rows import NamesPeople, ReadOnlyAdmin, person
from accounts.callers import Caller
from accounts.clock import today
from billing_site.errors import BillingError
from invoices.admin.amounts import amount
from invoices.models import RequestedAct
from invoices.services.correcting.requested_acts import approve_act, discard_act
from invoices.services.documents.rights import APPROVE_PERMISSION


@admin.register(RequestedAct)
class RequestedActAdmin(NamesPeople, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "client"
    list_display = ["__str__", "account", "invoice", "amount_in_currency", "state", "requester", "decider"]
    list_filter = ["state", "kind", "client", "requested_at"]
    list_select_related = ["account", "invoice"]
    search_fields = ["id__exact", "account__client_acct_id", "invoice__document_number"]
    actions = ["approve", "discard"]
    identities = ("requested_by", "decided_by")
    exclude = identities
    readonly_fields = ["requester", "decider"]
    requester = person("requested_by", _("requested by"))
    decider = person("decided_by", _("decided by"))

    @admin.display(description=_("amount"), ordering="amount")
    def amount_in_currency(self, act: RequestedAct) -> SafeString:
        return amount(act.amount, act.currency)

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(APPROVE_PERMISSION)

    @admin.action(description=_("Approve selected"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[RequestedAct]) -> None:
        self._decide(
            request, queryset, lambda act, **by: approve_act(act_no=act.pk, today=today(act.client), **by), _("Approved")
        )

    @admin.action(description=_("Discard or withdraw selected"), permissions=["view"])
    def discard(self, request: HttpRequest, queryset: QuerySet[RequestedAct]) -> None:
        self._decide(request, queryset, lambda act, **by: discard_act(act_no=act.pk, **by), _("Discarded"))

    def _decide(self, request: HttpRequest, chosen: QuerySet[RequestedAct], decide: Callable[..., Any], done: Any) -> None:
        for act in chosen.select_related("client").order_by("pk"):
            try:
                decide(act, client=act.client, caller=Caller(staff=request.user))
            except BillingError as refusal:
                messages.error(request, f"{act}: {refusal.shown}")
            else:
                messages.success(request, f"{done}: {act}")
