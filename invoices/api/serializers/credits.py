"""Serializers of surcharges, coupons, their redemptions and service credits."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import transaction
from rest_framework import serializers

from accounts.api.fields import NO_ACCOUNT, AccountField, OwnRowField
from accounts.api.serializers import ClientRowSerializer, RowSerializer
from accounts.models import Account, Service
from billing_site.common.currencies import currency_of
from billing_site.common.fields import DayField, LongField
from invoices.api.serializers.money import MoneyField
from invoices.calculation import asked_amount, rounded
from invoices.models import Coupon, CouponRedemption, ServiceCredit, Surcharge


class OwnServicesField(serializers.ManyRelatedField):
    """Services of the caller's client, by number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child_relation=OwnRowField(queryset=Service.objects), **options)

    def to_internal_value(self, data: Any) -> list[Service]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        return list(super().to_internal_value(data))


class PercentOrAmountSerializer(ClientRowSerializer):
    """A percent, or an amount in a currency, for some services or for all."""

    services = OwnServicesField(required=False, allow_empty=True)
    amount = MoneyField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        amount, currency = attrs.get("amount"), attrs.get("currency", getattr(self.instance, "currency", ""))
        return attrs if amount is None or not currency else {**attrs, "amount": asked_amount(amount, currency_of(currency))}

    @transaction.atomic
    def create(self, validated_data: Mapping[str, Any]) -> Any:
        values = dict(validated_data)
        services = values.pop("services", [])
        row = super().create(values)
        row.services.set(services)
        return row

    def to_representation(self, instance: Coupon | Surcharge) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        if instance.amount is not None:
            shown["amount"] = f"{rounded(instance.amount, currency_of(instance.currency)):f}"
        return shown


class SurchargeSerializer(PercentOrAmountSerializer):
    service = OwnRowField(queryset=Service.objects)

    class Meta:
        model = Surcharge
        fields = ("id", "name", "service", "percent", "amount", "currency", "services", "valid_from", "valid_to")


class CouponSerializer(PercentOrAmountSerializer):
    """`redemptions_left` is null if the number of redemptions is not limited."""

    redemptions = serializers.IntegerField(source="redeemed", read_only=True, default=0)
    redemptions_left = serializers.SerializerMethodField()

    class Meta:
        model = Coupon
        fields = (
            "id",
            "code",
            "name",
            "gl_code",
            "percent",
            "amount",
            "currency",
            "services",
            "valid_from",
            "valid_to",
            "cycles",
            "max_redemptions",
            "redemptions",
            "redemptions_left",
        )

    def get_redemptions_left(self, coupon: Coupon) -> int | None:
        if coupon.max_redemptions is None:
            return None
        return coupon.max_redemptions - getattr(coupon, "redeemed", 0)


class RedeemArguments(serializers.Serializer):
    acct_no = LongField(no_such=NO_ACCOUNT)
    code = serializers.CharField(max_length=50)


class CouponRedemptionSerializer(RowSerializer):
    """A redeemed coupon with its pending and approved invoices, and the number of cycles left (null: no limit)."""

    acct_no = serializers.ReadOnlyField(source="account_id")
    code = serializers.ReadOnlyField(source="coupon.code")
    uses = serializers.IntegerField(source="used", read_only=True, default=0)
    cycles_left = serializers.SerializerMethodField()

    class Meta:
        model = CouponRedemption
        fields = ("id", "acct_no", "coupon", "code", "redemption_no", "redeemed_on", "uses", "cycles_left")

    def get_cycles_left(self, redemption: CouponRedemption) -> int | None:
        cycles = redemption.coupon.cycles
        return None if cycles is None else cycles - getattr(redemption, "used", 0)


class ServiceCreditSerializer(RowSerializer):
    """A service credit with the amounts that pending and approved invoices used, and the remainder."""

    acct_no = AccountField(source="account", queryset=Account.objects)
    amount = MoneyField()
    currency = serializers.ReadOnlyField(source="account.currency")
    service = OwnRowField(queryset=Service.objects, required=False, allow_null=True)
    used = serializers.DecimalField(max_digits=15, decimal_places=4, read_only=True, default=Decimal(0))

    class Meta:
        model = ServiceCredit
        fields = ("id", "acct_no", "currency", "amount", "used", "reason", "gl_code", "service", "expires_on", "created_at")

    def to_representation(self, instance: ServiceCredit) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        used: Decimal = getattr(instance, "used", Decimal(0))
        figures = {"amount": instance.amount, "used": used, "remaining": instance.amount - used}
        return shown | {name: f"{rounded(value, instance.account.billing_currency):f}" for name, value in figures.items()}


class ExpiryArguments(serializers.Serializer):
    expires_on = DayField()
