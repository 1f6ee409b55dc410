"""Resources of accounts and the catalogue."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django_filters.filterset import FilterSet

from accounts.api.resources import CreateReadResource
from accounts.api.serializers import (
    PLAN_PARTS,
    AccountSerializer,
    ContactSerializer,
    PlanSerializer,
    PriceSerializer,
    ServiceLocationSerializer,
    ServiceSerializer,
)
from accounts.models import Account, Contact, Plan, RateSchedule, Service, ServiceLocation
from accounts.rights import row_rights
from billing_site.common.fields import DayFilter, LongFilter, TextFilter
from billing_site.errors import ErrorCode


class OfAccount(FilterSet):
    acct_no = LongFilter(field_name="account")


class AccountFilter(FilterSet):
    client_acct_id = TextFilter("client_acct_id")
    currency = TextFilter("currency", max_length=3)
    next_bill_date_from = DayFilter("next_bill_date", "gte")
    next_bill_date_to = DayFilter("next_bill_date", "lte")
    search = TextFilter("pk", method="filter_search")

    class Meta:
        model = Account
        fields = ("status", "is_test")

    def filter_search(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Filter by the beginning of the id, or by a part of a contact's name."""
        named = Contact.objects.filter(account=OuterRef("pk"), name__icontains=value)
        return rows.filter(Q(client_acct_id__istartswith=value) | Exists(named))


class AccountViewSet(CreateReadResource):
    queryset = Account.objects.all()
    rights = row_rights("accounts.account", create="add")
    serializer_class = AccountSerializer
    filterset_class = AccountFilter
    ordering = {"acct_no": "pk", "client_acct_id": "client_acct_id", "next_bill_date": "next_bill_date"}
    not_found = ErrorCode.ACCOUNT_NOT_FOUND


class ContactViewSet(CreateReadResource):
    queryset = Contact.objects.all()
    rights = row_rights("accounts.contact", create="add")
    serializer_class = ContactSerializer
    filterset_class = OfAccount
    client_path = "account__client"


class ServiceViewSet(CreateReadResource):
    queryset = Service.objects.all()
    rights = row_rights("accounts.service", create="add")
    serializer_class = ServiceSerializer
    filterset_fields = ("client_service_id",)


class ServiceLocationViewSet(CreateReadResource):
    queryset = ServiceLocation.objects.all()
    rights = row_rights("accounts.servicelocation", create="add")
    serializer_class = ServiceLocationSerializer
    filterset_fields = ("client_service_location_id",)


class PlanViewSet(CreateReadResource):
    queryset = Plan.objects.prefetch_related(*PLAN_PARTS)
    rights = row_rights("accounts.plan", create="add")
    serializer_class = PlanSerializer
    filterset_fields = ("client_plan_id",)


class RateFilter(FilterSet):
    charge = LongFilter(field_name="charge")
    plan_instance = LongFilter(field_name="plan_instance")


class RateViewSet(CreateReadResource):
    """Prices added to existing charges and plan instances."""

    queryset = RateSchedule.objects.prefetch_related("tiers")
    rights = row_rights("accounts.rateschedule", create="add")
    serializer_class = PriceSerializer
    filterset_class = RateFilter
    client_path = "charge__plan__client"
