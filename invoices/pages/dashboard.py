"""The first page: work that needs a person, and invoiced, collected and credited amounts by month."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from accounts.pages.base import StaffPage
from accounts.pages.languages import locale_of
from invoices.kinds import RunState
from invoices.models import Schedule
from invoices.pages.charts import chart_of
from invoices.pages.reports.periods import transactions_behind
from invoices.services.approving.queue import Sum
from invoices.services.lists.dashboard import TAX_FAILURE_DAYS, Aged, Attention, Flow, Month, attention, months
from invoices.services.runs.due_accounts import DueAccounts
from invoices.services.work.schedules import due_since, is_late
from invoices.services.work.workers import missing_command

Text = str | Promise

RUN_HINTS: Mapping[str, Text] = {
    RunState.STOPPED: _("A limit has stopped it. Continue or cancel the run."),
    RunState.PAUSED: _("It is paused. Resume or cancel the run."),
    RunState.RUNNING: _("Accounts are not billed yet."),
}


class Part(NamedTuple):
    """A line of a tile: the items of one age."""

    label: str
    address: str
    sums: Sequence[Sum]

    @property
    def how_many(self) -> int:
        return sum(one.documents for one in self.sums)


class Tile(NamedTuple):
    """A kind of work that needs a person, with a link to its list."""

    title: Text
    address: str
    how_many: int
    tone: str = "warn"
    sums: Sequence[Sum] = ()
    parts: Sequence[Part] = ()
    hint: Text = ""


class Dashboard(StaffPage):
    parameters = ("currency",)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if not Account.objects.filter(client=self.client).exists():
            return self.page("invoices/dashboard.html", {"no_accounts": True})
        found = attention(self.client, self.today)
        by_currency = months(self.client, self.today)
        code = request.GET.get("currency", "").lower()
        currency = code if code in by_currency else next(iter(by_currency), "")
        shown = {"tiles": self._tiles(found), "currencies": list(by_currency), "currency": currency}
        if currency:
            rows = by_currency[currency]
            shown |= {
                "months": [(one, _figures(one, currency)) for one in reversed(rows) if any(one[1:])],
                "chart": chart_of(rows, [[transactions_behind(one, flow, currency) for flow in Flow] for one in rows]),
                "sums": [sum(column) for column in list(zip(*rows, strict=True))[1:]],
            }
        return self.page("invoices/dashboard.html", shown)

    def _tiles(self, found: Attention) -> list[Tile]:
        queue, documents = reverse("pending"), reverse("invoices")
        tiles = [
            _aged(_("Pending invoices"), queue, {"kind": "recurring,advance"}, "tax_date", found.pending),
            _summed(_("Pending rebills"), queue, {"kind": "rebill"}, found.rebills),
            _aged(_("Overdue"), documents, {"overdue": "true"}, "due_date", found.overdue, tone="bad"),
            _summed(
                _("Failed collections"),
                documents,
                {"collection_failed": "true", "open": "true"},
                found.failed_collections,
                tone="bad",
                hint=_("Declined, or the outcome is unknown. The amount is still open."),
            ),
            Tile(
                _("Failed statements"),
                f"{documents}?statement_failed=true",
                found.failed_statements,
                "bad",
                hint=_("Send them again from the invoice's page."),
            ),
            Tile(
                _("Missing PDFs"),
                f"{documents}?file_missing=true",
                found.missing_files,
                "bad",
                hint=_("They could not be made, or are owed for over an hour."),
            ),
            Tile(
                _("Requests that need a second person"),
                f"{queue}#acts",
                found.requested_acts,
                hint=_("Pending credits, write-offs, refunds and voids."),
            ),
            Tile(
                _("Four-eyes settings to confirm"),
                reverse("admin:accounts_settingschange_changelist"),
                found.settings_changes,
                hint=_("One administrator proposed the change; another one must confirm it."),
            ),
            *self._runs(found),
            Tile(
                _("Late or failed schedules"),
                reverse("schedules"),
                len(found.schedules),
                "bad",
                hint=" ".join(self._troubles(found.schedules)),
            ),
            Tile(
                _("Webhooks that were switched off"),
                reverse("webhooks"),
                found.dead_webhooks,
                "bad",
                hint=_("They accepted nothing for three days. Switch them on once their system answers."),
            ),
            Tile(
                _("Accounts due to bill"),
                reverse("start-run"),
                found.due_accounts.ready,
                hint=_due_hint(found.due_accounts),
            ),
            Tile(
                _("Tax engine failures"),
                self._tax_failures(),
                found.tax_failures,
                "bad",
                hint=ngettext("In the last day.", "In the last %(days)s days.", TAX_FAILURE_DAYS) % {"days": TAX_FAILURE_DAYS},
            ),
        ]
        return [tile for tile in tiles if tile.how_many]

    def _runs(self, found: Attention) -> list[Tile]:
        tiles = []
        for one in found.runs:
            address = reverse("run", args=[one.run.pk])
            if one.run.finished_at is None:
                title = _("Billing run %(number)s is not finished") % {"number": one.run.pk}
                hint = RUN_HINTS.get(one.run.state, _("Accounts are not billed yet. Continue the run."))
                tiles.append(Tile(title, address, one.waiting or 1, hint=hint))
            if one.refused:
                title = _("Refused in billing run %(number)s") % {"number": one.run.pk}
                tiles.append(Tile(title, f"{address}?result=refused", one.refused, "bad", hint=_("Accounts still not billed.")))
        return tiles

    def _troubles(self, schedules: Sequence[Schedule]) -> Iterator[str]:
        """Say of each schedule since when it is late and why it failed, and of all whether a worker is running."""
        zone, locale = ZoneInfo(self.client.time_zone), locale_of(self.request)
        late = [one for one in schedules if is_late(one)]
        for one in late:
            since = format_datetime(due_since(one), "medium", tzinfo=zone, locale=locale)
            yield gettext("“%(task)s” is late since %(since)s.") % {"task": one.get_act_display(), "since": since}
        for one in schedules:
            if one.message:
                yield gettext("“%(task)s” failed: %(message)s") % {"task": one.get_act_display(), "message": one.message}
        if late and (command := missing_command()):
            yield gettext("No worker is running. Start one on the server: %(command)s.") % {"command": command}

    def _tax_failures(self) -> str:
        """Return the address of the events, for readers who may see them."""
        if not self.may("accounts.view_event"):
            return reverse("runs")
        return f"{reverse('admin:accounts_event_changelist')}?{urlencode({'q': 'tax engine failed'})}"


def _figures(one: Month, currency: str) -> list[tuple[Decimal, str]]:
    """Return the figures of a month, each with the address of the transactions behind it."""
    return [(getattr(one, flow.value), transactions_behind(one, flow, currency)) for flow in Flow]


def _due_hint(due: DueAccounts) -> Text:
    text = gettext("A billing run generates their invoices.")
    if not due.blocked:
        return text
    more = ngettext("%(count)s more is due but blocked.", "%(count)s more are due but blocked.", due.blocked)
    return f"{text} {more % {'count': due.blocked}}"


def _summed(title: Text, path: str, query: dict[str, str], sums: Sequence[Sum], tone: str = "warn", hint: Text = "") -> Tile:
    count = sum(one.documents for one in sums)
    return Tile(title, f"{path}?{urlencode(query)}", count, tone, sums, hint=hint)


def _aged(title: Text, path: str, query: dict[str, str], column: str, groups: Sequence[Aged], tone: str = "warn") -> Tile:
    """Return a tile with a line per age. Each links to the list of those days."""
    parts = []
    for one in groups:
        days = {f"{column}_from": one.period.first, f"{column}_to": one.period.last}
        dates = {name: str(day) for name, day in days.items() if day is not None}
        parts.append(Part(_age(one), f"{path}?{urlencode(query | dates)}", one.sums))
    return Tile(title, f"{path}?{urlencode(query)}", sum(part.how_many for part in parts), tone, parts=parts)


def _age(one: Aged) -> str:
    if one.most is None:
        return ngettext("over %(days)s day", "over %(days)s days", one.least - 1) % {"days": one.least - 1}
    return gettext("%(from)s–%(to)s days") % {"from": one.least, "to": one.most}
