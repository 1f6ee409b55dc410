"""What is kept of audits and of decisions on many documents: read only."""

from typing import Any

from django.db.models import Count, Q, QuerySet
from django.shortcuts import get_object_or_404
from django_filters.filterset import FilterSet

from accounts.api.resources import ListResource, ReadResource
from billing_site.common.fields import ChoicesFilter, LongFilter
from invoices.api.serializers.records import (
    AuditFindingSerializer,
    AuditSerializer,
    DecisionOutcomeSerializer,
    DecisionSerializer,
)
from invoices.kinds import DecisionResult
from invoices.models import AuditFinding, AuditRun, Decision, DecisionOutcome


class AuditViewSet(ReadResource):
    """Audits of the client, by its schedule or by hand. Audits of all clients together are not shown."""

    queryset = AuditRun.objects.all()
    serializer_class = AuditSerializer
    newest_first = True


class AuditFindingViewSet(ListResource):
    """What an audit has found."""

    queryset = AuditFinding.objects.all()
    serializer_class = AuditFindingSerializer
    client_path = "run__client"

    def get_queryset(self) -> QuerySet[Any]:
        run = get_object_or_404(AuditRun, client=self.client, pk=self.kwargs["audit"])
        return super().get_queryset().filter(run=run)


class DecisionViewSet(ReadResource):
    """Decisions on many documents at once."""

    queryset = Decision.objects.annotate(
        **{result.value: Count("outcomes", filter=Q(outcomes__result=result)) for result in DecisionResult}
    )
    serializer_class = DecisionSerializer
    newest_first = True


class DecisionOutcomeFilter(FilterSet):
    result = ChoicesFilter(DecisionResult)
    invoice_no = LongFilter("invoice")

    class Meta:
        model = DecisionOutcome
        fields = ()


class DecisionOutcomeViewSet(ListResource):
    """What a decision did with each document."""

    queryset = DecisionOutcome.objects.all()
    serializer_class = DecisionOutcomeSerializer
    filterset_class = DecisionOutcomeFilter
    client_path = "decision__client"

    def get_queryset(self) -> QuerySet[Any]:
        decision = get_object_or_404(Decision, client=self.client, pk=self.kwargs["decision"])
        return super().get_queryset().filter(decision=decision)
