"""Reports of a period: months, tax, the journal, and the transactions behind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.pages.forms import PageForm
from billing_site.common.keyset_pages import Order, in_chunks, page_of
from invoices.calculation import ZERO
from invoices.models import LedgerEntry
from invoices.pages.charts import chart_of
from invoices.pages.reports.base import PeriodForm, PeriodReport, Report, behind, month_of, total_line
from invoices.pages.reports.tables import Column, Line, Table
from invoices.services.lists.dashboard import Flow, Month, months
from invoices.services.lists.reports.flows import amount_in_flow, transactions_of
from invoices.services.lists.reports.journal import JournalAccount, JournalRow, JournalSum, journal_by_gl_code, journal_rows
from invoices.services.lists.reports.taxes import tax_by_rate
from invoices.services.money.ledger.history import description, with_voids

FLOWS = {Flow.INVOICED: _("Invoiced"), Flow.COLLECTED: _("Collected"), Flow.CREDITED: _("Credited")}
TRANSACTIONS_AT_ONCE = 1000


class CurrencyForm(PageForm):
    currency = forms.CharField(label=_("Currency"), required=False, max_length=3, widget=forms.Select)


def transactions_behind(month: Month, flow: Flow, currency: str) -> str:
    """Return the address of the transactions that are added up as a month's figure."""
    first, last = month_of(month.first)
    return behind("report-transactions", flow=flow.value, first=first, last=last, currency=currency)


class Months(Report):
    """The last twelve months. Each figure and each bar leads to its transactions."""

    name = "months"
    parameters = ("currency",)
    columns = (Column("month", _("Month"), "month"), *(Column(flow.value, FLOWS[flow], "money") for flow in Flow))
    nothing = _("Nothing was invoiced in the last twelve months.")

    def form(self) -> PageForm:
        self.by_currency = months(self.client, self.today)
        asked = self.request.GET.get("currency", "").lower()
        self.currency = asked if asked in self.by_currency else next(iter(self.by_currency), "")
        form = CurrencyForm({"currency": self.currency})
        form.fields["currency"].widget.choices = [(code, code.upper()) for code in self.by_currency]
        return form

    def table(self, chosen: Mapping[str, Any]) -> Table:
        currency, rows = self.currency, self.by_currency.get(self.currency, [])
        lines = [_month_line(one, currency) for one in reversed(rows) if any(one[1:])]
        sums = {flow.value: sum((getattr(one, flow.value) for one in rows), ZERO) for flow in Flow}
        return Table(self.columns, lines, [total_line(currency, gettext("Total"), "month", sums)] if lines else ())

    def more(self) -> dict[str, Any]:
        currency, rows = self.currency, self.by_currency.get(self.currency)
        if not rows:
            return {}
        chart = chart_of(rows, [[transactions_behind(one, flow, currency) for flow in Flow] for one in rows])
        return {"chart": chart, "currency": currency}


def _month_line(one: Month, currency: str) -> Line:
    values = {"month": one.first, **{flow.value: getattr(one, flow.value) or None for flow in Flow}}
    return Line(currency, values, {flow.value: transactions_behind(one, flow, currency) for flow in Flow})


class TaxByRate(PeriodReport):
    name = "taxes"
    columns = (
        Column("place", _("Place")),
        Column("tax", _("Tax")),
        Column("percent", _("Rate"), "percent"),
        Column("category", _("VAT category")),
        Column("documents", _("Documents"), "number"),
        Column("taxable", _("Taxable amount"), "money"),
        Column("amount", _("Tax amount"), "money"),
    )

    def table(self, chosen: Mapping[str, Any]) -> Table:
        rows = tax_by_rate(self.client, chosen["first"], chosen["last"])
        lines = [
            Line(
                one.currency,
                {
                    "place": one.jurisdiction,
                    "tax": one.authority,
                    "percent": one.percent,
                    "category": one.vat_category,
                    "documents": one.documents,
                    "taxable": one.taxable,
                    "amount": one.tax,
                },
            )
            for one in rows
        ]
        return Table(self.columns, lines, [_sum_of(lines, currency, "place", ("amount",)) for currency in _currencies(lines)])


def _currencies(lines: Sequence[Line]) -> list[str]:
    return sorted({line.currency for line in lines})


def _sum_of(lines: Sequence[Line], currency: str, first: str, names: Iterable[str]) -> Line:
    of_currency = [line for line in lines if line.currency == currency]
    sums = {name: sum((line.values[name] or ZERO for line in of_currency), ZERO) for name in names}
    return total_line(currency, gettext("Total"), first, sums)


