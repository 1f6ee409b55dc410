"""Acts that need a second person: listed, approved and discarded."""

from collections.abc import Mapping

from django_filters.filterset import FilterSet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.resources import Operation, ReadResource
from accounts.clock import today
from accounts.models import Receipt
from accounts.rights import APPROVE, Right
from billing_site.common.fields import ChoicesFilter, LongFilter
from invoices.api.serializers.requested_acts import RequestedActSerializer
from invoices.kinds import ActState
from invoices.models import RequestedAct
from invoices.services.correcting.requested_acts import approve_act, check_may_discard, discard_act


class RequestedActFilter(FilterSet):
    acct_no = LongFilter(field_name="account")
    invoice_no = LongFilter(field_name="invoice")
    state = ChoicesFilter(ActState, field_name="state")

    class Meta:
        model = RequestedAct
        fields = ("kind",)


class RequestedActViewSet(ReadResource):
    """Credit memos, cash credits, write-offs, refunds and voids that need the approval of a second person."""

    queryset = RequestedAct.objects.all()
    rights: Mapping[str, Right] = {"approve": APPROVE, "discard": APPROVE}
    operations: Mapping[str, Operation] = dict.fromkeys(("approve", "discard"), Operation(None, RequestedActSerializer))
    serializer_class = RequestedActSerializer
    filterset_class = RequestedActFilter
    newest_first = True

    def check_right(self) -> None:
        """Allow the person who requested an act to withdraw it."""
        if self.action == "discard":
            check_may_discard(self.get_object(), self.caller)
        else:
            super().check_right()

    def number_of(self, receipt: Receipt) -> int | None:
        """Return the number of the request. The receipt names what its approval made."""
        number: int = self.get_object().pk
        return number

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Do the act, in the name of the person who requested it."""
        self.arguments()
        number = self.get_object().pk
        approve_act(client=self.client, act_no=number, caller=self.caller, today=today(self.client))
        return self.answer(number)

    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Discard the request. The person who made it can withdraw it in this way."""
        self.arguments()
        number = self.get_object().pk
        discard_act(client=self.client, act_no=number, caller=self.caller)
        return self.answer(number)
