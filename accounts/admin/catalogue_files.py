"""CSV files of the catalogue: services, plans, charges of plans, and list prices."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from import_export.fields import Field
from import_export.widgets import DecimalWidget

from accounts.admin.files import CLIENT_NO, ClientFile, of_client
from accounts.clock import today
from accounts.models import Plan, PlanCharge, RateSchedule, Service, ServiceLocation
from accounts.models.rates import FROM_THE_BEGINNING
from accounts.rates import RateTerms, TierTerms
from accounts.services.prices import add_price, change_price
from billing_site.common.currencies import rounded_to
from billing_site.common.units import UNIT_PLACES
from billing_site.common.written import decimal_of


class ServiceFile(ClientFile):
    location = of_client("location", ServiceLocation, "client_service_location_id")

    class Meta(ClientFile.Meta):
        model = Service
        import_id_fields = ("client_no", "client_service_id")
        fields = (
            "client_no",
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


class PlanFile(ClientFile):
    class Meta(ClientFile.Meta):
        model = Plan
        import_id_fields = ("client_no", "client_plan_id")
        fields = (
            "client_no",
            "client_plan_id",
            "name",
            "billing_interval",
            "term_months",
            "trial_length",
            "trial_unit",
        )


class PlanChargeFile(ClientFile):
    """Charges of plans, identified by plan, service and line type."""

    client_no = Field(column_name=CLIENT_NO, attribute="plan__client_id", readonly=True)
    plan = of_client("plan", Plan, "client_plan_id")
    service = of_client("service", Service, "client_service_id")

    class Meta(ClientFile.Meta):
        model = PlanCharge
        import_id_fields = ("plan", "service", "line_type")
        fields = (
            "client_no",
            "plan",
            "service",
            "line_type",
            "billing_interval",
            "record_increment",
            "record_minimum",
        )


def bands_text(price: RateSchedule) -> str:
    """Return each band's start and unit price as one text: 0:0.10 100:0.05."""
    return " ".join(f"{tier.from_unit.normalize():f}:{tier.rate_per_unit.normalize():f}" for tier in price.tiers.all())


def read_bands(text: str) -> tuple[TierTerms, ...]:
    try:
        pairs = (band.split(":") for band in text.split())
        return tuple(
            TierTerms(rounded_to(decimal_of(start), UNIT_PLACES), rounded_to(decimal_of(rate), UNIT_PLACES))
            for start, rate in pairs
        )
    except ValueError:
        raise ValidationError({"bands": _("Write bands like this: 0:0.10 100:0.05")}) from None


TERMS = ("currency", "model", "band_edge", "rate_per_unit", "minimum_amount", "maximum_amount", "valid_from", "valid_to")


class PriceFile(ClientFile):
    """List prices, identified by charge, currency and first valid day. The service checks and stores them."""

    client_no = Field(column_name=CLIENT_NO, attribute="charge__plan__client_id", readonly=True)
    plan = Field(column_name="client_plan_id", attribute="charge__plan__client_plan_id", readonly=True)
    service = Field(column_name="client_service_id", attribute="charge__service__client_service_id", readonly=True)
    line_type = Field(column_name="line_type", attribute="charge__line_type", readonly=True)
    bands = Field(column_name="bands", readonly=True)
    rate_per_unit = Field(column_name="rate_per_unit", attribute="rate_per_unit", widget=DecimalWidget())

    class Meta(ClientFile.Meta):
        model = RateSchedule
        clean_model_instances = False
        import_id_fields = ("plan", "service", "line_type", "currency")
        fields = ("client_no", "plan", "service", "line_type", *TERMS, "bands")

    def filter_export(self, queryset: QuerySet[RateSchedule], **kwargs: Any) -> QuerySet[RateSchedule]:
        return queryset.filter(plan_instance=None).prefetch_related("tiers")

    def dehydrate_bands(self, price: RateSchedule) -> str:
        return bands_text(price) if price.pk else ""

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        super().before_import_row(row, **kwargs)
        self.tiers = read_bands(row.get("bands") or "")
        charges = PlanCharge.objects.filter(
            plan__client=row[CLIENT_NO],
            plan__client_plan_id=row["client_plan_id"],
            service__client_service_id=row["client_service_id"],
        )
        line_type = row["line_type"]
        charge = charges.filter(line_type=line_type).first() if line_type.isdecimal() else None
        if charge is None:
            raise ValidationError({"client_plan_id": _("This charge of a plan does not exist.")})
        self.charge = charge

    def get_instance(self, instance_loader: Any, row: Any) -> RateSchedule | None:
        first_day = self.fields["valid_from"].clean(row) if row.get("valid_from") else FROM_THE_BEGINNING
        listed = self.get_queryset().filter(charge=self.charge, plan_instance=None)
        return listed.filter(currency=row["currency"], valid_from=first_day).first()

    def init_instance(self, row: Any = None) -> RateSchedule:
        return RateSchedule(charge=self.charge)

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        kept = super().skip_row(instance, original, row, import_validation_errors)
        return bool(instance.pk and kept and self.tiers == read_bands(bands_text(original)))

    def do_instance_save(self, instance: Any, is_create: bool) -> None:
        terms = RateTerms(**{name: getattr(instance, name) for name in TERMS}, tiers=self.tiers)
        if is_create:
            instance.pk = add_price(self.charge, terms, caller=self.caller).pk
        else:
            change_price(instance, terms, caller=self.caller, today=today(instance.charge.plan.client))
