"""Serializers of one-time charges."""

from decimal import Decimal

from rest_framework import serializers

from accounts.api.fields import AccountField, OwnRowField
from accounts.api.serializers import RowSerializer
from accounts.models import Account, Service
from billing_site.common.fields import DayField, LongField
from invoices.api.serializers.usage import UsedUnitsField
from invoices.models import OneTimeCharge


class OneTimeChargeSerializer(RowSerializer):
    """An order. Without `charge_date` it is charged from today on. `invoice_no` is the invoice that holds it."""

    order_no = LongField(source="pk", read_only=True)
    acct_no = AccountField(source="account", queryset=Account.objects)
    service = OwnRowField(queryset=Service.objects)
    units = UsedUnitsField(default=Decimal(1))
    charge_date = DayField(required=False)
    invoice_no = serializers.ReadOnlyField(source="invoice_id")

    class Meta:
        model = OneTimeCharge
        fields = (
            "order_no",
            "acct_no",
            "client_order_id",
            "service",
            "description",
            "units",
            "rate_per_unit",
            "charge_date",
            "po_num",
            "created_at",
            "invoice_no",
        )
        validators: list[object] = []  # Repeating an order is not an error. The service decides.
