"""What all reports share: their list, the choice of days, and how they are shown."""

from collections.abc import Callable, Collection, Mapping
from datetime import date, timedelta
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.pages.base import StaffPage
from accounts.pages.forms import DayInput, PageForm
from accounts.validators import validate_billing_day
from billing_site.common.csv_lists import ROWS_AT_ONCE
from invoices.pages.reports.tables import Column, Line, Table, csv_of

SEE = "invoices.view_ledgerentry"
ROWS_SHOWN = 100


class Named(NamedTuple):
    """A report of the list: its address, its title, and what it answers."""

    address: str
    title: Any
    hint: Any


REPORTS = (
    Named("report-receivables", _("Receivables by age"), _("Who owes how much, and since when. Today or as of a day.")),
    Named("report-credit", _("Unapplied credit"), _("Whom we owe: payments and credits that pay nothing yet.")),
    Named("report-months", _("Month by month"), _("Invoiced, collected and credited, with the transactions behind.")),
    Named("report-taxes", _("Tax by rate"), _("Tax of a period by rate. Credit memos and voids are taken off.")),
    Named("report-journal", _("Journal by GL code"), _("Receivables, revenue and tax of a period, for the general ledger.")),
    Named("report-failed", _("Failed collections"), _("Open invoices that could not be collected, by reason.")),
    Named("report-transactions", _("Transactions"), _("Every transaction of a period, on all accounts.")),
)


class PeriodForm(PageForm):
    first = forms.DateField(label=_("From"), widget=DayInput(), validators=[validate_billing_day])
    last = forms.DateField(label=_("To"), widget=DayInput(), validators=[validate_billing_day])

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or {}
        if "first" in fields and "last" in fields and fields["first"] > fields["last"]:
            self.add_error("last", _("The last day is before the first."))
        return fields


class DayForm(PageForm):
    day = forms.DateField(label=_("As of"), widget=DayInput(), validators=[validate_billing_day])


def month_of(day: date) -> tuple[date, date]:
    """Return the first and last day of the month of a day."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def month_before(day: date) -> tuple[date, date]:
    return month_of(day.replace(day=1) - timedelta(days=1))


class Preset(NamedTuple):
    words: str
    query: str


class ReportList(StaffPage):
    """All reports."""

    needs = SEE

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.page("reports/list.html", {"reports": REPORTS})


class Report(StaffPage):
    """One report: a form with days, a table, and the same as CSV."""

    needs = SEE
    name = ""
    columns: tuple[Column, ...] = ()
    nothing: Any = _("There is nothing in these days.")

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = self.form()
        is_csv = request.GET.get("format") == "csv"
        if not form.is_valid():
            return self.shown(form, None, status=400 if is_csv else 200)
        if is_csv:
            return csv_of(self.name, *self.file(form.cleaned_data))
        return self.shown(form, self.table(form.cleaned_data))

    def form(self) -> PageForm:
        raise NotImplementedError

    def table(self, chosen: Mapping[str, Any]) -> Table:
        raise NotImplementedError

    def file(self, chosen: Mapping[str, Any]) -> Any:
        """Return the columns and the chunks of rows of the file: those of the table, unless a report has more to say."""
        lines = list(self.table(chosen).lines)
        return self.columns, (lines[at : at + ROWS_AT_ONCE] for at in range(0, len(lines), ROWS_AT_ONCE))

    def presets(self) -> list[Preset]:
        return []

    def more(self) -> dict[str, Any]:
        """Return what else the page shows."""
        return {}

    def shown(self, form: PageForm, table: Table | None, status: int = 200) -> HttpResponseBase:
        this = next(one for one in REPORTS if one.address == f"report-{self.name}")
        context = {"report": this, "form": form, "table": table, "presets": self.presets(), "nothing": self.nothing}
        return self.page("reports/report.html", {**context, **self.more()}, status=status)


class PeriodReport(Report):
    """A report of a period: the month before, unless another is chosen."""

    parameters: ClassVar[Collection[str]] = ("first", "last")

    def form(self) -> PageForm:
        first, last = month_before(self.today)
        return PeriodForm({"first": first, "last": last, **self.request.GET.dict()})

    def presets(self) -> list[Preset]:
        periods: list[tuple[Callable[[], str], tuple[date, date]]] = [
            (lambda: gettext("This month"), month_of(self.today)),
            (lambda: gettext("Last month"), month_before(self.today)),
            (lambda: gettext("This year"), (self.today.replace(month=1, day=1), self.today.replace(month=12, day=31))),
        ]
        return [Preset(words(), "?" + urlencode({"first": str(first), "last": str(last)})) for words, (first, last) in periods]


def behind(name: str, **query: Any) -> str:
    """Return the address of a list with these filters."""
    return f"{reverse(name)}?{urlencode({key: value for key, value in query.items() if value not in (None, '')})}"


def total_line(currency: str, label: str, first: str, sums: Mapping[str, Any]) -> Line:
    """Return a row of totals, with its label in the column `first`."""
    return Line(currency, {first: label, **sums})
