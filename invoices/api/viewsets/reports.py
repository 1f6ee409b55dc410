"""Reports as resources: what is owed, lines of documents, taxes, and the journal. Each comes as CSV too."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django_filters.filterset import FilterSet
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from accounts.api.resources import ClientResource, ListResource, Operation
from accounts.clock import today
from accounts.models import Account
from billing_site.common.csv_lists import CsvRenderer, csv_response
from billing_site.common.fields import ChoicesFilter, DayFilter, LongFilter, RangeFilterSet, TextFilter
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.api.serializers.reports import (
    AsOfArguments,
    CreditBalanceSerializer,
    CreditTotalsSerializer,
    DocumentLineSerializer,
    JournalEntrySerializer,
    JournalSerializer,
    PeriodArguments,
    ReceivableSerializer,
    ReceivableTotalsSerializer,
    TaxReportSerializer,
    TaxSumSerializer,
)
from invoices.kinds import InvoiceKind, InvoiceStatus, LineType
from invoices.models import InvoiceLine, LedgerEntry
from invoices.services.lists.reports.ageing import accounts_as_of, owing, receivables_as_of
from invoices.services.lists.reports.daily_journal import daily_journal
from invoices.services.lists.reports.months import months_of
from invoices.services.lists.reports.owed import accounts_with_credit, unapplied_by_currency
from invoices.services.lists.reports.taxes import tax_by_rate
from invoices.services.money.receivables import accounts_with_open_invoices, add_up_by_currency, receivables, receivables_of


class AccountsFilter(FilterSet):
    acct_no = LongFilter(field_name="id")
    currency = TextFilter("currency", "iexact", max_length=3)

    class Meta:
        model = Account
        fields = ()


class AccountsReport(ListResource):
    """A row for each account, as of a day or now."""

    queryset = Account.objects.all()
    filterset_class = AccountsFilter
    queries: Mapping[str, type[Serializer]] = {"list": AsOfArguments, "totals": AsOfArguments}

    def query_parameters(self) -> set[str]:
        return super().query_parameters() | {"as_of"}

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):  # The schema is described without a client.
            return Account.objects.none()
        return self.accounts(self.as_of)

    def accounts(self, as_of: date | None) -> QuerySet[Any]:
        """Return the accounts that the report is about."""
        raise NotImplementedError

    @property
    def as_of(self) -> date | None:
        """The requested day, or None for now. A day after the client's today is refused (1016): nobody knows it yet."""
        as_of: date | None = self.query_arguments().get("as_of")
        if as_of is not None and as_of > today(self.client):
            detail = Detail("as_of: {day} is after today, {today}", day=as_of, today=today(self.client))
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field="as_of")
        return as_of

    def query_arguments(self) -> dict[str, Any]:
        sent = {"as_of": self.request.query_params["as_of"]} if "as_of" in self.request.query_params else {}
        serializer = AsOfArguments(data=sent, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


class ReceivableViewSet(AccountsReport):
    """Amounts due by age, one row per account, and totals per currency. With `as_of`, exactly as the ledger had them then."""

    serializer_class = ReceivableSerializer
    operations: Mapping[str, Operation] = {
        "list": Operation(None, ReceivableSerializer),
        "totals": Operation(None, ReceivableTotalsSerializer),
    }

    def accounts(self, as_of: date | None) -> QuerySet[Any]:
        return accounts_with_open_invoices(self.client) if as_of is None else owing(accounts_as_of(self.client, as_of))

    def shown(self, rows: Sequence[Any]) -> Sequence[Any]:
        as_of = self.as_of
        if as_of is None:
            return receivables_of(rows, today(self.client))
        return receivables_as_of(self.client, as_of, [account.pk for account in rows])

    @action(detail=False)
    def totals(self, request: Request) -> Response:
        as_of = self.as_of
        day = as_of or today(self.client)
        rows = receivables(self.client, day) if as_of is None else iter(receivables_as_of(self.client, as_of))
        totals = [{"currency": currency, "ages": ages} for currency, ages in sorted(add_up_by_currency(rows).items())]
        return Response(ReceivableTotalsSerializer({"today": day, "totals": totals}).data)


class CreditBalanceViewSet(AccountsReport):
    """Whom we owe: accounts with payments and credits that pay nothing yet, and totals per currency."""

    serializer_class = CreditBalanceSerializer
    operations: Mapping[str, Operation] = {
        "list": Operation(None, CreditBalanceSerializer),
        "totals": Operation(None, CreditTotalsSerializer),
    }

    def accounts(self, as_of: date | None) -> QuerySet[Any]:
        return accounts_with_credit(self.client, as_of)

    @action(detail=False)
    def totals(self, request: Request) -> Response:
        totals = unapplied_by_currency(self.get_queryset())
        return Response(CreditTotalsSerializer({"today": self.as_of or today(self.client), "totals": totals}).data)


class DocumentLineFilter(RangeFilterSet):
    acct_no = LongFilter("invoice__account")
    invoice_no = LongFilter("invoice")
    status = ChoicesFilter(InvoiceStatus, field_name="invoice__status")
    kind = ChoicesFilter(InvoiceKind, field_name="invoice__kind")
    currency = TextFilter("invoice__currency", "iexact", max_length=3)
    gl_code = TextFilter("gl_code")
    client_service_id = TextFilter("service__client_service_id")
    line_type = ChoicesFilter(LineType)
    bill_date_from = DayFilter("invoice__bill_date", "gte")
    bill_date_to = DayFilter("invoice__bill_date", "lte")
    invoice_date_from = DayFilter("invoice__invoice_date", "gte")
    invoice_date_to = DayFilter("invoice__invoice_date", "lte")

    class Meta:
        model = InvoiceLine
        fields = ()


class DocumentLineViewSet(ListResource):
    """The lines of all documents, in the order of their documents' numbers, with their GL codes."""

    queryset = InvoiceLine.objects.select_related("invoice__account", "service")
    serializer_class = DocumentLineSerializer
    filterset_class = DocumentLineFilter
    client_path = "invoice__client"


Rows = list[Any]

MOST_MONTHS = 60
"""Maximum length of a report of a period."""


class PeriodReport(ClientResource):
    """A report of a period: one object with its rows, or the rows as CSV."""

    queryset = LedgerEntry.objects.all()
    client_path = "account__client"
    is_report = True
    queries: Mapping[str, type[Serializer]] = {"list": PeriodArguments}
    row_serializer: type[Serializer]

    def get_renderers(self) -> list[BaseRenderer]:
        return [*super().get_renderers(), CsvRenderer()]

    def handle_exception(self, exc: Exception) -> Response:
        """Return errors as JSON, also if CSV was requested."""
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(exc)

    def list(self, request: Request) -> HttpResponseBase:
        first, last = self.period()
        rows = self.rows(first, last)
        if isinstance(request.accepted_renderer, CsvRenderer):
            name = self.request.path.rstrip("/").rsplit("/", 1)[-1]
            return csv_response(name, self.row_serializer(), rows, lambda some: self.row_serializer(some, many=True).data)
        answer = self.operations["list"].answer
        return Response(answer({"date_from": first, "date_to": last, "rows": list(chain.from_iterable(rows))}).data)

    def rows(self, first: date, last: date) -> Iterable[Rows]:
        """Return the rows of a period, in parts."""
        raise NotImplementedError

    def period(self) -> tuple[date, date]:
        """Return first and last day. Refuses (1016) a period that ends before it begins, or is too long for one report."""
        arguments = self.query_arguments()
        last: date = arguments.get("date_to") or today(self.client)
        first: date = arguments.get("date_from") or last.replace(day=1)
        if first > last:
            detail = Detail("date_from: {first} is after date_to, {last}", first=first, last=last)
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field="date_from")
        if (last.year - first.year) * 12 + last.month - first.month >= MOST_MONTHS:
            detail = Detail("date_from: a report has at most {months} months; ask for them in parts", months=MOST_MONTHS)
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field="date_from")
        return first, last


class TaxReportViewSet(PeriodReport):
    """Tax by rate and month: what was charged, less what credit memos and voids gave back."""

    operations: Mapping[str, Operation] = {"list": Operation(None, TaxReportSerializer)}
    row_serializer = TaxSumSerializer

    def rows(self, first: date, last: date) -> Iterable[Rows]:
        for start, end in months_of(first, last):
            yield [
                {"period_start": start, "period_end": end, "currency": one.currency, "sum": one}
                for one in tax_by_rate(self.client, start, end)
            ]


class JournalViewSet(PeriodReport):
    """What is posted each day to receivables, revenue by GL code, tax, payments, refunds, credits, write-offs and disputes. The
    debits and credits of a day and currency are equal."""

    operations: Mapping[str, Operation] = {"list": Operation(None, JournalSerializer)}
    row_serializer = JournalEntrySerializer

    def rows(self, first: date, last: date) -> Iterable[Rows]:
        return (daily_journal(self.client, start, end) for start, end in months_of(first, last))
