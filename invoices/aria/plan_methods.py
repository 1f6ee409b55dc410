"""Aria's method calls for the plans of an account: read, assigned, replaced and ended."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from rest_framework import serializers

from accounts.api.fields import NO_PLAN_INSTANCE, ReceiptIdField
from accounts.api.serializers import AccountArguments
from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import today
from accounts.models import Account, Plan, PlanInstance
from accounts.receipts import use
from accounts.rights import ROW_RIGHTS
from accounts.services.named_rows import names_in, row_named
from accounts.services.plan_lists import plans_of_account
from accounts.services.plans import assign_plan
from billing_site.common.fields import DayField, DigitsField, LongField, TrueFalseField
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.api.account_scope import account_no_of
from invoices.aria.documents import number, plan_line_rows
from invoices.calculation import ZERO
from invoices.kinds import LineType, UnusedDaysOutcome
from invoices.services.billing.plan_changes import end_plan, replace_plan, unused_days_of
from invoices.services.planning.rehearsing import attempt, next_invoice

PLAN_NAMES = {"plan": "new_plan_no", "units": "plan_units", "start_date": "effective_date", "end_date": "effective_date"}
"""Aria's field names, by ours."""


AMOUNTS = (
    *("acct_plan_line_items", "total_charges_before_tax", "total_credit_before_tax", "total_tax_credit", "total_credit"),
    *("proration_credit_amount", "proration_credit_result_amount", "proration_result_amount"),
)
CANCELLED = ("plan_instance_no", *AMOUNTS)

Done = int | Mapping[str, Any]
"""The plan instance of an act, or the outputs of a preview."""


class UnitsField(DigitsField):
    def __init__(self) -> None:
        super().__init__(max_digits=15, decimal_places=4, min_value=Decimal(0), required=False)


class NewPlanArguments(AccountArguments):
    """assign_acct_plan_m: a plan by its number or the client's id of it. Without a day it begins today."""

    new_plan_no = LongField(required=False)
    new_client_plan_id = serializers.CharField(max_length=100, required=False)
    plan_units = UnitsField()
    effective_date = DayField(required=False)
    po_num = serializers.CharField(max_length=1000, required=False, default="")
    do_write = TrueFalseField(required=False, default=True)
    client_receipt_id = ReceiptIdField()

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not {"new_plan_no", "new_client_plan_id"} & set(values):
            raise serializers.ValidationError({"new_plan_no": "Give new_plan_no or new_client_plan_id."}, code="required")
        return values


class ReplacePlanArguments(NewPlanArguments):
    """replace_acct_plan_m: from a day on, today if none is given. The new plan keeps the PO number."""

    po_num = None  # type: ignore[assignment]
    plan_instance_no = LongField(no_such=NO_PLAN_INSTANCE)


class CancelPlanArguments(AccountArguments):
    """cancel_acct_plan_m: the day is the first one that is not charged, today if none is given."""

    plan_instance_no = LongField(no_such=NO_PLAN_INSTANCE)
    effective_date = DayField(required=False)
    do_write = TrueFalseField(required=False, default=True)
    client_receipt_id = ReceiptIdField()


class AccountPlansArguments(AccountArguments):
    """get_acct_plans_all."""

    without_effect = (
        "include_service_supp_fields",
        "include_product_fields",
        "include_plan_instance_fields",
        "include_plan_services",
        "include_surcharges",
        "include_rate_schedule",
        "include_contract_and_rollover_info",
        "include_dunning_info",
        "locale_no",
        "locale_name",
    )


_shows_plans = method_call(
    AccountPlansArguments,
    outputs=("record_count", "all_acct_plans_m"),
    refused_act="details.refused",
    writes=never,
)


class AccountPlanMethods:
    @_shows_plans
    def get_acct_plans_all(self, call: Call) -> Mapping[str, Any]:
        return _plans(call)

    @_shows_plans
    def get_acct_plans_all_m(self, call: Call) -> Mapping[str, Any]:
        return _plans(call)

    @method_call(
        NewPlanArguments,
        outputs=("plan_instance_no", "expectd_activation_fee", *AMOUNTS),
        names=PLAN_NAMES,
        refused_act="plan.refused",
        right=ROW_RIGHTS["add", "accounts.planinstance"],
        writes=lambda arguments: arguments["do_write"],
        resume=lambda call, receipt: receipt.row_no,
        answer=lambda call, done: _outcome(call, done),
    )
    def assign_acct_plan_m(self, call: Call) -> Done:
        return _done(call, _assign)

    @method_call(
        ReplacePlanArguments,
        outputs=("plan_instance_no", "expectd_activation_fee", *AMOUNTS),
        names=PLAN_NAMES,
        refused_act="plan.refused",
        right=ROW_RIGHTS["change", "accounts.planinstance"],
        writes=lambda arguments: arguments["do_write"],
        resume=lambda call, receipt: receipt.row_no,
        answer=lambda call, done: _outcome(call, done),
    )
    def replace_acct_plan_m(self, call: Call) -> Done:
        """Our addition: `plan_instance_no`, the new plan instance."""
        return _done(call, _replace)

    @method_call(
        CancelPlanArguments,
        outputs=("plan_instance_no", *AMOUNTS),
        names=PLAN_NAMES,
        refused_act="plan.refused",
        right=ROW_RIGHTS["change", "accounts.planinstance"],
        writes=lambda arguments: arguments["do_write"],
        resume=lambda call, receipt: receipt.row_no,
        answer=lambda call, done: {name: value for name, value in _outcome(call, done).items() if name in CANCELLED},
    )
    def cancel_acct_plan_m(self, call: Call) -> Done:
        """Our addition: `plan_instance_no`. Billed days after the end are credited as the client's setting says."""
        return _done(call, _cancel)


