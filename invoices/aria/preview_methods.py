"""Aria's method calls that calculate and write nothing: taxes of charges, and the statement of the next invoice."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.template.loader import render_to_string
from rest_framework import serializers

from accounts.api.fields import CountryField
from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import today
from accounts.models import Account, Plan, Service
from accounts.services.named_rows import names_differ
from billing_site.common.fields import GivenSerializer, LongField, RateNumberField, rows_of
from billing_site.common.limits import LINES_AT_ONCE
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.api.account_scope import account_no_of
from invoices.api.serializers.usage import UsedUnitsField
from invoices.aria.arguments import CurrencyField, PlanScope
from invoices.aria.documents import number
from invoices.services.lists.estimating import EstimatedCharge, estimate_taxes
from invoices.services.printing.upcoming import upcoming_statement
from invoices.tax_engines.protocol import LineTax, TaxAddress

NO_EXEMPTION = 0


class PlanItemRow(GivenSerializer):
    """Units of a service of a plan, at a price or else at the plan's list price."""

    plan_item_service_no = LongField(required=False)
    client_plan_item_service_id = serializers.CharField(max_length=100, required=False)
    plan_item_plan_no = LongField(required=False)
    client_plan_item_plan_id = serializers.CharField(max_length=100, required=False)
    plan_item_units = UsedUnitsField(required=False, default=Decimal(1))
    plan_item_unit_amount = RateNumberField(required=False)

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not {"plan_item_service_no", "client_plan_item_service_id"} & set(values):
            raise serializers.ValidationError(
                {"plan_item_service_no": "Give plan_item_service_no or client_plan_item_service_id."}, code="required"
            )
        if "plan_item_unit_amount" not in values and not {"plan_item_plan_no", "client_plan_item_plan_id"} & set(values):
            raise serializers.ValidationError(
                {"plan_item_unit_amount": "Give plan_item_unit_amount, or the plan whose price applies."}, code="required"
            )
        return values


class SkuRow(GivenSerializer):
    """Units that would be ordered. A SKU is the client's id of a service, as in create_order."""

    sku = serializers.CharField(max_length=100)
    sku_units = UsedUnitsField(required=False, default=Decimal(1))
    sku_unit_amount = RateNumberField()


class TaxEstimateArguments(GivenSerializer):
    """pre_calc_invoice: charges that nobody has ordered, at an address that no contact has. Names do not change taxes."""

    country_code = CountryField()
    state_prov_code = serializers.CharField(max_length=100, required=False, default="")
    city = serializers.CharField(max_length=100, required=False, default="")
    zip_code = serializers.CharField(max_length=20, required=False, default="")
    address1 = serializers.CharField(max_length=200, required=False, default="")
    currency_code = CurrencyField()
    pre_calc_plan = rows_of(PlanItemRow(), most=LINES_AT_ONCE, required=False)
    pre_calc_sku = rows_of(SkuRow(), most=LINES_AT_ONCE, required=False)
    tax_exempt_cd = LongField(required=False)

    without_effect = ("log_id", "first_name", "mi", "last_name", "address2", "address3")

    def validate_tax_exempt_cd(self, exemption: int) -> int:
        if exemption != NO_EXEMPTION:
            raise serializers.ValidationError(f"Only {NO_EXEMPTION}: an exempt customer has no taxes.")
        return exemption

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not values.get("pre_calc_plan") and not values.get("pre_calc_sku"):
            raise serializers.ValidationError({"pre_calc_plan": "Give pre_calc_plan or pre_calc_sku."}, code="required")
        return values


class PreviewStatementArguments(PlanScope):
    """get_acct_preview_statement_m. There are no days between a bill date and its invoice, so none can be skipped."""

    without_effect = ("auto_skip_to_next_bill_date",)
    unsupported = ("alt_stmt_template_no",)


_estimates = method_call(
    TaxEstimateArguments,
    outputs=("inv_calc_out", "third_party_errors"),
    names={"region": "state_prov_code"},
    refused_act="details.refused",
    writes=never,
)
_previews = method_call(
    PreviewStatementArguments, outputs=("out_statement", "mime_type"), refused_act="statement.refused", writes=never
)


