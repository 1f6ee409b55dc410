"""Resources of accounts and the catalogue."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django_filters.filterset import FilterSet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.resources import ChangeResource, ClientResource, Operation, RemoveResource
from accounts.api.serializers import (
    PLAN_PARTS,
    AccountSerializer,
    ContactSerializer,
    MissingMethodsSerializer,
    PauseArguments,
    PlanSerializer,
    PriceSerializer,
    ResumeArguments,
    ServiceLocationSerializer,
    ServiceSerializer,
)
from accounts.aria.account_methods import AccountMethods
from accounts.aria.catalogue_methods import CatalogueMethods
from accounts.clock import today
from accounts.kinds import AccessKind
from accounts.models import Account, ApiCall, BillingPause, Contact, Plan, RateSchedule, Service, ServiceLocation
from accounts.models.tags import tagged
from accounts.receipts import use
from accounts.rights import row_rights
from accounts.services.catalogue import change_plan_terms
from accounts.services.missing_methods import missing_methods
from accounts.services.pauses import pause_billing, resume_billing
from accounts.services.personal_access import note_access
from accounts.services.prices import change_price, remove_price
from accounts.services.prices import terms_of as stored_terms
from billing_site.common.csv_lists import CsvRenderer
from billing_site.common.fields import DayFilter, LongFilter, RangeFilterSet, TextFilter
from billing_site.errors import Detail, ErrorCode


class MissingMethodViewSet(ClientResource):
    """Methods of Aria's that the client's programs asked for and that do not exist here."""

    queryset = ApiCall.objects.all()
    is_report = True
    operations: Mapping[str, Operation] = {"list": Operation(None, MissingMethodsSerializer)}

    def list(self, request: Request) -> Response:
        return Response(MissingMethodsSerializer({"methods": missing_methods(self.client)}).data)


class OfAccount(FilterSet):
    acct_no = LongFilter(field_name="account")


class AccountFilter(RangeFilterSet):
    client_acct_id = TextFilter("client_acct_id")
    currency = TextFilter("currency", max_length=3)
    next_bill_date_from = DayFilter("next_bill_date", "gte")
    next_bill_date_to = DayFilter("next_bill_date", "lte")
    search = TextFilter("pk", method="filter_search")
    tag = TextFilter("tags", method="filter_tag")

    class Meta:
        model = Account
        fields = ("status", "is_test")

    def filter_search(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Filter by the beginning of the id, or by a part of a contact's name."""
        named = Contact.objects.filter(account=OuterRef("pk"), name__icontains=value)
        return rows.filter(Q(client_acct_id__istartswith=value) | Exists(named))

    def filter_tag(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Filter by one tag, in any case."""
        return rows.filter(tagged(value))


class AccountViewSet(AccountMethods, ChangeResource):
    queryset = Account.objects.prefetch_related("pauses")
    rights = {
        **row_rights("accounts.account", create="add", partial_update="change"),
        **row_rights("accounts.planinstance", pause="change", resume="change"),
    }
    operations: Mapping[str, Operation] = {
        "pause": Operation(PauseArguments, AccountSerializer),
        "resume": Operation(ResumeArguments, AccountSerializer),
    }
    serializer_class = AccountSerializer
    filterset_class = AccountFilter
    ordering = {"acct_no": "pk", "client_acct_id": "client_acct_id", "next_bill_date": "next_bill_date"}
    not_found = ErrorCode.ACCOUNT_NOT_FOUND

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Pause billing: recurring charges and minimums are not charged for these days. Usage is."""
        return self._pausing(pause_billing)

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """End a pause. `first_day` is the first day that is charged again."""
        return self._pausing(resume_billing)

    def _pausing(self, act: Callable[..., BillingPause]) -> Response:
        arguments = self.arguments()
        with transaction.atomic():
            pause = act(account=self.get_object(), caller=self.caller, **arguments)
            use(self.client, self.receipt, row_no=pause.account_id)
        return Response(self.get_serializer(self.get_object()).data)


class ContactViewSet(RemoveResource):
    queryset = Contact.objects.all()
    rights = row_rights("accounts.contact", create="add", partial_update="change", destroy="delete")
    serializer_class = ContactSerializer
    filterset_class = OfAccount
    client_path = "account__client"

    def shown(self, rows: Sequence[Any]) -> Sequence[Any]:
        kind = AccessKind.EXPORTED if isinstance(self.request.accepted_renderer, CsvRenderer) else AccessKind.OPENED
        note_access(self.client, [row.account_id for row in rows], self.caller, kind)
        return rows

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().retrieve(request, *args, **kwargs)
        note_access(self.client, [self.get_object().account_id], self.caller)
        return answer


class ServiceViewSet(RemoveResource):
    queryset = Service.objects.all()
    rights = row_rights("accounts.service", create="add", partial_update="change", destroy="delete")
    serializer_class = ServiceSerializer
    filterset_fields = ("client_service_id",)


class ServiceLocationViewSet(RemoveResource):
    queryset = ServiceLocation.objects.all()
    rights = row_rights("accounts.servicelocation", create="add", partial_update="change", destroy="delete")
    serializer_class = ServiceLocationSerializer
    filterset_fields = ("client_service_location_id",)


class PlanViewSet(CatalogueMethods, RemoveResource):
    queryset = Plan.objects.prefetch_related(*PLAN_PARTS)
    rights = row_rights("accounts.plan", create="add", partial_update="change", destroy="delete")
    fixed_members = {
        "charges": Detail("add prices at rates/, or add another plan"),
        "currency": Detail("add prices in another currency at rates/"),
    }
    serializer_class = PlanSerializer
    filterset_fields = ("client_plan_id",)

    def perform_change(self, row: Any, values: Mapping[str, Any]) -> int:
        """Change a plan. Its billing interval stays if customers have it."""
        change_plan_terms(row, values, caller=self.caller)
        return int(row.pk)


class RateFilter(FilterSet):
    charge = LongFilter(field_name="charge")
    plan_instance = LongFilter(field_name="plan_instance")


class RateViewSet(RemoveResource):
    """Prices added to existing charges and plan instances."""

    queryset = RateSchedule.objects.prefetch_related("tiers")
    rights = row_rights("accounts.rateschedule", create="add", partial_update="change", destroy="delete")
    fixed_members = dict.fromkeys(
        [str(name) for name in PriceSerializer.Meta.fields if name not in ("id", "valid_to")],
        Detail("end this price by valid_to, and add another one"),
    )
    serializer_class = PriceSerializer
    filterset_class = RateFilter
    client_path = "charge__plan__client"

    def perform_change(self, row: Any, values: Mapping[str, Any]) -> int:
        """Let a price end on another day."""
        terms = stored_terms(row)._replace(**values)
        return change_price(row, terms, caller=self.caller, today=today(self.client)).pk

    def perform_remove(self, row: Any) -> None:
        remove_price(row, caller=self.caller, today=today(self.client))
