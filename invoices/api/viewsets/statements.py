"""The log of statements: one row for each e-mail, and those that came back."""

from collections.abc import Mapping

from django_filters.filterset import FilterSet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.resources import Operation, ReadResource
from accounts.rights import SEND_STATEMENTS, Right, check_may
from billing_site.common.fields import ChoicesFilter, LongFilter
from invoices.api.serializers.documents import BounceArguments, StatementSerializer
from invoices.kinds import StatementStatus
from invoices.models import Statement
from invoices.services.statements.bounces import note_bounce


class StatementFilter(FilterSet):
    acct_no = LongFilter(field_name="invoice__account")
    invoice_no = LongFilter(field_name="invoice")
    status = ChoicesFilter(StatementStatus, field_name="status")

    class Meta:
        model = Statement
        fields = ("email", "message_id", "provider_id")


class StatementViewSet(ReadResource):
    """E-mails that send documents, with their results, and copies to further contacts."""

    queryset = Statement.objects.all()
    rights: Mapping[str, Right] = {"bounced": SEND_STATEMENTS}
    operations: Mapping[str, Operation] = {"bounced": Operation(BounceArguments, StatementSerializer)}
    serializer_class = StatementSerializer
    filterset_class = StatementFilter
    client_path = "invoice__client"
    newest_first = True

    @action(detail=True, methods=["post"])
    def bounced(self, request: Request, pk: str) -> Response:
        """Record that the e-mail came back. If that is known, nothing changes."""
        check_may(self.caller, SEND_STATEMENTS)
        reason = self.arguments()["reason"]
        statement = self.get_object()
        note_bounce(statement, reason, self.caller)
        return self.answer(statement.pk)
