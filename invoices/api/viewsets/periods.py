"""Closed periods: the checklist, closing, and reopening by two people."""

from collections.abc import Mapping
from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.resources import Operation, ReadResource
from accounts.clock import today
from accounts.rights import CORRECT, Right
from invoices.api.serializers.periods import (
    ChecklistArguments,
    ChecklistSerializer,
    ClosedPeriodSerializer,
    ClosingArguments,
    ReopeningArguments,
)
from invoices.closing import (
    Period,
    approve_reopening,
    checklist,
    close_period,
    keep_closed,
    next_period,
    request_reopening,
)
from invoices.models import ClosedPeriod


class PeriodViewSet(ReadResource):
    """Periods are closed in order. Afterwards nothing is dated, numbered or changed in them."""

    queryset = ClosedPeriod.objects.all()
    serializer_class = ClosedPeriodSerializer
    filterset_fields = ("state",)
    newest_first = True
    queries = {"checklist": ChecklistArguments}
    rights: Mapping[str, Right] = dict.fromkeys(("create", "reopen", "approve_reopening", "keep_closed"), CORRECT)
    operations: Mapping[str, Operation] = {
        "create": Operation(ClosingArguments, ClosedPeriodSerializer, HTTP_201_CREATED),
        "checklist": Operation(None, ChecklistSerializer),
        "reopen": Operation(ReopeningArguments, ClosedPeriodSerializer),
        "approve_reopening": Operation(None, ClosedPeriodSerializer),
        "keep_closed": Operation(None, ClosedPeriodSerializer),
    }

    def create(self, request: Request) -> Response:
        """Close a month, if its checklist is done."""
        last_day = self.arguments()["month"]
        period = close_period(client=self.client, last_day=last_day, caller=self.caller, today=today(self.client))
        return self.answer(period.pk)

    @action(detail=False)
    def checklist(self, request: Request) -> Response:
        """Return what must be done before the next period, or the one of `month`, can be closed."""
        month = self.query_arguments().get("month")
        period = next_period(self.client, today(self.client))
        if month is not None:
            period = Period(period.first_day, month)
        checks = checklist(self.client, period)
        shown: dict[str, Any] = {**period._asdict(), "ready": all(one.is_done for one in checks), "checks": checks}
        return Response(ChecklistSerializer(shown).data)

    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Ask for the reopening of the last closed period. Another person must approve it."""
        comments = self.arguments()["comments"]
        number = self.get_object().pk
        request_reopening(client=self.client, period_no=number, caller=self.caller, comments=comments)
        return self.answer(number)

    @action(detail=True, methods=["post"])
    def approve_reopening(self, request: Request, pk: str) -> Response:
        """Reopen the period, as another person has asked."""
        self.arguments()
        return self.answer(approve_reopening(client=self.client, period_no=self.get_object().pk, caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def keep_closed(self, request: Request, pk: str) -> Response:
        """Withdraw or refuse the request to reopen the period."""
        self.arguments()
        return self.answer(keep_closed(client=self.client, period_no=self.get_object().pk, caller=self.caller).pk)
