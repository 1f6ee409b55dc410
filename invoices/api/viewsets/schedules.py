"""Schedules: what workers do for a client each day."""

from collections.abc import Mapping

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.resources import Operation, ReadResource
from accounts.rights import CHANGE_SETTINGS, Right
from invoices.api.serializers.schedules import ScheduleArguments, ScheduleSerializer
from invoices.kinds import ScheduledAct
from invoices.models import Schedule
from invoices.services.work.schedules import set_schedule, switch_off


class ScheduleViewSet(ReadResource):
    """What workers do for the client each day: at most one schedule for each act."""

    queryset = Schedule.objects.select_related("client")
    serializer_class = ScheduleSerializer
    rights: Mapping[str, Right] = dict.fromkeys(("create", "destroy"), CHANGE_SETTINGS)
    operations: Mapping[str, Operation] = {"create": Operation(ScheduleArguments, ScheduleSerializer, HTTP_201_CREATED)}

    def create(self, request: Request) -> Response:
        """Do an act each day from an hour on. If the act has a schedule, it is changed and switched on."""
        arguments = self.arguments()
        act, hour = ScheduledAct(arguments["act"]), arguments["hour"]
        return self.answer(set_schedule(client=self.client, act=act, hour=hour, caller=self.caller).pk)

    def destroy(self, request: Request, pk: str) -> Response:
        """Switch a schedule off. It keeps its hour and its last success."""
        switch_off(self.get_object(), caller=self.caller)
        return self.answer(None)
