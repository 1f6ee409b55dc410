"""Customers' plans: added, changed and ended."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from accounts.api.resources import CreateReadResource, Operation
from accounts.api.serializers import PlanInstanceSerializer, terms_by_charge
from accounts.api.viewsets import OfAccount
from accounts.clock import today
from accounts.models import PlanInstance
from accounts.receipts import use
from accounts.rights import row_rights
from invoices.api.serializers.plan_instances import ChangeArguments, ChangedPlanSerializer, EndArguments, EndedPlanSerializer
from invoices.services.billing.plan_changes import end_plan, remove_plan, replace_plan


class PlanInstanceViewSet(CreateReadResource):
    queryset = PlanInstance.objects.prefetch_related("own_rates__tiers")
    rights = row_rights("accounts.planinstance", create="add", end="change", change="change", destroy="change")
    operations: Mapping[str, Operation] = {
        "end": Operation(EndArguments, EndedPlanSerializer),
        "change": Operation(ChangeArguments, ChangedPlanSerializer, HTTP_201_CREATED),
    }
    serializer_class = PlanInstanceSerializer
    filterset_class = OfAccount
    client_path = "account__client"

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a plan that has not begun. It is never billed. It stays readable, with `taken_off_on`."""
        with transaction.atomic():
            removed = remove_plan(instance=self.get_object(), caller=self.caller, today=today(self.client))
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

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return self.operations[self.action].answer if self.action in self.operations else PlanInstanceSerializer