def _done(call: Call, act: Callable[[Call], PlanInstance]) -> Done:
    """Do the act, and return the number of its plan instance. With `do_write` false, return the outputs and keep nothing."""
    if not call.arguments["do_write"]:
        seen: Mapping[str, Any] = attempt(lambda: {**_amounts(call, int(act(call).pk)), "plan_instance_no": None})
        return seen
    with transaction.atomic():
        instance = act(call)
        use(call.client, call.caller.receipt, row_no=instance.pk)
    return int(instance.pk)


def _assign(call: Call) -> PlanInstance:
    return assign_plan(
        account=Account.objects.get(pk=account_no_of(call)),
        plan=_plan(call),
        start_date=_day(call),
        caller=call.caller,
        units=call.arguments.get("plan_units", Decimal(1)),
        po_num=call.arguments["po_num"],
    )


def _replace(call: Call) -> PlanInstance:
    return replace_plan(
        instance=_instance(call),
        plan=_plan(call),
        start_date=_day(call),
        caller=call.caller,
        today=today(call.client),
        units=call.arguments.get("plan_units"),
    )


def _cancel(call: Call) -> PlanInstance:
    last_day = _day(call) - timedelta(days=1)
    return end_plan(instance=_instance(call), end_date=last_day, caller=call.caller, today=today(call.client))


def _outcome(call: Call, done: Done) -> Mapping[str, Any]:
    return {**_amounts(call, done), "plan_instance_no": done} if isinstance(done, int) else done


def _amounts(call: Call, instance_no: int) -> dict[str, Any]:
    """Return what the account's next invoice has for a plan instance, before tax, and what is credited of the days that it or
    the one before it has billed and does not use."""
    instance = PlanInstance.objects.select_related("replaces", "account").get(pk=instance_no)
    currency = instance.account.currency
    found = next_invoice(call.client, instance.account_id, today(call.client))
    lines = [line for line in found.lines if line.plan_instance_id == instance_no]
    charged = sum((line.amount for line in lines), ZERO)
    activation = sum((line.amount for line in lines if line.line_type == LineType.ACTIVATION), ZERO)
    ended = instance if instance.replaces is None else instance.replaces
    unused = [one for one in unused_days_of(ended) if one.outcome != UnusedDaysOutcome.STAYS_CHARGED]
    credit, tax = sum((one.amount for one in unused), ZERO), sum((one.tax_amount for one in unused), ZERO)
    return {
        "acct_plan_line_items": plan_line_rows(lines),
        "expectd_activation_fee": number(activation, currency),
        "total_charges_before_tax": number(charged, currency),
        "total_credit_before_tax": number(credit, currency),
        "total_tax_credit": number(tax, currency),
        "total_credit": number(credit + tax, currency),
        "proration_credit_amount": number(credit, currency),
        "proration_credit_result_amount": number(credit + tax, currency),
        "proration_result_amount": number(charged - credit, currency),
    }


def _day(call: Call) -> date:
    day: date = call.arguments.get("effective_date") or today(call.client)
    return day


def _plan(call: Call) -> Plan:
    """Return the plan that a call names. Refuses one that is not the client's (1002), and names of different plans (1016)."""
    columns = {"new_plan_no": "pk", "new_client_plan_id": "client_plan_id"}
    plan: Plan = row_named(Plan.objects.filter(client=call.client), names_in(call.arguments, columns))
    return plan


def _instance(call: Call) -> PlanInstance:
    """Return the plan instance that a call names. Refuses one that is not the account's (14046)."""
    instance_no = call.arguments["plan_instance_no"]
    instance = PlanInstance.objects.filter(account=account_no_of(call), pk=instance_no).first()
    if instance is None:
        detail = Detail("plan_instance_no {number} is not a plan of the account", number=instance_no)
        raise BillingError(ErrorCode.NO_PLAN_INSTANCE, detail, field="plan_instance_no")
    return instance


def _plans(call: Call) -> Mapping[str, Any]:
    account = Account.objects.get(pk=account_no_of(call))
    rows = [_row(one, account, today(call.client)) for one in plans_of_account(account.pk)]
    return {"record_count": len(rows), "all_acct_plans_m": rows}


def _row(instance: PlanInstance, account: Account, day: date) -> dict[str, Any]:
    plan, has_ended = instance.plan, instance.end_date is not None and instance.end_date < day
    return {
        "plan_no": plan.pk,
        "client_plan_id": plan.client_plan_id,
        "plan_name": plan.name,
        "plan_instance_no": instance.pk,
        "master_plan_instance_no": instance.pk,
        "plan_date": str(instance.start_date),
        "plan_assignment_date": str(instance.start_date),
        "plan_deprovisioned_date": _text(instance.end_date),
        "plan_units": float(instance.units),
        "last_bill_date": _text(account.last_bill_date),
        "next_bill_date": _text(account.next_bill_date),
        "bill_thru_date": _text(instance.billed_through),
        "bill_day": account.bill_day,
        "recurring_billing_interval": plan.billing_interval,
        "currency_cd": account.currency,
        "plan_instance_status_cd": 0 if has_ended else 1,
        "plan_instance_status_label": "Ended" if has_ended else "Active",
        "po_num": instance.po_num or None,
        "supp_plan_ind": 0,
    }


def _text(day: date | None) -> str | None:
    return None if day is None else str(day)
