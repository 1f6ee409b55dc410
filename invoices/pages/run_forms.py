"""The form of a new billing run: which accounts, how, and when it stops."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import ProhibitNullCharactersValidator
from django.utils.translation import gettext_lazy as _

from accounts.kinds import PaymentMethodType
from accounts.models import Account, Client, Plan
from accounts.pages.forms import DayInput, NumberField, style_fields
from billing_site.common.numbers import short_number
from invoices.kinds import RunMode
from invoices.models import BillingRun, RunFilter
from invoices.services.runs.account_lists import rows_of_text
from invoices.services.runs.filters import NO_METHOD, filter_values
from invoices.services.runs.limits import LIMITS

LONGEST_LIST = 2_000_000
"""Bytes of a pasted or uploaded list of accounts."""

LIMIT_LABELS = {
    "stop_above_refusals": _("Refused accounts"),
    "stop_above_refused_percent": _("Refused accounts in percent"),
    "stop_above_percent_of_last": _("Total in percent of the last run"),
    "stop_above_invoice": _("Total of one invoice"),
}
LIMIT_HELP = _("Empty: no limit. 0 is a limit, too.")


class Several(forms.SelectMultiple):
    """A list of four rows in which several can be chosen."""

    def __init__(self) -> None:
        super().__init__(attrs={"size": 4})


class LimitsForm(forms.Form):
    """The limits of a run, beginning with those of the client."""

    stop_above_refusals = forms.IntegerField(required=False, min_value=0, max_value=999_999_999)
    stop_above_refused_percent = NumberField(required=False, min_value=0, max_value=100, decimal_places=2)
    stop_above_percent_of_last = NumberField(required=False, min_value=0, max_value=99_999, decimal_places=2)
    stop_above_invoice = NumberField(required=False, min_value=0, max_value=99_999_999_999, decimal_places=4)

    def __init__(self, client: Client, data: Any = None, files: Any = None, **options: Any) -> None:
        initial = {name: _plain(getattr(client, name)) for name in LIMITS} | (options.pop("initial", None) or {})
        super().__init__(data, files, initial=initial, **options)
        self.fill(client)
        style_fields(self)  # last, because it looks for errors

    def fill(self, client: Client) -> None:
        """Give the fields their labels and choices."""
        for name, label in LIMIT_LABELS.items():
            self.fields[name].label, self.fields[name].help_text = label, LIMIT_HELP

    @property
    def limits(self) -> dict[str, Decimal | int | None]:
        return {name: self.cleaned_data[name] for name in LIMITS}

    def limit_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in LIMITS]


def _plain(value: Any) -> Any:
    return short_number(value) if isinstance(value, Decimal) else value


class RunForm(LimitsForm):
    """The filter, mode and limits of a run. Services check the filter."""

    saved = forms.ChoiceField(required=False, label=_("Saved filter"), help_text=_("Choose one. It replaces the fields below."))
    shown_filter = forms.CharField(required=False, widget=forms.HiddenInput)
    due_until = forms.CharField(
        required=False,
        max_length=10,
        widget=DayInput,
        label=_("Bill date up to"),
        help_text=_("Empty: today. In advance: a later day."),
    )
    bill_days = forms.CharField(required=False, max_length=200, label=_("Bill days"), help_text=_("Such as 1, 15, 31."))
    currencies = forms.MultipleChoiceField(
        required=False, label=_("Currencies"), widget=forms.SelectMultiple(attrs={"size": 4})
    )
    plans = forms.MultipleChoiceField(required=False, label=_("Plans"), widget=forms.SelectMultiple(attrs={"size": 4}))
    payment_methods = forms.MultipleChoiceField(
        required=False,
        label=_("Payment methods"),
        choices=[*PaymentMethodType.choices, (NO_METHOD, _("None"))],
        widget=Several,
    )
    countries = forms.CharField(
        required=False, max_length=1000, label=_("Countries"), help_text=_("Of the billing contact, such as US, CA.")
    )
    regions = forms.CharField(
        required=False, max_length=1000, label=_("Regions"), help_text=_("With their country, such as US-CA, US-NV.")
    )
    accounts = forms.CharField(
        required=False,
        max_length=LONGEST_LIST,
        label=_("Accounts"),
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Account numbers or your own ids, one a line."),
    )
    accounts_file = forms.FileField(
        required=False,
        label=_("Or a CSV file of accounts"),
        help_text=_("With a column acct_no or client_acct_id, or one account a line."),
    )
    mode = forms.ChoiceField(
        required=False,
        choices=[(RunMode.AS_CONFIGURED.value, _("As the settings say")), *RunMode.choices[1:]],
        label=_("Invoices"),
    )
    name = forms.CharField(
        required=False, max_length=100, label=_("Name of the filter"), help_text=_("To save the filter for later runs.")
    )

    field_order = ("saved", "due_until", "bill_days", "currencies", "plans", "payment_methods", "countries", "regions")

    def fill(self, client: Client) -> None:
        super().fill(client)
        currencies = Account.objects.filter(client=client).order_by().values_list("currency", flat=True).distinct()
        plans = Plan.objects.filter(client=client).order_by("name", "pk")
        names = RunFilter.objects.filter(client=client).values_list("name", flat=True)
        self._offer("currencies", [(one, one.upper()) for one in sorted(currencies)])
        self._offer("plans", [(str(plan.pk), f"{plan.name} ({plan.client_plan_id})") for plan in plans])
        self._offer("saved", [("", _("None")), *((name, name) for name in names)])

    def _offer(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean_accounts_file(self) -> str:
        """The text of the file."""
        file = self.cleaned_data["accounts_file"]
        if file is None:
            return ""
        if file.size > LONGEST_LIST:
            raise forms.ValidationError(_("The file is too large."))
        try:
            text = str(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise forms.ValidationError(_("This is not a CSV file in UTF-8.")) from None
        if not text.strip():
            raise forms.ValidationError(self.fields["accounts_file"].error_messages["empty"])
        ProhibitNullCharactersValidator()(text)
        return text

    @property
    def other_filter(self) -> str:
        """The saved filter that is chosen while the fields do not show it yet, or an empty text."""
        saved: str = self.cleaned_data["saved"]
        return "" if saved == self.cleaned_data["shown_filter"] else saved

    @property
    def rows(self) -> list[tuple[int, str]]:
        """The rows of the list of accounts: of the file if there is one."""
        return rows_of_text(self.cleaned_data["accounts_file"] or self.cleaned_data["accounts"])

    def filter_values(self, accounts: list[str]) -> dict[str, Any]:
        """The filter as `read_filter` takes it."""
        data = self.cleaned_data
        split = {name: _split(data[name]) for name in ("bill_days", "countries", "regions")}
        chosen = {name: data[name] for name in ("currencies", "plans", "payment_methods")}
        return {**split, **chosen, "accounts": accounts, "due_until": data["due_until"] or None}

    def filter_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.field_order[1:]]


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]


def form_data_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields of RunForm have for a stored filter."""
    values = filter_values(stored)
    joined = {name: ", ".join(map(str, values[name])) for name in ("bill_days", "countries", "regions")}
    several = {name: [str(one) for one in values[name]] for name in ("currencies", "plans", "payment_methods")}
    return {**joined, **several, "due_until": values["due_until"] or "", "accounts": "\n".join(map(str, values["accounts"]))}


MOST_VALUES_SHOWN = 20


def filter_parts(run: BillingRun) -> list[tuple[str, str]]:
    """The parts of a run's filter that are not empty, each with its label and its first values."""
    parts = []
    for name, value in run.filter.items():
        values = value if isinstance(value, list) else [value]
        shown = ", ".join(map(str, values[:MOST_VALUES_SHOWN]))
        more = len(values) - MOST_VALUES_SHOWN
        parts.append((str(RunForm.base_fields[name].label), f"{shown} … (+{more})" if more > 0 else shown))
    return parts