JOURNAL_ACCOUNTS = {
    JournalAccount.RECEIVABLES: _("Receivables"),
    JournalAccount.REVENUE: _("Revenue"),
    JournalAccount.TAX: _("Tax"),
}


class Journal(PeriodReport):
    """The sums of a period. Its file has each line of each document."""

    name = "journal"
    columns = (
        Column("account", _("Posted to")),
        Column("code", _("GL code or tax")),
        Column("debit", _("Debit"), "money"),
        Column("credit", _("Credit"), "money"),
    )
    file_columns = (
        Column("date", _("Date"), "day"),
        Column("document", _("Document")),
        Column("kind", _("Kind")),
        Column("is_void", _("Voided")),
        Column("account", _("Account")),
        Column("line_no", _("Line")),
        Column("gl_code", _("GL code")),
        Column("description", _("Description")),
        Column("debit", _("Debit"), "money"),
        Column("credit", _("Credit"), "money"),
    )

    def table(self, chosen: Mapping[str, Any]) -> Table:
        lines = [_journal_line(one) for one in journal_by_gl_code(self.client, chosen["first"], chosen["last"])]
        totals = [_sum_of(lines, currency, "account", ("debit", "credit")) for currency in _currencies(lines)]
        return Table(self.columns, lines, totals)

    def file(self, chosen: Mapping[str, Any]) -> Any:
        chunks = journal_rows(self.client, chosen["first"], chosen["last"])
        return self.file_columns, ([_file_line(row) for row in chunk] for chunk in chunks)


def _journal_line(one: JournalSum) -> Line:
    values = {"account": JOURNAL_ACCOUNTS[one.account], "code": one.code, **_sides(one.amount)}
    return Line(one.currency, values)


def _sides(amount: Any) -> dict[str, Any]:
    return {"debit": amount if amount > ZERO else None, "credit": -amount if amount < ZERO else None}


def _file_line(row: JournalRow) -> Line:
    invoice = row.line.invoice
    values = {
        "date": row.day,
        "document": invoice.document_number,
        "kind": invoice.kind,
        "is_void": str(row.is_void).lower(),
        "account": invoice.account.client_acct_id,
        "line_no": row.line.line_no,
        "gl_code": row.line.gl_code,
        "description": row.line.description,
        **_sides(row.amount),
    }
    return Line(invoice.currency, values)


class TransactionsForm(PeriodForm):
    flow = forms.ChoiceField(
        label=_("Added up as"),
        required=False,
        choices=[("", _("All transactions")), *((flow.value, label) for flow, label in FLOWS.items())],
    )
    currency = forms.CharField(label=_("Currency"), required=False, max_length=3, widget=forms.TextInput({"size": 3}))


class Transactions(PeriodReport):
    """The transactions of a period on all accounts, or those behind one figure of a month."""

    name = "transactions"
    parameters = ("first", "last", "flow", "currency")
    columns = (
        Column("date", _("Date"), "day"),
        Column("transaction", _("Transaction")),
        Column("account", _("Account")),
        Column("amount", _("Amount"), "money"),
    )

    def form(self) -> PageForm:
        first, last = month_of(self.today)
        return TransactionsForm({"first": first, "last": last, **self.request.GET.dict()})

    def table(self, chosen: Mapping[str, Any]) -> Table:
        self.pages = page_of(self._rows(chosen), Order(descending=True), self.request.GET.get("cursor"))
        return Table(self.columns, [self._line(one, chosen) for one in self.pages.rows])

    def more(self) -> dict[str, Any]:
        return {"pages": getattr(self, "pages", None)}

    def file(self, chosen: Mapping[str, Any]) -> Any:
        chunks: Iterator[list[Any]] = in_chunks(self._rows(chosen), Order(descending=True), TRANSACTIONS_AT_ONCE)
        return self.columns, ([self._line(one, chosen) for one in chunk] for chunk in chunks)

    def _rows(self, chosen: Mapping[str, Any]) -> Any:
        flow = Flow(chosen["flow"]) if chosen["flow"] else None
        rows = with_voids(transactions_of(self.client, flow, chosen["first"], chosen["last"]))
        return rows.filter(account__currency=chosen["currency"].lower()) if chosen["currency"] else rows

    def _line(self, entry: LedgerEntry, chosen: Mapping[str, Any]) -> Line:
        amount = amount_in_flow(entry) if chosen["flow"] else entry.amount
        account = entry.account
        values = {
            "date": entry.entry_date,
            "transaction": description(entry),
            "account": account.client_acct_id,
            "amount": amount,
        }
        links = {"account": reverse("account", args=[account.pk])}
        if entry.invoice_id:
            links["transaction"] = reverse("invoice", args=[entry.invoice_id])
        return Line(account.currency, values, links)
