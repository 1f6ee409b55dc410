"""Arguments and answers of changing or ending a customer's plan."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.api.fields import OwnRowField
from accounts.api.serializers import PARTS_AT_ONCE, OwnPriceSerializer, PlanInstanceSerializer
from accounts.models import Plan, PlanInstance
from billing_site.common.fields import DayField, DigitsField, LongField, TrueFalseField, rows_of
from invoices.api.serializers.money import MoneyField
from invoices.kinds import UnusedDaysOutcome
from invoices.services.billing.plan_changes import unused_days_of

CREDIT_UNUSED = _("Whether billed days that are not used are credited. Empty: the client's setting decides.")


class CreditUnusedField(TrueFalseField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, "help_text": CREDIT_UNUSED, **options})


class EndArguments(serializers.Serializer):
    end_date = DayField()
    credit_unused = CreditUnusedField()


class ChangeArguments(serializers.Serializer):
    """The plan that replaces a plan instance, its first day, and its units (default: those of the old one).

    The same plan with other units changes the units within the cycle.
    """

    plan = OwnRowField(queryset=Plan.objects)
    start_date = DayField()
    units = DigitsField(max_digits=15, decimal_places=4, min_value=Decimal(0), required=False)
    prices = rows_of(OwnPriceSerializer(), most=PARTS_AT_ONCE, required=False)
    credit_unused = CreditUnusedField()
    trial_end = DayField(
        required=False, allow_null=True, help_text=_("Last free day. Left out: what is left of the old plan's trial goes on.")
    )


class TrialArguments(serializers.Serializer):
    """The last free day of a plan that no invoice has billed. `null`: no trial."""

    trial_end = DayField(allow_null=True)


class PlanEditArguments(serializers.Serializer):
    """Members of a plan instance that can be changed. Other `units` need the first day on which they apply, `units_from`."""

    units = DigitsField(max_digits=15, decimal_places=4, min_value=Decimal(0), required=False)
    units_from = DayField(required=False)
    end_date = DayField(required=False, allow_null=True)
    po_num = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    credit_unused = CreditUnusedField()

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if ("units" in values) is not ("units_from" in values):
            name = "units_from" if "units" in values else "units"
            raise serializers.ValidationError({name: [_("Give units and units_from together.")]}, code="required")
        return values


class UnusedDaysSerializer(serializers.Serializer):
    """Billed days after a plan's end: their amount, and what happens to it."""

    plan_instance = LongField(source="plan_instance_no")
    invoice_no = LongField()
    document_number = serializers.CharField()
    line_no = LongField()
    service = LongField(source="service_no", allow_null=True)
    description = serializers.CharField()
    start_date = DayField()
    end_date = DayField()
    days = serializers.IntegerField()
    amount = MoneyField(help_text=_("Amount before added tax."))
    tax_amount = MoneyField()
    currency = serializers.CharField()
    outcome = serializers.ChoiceField(UnusedDaysOutcome.choices)


class EndedPlanSerializer(PlanInstanceSerializer):
    """A plan instance, with billed days after its end and what happens to them."""

    unused_days = UnusedDaysSerializer(many=True, read_only=True)

    class Meta(PlanInstanceSerializer.Meta):
        fields = (*PlanInstanceSerializer.Meta.fields, "unused_days")  # type: ignore[assignment]

    def to_representation(self, instance: PlanInstance) -> Any:
        instance.unused_days = unused_days_of(self.ended(instance))  # type: ignore[attr-defined]
        return super().to_representation(instance)

    def ended(self, instance: PlanInstance) -> PlanInstance:
        """Return the plan instance whose billed days after its end are in the answer."""
        return instance


class ChangedPlanSerializer(EndedPlanSerializer):
    """A new plan instance, with billed days of the replaced one and what happens to them."""

    def ended(self, instance: PlanInstance) -> PlanInstance:
        return instance.replaces or instance
