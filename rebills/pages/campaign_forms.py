"""The form of a new campaign: which invoices, what changes, and how the rebills are issued."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Client, Plan, SavedView, Service
from accounts.pages.forms import DayInput, NumberField, style_fields
from billing_site.common.limits import DOCUMENT_COMMENTS_LENGTH, LINE_COMMENTS_LENGTH, PO_NUM_LENGTH
from invoices.kinds import LineType, ReasonType
from invoices.pages.forms import credit_to_field
from invoices.services.documents.reasons import reasons_of
from rebills.kinds import RuleChange, Statements
from rebills.services.campaigns.campaigns import CampaignOptions

RULES_OF_A_FORM = 3
SERVICES_SHOWN = 1000
LONGEST_LIST = 2_000_000
"""Characters of a pasted list of invoices."""

CONDITIONS = ("services", "plans", "line_types", "charged_from", "charged_until")


def _number(label: Any, **options: Any) -> NumberField:
    return NumberField(required=False, label=label, max_digits=20, decimal_places=10, **options)


def _day(label: Any) -> forms.DateField:
    return forms.DateField(required=False, label=label, widget=DayInput())


def _services(client: Client) -> list[tuple[str, str]]:
    rows = Service.objects.filter(client=client).order_by("name", "pk").values_list("pk", "name")[:SERVICES_SHOWN]
    return [("", ""), *((str(number), name) for number, name in rows)]


def _plans(client: Client) -> list[tuple[str, str]]:
    rows = Plan.objects.filter(client=client).order_by("name", "pk").values_list("pk", "name")[:SERVICES_SHOWN]
    return [("", ""), *((str(number), name) for number, name in rows)]


class RuleForm(forms.Form):
    """One change and the lines that it is made on. Without a change it is empty."""

    change = forms.ChoiceField(required=False, label=pgettext_lazy("noun", "Change"), choices=[("", "–"), *RuleChange.choices])
    value = _number(_("New value"), help_text=_("The rate, factor, percentage, units or amount."))
    text = forms.CharField(required=False, label=_("PO number or text"), max_length=PO_NUM_LENGTH)
    number = forms.IntegerField(required=False, min_value=0, label=_("Contact, location or service number"))
    units = _number(_("Units of an added line"))
    decimals = forms.IntegerField(required=False, min_value=0, max_value=10, label=_("Round rates to decimals"))
    services = forms.ChoiceField(required=False, label=_("Only this service"))
    plans = forms.ChoiceField(required=False, label=_("Only this plan"))
    line_types = forms.ChoiceField(
        required=False,
        label=_("Only this type of line"),
        choices=[("", ""), *(one for one in LineType.choices if one[0] != LineType.TAX)],
    )
    at_rate = _number(_("Only lines at this rate"))
    charged_from = _day(_("Only lines that charge days from"))
    charged_until = _day(_("Only lines that charge days until"))
    comments = forms.CharField(required=False, label=_("Comment on the line"), max_length=LINE_COMMENTS_LENGTH)

    def __init__(self, client: Client, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["services"].choices = _services(client)  # type: ignore[attr-defined]
        self.fields["plans"].choices = _plans(client)  # type: ignore[attr-defined]
        style_fields(self)  # last, because it looks for errors

    @property
    def rule(self) -> dict[str, Any] | None:
        """The rule as the service reads it, or None if the form is empty."""
        given = {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}
        if not given:
            return None
        return {name: [value] if name in ("services", "plans", "line_types") else value for name, value in given.items()}


class CampaignForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("What was wrong, such as: telephone 2 % too dear."))
    view = forms.ChoiceField(
        required=False, label=_("Saved view of invoices"), help_text=_("The issued invoices that the view shows now.")
    )
    invoices = forms.CharField(
        required=False,
        label=_("Invoice numbers"),
        max_length=LONGEST_LIST,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One in each row. Leave it empty to choose by the other fields."),
    )
    accounts = forms.CharField(
        required=False, label=_("Accounts"), max_length=LONGEST_LIST, widget=forms.Textarea(attrs={"rows": 2})
    )
    currencies = forms.CharField(required=False, label=_("Currency"), max_length=3)
    dated_from = _day(_("Invoice date from"))
    dated_until = _day(_("Invoice date until"))
    services = forms.ChoiceField(required=False, label=_("Charged this service"))
    plans = forms.ChoiceField(required=False, label=_("Charged this plan"))
    rate = _number(_("At this rate"))
    charged_from = _day(_("For days from"))
    charged_until = _day(_("For days until"))
    file = forms.FileField(
        required=False,
        label=_("File of changes"),
        help_text=_(
            "CSV with the columns invoice, line, field and value. It names the invoices, so leave the fields above empty."
        ),
    )
    reason_code = forms.ChoiceField(label=_("Reason"))
    comments = forms.CharField(
        required=False,
        label=_("Comment, printed on each document"),
        max_length=DOCUMENT_COMMENTS_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    statements = forms.ChoiceField(label=_("Statements"), choices=Statements.choices, initial=Statements.HELD)
    collect = forms.BooleanField(required=False, label=_("Collect what is due on each rebill"))
    collect_limit = NumberField(
        required=False, min_value=0, max_digits=15, decimal_places=4, label=_("Do not collect above, for one rebill")
    )
    collect_total_limit = NumberField(
        required=False, min_value=0, max_digits=15, decimal_places=4, label=_("Collect at most, in one currency")
    )

    keeps_due_date = forms.TypedChoiceField(
        required=False,
        label=_("Due date of the rebills"),
        coerce=lambda text: text == "yes",
        empty_value=None,
        choices=[("", _("As the settings say")), ("yes", _("That of the original")), ("no", _("Counted from the rebill"))],
    )
    credit_to = credit_to_field()
    refund_limit = NumberField(
        required=False, min_value=0, max_digits=15, decimal_places=4, label=_("Do not refund above, for one rebill")
    )
    refund_total_limit = NumberField(
        required=False, min_value=0, max_digits=15, decimal_places=4, label=_("Refund at most, in one currency")
    )

    def __init__(
        self, client: Client, data: Any = None, files: Any = None, *, views: Sequence[SavedView], **options: Any
    ) -> None:
        super().__init__(data, files, **options)
        self.views = {str(view.pk): view for view in views}
        names = [(number, view.name) for number, view in self.views.items()]
        self.fields["view"].choices = [("", "–"), *names]  # type: ignore[attr-defined]
        self.rules = [RuleForm(client, data, prefix=f"rule-{place}") for place in range(RULES_OF_A_FORM)]
        self.fields["services"].choices = _services(client)  # type: ignore[attr-defined]
        self.fields["plans"].choices = _plans(client)  # type: ignore[attr-defined]
        reasons = [(str(reason.code), reason.shown_name) for reason in reasons_of(client, ReasonType.REBILL)]
        self.fields["reason_code"].choices = reasons  # type: ignore[attr-defined]
        style_fields(self)  # last, because it looks for errors

    def is_valid(self) -> bool:
        return all([super().is_valid(), *(rule.is_valid() for rule in self.rules)])

    def filter_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in FILTER_FIELDS]

    def option_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in OPTION_FIELDS]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("view") and data.get("invoices"):
            self.add_error("view", _("Choose a view or name the invoices, not both."))
        return data

    @property
    def view_query(self) -> str | None:
        """The query of the chosen view, or None."""
        view = self.views.get(self.cleaned_data["view"])
        return None if view is None else view.query

    @property
    def selection(self) -> dict[str, Any]:
        """The selection as the service reads it."""
        data = self.cleaned_data
        lists = {name: data[name].split() for name in ("invoices", "accounts", "currencies")}
        one = {name: [data[name]] if data[name] else [] for name in ("services", "plans")}
        days = {name: data[name] for name in ("dated_from", "dated_until", "charged_from", "charged_until", "rate")}
        return {name: value for name, value in {**lists, **one, **days}.items() if value not in (None, [], "")}

    @cached_property
    def file_text(self) -> str:
        """The text of the file, or an empty text."""
        uploaded = self.cleaned_data["file"]
        return "" if uploaded is None else uploaded.read().decode("utf-8-sig", "replace")

    @property
    def given_rules(self) -> Sequence[Mapping[str, Any]]:
        return [one.rule for one in self.rules if one.rule is not None]

    @property
    def options(self) -> CampaignOptions:
        data = self.cleaned_data
        return CampaignOptions(
            reason_code=int(data["reason_code"]),
            comments=data["comments"],
            statements=Statements(data["statements"]),
            collect=data["collect"],
            collect_limit=data["collect_limit"],
            collect_total_limit=data["collect_total_limit"],
            keeps_due_date=data["keeps_due_date"],
            credit_to=data["credit_to"],
            refund_limit=data["refund_limit"],
            refund_total_limit=data["refund_total_limit"],
        )


FILTER_FIELDS = (
    "view",
    "services",
    "rate",
    "charged_from",
    "charged_until",
    "plans",
    "dated_from",
    "dated_until",
    "currencies",
    "accounts",
    "invoices",
)
OPTION_FIELDS = (
    *("reason_code", "comments", "statements", "collect", "collect_limit", "collect_total_limit"),
    *("keeps_due_date", "credit_to", "refund_limit", "refund_total_limit"),
)
