"""Accounts and the catalogue in the API. An account is named by its acct_no, every other row by its id."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.core.exceptions import ValidationError as ModelError
from django.db import models, transaction
from django.db.models import Prefetch
from django.utils.translation import gettext as _
from rest_framework import serializers

from accounts.api.fields import NO_ACCOUNT, AccountField, CountryField, OwnRowField
from accounts.api.input_errors import named_columns
from accounts.callers import Caller
from accounts.models import (
    Account,
    BillingPause,
    Contact,
    PaymentMethod,
    Plan,
    PlanCharge,
    PlanInstance,
    PlanMinimum,
    RateSchedule,
    RateTier,
    Service,
    ServiceLocation,
)
from accounts.models.identities import BUYER_FIELDS, PAYER_FIELDS
from accounts.models.places import EXEMPTION_FIELDS
from accounts.models.places import CountryField as CountryColumn
from accounts.models.rates import RateField as RateColumn
from accounts.rates import RateTerms, TierTerms
from accounts.services.accounts import create_account
from accounts.services.changing import add_row
from accounts.services.plans import assign_plan
from accounts.services.prices import add_price
from accounts.validators import validate_currency
from billing_site.common.exact_decimals import UnitsField
from billing_site.common.fields import (
    DayField,
    DigitsField,
    GivenSerializer,
    LongField,
    RateNumberField,
    TrueFalseField,
    UnitsNumberField,
    rows_of,
)
from billing_site.errors import BillingError, ErrorCode

PARTS_AT_ONCE = 500
"""Maximum number of charges of a plan, prices of a charge, and bands of a price in one call."""

ADDRESS = ("address1", "address2", "city", "region", "postal_code", "country")


def store_part(row: models.Model) -> None:
    """Store a part of a row that the caller may add."""
    row.full_clean()
    row.save()


class MissingMethodSerializer(serializers.Serializer):
    method = serializers.CharField()
    calls = serializers.IntegerField()
    last_called_at = serializers.DateTimeField()


class MissingMethodsSerializer(serializers.Serializer):
    methods = MissingMethodSerializer(many=True)


USER_ID_FIELDS = ("user_id", "userid")
"""Aria's other names of an account's own id. An account has one such id here, `client_acct_id`."""


ACCOUNT_COLUMNS = {"acct_no": "pk", "account_no": "pk", **dict.fromkeys(("client_acct_id", *USER_ID_FIELDS), "client_acct_id")}
"""The column of each name of an account."""


class AccountArguments(GivenSerializer):
    """An account by number, by the client's own id, or by both, if they are of the same account. Calls that have the field
    `account_no` accept the number under this name too."""

    acct_no = LongField(no_such=NO_ACCOUNT, required=False)
    client_acct_id = serializers.CharField(max_length=50, required=False)

    needs_account = True

    def to_internal_value(self, data: Any) -> Any:
        others = [name for name in ("client_acct_id", "account_no", *USER_ID_FIELDS) if name in self.fields]
        named = isinstance(data, Mapping) and any(data.get(name) for name in others)
        self.fields["acct_no"].required = self.needs_account and not named
        return super().to_internal_value(data)


class RowSerializer(serializers.ModelSerializer):
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        CountryColumn: CountryField,
        models.BooleanField: TrueFalseField,
        models.DateField: DayField,
        models.DecimalField: DigitsField,
        UnitsField: UnitsNumberField,
        RateColumn: RateNumberField,
    }

    def create(self, validated_data: Mapping[str, Any]) -> Any:
        model: type[models.Model] = self.Meta.model
        return add_row(model(**validated_data), caller=self.caller)

    @property
    def caller(self) -> Caller:
        """The caller, in whose name rows are stored."""
        caller: Caller = self.context["view"].caller
        return caller


class ClientRowSerializer(RowSerializer):
    """A row that belongs directly to the client."""

    def create(self, validated_data: Mapping[str, Any]) -> Any:
        return super().create({**validated_data, "client": self.context["request"].auth.client})


class PauseSerializer(serializers.ModelSerializer):
    """Days that are not charged. Without a last day the pause goes on."""

    class Meta:
        model = BillingPause
        fields = ("first_day", "last_day", "by_status")
        read_only_fields = fields


class PauseArguments(serializers.Serializer):
    first_day = DayField()
    last_day = DayField(required=False, allow_null=True)


class ResumeArguments(serializers.Serializer):
    first_day = DayField()


class AccountSerializer(RowSerializer):
    acct_no = LongField(source="pk", read_only=True)
    pauses = PauseSerializer(many=True, read_only=True)

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
            "language",
            "bill_day",
            *EXEMPTION_FIELDS,
            *BUYER_FIELDS,
            "tags",
            "note",
            "next_bill_date",
            "last_bill_date",
            "pauses",
            "created_at",
        )

    def create(self, validated_data: Mapping[str, Any]) -> Account:
        return create_account(client=self.context["request"].auth.client, caller=self.caller, **validated_data)


class ContactSerializer(RowSerializer):
    acct_no = AccountField(source="account", queryset=Account.objects)

    class Meta:
        model = Contact
        fields = (
            "id",
            "acct_no",
            "contact_no",
            "role",
            "name",
            "company",
            "email",
            "copy_of_statements",
            "phone",
            *ADDRESS,
            *EXEMPTION_FIELDS,
            *BUYER_FIELDS,
        )


class PaymentMethodSerializer(RowSerializer):
    acct_no = AccountField(source="account", queryset=Account.objects)

    class Meta:
        model = PaymentMethod
        fields = ("id", "acct_no", "type", "token", "label", *PAYER_FIELDS, "is_default", "is_disabled")
        # The service lets only one be the default.
        validators: list[object] = []


class ServiceLocationSerializer(ClientRowSerializer):
    class Meta:
        model = ServiceLocation
        fields = ("id", "client_service_location_id", "name", *ADDRESS)


class ServiceSerializer(ClientRowSerializer):
    location = OwnRowField(queryset=ServiceLocation.objects, required=False, allow_null=True)

    class Meta:
        model = Service
        fields = (
            "id",
            "client_service_id",
            "name",
            "gl_code",
            "tax_category",
            "tax_inclusive",
            "location",
            "unit_code",
            "price_units",
            "item_number",
            "buyer_item_number",
            "classifications",
            "origin_country",
        )


class TierSerializer(RowSerializer):
    """A band. `to_unit` is where the next band begins. It may be sent, but must then have that value."""

    to_unit = UnitsNumberField(required=False, allow_null=True)

    class Meta:
        model = RateTier
        fields = ("from_unit", "to_unit", "rate_per_unit")


class RateSerializer(RowSerializer):
    """A price: one rate, or bands of rates. Output shows the end of each band."""

    tiers = rows_of(TierSerializer(), most=PARTS_AT_ONCE, required=False)

    class Meta:
        model = RateSchedule
        fields = (
            "id",
            "currency",
            "model",
            "band_edge",
            "rate_per_unit",
            "tiers",
            "minimum_amount",
            "maximum_amount",
            "valid_from",
            "valid_to",
        )
        extra_kwargs = {"currency": {"required": False}}
        # The model checks which prices may coexist, once charge and currency are known.
        validators: list[object] = []

    def to_representation(self, instance: RateSchedule) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        for tier, after in pairwise([*shown["tiers"], None]):
            tier["to_unit"] = after and after["from_unit"]
        return shown


def terms_of(price: Mapping[str, Any], currency: str | None) -> RateTerms:
    """Return the requested price, in `currency` if it names none itself."""
    terms = {name: price[name] for name in RateTerms._fields if name in price}
    tiers = tuple(TierTerms(**tier) for tier in price.get("tiers", ()))
    own_currency = price.get("currency") or currency
    if own_currency is None:
        raise BillingError(ErrorCode.MISSING_PARAMETER, field="currency")
    return RateTerms(**{**terms, "currency": own_currency, "tiers": tiers})


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Prefix the field name of refusals inside this block with `path`."""
    try:
        yield
    except BillingError as error:
        raise error.within(path) from error
    except ModelError as error:
        raise named_columns(error, path) from error


