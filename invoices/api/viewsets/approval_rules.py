"""Approval rules in versions, and who stands in for whom."""

from collections.abc import Mapping

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.resources import Operation, ReadResource
from accounts.clock import today
from accounts.rights import CHANGE_APPROVAL_RULES, Right
from invoices.api.serializers.approval_rules import (
    NewRulesArguments,
    RulesSerializer,
    StandInArguments,
    StandInSerializer,
    TrialArguments,
    TrialSerializer,
)
from invoices.models import ApprovalRules, StandIn
from invoices.services.approving.rule_trial import try_rules
from invoices.services.approving.rules import make_rules, remove_stand_in, set_stand_in, switch_off, switch_on


class ApprovalRulesViewSet(ReadResource):
    """Versions of the approval rules. A version never changes. The one that is on decides how documents are approved."""

    queryset = ApprovalRules.objects.prefetch_related("rows")
    serializer_class = RulesSerializer
    filterset_fields = ("is_on",)
    newest_first = True
    queries = {"try_on_history": TrialArguments}
    rights: Mapping[str, Right] = dict.fromkeys(("create", "switch_on", "switch_off"), CHANGE_APPROVAL_RULES)
    operations: Mapping[str, Operation] = {
        "create": Operation(NewRulesArguments, RulesSerializer, HTTP_201_CREATED),
        "try_on_history": Operation(None, TrialSerializer),
        "switch_on": Operation(None, RulesSerializer),
        "switch_off": Operation(None, RulesSerializer),
    }

    def create(self, request: Request) -> Response:
        """Make a new version of the rules. It is not on."""
        given = self.arguments()
        version = make_rules(client=self.client, rules=given["rules"], comments=given.get("comments", ""), caller=self.caller)
        return self.answer(version.pk)

    @action(detail=True, url_path="try")
    def try_on_history(self, request: Request, pk: str) -> Response:
        """Return what the version would have done with the documents that were pending in the last days."""
        days = self.query_arguments()["days"]
        return Response(TrialSerializer(try_rules(self.get_object(), self.client, days)).data)

    @action(detail=True, methods=["post"])
    def switch_on(self, request: Request, pk: str) -> Response:
        """Let the version decide from now on, in place of the one that was on."""
        self.arguments()
        return self.answer(switch_on(client=self.client, version_no=self.get_object().pk, caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def switch_off(self, request: Request, pk: str) -> Response:
        """Let no rules decide any more."""
        self.arguments()
        return self.answer(switch_off(client=self.client, version_no=self.get_object().pk, caller=self.caller).pk)


class StandInViewSet(ReadResource):
    """Who approves in the role of a member of staff who is away."""

    queryset = StandIn.objects.select_related("person", "stand_in")
    serializer_class = StandInSerializer
    newest_first = True
    rights: Mapping[str, Right] = dict.fromkeys(("create", "destroy"), CHANGE_APPROVAL_RULES)
    operations: Mapping[str, Operation] = {"create": Operation(StandInArguments, StandInSerializer, HTTP_201_CREATED)}

    def create(self, request: Request) -> Response:
        """Let a member of staff stand in for another one on some days."""
        row = set_stand_in(client=self.client, caller=self.caller, today=today(self.client), **self.arguments())
        return self.answer(row.pk)

    def destroy(self, request: Request, pk: str) -> Response:
        """End that somebody stands in."""
        remove_stand_in(client=self.client, stand_in_no=self.get_object().pk, caller=self.caller)
        return self.answer(None)
