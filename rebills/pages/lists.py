"""The list of rebills, filtered by the address, by pages or as CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.models import Client
from accounts.pages.forms import DayInput, PageForm
from accounts.pages.lists import LIST_PARAMETERS, Column, ListPage
from accounts.staff import names_of
from accounts.validators import validate_billing_day
from billing_site.common.keyset_pages import PAGE_SIZE, page_of
from invoices.api.serializers.money import amount_text
from invoices.kinds import DocumentState, ReasonType
from invoices.services.documents.reasons import reasons_of
from invoices.services.documents.states import in_states, mark_states
from rebills.models import Rebill

STATES = [state for state in DocumentState if state is not DocumentState.CREDITED]
"""The states that a rebill can have. An undone one is voided."""
COLUMNS = (
    Column("original", _("Original"), members=("original",), css="nowrap"),
    Column("memo", _("Memo"), members=("credit_memo",), css="nowrap"),
    Column("rebill", _("Rebill"), members=("document_number", "rebill_no"), css="nowrap"),
    Column("state", _("Status"), members=("state",)),
    Column("account", _("Account"), members=("client_acct_id", "acct_no"), css="nowrap"),
    Column("reason", _("Reason"), members=("reason",)),
    Column("made", _("Made"), "pk", ("made_at", "made_by")),
    Column("total_amount", _("Rebill total"), "total_amount", ("rebill_amount", "currency"), "num"),
    Column("difference", _("Difference"), members=("difference",), css="num"),
    Column("original_total", _("Original total"), members=("original_amount",), css="num", is_usual=False),
    Column("comments", _("Comments"), members=("comments",), is_usual=False),
)


class RebillFilters(PageForm):
    state = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("All")), *((state.value, state.label) for state in STATES)]
    )
    reason = forms.IntegerField(label=_("Reason"), required=False, min_value=1, max_value=9999, widget=forms.Select)
    account = forms.CharField(label=_("Account"), required=False, max_length=50, widget=forms.TextInput)
    made_from = forms.DateField(label=_("Created from"), required=False, widget=DayInput(), validators=[validate_billing_day])
    made_to = forms.DateField(label=_("Created to"), required=False, widget=DayInput(), validators=[validate_billing_day])

    def __init__(self, data: Any, reasons: Mapping[int, str]) -> None:
        super().__init__(data)
        choices = [("", _("All")), *((str(code), name) for code, name in reasons.items())]
        self.fields["reason"].widget.choices = choices


def chosen(rows: QuerySet[Any], filters: RebillFilters, client: Client, today: date) -> QuerySet[Any]:
    """Return the rebills that match all filters, states as of `today`. Dates are days of the client. An invalid filter shows
    its error and has no effect."""
    filters.is_valid()
    values = {name: value for name, value in filters.cleaned_data.items() if value not in (None, "")}
    conditions: dict[str, Any] = {}
    if "reason" in values:
        conditions["reason_code"] = values["reason"]
    if "account" in values:
        conditions["account__client_acct_id__istartswith"] = values["account"]
    if "made_from" in values:
        conditions["generated_at__gte"] = begin_of(values["made_from"], client)
    if "made_to" in values:
        conditions["generated_at__lt"] = begin_of(values["made_to"] + A_DAY, client)
    rows = rows.filter(**conditions)
    return in_states(rows, [DocumentState(values["state"])], today) if "state" in values else rows


A_DAY = timedelta(days=1)


def begin_of(day: date, client: Client) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(client.time_zone))


@dataclass(frozen=True)
class RebillRow:
    """A rebill with its reason and creator, for the list."""

    rebill: Any
    reason: str
    made_by: str

    @property
    def difference(self) -> Any:
        return self.rebill.total_amount - self.rebill.corrects.total_amount


class RebillCsv(serializers.Serializer):
    """A rebill as a row of the CSV file."""

    rebill_no = serializers.IntegerField(source="rebill.pk")
    document_number = serializers.CharField(source="rebill.document_number")
    status = serializers.CharField(source="rebill.status")
    state = serializers.CharField(source="rebill.state")
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


class RebillList(ListPage):
    address = "rebills"
    columns = COLUMNS
    is_newest_first = True
    parameters = (*LIST_PARAMETERS, *RebillFilters.base_fields)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        self.reasons = {reason.code: reason.shown_name for reason in reasons_of(self.client, ReasonType.REBILL)}
        filters = RebillFilters(request.GET, self.reasons)
        rows = chosen(
            Rebill.objects.filter(client=self.client).select_related("account", "corrects", "memo"),
            filters,
            self.client,
            self.today,
        )
        asks_for_csv = request.GET.get("format") == "csv"
        if asks_for_csv and filters.is_valid():
            return self.file("rebills", RebillCsv(), rows, lambda some: RebillCsv(self._rows(some), many=True).data)
        pages = page_of(rows, self.order, request.GET.get("cursor"), PAGE_SIZE)
        shown = {"filters": filters, "rows": self._rows(pages.rows), "pages": pages, **self.list_context()}
        return self.page("rebills/list.html", shown, status=400 if asks_for_csv else 200)

    def _rows(self, rebills: Sequence[Any]) -> list[RebillRow]:
        mark_states(rebills, self.today)
        people = names_of(rebill.generated_by for rebill in rebills)
        return [RebillRow(one, self.reasons.get(one.reason_code or 0, ""), people[one.generated_by]) for one in rebills]
