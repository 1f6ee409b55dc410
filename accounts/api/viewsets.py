"""Resources of accounts and the catalogue, and the method calls of the client's clock."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django_filters.filterset import FilterSet
from rest_framework import serializers
from rest_framework.viewsets import ViewSet

from accounts.api.fields import ReceiptIdField
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
from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import ClockTime, advance_clock, clock_set_by, clock_time
from accounts.models import Account, Contact, Plan, RateSchedule, Service, ServiceLocation
from accounts.rights import MOVE_CLOCK, row_rights
from billing_site.common.fields import DayFilter, LongField, LongFilter, TextFilter
from billing_site.common.members import NoArguments
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
        """An id that begins so, or part of the name of a contact."""
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
    """Prices that are added to charges and plan instances that are there."""

    queryset = RateSchedule.objects.prefetch_related("tiers")
    rights = row_rights("accounts.rateschedule", create="add")
    serializer_class = PriceSerializer
    filterset_class = RateFilter
    client_path = "charge__plan__client"


class Hours(serializers.Serializer):
    """`offset_hours` is Aria's name for `hours`. Ours: client_receipt_id."""

    hours = LongField(max_digits=6, required=False)
    offset_hours = LongField(max_digits=6, required=False)
    client_receipt_id = ReceiptIdField()

    def validate(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        given = {asked[name] for name in ("hours", "offset_hours") if name in asked}
        if not given:
            raise serializers.ValidationError({"hours": _("hours or offset_hours is needed.")}, code="required")
        if len(given) > 1:
            raise serializers.ValidationError({"offset_hours": _("Not the same as hours.")})
        return {**asked, "hours": given.pop()}


CLOCK_MOVED = ("virtual_datetime", "virtual_date", "virtual_time", "system_date", "system_time", "current_offset_hours")
CLOCK_SHOWN = (*CLOCK_MOVED, "is_batch_running")


class ClockViewSet(ViewSet):
    """The client's virtual clock, for tests and demonstrations."""

    @method_call(NoArguments, outputs=CLOCK_SHOWN, refused_act="clock.refused", writes=never)
    def get_virtual_datetime(self, call: Call) -> Mapping[str, Any]:
        return _clock(call)

    @method_call(NoArguments, outputs=CLOCK_SHOWN, refused_act="clock.refused", writes=never)
    def get_virtual_datetime_m(self, call: Call) -> Mapping[str, Any]:
        return _clock(call)

    @method_call(
        Hours,
        outputs=CLOCK_MOVED,
        refused_act="clock.refused",
        right=MOVE_CLOCK,
        again=lambda view, call, receipt: _advanced_before(call),
    )
    def advance_virtual_datetime(self, call: Call) -> Mapping[str, Any]:
        return _advance(call)

    @method_call(
        Hours,
        outputs=CLOCK_MOVED,
        refused_act="clock.refused",
        right=MOVE_CLOCK,
        again=lambda view, call, receipt: _advanced_before(call),
    )
    def advance_virtual_datetime_m(self, call: Call) -> Mapping[str, Any]:
        return _advance(call)


def _clock(call: Call) -> Mapping[str, Any]:
    return _shown(clock_time(call.client))


def _advance(call: Call) -> Mapping[str, Any]:
    return _shown(advance_clock(call.client, call.arguments["hours"], call.caller))


def _advanced_before(call: Call) -> Mapping[str, Any]:
    return _shown(clock_set_by(call.client, call.caller))


def _shown(time: ClockTime) -> Mapping[str, Any]:
    """Aria's fields. Ours: virtual_datetime."""
    return {
        "virtual_datetime": f"{time.virtual:%Y-%m-%d %H:%M:%S}",
        "virtual_date": f"{time.virtual:%Y-%m-%d}",
        "virtual_time": f"{time.virtual:%H:%M:%S}",
        "system_date": f"{time.system:%Y-%m-%d}",
        "system_time": f"{time.system:%H:%M:%S}",
        "current_offset_hours": time.offset_hours,
    }


class CallerViewSet(ViewSet):
    """Whether client_no and auth_key are a pair."""

    @method_call(NoArguments, outputs=(), refused_act="caller.refused", writes=never)
    def authenticate_caller(self, call: Call) -> Mapping[str, Any]:
        return {}

    @method_call(NoArguments, outputs=(), refused_act="caller.refused", writes=never)
    def authenticate_caller_m(self, call: Call) -> Mapping[str, Any]:
        return {}
