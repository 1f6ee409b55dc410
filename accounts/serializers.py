"""Accounts and the catalogue on the wire: an account by its acct_no, every other row by its id."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from django.db import models, transaction
from django.utils.translation import gettext as _
from rest_framework import serializers

from accounts.fields import AccountField, DayField, LongField, OwnRowField, TrueFalseField
from accounts.models import (
    Account,
    Contact,
    PaymentMethod,
    Plan,
    PlanCharge,
    PlanInstance,
    PlanInstancePrice,
    Service,
    ServiceLocation,
)
from accounts.services import assign_plan, create_account

Row = TypeVar("Row", bound=models.Model)

ADDRESS = ("address1", "address2", "city", "region", "postal_code", "country")


def store(row: Row) -> Row:
    """Stores a new row after its model has checked it as a whole, as the admin does."""
    row.full_clean()
    row.save()
    return row


class RowSerializer(serializers.ModelSerializer):
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.BooleanField: TrueFalseField,
        models.DateField: DayField,
    }

    def create(self, validated_data: Mapping[str, Any]) -> Any:
        model: type[models.Model] = self.Meta.model
        return store(model(**validated_data))


class ClientRowSerializer(RowSerializer):
    """A row of the client itself."""

    def create(self, validated_data: Mapping[str, Any]) -> Any:
        return super().create({**validated_data, "client": self.context["request"].auth.client})


class AccountSerializer(RowSerializer):
    acct_no = LongField(source="pk", read_only=True)

    class Meta:
        model = Account
        fields = (
            "acct_no",
            "client_acct_id",
            "status",
            "currency",
            "is_test",
            "invoice_approval_required",
            "payment_terms_days",
            "bill_day",
            "next_bill_date",
            "last_bill_date",
            "created_at",
        )

    def create(self, validated_data: Mapping[str, Any]) -> Account:
        return create_account(client=self.context["request"].auth.client, **validated_data)


class ContactSerializer(RowSerializer):
    acct_no = AccountField(source="account", queryset=Account.objects)

    class Meta:
        model = Contact
        fields = ("id", "acct_no", "contact_no", "role", "name", "company", "email", "phone", *ADDRESS)


class PaymentMethodSerializer(RowSerializer):
    acct_no = AccountField(source="account", queryset=Account.objects)

    class Meta:
        model = PaymentMethod
        fields = ("id", "acct_no", "type", "token", "label")


class ServiceLocationSerializer(ClientRowSerializer):
    class Meta:
        model = ServiceLocation
        fields = ("id", "client_service_location_id", "name", *ADDRESS)


class ServiceSerializer(ClientRowSerializer):
    location = OwnRowField(queryset=ServiceLocation.objects, required=False, allow_null=True)

    class Meta:
        model = Service
        fields = ("id", "client_service_id", "name", "gl_code", "tax_category", "tax_inclusive", "location")


class PlanChargeSerializer(RowSerializer):
    service = OwnRowField(queryset=Service.objects)

    class Meta:
        model = PlanCharge
        fields = ("id", "service", "rate_per_unit")


class PlanSerializer(ClientRowSerializer):
    charges = PlanChargeSerializer(many=True)

    class Meta:
        model = Plan
        fields = ("id", "client_plan_id", "name", "currency", "billing_interval", "term_months", "charges")

    @transaction.atomic
    def create(self, validated_data: Mapping[str, Any]) -> Any:
        """A plan comes with its charges or not at all."""
        plan = super().create({name: value for name, value in validated_data.items() if name != "charges"})
        for charge in validated_data["charges"]:
            store(PlanCharge(plan=plan, **charge))
        return plan


class OwnPriceSerializer(RowSerializer):
    """A customer's own rate for one charge of the plan: named by the charge, or by the service that it charges for."""

    charge = OwnRowField(queryset=PlanCharge.objects, client_path="plan__client", required=False)
    service = OwnRowField(queryset=Service.objects, required=False, write_only=True)

    class Meta:
        model = PlanInstancePrice
        fields = ("charge", "service", "rate_per_unit")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not {"charge", "service"} & attrs.keys():
            raise serializers.ValidationError({"charge": [_("Name the charge or its service.")]}, code="required")
        return attrs


class PlanInstanceSerializer(RowSerializer):
    acct_no = AccountField(source="account", queryset=Account.objects)
    plan = OwnRowField(queryset=Plan.objects)
    prices = OwnPriceSerializer(many=True, required=False)

    class Meta:
        model = PlanInstance
        fields = ("id", "acct_no", "plan", "units", "start_date", "end_date", "billed_through", "po_num", "prices")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {**attrs, "prices": _rates_by_charge(attrs["plan"], attrs.get("prices", []))}

    def create(self, validated_data: Mapping[str, Any]) -> PlanInstance:
        return assign_plan(**validated_data)


def _rates_by_charge(plan: Plan, prices: Sequence[Mapping[str, Any]]) -> dict[PlanCharge, Decimal]:
    charges = list(plan.charges.all()) if prices else []
    rates: dict[PlanCharge, Decimal] = {}
    for place, price in enumerate(prices):
        charge = next((one for one in charges if _is_named(one, price)), None)
        if charge is None:
            raise _wrong_price(place, _("Plan %(plan)s has no such charge.") % {"plan": plan.pk}, "does_not_exist")
        if charge in rates:
            raise _wrong_price(place, _("This charge has a price already."), "unique")
        rates[charge] = price["rate_per_unit"]
    return rates


def _is_named(charge: PlanCharge, price: Mapping[str, Any]) -> bool:
    """Where a price names both the charge and the service, both have to fit."""
    return price.get("charge", charge) == charge and ("service" not in price or price["service"].pk == charge.service_id)


def _wrong_price(place: int, message: str, code: str) -> serializers.ValidationError:
    return serializers.ValidationError({f"prices[{place}].charge": [message]}, code=code)
