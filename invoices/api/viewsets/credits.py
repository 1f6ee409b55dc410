"""The resources of surcharges, coupons, redemptions and service credits."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, QuerySet
from django_filters.filterset import FilterSet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from accounts.api.resources import CreateReadResource, Operation, ReadResource, RemoveResource
from accounts.clock import today
from accounts.rights import row_rights
from billing_site.common.fields import LongFilter
from invoices.api.serializers.credits import (
    CouponRedemptionSerializer,
    CouponSerializer,
    ExpiryArguments,
    RedeemArguments,
    ServiceCreditSerializer,
    SurchargeSerializer,
)
from invoices.aria.credit_methods import CouponMethods, ServiceCreditMethods
from invoices.models import Coupon, CouponRedemption, ServiceCredit, Surcharge
from invoices.services.billing.coupons import redeem_coupon, withdraw_redemption
from invoices.services.billing.discounts_and_surcharges import change_with_services
from invoices.services.billing.service_credits import add_service_credit, expire_service_credit
from invoices.services.planning.extras import credits_with_used, redemptions_with_used


class WithServices(RemoveResource):
    """Rows with the services that they apply to. Documents that are issued keep what they have."""

    def perform_change(self, row: Any, values: Mapping[str, Any]) -> int:
        columns = dict(values)
        services = columns.pop("services", None)
        chosen = list(row.services.all()) if services is None else services
        change_with_services(row, columns, chosen, caller=self.caller)
        return int(row.pk)


class SurchargeViewSet(WithServices):
    queryset = Surcharge.objects.prefetch_related("services")
    rights = row_rights("invoices.surcharge", create="add", partial_update="change", destroy="delete")
    serializer_class = SurchargeSerializer


class CouponViewSet(WithServices):
    queryset = Coupon.objects.prefetch_related("services").annotate(redeemed=Count("redemptions"))
    rights = row_rights("invoices.coupon", create="add", partial_update="change", destroy="delete")
    serializer_class = CouponSerializer
    filterset_fields = ("code",)


class RedemptionFilter(FilterSet):
    acct_no = LongFilter(field_name="account")
    coupon = LongFilter(field_name="coupon")

    class Meta:
        model = CouponRedemption
        fields = ("coupon__code",)


class CouponRedemptionViewSet(CouponMethods, ReadResource):
    queryset = redemptions_with_used(CouponRedemption.objects.select_related("coupon"))
    rights = row_rights("invoices.couponredemption", create="add", destroy="delete")
    operations: Mapping[str, Operation] = {"create": Operation(RedeemArguments, CouponRedemptionSerializer, HTTP_201_CREATED)}
    serializer_class = CouponRedemptionSerializer
    filterset_class = RedemptionFilter
    client_path = "account__client"

    def create(self, request: Request) -> Response:
        arguments = self.arguments()
        redemption = redeem_coupon(
            client=self.client,
            account_no=arguments["acct_no"],
            caller=self.caller,
            code=arguments["code"],
            today=today(self.client),
        )
        shown = self.get_queryset().get(pk=redemption.pk)
        return Response(self.get_serializer(shown).data, status=HTTP_201_CREATED)

    def destroy(self, request: Request, pk: str) -> Response:
        withdraw_redemption(client=self.client, redemption_no=self.get_object().pk, caller=self.caller)
        return Response(status=HTTP_204_NO_CONTENT)


class ServiceCreditFilter(FilterSet):
    acct_no = LongFilter(field_name="account")


class ServiceCreditViewSet(ServiceCreditMethods, CreateReadResource):
    queryset = ServiceCredit.objects.select_related("account")
    rights = row_rights("invoices.servicecredit", create="add", expire="change")
    operations: Mapping[str, Operation] = {"expire": Operation(ExpiryArguments, ServiceCreditSerializer)}
    serializer_class = ServiceCreditSerializer
    filterset_class = ServiceCreditFilter
    client_path = "account__client"

    def get_queryset(self) -> QuerySet[Any]:
        return credits_with_used(super().get_queryset())

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        arguments = dict(serializer.validated_data)
        account = arguments.pop("account")
        serializer.instance = add_service_credit(
            client=self.client, account_no=account.pk, caller=self.caller, today=today(self.client), **arguments
        )

    @action(detail=True, methods=["post"])
    def expire(self, request: Request, pk: str) -> Response:
        """Set the last bill date on which the credit is used. Later bills do not use it."""
        arguments = self.arguments()
        expire_service_credit(
            client=self.client,
            credit_no=self.get_object().pk,
            caller=self.caller,
            expires_on=arguments["expires_on"],
        )
        return Response(self.get_serializer(self.get_object()).data)
