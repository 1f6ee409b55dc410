"""Usage: loaded in batches, read, removed until an invoice holds it, and rated before it is billed."""

from collections.abc import Mapping

from django import forms
from django.db.models import QuerySet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_204_NO_CONTENT

from accounts.api.resources import Operation, ReadResource
from accounts.clock import local_time, today
from accounts.rights import row_rights
from billing_site.common.fields import DayFilter, LongFilter, RangeFilterSet, TrueFalseInput, ValueFilter
from invoices.api.serializers.usage import (
    LoadArguments,
    LoadedUsageSerializer,
    UnbilledArguments,
    UnbilledSerializer,
    UsageSerializer,
    load_answer,
    record_reader,
    unbilled_answer,
)
from invoices.aria.usage_methods import UsageMethods
from invoices.models import Usage
from invoices.services.planning.previewing import rate_unbilled_usage
from invoices.services.usage.loading import load_usage
from invoices.services.usage.removal import remove_usage


class BilledFilter(ValueFilter):
    """Whether a pending or approved invoice holds it."""

    field_class: type[forms.Field] = TrueFalseInput

    def filter(self, rows: QuerySet[Usage], value: bool | None) -> QuerySet[Usage]:
        return rows if value is None else rows.filter(invoice__isnull=not value)


class UsageFilter(RangeFilterSet):
    acct_no = LongFilter(field_name="account")
    plan_instance = LongFilter(field_name="plan_instance")
    service = LongFilter(field_name="service")
    used_on_from = DayFilter(field_name="used_on", lookup_expr="gte")
    used_on_to = DayFilter(field_name="used_on", lookup_expr="lte")
    billed = BilledFilter(field_name="invoice")
    invoice_no = LongFilter(field_name="invoice")

    class Meta:
        model = Usage
        fields = ("record_id",)


class UsageViewSet(UsageMethods, ReadResource):
    queryset = Usage.objects.all()
    rights = row_rights("invoices.usage", create="add", destroy="delete")
    serializer_class = UsageSerializer
    filterset_class = UsageFilter
    queries = {"unbilled": UnbilledArguments}
    operations: Mapping[str, Operation] = {
        "create": Operation(LoadArguments, LoadedUsageSerializer),
        "unbilled": Operation(None, UnbilledSerializer),
    }

    def create(self, request: Request) -> Response:
        """Load up to 10,000 records, with a result for each. A bad record does not affect the others."""
        records = list(map(record_reader(self.client), self.arguments()["records"]))
        now = local_time(self.client)
        return Response(load_answer(load_usage(client=self.client, records=records, now=now, caller=self.caller)))

    def destroy(self, request: Request, pk: str) -> Response:
        remove_usage(client=self.client, usage_no=self.get_object().pk, caller=self.caller)
        return Response(status=HTTP_204_NO_CONTENT)

    @action(detail=False)
    def unbilled(self, request: Request) -> Response:
        """Return the account's unbilled usage at its prices so far. Nothing is written."""
        account_no = self.query_arguments()["acct_no"]
        return Response(
            unbilled_answer(rate_unbilled_usage(client=self.client, account_no=account_no, today=today(self.client)))
        )
