"""The settings of a client on one page, with links to all that is set elsewhere; number series, reasons and keys."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.contrib import messages
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.client_settings import confirm_change, proposed_change, withdraw_change
from accounts.keys import revoke_key, rotate_key
from accounts.models import ApiKey, Client
from accounts.pages.base import StaffPage
from accounts.receipts import use
from accounts.rights import CHANGE_SETTINGS, KEY_RIGHTS, ROW_RIGHTS, Right, may
from accounts.staff import names_of
from billing_site.common.keyset_pages import Order, page_of
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.document_numbers import DEFAULT_FORMATS, Format
from invoices.kinds import SeriesKind
from invoices.models import NumberSeries, ReasonCode
from invoices.pages.changing import said, values_of
from invoices.pages.settings.editors import ADD_KEYS, SettingsForm, form_of
from invoices.services.lists.histories import changes_of
from invoices.services.lists.settings import SECTIONS, Effect, help_of, said_effects

CHANGES_SHOWN = 50
ROWS_OF_A_PAGE = 50
CHANGE_KEYS = Right(Detail("changing API keys"), "accounts.change_apikey")


class ShownSetting(NamedTuple):
    label: str
    help: Any
    value: str
    effect: str


class SettingsPage(StaffPage):
    needs = "accounts.view_client"

    @property
    def may_change(self) -> bool:
        return may(self.caller, CHANGE_SETTINGS)


class SettingsList(SettingsPage):
    """All settings with their values, what they do, and who changed them. A proposed change is confirmed or withdrawn here."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        effects = said_effects(self.client, {effect for section in SECTIONS.values() for effect in section.effects.values()})
        sections = [(name, section.title, self._settings(name, effects)) for name, section in SECTIONS.items()]
        change = proposed_change(self.client)
        shown = {
            "sections": sections,
            "proposed": change,
            "history": changes_of([Client.history.filter(id=self.client.pk)], CHANGES_SHOWN),
        }
        return self.page("settings/list.html", shown)

    def _settings(self, section: str, effects: Mapping[Effect, str]) -> list[ShownSetting]:
        form = form_of(section)(client=self.client)
        return [self._shown(form, name, effects[effect]) for name, effect in SECTIONS[section].effects.items()]

    def _shown(self, form: SettingsForm, name: str, effect: str) -> ShownSetting:
        field = form.fields[name]
        column: Any = Client._meta.get_field(name)
        value = said(field, values_of(self.client, [name])[name])
        return ShownSetting(capfirst(str(field.label or column.verbose_name)), help_of(name), value, effect)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Confirm or withdraw a proposed change of four-eyes settings."""
        number = request.POST.get("change", "")
        decide = confirm_change if request.POST.get("act") == "confirm" else withdraw_change
        here = reverse("settings")

        def work(caller: Caller) -> str:
            decide(self.client, int(number) if number.isdecimal() and len(number) < 19 else 0, caller=caller)
            return here

        return self.once(work, lambda receipt: here, CHANGE_SETTINGS)


class SeriesList(SettingsPage):
    """The number series of each kind of document, stored or as they begin."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        stored = {SeriesKind(one.kind): one for one in NumberSeries.objects.filter(client=self.client)}
        rows = [(kind, self._format(stored.get(kind), kind), stored.get(kind)) for kind in SeriesKind]
        shown = [(kind, form.printed(self._next(row), self.today.year), row) for kind, form, row in rows]
        history = changes_of([NumberSeries.history.filter(client=self.client)], CHANGES_SHOWN)
        return self.page("settings/series.html", {"rows": shown, "history": history})

    def _format(self, row: NumberSeries | None, kind: SeriesKind) -> Format:
        return DEFAULT_FORMATS[kind] if row is None else Format(row.prefix, row.suffix)

    def _next(self, row: NumberSeries | None) -> int:
        if row is None:
            return 1
        if not Format(row.prefix, row.suffix).has_year:
            return row.last_number + 1
        return row.last_of_year + 1 if row.year == self.today.year else 1


class ReasonList(SettingsPage):
    """The reasons of acts: common ones and the client's own."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        rows = ReasonCode.objects.filter(Q(client=self.client) | Q(client=None)).order_by("type", "code", "client")
        shown = {
            "reasons": rows,
            "may_add": may(self.caller, ROW_RIGHTS["add", "invoices.reasoncode"]),
            "may_change_reasons": may(self.caller, ROW_RIGHTS["change", "invoices.reasoncode"]),
            "history": changes_of([ReasonCode.history.filter(client=self.client)], CHANGES_SHOWN),
        }
        return self.page("settings/reasons.html", shown)


class KeyList(StaffPage):
    """API keys: who made each, what it may do, when it was last used."""

    needs = "accounts.view_apikey"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        keys = ApiKey.objects.filter(client=self.client)
        pages = page_of(keys, Order(descending=True), request.GET.get("cursor"), ROWS_OF_A_PAGE)
        people = names_of(one for key in pages.rows for one in key.stands_for)
        rows = [(key, _rights_of(key), ", ".join(people[one] for one in key.stands_for)) for key in pages.rows]
        shown = {
            "rows": rows,
            "pages": pages,
            "may_add": may(self.caller, ADD_KEYS),
            "may_change_keys": may(self.caller, CHANGE_KEYS),
            "history": changes_of([ApiKey.history.filter(client=self.client)], CHANGES_SHOWN),
        }
        return self.page("settings/keys.html", shown)


def _rights_of(key: ApiKey) -> list[str]:
    if key.read_only:
        return [str(_("only read and preview"))]
    return [str(ApiKey._meta.get_field(name).help_text) for name in KEY_RIGHTS if getattr(key, name)]  # type: ignore[union-attr]


class KeyAct(StaffPage):
    """Rotate or revoke a key."""

    needs = "accounts.view_apikey"

    def post(self, request: HttpRequest, key_no: int, act: str) -> HttpResponseBase:
        key = self.found(ApiKey.objects.select_related("client"), key_no)
        here = reverse("api-keys")
        right = ADD_KEYS if act == "rotate" else CHANGE_KEYS
        return self.once(lambda caller: self._do(act, key, caller, here), lambda receipt: here, right)

    def _do(self, act: str, key: ApiKey, caller: Caller, here: str) -> str:
        if act == "rotate":
            if key.revoked_at is not None:
                raise BillingError(ErrorCode.INVALID_INPUT, Detail("the key is revoked; make a new one"))
            with transaction.atomic():
                use(self.client, caller.receipt)
                new, auth_key = rotate_key(key, caller=caller)
            text = _("Keep this key now, it cannot be shown again: client_no %(client)s, auth_key %(auth_key)s")
            messages.warning(self.request, text % {"client": new.client_id, "auth_key": auth_key})
        elif act == "revoke":
            revoke_key(key)
        else:
            raise BillingError(ErrorCode.INVALID_INPUT, Detail("this act does not exist"))
        return here