class PreviewMethods:
    @_estimates
    def pre_calc_invoice(self, call: Call) -> Mapping[str, Any]:
        return _estimate(call)

    @_estimates
    def pre_calc_invoice_m(self, call: Call) -> Mapping[str, Any]:
        return _estimate(call)

    @_previews
    def get_acct_preview_statement(self, call: Call) -> Mapping[str, Any]:
        return _statement(call)

    @_previews
    def get_acct_preview_statement_m(self, call: Call) -> Mapping[str, Any]:
        return _statement(call)


def _estimate(call: Call) -> Mapping[str, Any]:
    """Return one row for each tax, in the order of the tax engine. Its authority has a name, no number."""
    arguments, currency = call.arguments, call.arguments["currency_code"]
    place = {
        "address1": arguments["address1"],
        "city": arguments["city"],
        "region": arguments["state_prov_code"],
        "postal_code": arguments["zip_code"],
        "country": arguments["country_code"],
    }
    taxes = estimate_taxes(
        client=call.client,
        charges=_charges(call),
        address=TaxAddress(**place),
        currency=currency,
        today=today(call.client),
    )
    amounts: dict[str, Decimal] = {}
    for tax in taxes:
        amounts[_text(tax)] = amounts.get(_text(tax), Decimal(0)) + tax.amount
    return {
        "inv_calc_out": [
            {"tax_item_code": None, "tax_item_desc": text, "tax_item_amount": number(amount, currency)}
            for text, amount in amounts.items()
        ]
    }


def _text(tax: LineTax) -> str:
    return f"{tax.authority} {tax.percent.normalize():f} % ({tax.jurisdiction})"


def _charges(call: Call) -> list[EstimatedCharge]:
    """Return the charges of a call, by one query for each kind of name. Refuses one that does not exist (1002)."""
    rows = call.arguments.get("pre_calc_plan", [])
    ordered = call.arguments.get("pre_calc_sku", [])
    services = Service.objects.filter(client=call.client).select_related("location")
    by_number = services.in_bulk([row["plan_item_service_no"] for row in rows if "plan_item_service_no" in row])
    ids = [row["client_plan_item_service_id"] for row in rows if "client_plan_item_service_id" in row]
    by_id = {
        one.client_service_id: one for one in services.filter(client_service_id__in=[*ids, *(row["sku"] for row in ordered)])
    }
    plans = Plan.objects.filter(client=call.client)
    plan_nos = set(plans.in_bulk([row["plan_item_plan_no"] for row in rows if "plan_item_plan_no" in row]))
    plan_ids = [row["client_plan_item_plan_id"] for row in rows if "client_plan_item_plan_id" in row]
    by_plan_id = dict(plans.filter(client_plan_id__in=plan_ids).values_list("client_plan_id", "pk"))
    charges = []
    for row in rows:
        service = _named(row, {"plan_item_service_no": by_number, "client_plan_item_service_id": by_id})
        own = {one: one for one in plan_nos}
        plan_no = _named(row, {"plan_item_plan_no": own, "client_plan_item_plan_id": by_plan_id})
        charges.append(EstimatedCharge(service, row["plan_item_units"], row.get("plan_item_unit_amount"), plan_no))
    return [
        *charges,
        *(EstimatedCharge(_found(by_id, row, "sku"), row["sku_units"], row["sku_unit_amount"]) for row in ordered),
    ]


def _named(row: Mapping[str, Any], known: Mapping[str, Mapping[Any, Any]]) -> Any:
    """Return what the names of a row are of, or None without any. `known` has the rows by their names, for each name. Refuses
    (1016) names of different rows."""
    first, *others = [(name, _found(rows, row, name)) for name, rows in known.items() if name in row] or [("", None)]
    for name, found in others:
        if found != first[1]:
            raise names_differ(name, row[name], first[0], row[first[0]])
    return first[1]


def _found(rows: Mapping[Any, Any], row: Mapping[str, Any], field: str) -> Any:
    if row[field] not in rows:
        detail = Detail("{field} {value} does not exist", field=field, value=row[field])
        raise BillingError(ErrorCode.NO_DATA, detail, field=field)
    return rows[row[field]]


def _statement(call: Call) -> Mapping[str, Any]:
    account = Account.objects.select_related("client").get(pk=account_no_of(call))
    html = render_to_string("invoices/statement.html", upcoming_statement(account, today(call.client)))
    return {"out_statement": html, "mime_type": "text/html"}
