"""Payment methods. The gateway stores the token of a new one."""

from collections.abc import Mapping
from typing import Any

from django_filters.filterset import FilterSet
from rest_framework.serializers import BaseSerializer

from accounts.api.resources import RemoveResource
from accounts.api.serializers import PaymentMethodSerializer
from accounts.models import PaymentMethod
from accounts.rights import row_rights
from billing_site.common.fields import LongFilter
from billing_site.errors import Detail
from invoices.aria.customer_methods import CustomerMethods
from invoices.aria.payment_method_methods import PaymentMethodMethods
from invoices.services.money.payment_methods import add_payment_method, change_payment_method


class PaymentMethodFilter(FilterSet):
    acct_no = LongFilter(field_name="account")


class PaymentMethodViewSet(CustomerMethods, PaymentMethodMethods, RemoveResource):
    queryset = PaymentMethod.objects.all()
    rights = row_rights("accounts.paymentmethod", create="add", partial_update="change", destroy="delete")
    fixed_members = dict.fromkeys(("type", "token"), Detail("add another payment method"))
    serializer_class = PaymentMethodSerializer
    filterset_class = PaymentMethodFilter
    client_path = "account__client"

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        arguments = dict(serializer.validated_data)
        account = arguments.pop("account")
        serializer.instance = add_payment_method(client=self.client, account_no=account.pk, caller=self.caller, **arguments)

    def perform_change(self, row: Any, values: Mapping[str, Any]) -> int:
        change_payment_method(row, values, caller=self.caller)
        return int(row.pk)
