"""Forms of the settings: a section of the client's settings, a number series, a reason, an API key."""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.models import Group
from django.forms.models import modelform_factory
from django.http import Http404
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.client_settings import change_settings, settings_of_two_people
from accounts.keys import create_key
from accounts.kinds import GuardedAct
from accounts.models import ApiKey, Client
from accounts.pages.forms import field_of_column
from accounts.rights import CHANGE_SETTINGS, KEY_RIGHTS, ROW_RIGHTS, Right, check_may
from accounts.services.changing import change_row
from billing_site.errors import Detail
from invoices.document_numbers import DEFAULT_FORMATS
from invoices.kinds import ReasonType, SeriesKind
from invoices.models import NumberSeries, ReasonCode
from invoices.pages.changing import ChangePage, RowForm, locked
from invoices.pages.settings.exchange_rates import ExchangeRatesInput
from invoices.services.documents.reasons import add_reason
from invoices.services.lists.settings import SECTIONS, effect_of, help_of, said_effects

ADD_KEYS = Right(Detail("adding API keys"), "accounts.add_apikey")
CHANGE_SERIES = Right(Detail("changing number series"), "invoices.change_numberseries")
CHOSEN_BY_NAME = {"tax_engine": "TAX_ENGINES", "gateway": "GATEWAYS"}
"""Settings that name one of what the site has, by the site's setting."""


class ActsField(forms.MultipleChoiceField):
    """Kinds of acts, stored as their names separated by commas."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=GuardedAct.choices, required=False, widget=forms.CheckboxSelectMultiple, **options)

    def prepare_value(self, value: Any) -> Any:
        return [one for one in value.split(",") if one] if isinstance(value, str) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial or ""), data)

    def clean(self, value: Any) -> Any:
        return ",".join(super().clean(self.prepare_value(value)))

    def said(self, value: Any) -> str:
        names = dict(GuardedAct.choices)
        return ", ".join(str(names.get(one, one)) for one in self.prepare_value(value or ""))


class RolesField(ActsField):
    """Roles, stored as their names separated by commas."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.choices = [(name, name) for name in Group.objects.order_by("name").values_list("name", flat=True)]

    def said(self, value: Any) -> str:
        return ", ".join(self.prepare_value(value or ""))


OWN_FIELDS: Mapping[str, Any] = {
    "second_person_for": ActsField,
    "second_factor_roles": RolesField,
    "tax_currency_rates": ExchangeRatesInput,
}
"""Settings that are typed or chosen in another way than their column."""


class SettingsForm(RowForm):
    """Some settings of a client."""

    def offer(self) -> None:
        for name, of_site in CHOSEN_BY_NAME.items():
            if name in self.fields:
                column: Any = Client._meta.get_field(name)
                names = [(one, one) for one in getattr(settings, of_site)]
                self.fields[name] = forms.ChoiceField(
                    label=capfirst(column.verbose_name), choices=names, help_text=column.help_text
                )
        for name, kind in OWN_FIELDS.items():
            if name in self.fields:
                column = Client._meta.get_field(name)
                self.fields[name] = kind(label=capfirst(column.verbose_name), help_text=column.help_text)
        super().offer()
        for name, field in self.fields.items():
            field.help_text = help_of(name)


@cache
def form_of(section: str) -> Any:
    """Return the form of a section's settings."""
    return modelform_factory(
        Client,
        form=SettingsForm,
        fields=list(SECTIONS[section].effects),
        localized_fields="__all__",
        formfield_callback=field_of_column,
    )


class ChangeSection(ChangePage):
    """A section of the client's settings."""

    needs = "accounts.view_client"
    right = CHANGE_SETTINGS
    done = _("The settings are saved.")
    section: str

    def open(self, **numbers: Any) -> None:
        self.section = numbers["section"]
        if self.section not in SECTIONS:
            raise Http404
        self.title, self.form_class = SECTIONS[self.section].title, form_of(self.section)  # type: ignore[misc]
        self.row = Client.objects.get(pk=self.client.pk)

    def back(self) -> str:
        """The section on the page of the settings, which a browser opens."""
        return f"{reverse('settings')}#{self.section}"

    def do(self, form: SettingsForm, caller: Caller) -> Any:
        """Write the settings that differ. Four-eyes settings may be proposed instead."""
        client = locked(self.row)
        changed = {name: value for name, value in form.changed_columns.items() if getattr(client, name) != value}
        for name, value in changed.items():
            setattr(client, name, value)
        client.full_clean()
        return change_settings(client, changed, caller=caller)

    def notes(self, form: Any) -> list[str]:
        changed = [name for name, value in form.changed_columns.items() if value != getattr(self.row, name)]
        said = list(said_effects(self.client, {effect_of(name) for name in changed}).values())
        if set(changed) & set(settings_of_two_people(self.row)) and not self.request.user.is_superuser:
            said.append(
                gettext("Four-eyes settings and bank details are only proposed: another administrator must confirm them.")
            )
        return said

    def after(self, row: Any) -> str:
        if row is not None:
            self.tell(
                gettext("Proposed, not changed yet: %(what)s. Another administrator must confirm the change.")
                % {"what": row.words},
                good=False,
            )
        return self.back()


