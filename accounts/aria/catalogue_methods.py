"""Aria's method calls that show the client's plans, their services and their prices."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import today
from accounts.kinds import ARREARS_TYPES, ChargeType
from accounts.models import Plan, PlanCharge
from accounts.services.plan_lists import plan_named, plans_of_client, prices_of
from billing_site.common.fields import GivenSerializer, LongField

LOCALES = ("locale_no", "locale_name")


class PlansArguments(GivenSerializer):
    """get_client_plans_all: all plans of the client, or one."""

    plan_no = LongField(required=False)
    client_plan_id = serializers.CharField(max_length=100, required=False)

    without_effect = (
        "include_all_rate_schedules",
        "include_plan_hierarchy",
        "retrieve_bundled_nso",
        "retrieve_included_nso",
        "include_translations",
        *LOCALES,
    )
    unsupported = (
        "acct_no",
        "promo_code",
        "parent_plan_no",
        "client_parent_plan_id",
        "supp_field_names",
        "supp_field_values",
    )


class PlanArguments(GivenSerializer):
    """get_client_plan_services: a plan by its number or the client's id of it."""

    plan_no = LongField(required=False)
    client_plan_id = serializers.CharField(max_length=100, required=False)

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not {"plan_no", "client_plan_id"} & set(values):
            raise serializers.ValidationError({"plan_no": "Give plan_no or client_plan_id."}, code="required")
        return values


class PlanRatesArguments(PlanArguments):
    """get_client_plan_service_rates: the list prices of a service, or of all, that are valid today."""

    service_no = LongField(required=False)
    client_service_id = serializers.CharField(max_length=100, required=False)

    unsupported = ("alt_rate_schedule_no", "client_alt_rate_schedule_id")


_shows_plans = method_call(PlansArguments, outputs=("all_client_plan_dtls",), refused_act="details.refused", writes=never)
_shows_services = method_call(PlanArguments, outputs=("plan_services_list",), refused_act="details.refused", writes=never)
_shows_rates = method_call(PlanRatesArguments, outputs=("plan_service_rates",), refused_act="details.refused", writes=never)


class CatalogueMethods:
    @_shows_plans
    def get_client_plans_all(self, call: Call) -> Mapping[str, Any]:
        return _plans(call)

    @_shows_plans
    def get_client_plans_all_m(self, call: Call) -> Mapping[str, Any]:
        return _plans(call)

    @_shows_services
    def get_client_plan_services(self, call: Call) -> Mapping[str, Any]:
        return _services(call)

    @_shows_services
    def get_client_plan_services_m(self, call: Call) -> Mapping[str, Any]:
        return _services(call)

    @_shows_rates
    def get_client_plan_service_rates(self, call: Call) -> Mapping[str, Any]:
        return _rates(call)

    @_shows_rates
    def get_client_plan_service_rates_m(self, call: Call) -> Mapping[str, Any]:
        return _rates(call)


def _plan(call: Call) -> Plan:
    return plan_named(call.client, call.arguments.get("plan_no"), call.arguments.get("client_plan_id"))


def _plans(call: Call) -> Mapping[str, Any]:
    names_one = bool({"plan_no", "client_plan_id"} & set(call.arguments))
    plans = [_plan(call)] if names_one else plans_of_client(call.client)
    return {"all_client_plan_dtls": [_plan_row(plan) for plan in plans]}


def _plan_row(plan: Plan) -> dict[str, Any]:
    return {
        "plan_no": plan.pk,
        "plan_name": plan.name,
        "plan_desc": plan.name,
        "client_plan_id": plan.client_plan_id,
        "supp_plan_ind": 0,
        "billing_ind": 1,
        "early_cancel_min_months": plan.term_months,
        "plan_services": [_service_row(charge) for charge in plan.charges.all()],
    }


def _services(call: Call) -> Mapping[str, Any]:
    return {"plan_services_list": [_service_row(charge) for charge in _plan(call).charges.all()]}


def _service_row(charge: PlanCharge) -> dict[str, Any]:
    service, type = charge.service, charge.line_type
    return {
        "service_no": service.pk,
        "client_service_id": service.client_service_id,
        "service_desc": service.name,
        "is_recurring_ind": int(type == ChargeType.RECURRING),
        "is_usage_based_ind": int(type == ChargeType.USAGE),
        "is_arrears_ind": int(type in ARREARS_TYPES),
        "is_setup_ind": int(type == ChargeType.ACTIVATION),
        "is_tax_ind": 0,
        "client_coa_code": service.gl_code or None,
        "svc_location_no": service.location_id,
    }


def _rates(call: Call) -> Mapping[str, Any]:
    """Return the bands of the prices of today. A single rate is one band without an end."""
    arguments = call.arguments
    prices = prices_of(_plan(call), arguments.get("service_no"), arguments.get("client_service_id"), today(call.client))
    return {"plan_service_rates": [row for price in prices for row in _bands(price)]}


def _bands(price: Any) -> list[dict[str, Any]]:
    tiers = list(price.tiers.all())
    if not tiers:
        return [_band(1, 0.0, None, price.rate_per_unit)]
    ends = [float(tier.from_unit) for tier in tiers[1:]]
    return [
        _band(place, float(tier.from_unit), end, tier.rate_per_unit)
        for place, (tier, end) in enumerate(zip(tiers, [*ends, None], strict=True), 1)
    ]


def _band(number: int, start: float, end: float | None, rate: Any) -> dict[str, Any]:
    return {
        "rate_seq_no": number,
        "from_unit": start,
        "to_unit": end,
        "rate_per_unit": None if rate is None else float(rate),
    }
