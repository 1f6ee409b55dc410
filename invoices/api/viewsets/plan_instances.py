"""Customers' plans: added, changed and ended."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from accounts.api.resources import ChangeResource, Operation
from accounts.api.serializers import PlanInstanceSerializer, terms_by_charge
from accounts.api.viewsets import OfAccount
from accounts.clock import today
from accounts.models import PlanInstance
from accounts.receipts import use
from accounts.rights import row_rights
from accounts.services.plans import update_plan_instance
from invoices.api.serializers.plan_instances import (
    ChangeArguments,
    ChangedPlanSerializer,
    EndArguments,
    EndedPlanSerializer,
    PlanEditArguments,
    TrialArguments,
)
from invoices.aria.plan_methods import AccountPlanMethods
from invoices.services.billing.plan_changes import edit_plan, end_plan, remove_plan, replace_plan


class PlanInstanceViewSet(AccountPlanMethods, ChangeResource):
    queryset = PlanInstance.objects.prefetch_related("own_rates__tiers")
    versioned_actions = ("partial_update", "destroy")
    acts = dict.fromkeys(("partial_update", "end", "change", "trial", "destroy"), "change")
    rights = row_rights("accounts.planinstance", create="add", **acts)
    operations: Mapping[str, Operation] = {
        "end": Operation(EndArguments, EndedPlanSerializer),
        "change": Operation(ChangeArguments, ChangedPlanSerializer, HTTP_201_CREATED),
        "partial_update": Operation(PlanEditArguments, PlanInstanceSerializer),
        "trial": Operation(TrialArguments, PlanInstanceSerializer),
    }
    serializer_class = PlanInstanceSerializer
    filterset_class = OfAccount
    client_path = "account__client"

    def changes(self, row: PlanInstance) -> dict[str, Any]:
        return self.arguments()

    def perform_change(self, row: PlanInstance, values: Mapping[str, Any]) -> int:
        """Change a plan instance. Other units from a day on are those of a new plan instance, which the answer shows."""
        changed = [name for name in EDITABLE if name in values and values[name] != getattr(row, name)]
        for name in changed:
            setattr(row, name, values[name])
        units_from = values.get("units_from") or row.start_date
        return edit_plan(
            instance=row,
            changed=changed,
            units_from=units_from,
            credit_unused=values.get("credit_unused"),
            caller=self.caller,
            today=today(self.client),
        ).pk

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a plan that has not begun. It is never billed. It stays readable, with `taken_off_on`."""
        with transaction.atomic():
            removed = remove_plan(instance=self.locked_row(), caller=self.caller, today=today(self.client))
            use(self.client, self.receipt, row_no=removed.pk)
        return Response(status=HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """Set the last day that is charged. Answers what happens to later days that were billed."""
        arguments = self.arguments()
        with transaction.atomic():
            ended = end_plan(instance=self.get_object(), caller=self.caller, today=today(self.client), **arguments)
            use(self.client, self.receipt, row_no=ended.pk)
        return Response(self.get_serializer(self.get_object()).data)

    @action(detail=True, methods=["post"])
    def change(self, request: Request, pk: str) -> Response:
        """Replace the plan, or change its units, from a day on. Answers the new plan instance, and what happens to billed
        days of the old one."""
        arguments = self.arguments()
        instance, plan = self.get_object(), arguments["plan"]
        arguments["prices"] = terms_by_charge(plan, arguments.get("prices", []), instance.account.currency)
        with transaction.atomic():
            new = replace_plan(instance=instance, caller=self.caller, today=today(self.client), **arguments)
            use(self.client, self.receipt, row_no=new.pk)
        return Response(self.get_serializer(new).data, status=HTTP_201_CREATED)

    @action(detail=True, methods=["post"])
    def trial(self, request: Request, pk: str) -> Response:
        """Set the last free day of a plan that no invoice has billed."""
        arguments = self.arguments()
        with transaction.atomic():
            instance = self.get_object()
            instance.trial_end = arguments["trial_end"]
            update_plan_instance(instance, ["trial_end"], caller=self.caller)
            use(self.client, self.receipt, row_no=instance.pk)
        return Response(self.get_serializer(self.get_object()).data)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return self.operations[self.action].answer if self.action in self.operations else PlanInstanceSerializer


EDITABLE = ("units", "end_date", "po_num")
"""The columns of a plan instance that PATCH changes."""
