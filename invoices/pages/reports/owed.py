"""Who owes us and whom we owe: receivables by age, unapplied credit, and failed collections."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.kinds import PaymentMethodType
from accounts.pages.forms import PageForm
from billing_site.common.csv_lists import ROWS_AT_ONCE
from billing_site.common.keyset_pages import Order, in_chunks
from invoices.kinds import AttemptStatus
from invoices.pages.reports.base import ROWS_SHOWN, DayForm, Report, behind, total_line
from invoices.pages.reports.tables import Column, Line, Table
from invoices.services.lists.reports.ageing import receivables_as_of
from invoices.services.lists.reports.failed import failed_collections
from invoices.services.lists.reports.owed import accounts_with_credit, unapplied_by_currency
from invoices.services.money.receivables import Ages, Receivable, add_up_by_currency

AGES = (_("Not due"), _("1–30 days"), _("31–60 days"), _("61–90 days"), _("Over 90 days"))


class AsOfReport(Report):
    """A report as of a day: today, unless another one is chosen."""

    parameters = ("day",)
    nothing = _("Nothing was open on this day.")

    def form(self) -> PageForm:
        return DayForm({"day": self.today, **self.request.GET.dict()})


class Receivables(AsOfReport):
    name = "receivables"
    columns = (
        Column("account", _("Account")),
        *(Column(name, heading, "money") for name, heading in zip(Ages._fields, AGES, strict=True)),
        Column("total", _("Open amount"), "money"),
        Column("unapplied", _("Unapplied credit"), "money"),
    )

    def table(self, chosen: Mapping[str, Any]) -> Table:
        rows = receivables_as_of(self.client, chosen["day"])
        totals = add_up_by_currency(iter(rows))
        largest = sorted(rows, key=lambda one: (one.currency, -one.ages.total, one.account_no))
        return Table(
            self.columns,
            [self._line(one) for one in largest[:ROWS_SHOWN]],
            [_ages_line(currency, gettext("Total"), totals[currency]) for currency in sorted(totals)],
            more=len(largest) > ROWS_SHOWN,
        )

    def file(self, chosen: Mapping[str, Any]) -> Any:
        rows = receivables_as_of(self.client, chosen["day"])
        return self.columns, ([self._line(one) for one in rows[at : at + 1000]] for at in range(0, len(rows), 1000))

    def _line(self, one: Receivable) -> Line:
        values = {"account": one.client_acct_id, **one.ages._asdict(), "total": one.ages.total, "unapplied": one.unapplied}
        links = {"account": reverse("account", args=[one.account_no])}
        return Line(one.currency, values, links | {"total": behind("invoices", account=one.account_no, open="true")})


def _ages_line(currency: str, label: str, ages: Ages) -> Line:
    return total_line(currency, label, "account", {**ages._asdict(), "total": ages.total})


class UnappliedCredit(AsOfReport):
    name = "credit"
    columns = (
        Column("account", _("Account")),
        Column("open", _("Open amount"), "money"),
        Column("unapplied", _("Unapplied credit"), "money"),
    )
    nothing = _("No account has unapplied credit on this day.")

    def table(self, chosen: Mapping[str, Any]) -> Table:
        accounts = self._accounts(chosen)
        rows = list(accounts.order_by("currency", "-unapplied", "pk")[: ROWS_SHOWN + 1])
        totals = [
            total_line(one.currency, gettext("Total"), "account", {"unapplied": one.unapplied})
            for one in unapplied_by_currency(accounts)
        ]
        return Table(self.columns, [_credit_line(one) for one in rows[:ROWS_SHOWN]], totals, more=len(rows) > ROWS_SHOWN)

    def file(self, chosen: Mapping[str, Any]) -> Any:
        chunks: Iterator[list[Any]] = in_chunks(self._accounts(chosen), Order(), ROWS_AT_ONCE)
        return self.columns, (list(map(_credit_line, chunk)) for chunk in chunks)

    def _accounts(self, chosen: Mapping[str, Any]) -> Any:
        return accounts_with_credit(self.client, None if chosen["day"] == self.today else chosen["day"])


def _credit_line(one: Any) -> Line:
    links = {"account": reverse("account", args=[one.pk])}
    return Line(one.currency, {"account": one.client_acct_id, "open": one.open, "unapplied": one.unapplied}, links)


class FailedCollections(Report):
    """Without a choice of days: what is open because of its last collection is so today."""

    name = "failed"
    columns = (
        Column("outcome", _("Outcome")),
        Column("reason", _("Reason")),
        Column("method", _("Payment method")),
        Column("invoices", _("Invoices"), "number"),
        Column("open_amount", _("Open amount"), "money"),
    )
    nothing = _("No open invoice has a failed collection.")

    def form(self) -> PageForm:
        return PageForm({})

    def table(self, chosen: Mapping[str, Any]) -> Table:
        lines = []
        for one in failed_collections(self.client):
            failed = {"collection_failed": "true", "open": "true", "currency": one.currency}
            values = {
                "outcome": AttemptStatus(one.status).label,
                "reason": one.text,
                "method": PaymentMethodType(one.method).label if one.method else "",
                "invoices": one.invoices,
                "open_amount": one.open_amount,
            }
            address = behind("invoices", **failed, collection_reason=one.reason)
            lines.append(Line(one.currency, values, {"invoices": address, "outcome": address}))
        return Table(self.columns, lines)
