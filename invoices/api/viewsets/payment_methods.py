"""Payment methods. The gateway stores the token of a new one."""

from typing import Any

from django_filters.filterset import FilterSet
from rest_framework.serializers import BaseSerializer

from accounts.api.resources import CreateReadResource
from accounts.api.serializers import PaymentMethodSerializer
from accounts.models import PaymentMethod
from accounts.rights import row_rights
from billing_site.common.fields import LongFilter
from invoices.services.money.payment_methods import add_payment_method


class PaymentMethodFilter(FilterSet):
    acct_no = LongFilter(field_name="account")


class PaymentMethodViewSet(CreateReadResource):
    queryset = PaymentMethod.objects.all()
    rights = row_rights("accounts.paymentmethod", create="add")
    serializer_class = PaymentMethodSerializer
    filterset_class = PaymentMethodFilter
    client_path = "account__client"

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        arguments = dict(serializer.validated_data)
        account = arguments.pop("account")
        serializer.instance = add_payment_method(client=self.client, account_no=account.pk, caller=self.caller, **arguments)
