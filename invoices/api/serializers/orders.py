"""Serializers of one-time charges."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.api.fields import NO_ACCOUNT, AccountField, OwnRowField
from accounts.api.serializers import RowSerializer
from accounts.models import Account, Service
from billing_site.common.fields import DayField, LongField, ShortListField, TrueFalseField, rows_of
from billing_site.common.limits import LINES_AT_ONCE
from invoices.api.serializers.documents import FINGERPRINT_LENGTH
from invoices.api.serializers.usage import UsedUnitsField
from invoices.models import OneTimeCharge
from invoices.plan.facts import LineReferences
from invoices.services.billing.one_time_charges import NewCharge


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
            "order_line",
            "accounting_reference",
            "object_reference",
            "created_at",
            "invoice_no",
        )
        validators: list[object] = []  # Repeating an order is not an error. The service decides.


class NewChargeSerializer(RowSerializer):
    """A charge that is ordered and billed in one act."""

    service = OwnRowField(queryset=Service.objects)
    units = UsedUnitsField(default=Decimal(1))

    class Meta:
        model = OneTimeCharge
        fields = ("client_order_id", "service", "description", "units", "rate_per_unit", "po_num", *LineReferences._fields)
        validators: list[object] = []  # The service decides about ids that are used.


class OneOffPreviewArguments(serializers.Serializer):
    """New charges, stored ones by `order_nos`, or both."""

    acct_no = LongField(no_such=NO_ACCOUNT)
    charges = rows_of(NewChargeSerializer(), most=LINES_AT_ONCE, required=False)
    order_nos = ShortListField(child=LongField(), required=False, max_length=LINES_AT_ONCE)


class OneOffArguments(OneOffPreviewArguments):
    """`collect` overrides the client's setting for an invoice that is issued at once. `fingerprint` is of the preview that
    was seen."""

    force_pending = TrueFalseField(required=False, allow_null=True)
    collect = TrueFalseField(required=False, allow_null=True)
    fingerprint = serializers.CharField(max_length=FINGERPRINT_LENGTH, required=False)


def charges_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the charges of a body as the service takes them."""
    charges = [NewCharge(**one) for one in arguments.get("charges", ())]
    return {"account_no": arguments["acct_no"], "charges": charges, "order_nos": arguments.get("order_nos", ())}
