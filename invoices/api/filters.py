"""Filters of document lists. Each is a query parameter."""

from collections.abc import Sequence
from typing import Any, cast

from django.db.models import Exists, OuterRef, Q, QuerySet
from django_filters.filterset import FilterSet

from accounts.clock import today
from accounts.models import Client
from billing_site.common.fields import (
    AmountFilter,
    ChoicesFilter,
    DayFilter,
    LongFilter,
    RangeFilterSet,
    TextFilter,
    TrueFalseFilter,
)
from invoices.kinds import DocumentState, Flag, InvoiceKind, InvoiceStatus, PostingStatus, RunResult
from invoices.models import Invoice, InvoiceLine, RunOutcome
from invoices.services.documents.states import in_states
from invoices.services.lists.failures import collection_failed, failed_attempts, file_missing, statement_failed
from invoices.services.lists.search import documents_named
from invoices.services.money.ledger.open_items import IS_OPEN, open_invoices
from invoices.services.planning.flags import flagged_as


class InvoiceFilter(RangeFilterSet):
    acct_no = LongFilter("account")
    client_acct_id = TextFilter("account__client_acct_id")
    status = ChoicesFilter(InvoiceStatus)
    state = ChoicesFilter(DocumentState, field_name="pk", method="filter_state")
    custom_status_label = TextFilter("custom_status_label", "iexact")
    posting_status = ChoicesFilter(PostingStatus)
    kind = ChoicesFilter(InvoiceKind)
    currency = TextFilter("currency", "iexact", max_length=3)
    document_number = TextFilter("document_number")
    bill_date_from = DayFilter("bill_date", "gte")
    bill_date_to = DayFilter("bill_date", "lte")
    invoice_date_from = DayFilter("invoice_date", "gte")
    invoice_date_to = DayFilter("invoice_date", "lte")
    due_date_from = DayFilter("due_date", "gte")
    due_date_to = DayFilter("due_date", "lte")
    tax_date_from = DayFilter("tax_date", "gte")
    tax_date_to = DayFilter("tax_date", "lte")
    total_amount_min = AmountFilter("total_amount", "gte")
    total_amount_max = AmountFilter("total_amount", "lte")
    reason_code = LongFilter("reason_code")
    corrects = LongFilter("corrects")
    generated_by = TextFilter("generated_by")
    flag = ChoicesFilter(Flag, field_name="pk", method="filter_flag")
    open = TrueFalseFilter("pk", method="filter_open")
    overdue = TrueFalseFilter("pk", method="filter_overdue")
    rebilled = TrueFalseFilter("pk", method="filter_rebilled")
    collection_failed = TrueFalseFilter("pk", method="filter_collection_failed")
    collection_reason = TextFilter("pk", method="filter_collection_reason", max_length=50)
    statement_failed = TrueFalseFilter("pk", method="filter_statement_failed")
    file_missing = TrueFalseFilter("pk", method="filter_file_missing")
    po_num = TextFilter("pk", method="filter_po_num", max_length=1000)
    run = LongFilter("pk", method="filter_run")
    search = TextFilter("pk", method="filter_search")

    class Meta:
        model = Invoice
        fields = ()

    def _client(self) -> Client:
        """Return the client whose list is filtered: the API caller's, or the one chosen on the pages."""
        access = getattr(self.request, "auth", None) or self.request
        return cast(Client, access.client)

    def filter_flag(self, rows: QuerySet[Any], name: str, value: Sequence[str]) -> QuerySet[Any]:
        """Keep documents with one of these flags."""
        return rows.filter(flagged_as(self._client(), [Flag(one) for one in value])) if value else rows

    def filter_state(self, rows: QuerySet[Any], name: str, value: Sequence[str]) -> QuerySet[Any]:
        """Keep documents with one of these states, as of the client's today."""
        return in_states(rows, [DocumentState(one) for one in value], today(self._client())) if value else rows

    def filter_open(self, rows: QuerySet[Any], name: str, value: bool | None) -> QuerySet[Any]:
        """Keep issued documents with an amount due, or the others."""
        if value is None:
            return rows
        return open_invoices(rows) if value else rows.filter(~IS_OPEN)

    def filter_overdue(self, rows: QuerySet[Any], name: str, value: bool | None) -> QuerySet[Any]:
        """Keep documents with an amount that was due before the client's today, or the others."""
        if value is None:
            return rows
        return _chosen(rows, open_invoices(rows).filter(due_date__lt=today(self._client())), value)

    def filter_rebilled(self, rows: QuerySet[Any], name: str, value: bool | None) -> QuerySet[Any]:
        if value is None:
            return rows
        rebills = Invoice.objects.filter(corrects=OuterRef("pk"), kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
        return rows.filter(Exists(rebills) if value else ~Exists(rebills))

    def filter_collection_failed(self, rows: QuerySet[Any], name: str, value: bool | None) -> QuerySet[Any]:
        return _chosen(rows, collection_failed(rows), value)

    def filter_collection_reason(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep documents whose last collection failed with this code of the payment gateway."""
        return rows.filter(pk__in=failed_attempts().filter(proc_status_code=value).values("invoice"))

    def filter_statement_failed(self, rows: QuerySet[Any], name: str, value: bool | None) -> QuerySet[Any]:
        return _chosen(rows, statement_failed(rows), value)

    def filter_file_missing(self, rows: QuerySet[Any], name: str, value: bool | None) -> QuerySet[Any]:
        """Keep documents whose PDF could not be made or is owed for over an hour, or the others."""
        return _chosen(rows, file_missing(rows), value)

    def filter_po_num(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(Exists(InvoiceLine.objects.filter(invoice=OuterRef("pk"), po_num=value)))

    def filter_run(self, rows: QuerySet[Any], name: str, value: int | None) -> QuerySet[Any]:
        """Keep invoices that a billing run generated."""
        return rows.filter(Exists(RunOutcome.objects.filter(invoice=OuterRef("pk"), run=value))) if value is not None else rows

    def filter_search(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep documents by the beginning of the document number, account id or custom status, by PO number, or by a part of
        a contact's name."""
        return rows.filter(documents_named(self._client(), value)) if value else rows


def _chosen(rows: QuerySet[Any], such: QuerySet[Any], value: bool | None) -> QuerySet[Any]:
    """Return the rows that are in `such`, or the others if the value is false."""
    if value is None:
        return rows
    return such if value else rows.exclude(pk__in=such.values("pk"))


class RunOutcomeFilter(FilterSet):
    result = ChoicesFilter(RunResult)
    error_code = LongFilter("error_code")
    acct_no = LongFilter("account")
    flag = ChoicesFilter(Flag, field_name="flags", method="filter_flag")

    def filter_flag(self, rows: QuerySet[Any], name: str, value: Sequence[str]) -> QuerySet[Any]:
        """Keep outcomes of a dry run whose invoice would have one of these flags."""
        flags = Q(*(Q(flags__contains=flag) for flag in value), _connector=Q.OR)
        return rows.filter(flags) if value else rows

    class Meta:
        model = RunOutcome
        fields = ()
