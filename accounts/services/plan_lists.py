"""The plans of an account, and the client's plans with their prices."""

from datetime import date
from typing import Any

from django.db.models import Prefetch, QuerySet

from accounts.models import Client, Plan, PlanCharge, PlanInstance, RateSchedule, Service
from accounts.periods import began_last
from accounts.services.named_rows import row_named


def plans_of_account(account_no: int) -> list[PlanInstance]:
    """Return the plan instances of an account with their plans, without removed ones, the oldest first. One query."""
    rows = PlanInstance.objects.filter(account=account_no, taken_off_on=None).select_related("plan")
    return list(rows.order_by("pk"))


def plans_of_client(client: Client) -> list[Plan]:
    """Return the client's plans with their charges and services, the oldest first. Two queries."""
    return list(_with_charges(client).order_by("pk"))


def plan_named(client: Client, plan_no: int | None, client_plan_id: str | None) -> Plan:
    """Return a plan by its number, by the client's id of it, or by both. Refuses one that does not exist (1002), and names of
    different plans (1016)."""
    names = {"plan_no": ("pk", plan_no), "client_plan_id": ("client_plan_id", client_plan_id)}
    plan: Plan = row_named(_with_charges(client), names)
    return plan


def _with_charges(client: Client) -> QuerySet[Plan]:
    charges = PlanCharge.objects.select_related("service").order_by("pk")
    return Plan.objects.filter(client=client).prefetch_related(Prefetch("charges", charges))


def prices_of(plan: Plan, service_no: int | None, client_service_id: str | None, today: date) -> list[Any]:
    """Return the list price of each charge and currency that is valid today, for one service or for all. Two queries; one more
    for each name of a service. Refuses a service that does not exist (1002), and names of different ones (1016)."""
    rows = RateSchedule.objects.filter(charge__plan=plan, plan_instance=None).prefetch_related("tiers").order_by("pk")
    names = {"service_no": ("pk", service_no), "client_service_id": ("client_service_id", client_service_id)}
    service = row_named(Service.objects.filter(client=plan.client_id), names)
    if service is not None:
        rows = rows.filter(charge__service=service)
    valid = [row for row in rows if row.valid_from <= today and (row.valid_to is None or row.valid_to >= today)]
    return began_last(valid, lambda row: (row.charge_id, row.currency))