class PlanChargeSerializer(RowSerializer):
    """A charge with its list prices: `rates`, or just `rate_per_unit` for a single rate in the plan's `currency`."""

    service = OwnRowField(queryset=Service.objects)
    rate_per_unit = RateNumberField(min_value=Decimal(0), required=False, write_only=True)
    rates = rows_of(RateSerializer(), most=PARTS_AT_ONCE, required=False, source="list_rates")

    class Meta:
        model = PlanCharge
        fields = (
            "id",
            "service",
            "line_type",
            "billing_interval",
            "record_increment",
            "record_minimum",
            "rate_per_unit",
            "rates",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "rate_per_unit" not in attrs and not attrs.get("list_rates"):
            raise serializers.ValidationError({"rates": [_("Give rates or rate_per_unit.")]}, code="required")
        return attrs


CHARGE_FIELDS = ("service", "line_type", "billing_interval", "record_increment", "record_minimum")


class PlanMinimumSerializer(RowSerializer):
    service = OwnRowField(queryset=Service.objects, required=False, allow_null=True)

    class Meta:
        model = PlanMinimum
        fields = ("currency", "amount", "service")


class PlanSerializer(ClientRowSerializer):
    """`currency` applies to rates that name no currency, and to `minimum_amount`, the minimum of all charges of the plan.
    `minimums` are the minimums in several currencies."""

    minimum_amount = DigitsField(max_digits=15, decimal_places=4, min_value=Decimal(0), required=False, write_only=True)
    minimums = rows_of(PlanMinimumSerializer(), most=PARTS_AT_ONCE, required=False)
    currency = serializers.CharField(write_only=True, required=False, validators=[validate_currency])
    charges = rows_of(PlanChargeSerializer(), most=PARTS_AT_ONCE)

    class Meta:
        model = Plan
        fields = (
            "id",
            "client_plan_id",
            "name",
            "currency",
            "billing_interval",
            "term_months",
            "trial_length",
            "trial_unit",
            "minimum_amount",
            "minimums",
            "charges",
        )

    @transaction.atomic
    def create(self, validated_data: Mapping[str, Any]) -> Any:
        """Create a plan with its charges and prices, all or nothing."""
        currency = validated_data.get("currency")
        parts = ("charges", "currency", "minimum_amount", "minimums")
        plan = super().create({name: value for name, value in validated_data.items() if name not in parts})
        self._add_minimums(plan, validated_data)
        for place, values in enumerate(validated_data["charges"]):
            charge = PlanCharge(plan=plan, **{name: values[name] for name in CHARGE_FIELDS if name in values})
            with naming(f"charges[{place}]"):
                store_part(charge)
            if "rate_per_unit" in values:
                with naming(f"charges[{place}]"):
                    add_price(charge, terms_of({"rate_per_unit": values["rate_per_unit"]}, currency), caller=self.caller)
            for position, price in enumerate(values.get("list_rates", [])):
                with naming(f"charges[{place}].rates[{position}]"):
                    add_price(charge, terms_of(price, currency), caller=self.caller)
        return Plan.objects.prefetch_related(*PLAN_PARTS).get(pk=plan.pk)

    def _add_minimums(self, plan: Plan, values: Mapping[str, Any]) -> None:
        if "minimum_amount" in values:
            if values.get("currency") is None:
                raise BillingError(ErrorCode.MISSING_PARAMETER, field="currency")
            store_part(PlanMinimum(plan=plan, currency=values["currency"], amount=values["minimum_amount"]))
        for place, minimum in enumerate(values.get("minimums", [])):
            with naming(f"minimums[{place}]"):
                store_part(PlanMinimum(plan=plan, **minimum))


PLAN_PARTS = (
    "charges",
    "minimums",
    Prefetch("charges__rates", RateSchedule.objects.filter(plan_instance=None).prefetch_related("tiers"), "list_rates"),
)


class OwnPriceSerializer(RateSerializer):
    """A customer's own price of one charge of the plan. The charge is named directly or by its service."""

    charge = OwnRowField(queryset=PlanCharge.objects, client_path="plan__client", required=False)
    service = OwnRowField(queryset=Service.objects, required=False, write_only=True)

    class Meta(RateSerializer.Meta):
        fields = ("charge", "service", *RateSerializer.Meta.fields[1:])  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not {"charge", "service"} & attrs.keys():
            raise serializers.ValidationError({"charge": [_("Give the charge or its service.")]}, code="required")
        return attrs


class PriceSerializer(RateSerializer):
    """A price for an existing charge: a list price, or a plan instance's own price, which needs no currency."""

    charge = OwnRowField(queryset=PlanCharge.objects, client_path="plan__client")
    plan_instance = OwnRowField(queryset=PlanInstance.objects, client_path="account__client", required=False, allow_null=True)

    class Meta(RateSerializer.Meta):
        fields = ("charge", "plan_instance", *RateSerializer.Meta.fields)  # type: ignore[assignment]

    def create(self, validated_data: Mapping[str, Any]) -> RateSchedule:
        instance: PlanInstance | None = validated_data.get("plan_instance")
        terms = terms_of(validated_data, instance.account.currency if instance else None)
        return add_price(validated_data["charge"], terms, instance, caller=self.caller)


class PlanInstanceSerializer(RowSerializer):
    """A plan of a customer. Without `trial_end` it has the trial of its plan; with `null` it has none."""

    acct_no = AccountField(source="account", queryset=Account.objects)
    plan = OwnRowField(queryset=Plan.objects)
    billed_through = DayField(required=False, allow_null=True)
    taken_off_on = DayField(read_only=True, allow_null=True)
    prices = rows_of(OwnPriceSerializer(), most=PARTS_AT_ONCE, required=False, source="own_rates")

    class Meta:
        model = PlanInstance
        fields = (
            "id",
            "acct_no",
            "plan",
            "units",
            "start_date",
            "end_date",
            "trial_end",
            "billed_through",
            "taken_off_on",
            "po_num",
            "prices",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        prices = attrs.pop("own_rates", [])
        return {**attrs, "prices": terms_by_charge(attrs["plan"], prices, attrs["account"].currency)}

    def create(self, validated_data: Mapping[str, Any]) -> PlanInstance:
        return assign_plan(**validated_data, caller=self.caller)


def terms_by_charge(plan: Plan, prices: Sequence[Mapping[str, Any]], currency: str) -> dict[PlanCharge, RateTerms]:
    charges = list(plan.charges.all()) if prices else []
    terms: dict[PlanCharge, RateTerms] = {}
    for place, price in enumerate(prices):
        named = [one for one in charges if _is_named(one, price)]
        if not named:
            raise _wrong_price(place, _("Plan %(plan)s does not have this charge.") % {"plan": plan.pk}, "does_not_exist")
        if len(named) > 1:
            raise _wrong_price(place, _("The plan has several charges for this service. Give the charge."), "invalid")
        if named[0] in terms:
            raise _wrong_price(place, _("This charge already has a price."), "unique")
        terms[named[0]] = terms_of(price, currency)
    return terms


def _is_named(charge: PlanCharge, price: Mapping[str, Any]) -> bool:
    """Whether the price names this charge. If it names both charge and service, both must match."""
    return price.get("charge", charge) == charge and ("service" not in price or price["service"].pk == charge.service_id)


def _wrong_price(place: int, message: str, code: str) -> serializers.ValidationError:
    return serializers.ValidationError({f"prices[{place}].charge": [message]}, code=code)
