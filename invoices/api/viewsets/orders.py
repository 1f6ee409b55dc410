"""One-time charges: ordered, read, and cancelled until an invoice holds them."""

from typing import Any

from django_filters.filterset import FilterSet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.status import HTTP_204_NO_CONTENT

from accounts.api.resources import CreateReadResource
from accounts.clock import today
from accounts.rights import row_rights
from billing_site.common.fields import LongFilter
from invoices.api.serializers.orders import OneTimeChargeSerializer
from invoices.api.viewsets.usage import BilledFilter
from invoices.aria.credit_methods import OrderMethods
from invoices.models import OneTimeCharge
from invoices.services.billing.one_time_charges import add_one_time_charge, cancel_one_time_charge


class OneTimeChargeFilter(FilterSet):
    acct_no = LongFilter(field_name="account")
    invoice_no = LongFilter(field_name="invoice")
    billed = BilledFilter(field_name="invoice")

    class Meta:
        model = OneTimeCharge
        fields = ("client_order_id",)


class OneTimeChargeViewSet(OrderMethods, CreateReadResource):
    queryset = OneTimeCharge.objects.all()
    rights = row_rights("invoices.onetimecharge", create="add", destroy="delete")
    serializer_class = OneTimeChargeSerializer
    filterset_class = OneTimeChargeFilter
    client_path = "account__client"

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        arguments = dict(serializer.validated_data)
        account = arguments.pop("account")
        serializer.instance = add_one_time_charge(
            client=self.client, account_no=account.pk, caller=self.caller, today=today(self.client), **arguments
        )

    def destroy(self, request: Request, pk: str) -> Response:
        cancel_one_time_charge(client=self.client, order_no=self.get_object().pk, caller=self.caller)
        return Response(status=HTTP_204_NO_CONTENT)
