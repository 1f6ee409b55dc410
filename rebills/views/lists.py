"""The list of rebills: found by filters that stand in the address, page by page or as CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request

from accounts.csv_lists import ROWS_AT_ONCE, csv_response
from accounts.pages import KeysetPagination, Order, in_chunks
from accounts.views.forms import DayInput, PageForm
from accounts.views.pages import StaffPage
from invoices.kinds import InvoiceStatus, ReasonType
from invoices.serializers.money import amount_text
from invoices.services.reasons import reasons_of
from rebills.models import Rebill
from rebills.views.people import names_of

STATUSES = {
    "held": (InvoiceStatus.PENDING, _("Held for approval")),
    "issued": (InvoiceStatus.APPROVED, _("Issued")),
    "discarded": (InvoiceStatus.DISCARDED, _("Discarded")),
}
STATUS_CHOICES = [(name, text) for name, (_status, text) in STATUSES.items()]


class RebillFilters(PageForm):
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("All")), *((name, text) for name, (_value, text) in STATUSES.items())],
    )
    reason = forms.IntegerField(label=_("Reason"), required=False, min_value=1, max_value=9999, widget=forms.Select)
    account = forms.CharField(label=_("Account"), required=False, max_length=50, widget=forms.TextInput)
    made_from = forms.DateField(label=_("Made from"), required=False, widget=DayInput())
    made_to = forms.DateField(label=_("Made to"), required=False, widget=DayInput())

    def __init__(self, data: Any, reasons: Mapping[int, str]) -> None:
        super().__init__(data)
        choices = [("", _("All")), *((str(code), name) for code, name in reasons.items())]
        self.fields["reason"].widget.choices = choices


def chosen(rows: QuerySet[Any], filters: RebillFilters) -> QuerySet[Any]:
    """The rebills that every filter leaves. One that cannot be read is told at its field, and filters nothing."""
    filters.is_valid()
    asked = {COLUMNS[name]: value for name, value in filters.cleaned_data.items() if value not in (None, "")}
    if "status" in asked:
        asked["status"] = STATUSES[asked["status"]][0]
    return rows.filter(**asked)


COLUMNS = {
    "status": "status",
    "reason": "reason_code",
    "account": "account__client_acct_id__istartswith",
    "made_from": "generated_at__date__gte",
    "made_to": "generated_at__date__lte",
}


@dataclass(frozen=True)
class RebillRow:
    """A rebill as lists show it."""

    rebill: Any
    reason: str
    made_by: str

    @property
    def difference(self) -> Any:
        return self.rebill.total_amount - self.rebill.corrects.total_amount


class RebillCsv(serializers.Serializer):
    """A rebill as a row of a file."""

    rebill_no = serializers.IntegerField(source="rebill.pk")
    document_number = serializers.CharField(source="rebill.document_number")
    status = serializers.CharField(source="rebill.status")
    acct_no = serializers.IntegerField(source="rebill.account_id")
    client_acct_id = serializers.CharField(source="rebill.account.client_acct_id")
    original = serializers.CharField(source="rebill.corrects.document_number")
    credit_memo = serializers.SerializerMethodField()
    currency = serializers.CharField(source="rebill.currency")
    original_amount = serializers.SerializerMethodField()
    rebill_amount = serializers.SerializerMethodField()
    difference = serializers.SerializerMethodField()
    reason = serializers.CharField()
    comments = serializers.CharField(source="rebill.comments")
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField(source="rebill.generated_at")

    def get_credit_memo(self, row: RebillRow) -> str:
        return row.rebill.memo.document_number if row.rebill.memo is not None else ""

    def get_original_amount(self, row: RebillRow) -> str:
        return amount_text(row.rebill.corrects.total_amount, row.rebill.currency)

    def get_rebill_amount(self, row: RebillRow) -> str:
        return amount_text(row.rebill.total_amount, row.rebill.currency)

    def get_difference(self, row: RebillRow) -> str:
        return amount_text(row.difference, row.rebill.currency)


class RebillList(StaffPage):
    newest_first = True

    def get(self, request: HttpRequest) -> HttpResponseBase:
        self.reasons = {reason.code: reason.name for reason in reasons_of(self.client, ReasonType.REBILL)}
        filters = RebillFilters(request.GET, self.reasons)
        rows = chosen(Rebill.objects.filter(client=self.client).select_related("account", "corrects", "memo"), filters)
        if request.GET.get("format") == "csv":
            chunks = in_chunks(rows, Order(descending=True), ROWS_AT_ONCE)
            return csv_response("rebills", RebillCsv(), chunks, lambda some: RebillCsv(self._rows(some), many=True).data)
        pagination = KeysetPagination()
        page = pagination.paginate_queryset(rows, Request(request), self)
        pages = {"previous": _cursor(pagination.previous), "next": _cursor(pagination.next)}
        return self.page("rebills/list.html", {"filters": filters, "rows": self._rows(page), "pages": pages})

    def _rows(self, rebills: Sequence[Any]) -> list[RebillRow]:
        people = names_of(rebill.generated_by for rebill in rebills)
        return [RebillRow(one, self.reasons.get(one.reason_code or 0, ""), people[one.generated_by]) for one in rebills]


def _cursor(link: str | None) -> str:
    return parse_qs(urlsplit(link).query)["cursor"][0] if link else ""