class SeriesForm(RowForm):
    class Meta:
        model = NumberSeries
        fields = ("prefix", "suffix")


class ChangeSeries(ChangePage):
    """Prefix and suffix of the numbers of one kind of document."""

    needs = "accounts.view_client"
    right = CHANGE_SERIES
    form_class = SeriesForm
    title = _("Number series")
    done = _("The number series is saved.")
    kind: SeriesKind

    def open(self, **numbers: Any) -> None:
        if numbers["kind"] not in SeriesKind.values:
            raise Http404
        self.kind = SeriesKind(numbers["kind"])
        stored = NumberSeries.objects.filter(client=self.client, kind=self.kind).first()
        first = DEFAULT_FORMATS[self.kind]
        self.row = stored or NumberSeries(client=self.client, kind=self.kind, prefix=first.prefix, suffix=first.suffix)

    def back(self) -> str:
        return reverse("number-series")

    def do(self, form: SeriesForm, caller: Caller) -> None:
        check_may(caller, CHANGE_SERIES)
        rows = NumberSeries.objects.select_for_update(no_key=True).filter(client=self.client, kind=self.kind)
        row = rows.first() or NumberSeries(client=self.client, kind=self.kind)
        values = form.values if self.row.pk is None else form.changed_columns
        for name, value in values.items():
            setattr(row, name, value)
        row.full_clean()
        row.save()

    def notes(self, form: Any) -> list[str]:
        return [gettext("Issued documents keep their numbers. Pending documents get the new form when they are approved.")]


class ReasonForm(RowForm):
    type = forms.ChoiceField(label=_("Used for"), choices=ReasonType.choices)
    code = forms.IntegerField(label=_("Code"), min_value=1, max_value=9999)
    fields_of_errors: ClassVar = {"reason_code": "code"}

    class Meta:
        model = ReasonCode
        fields = ("name",)


class AddReason(ChangePage):
    needs = "accounts.view_client"
    right = ROW_RIGHTS["add", "invoices.reasoncode"]
    form_class = ReasonForm
    title = _("New reason")
    button = _("Add reason")
    done = _("The reason is added.")

    def open(self, **numbers: Any) -> None:
        self.row = None

    def back(self) -> str:
        return reverse("reasons")

    def do(self, form: ReasonForm, caller: Caller) -> Any:
        chosen = form.cleaned_data
        return add_reason(client=self.client, caller=caller, type=chosen["type"], code=chosen["code"], name=chosen["name"])


class ChangeReasonForm(RowForm):
    class Meta:
        model = ReasonCode
        fields = ("name", "is_active")


class ChangeReason(ChangePage):
    needs = "accounts.view_client"
    right = ROW_RIGHTS["change", "invoices.reasoncode"]
    form_class = ChangeReasonForm
    title = _("Change reason")
    done = _("The reason is changed.")

    def open(self, **numbers: Any) -> None:
        self.row = self.found(ReasonCode.objects.all(), numbers["reason_no"])

    def back(self) -> str:
        return reverse("reasons")

    def do(self, form: ChangeReasonForm, caller: Caller) -> Any:
        return change_row(locked(self.row), form.changed_columns, caller=caller)

    def notes(self, form: Any) -> list[str]:
        return [gettext("What was recorded with this reason keeps it.")]


class KeyForm(RowForm):
    class Meta:
        model = ApiKey
        fields = ("name", *KEY_RIGHTS, "read_only", "allowed_addresses")


class AddKey(ChangePage):
    """A new API key. It is shown once."""

    needs = "accounts.view_apikey"
    right = ADD_KEYS
    form_class = KeyForm
    title = _("New API key")
    button = _("Add key")
    done = _("The key is added. It is shown once, above.")

    def open(self, **numbers: Any) -> None:
        self.row = None

    def back(self) -> str:
        return reverse("api-keys")

    def do(self, form: KeyForm, caller: Caller) -> tuple[ApiKey, str]:
        return create_key(self.client, caller=caller, **form.values)

    def notes(self, form: Any) -> list[str]:
        return [gettext("A key may do at most what you may do. Four eyes treats the key and you as one person.")]

    def after(self, row: tuple[ApiKey, str]) -> str:
        key, auth_key = row
        text = gettext("Keep this key now, it cannot be shown again: client_no %(client)s, auth_key %(auth_key)s")
        self.tell(text % {"client": key.client_id, "auth_key": auth_key}, good=False)
        return self.back()
