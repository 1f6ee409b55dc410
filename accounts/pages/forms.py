"""Base forms of the pages."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.db import models
from django.utils.translation import gettext_lazy as _

from billing_site.common.exact_decimals import DigitsInput, ExactDecimalField, RoundedInput
from billing_site.common.numbers import plain_number
from billing_site.errors import BillingError

CLASSES: dict[type[forms.Widget], str] = {
    forms.CheckboxInput: "form-check-input",
    forms.RadioSelect: "form-check-input",
    forms.Select: "form-select",
}


class PageForm(forms.Form):
    """A form whose fields are rendered by `_field.html`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        style_fields(self)


class SignInForm(AuthenticationForm):
    """Sign-in for staff only."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "not_staff": _("This user is not staff and cannot sign in here."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        style_fields(self)

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if not user.is_staff:
            raise forms.ValidationError(self.error_messages["not_staff"], code="not_staff")


class NumberField(DigitsInput):
    """A field for an amount, units, a rate or a percentage, read and shown as `billing_site.common.numbers` says."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput({"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(**{"localize": True, "widget": widget, **options})

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        return super().to_python(plain_number(value) if isinstance(value, str) else value)


class RoundedNumberField(RoundedInput, NumberField):
    """A number of a column of many decimals, which rounds what has more."""


def field_of_column(column: Any, **options: Any) -> Any:
    """Return a form's field of a model's column, for its `formfield_callback`: all pages read numbers in the same way."""
    kind: dict[str, Any] = {}
    if isinstance(column, models.DecimalField):
        kind = {"form_class": RoundedNumberField if isinstance(column, ExactDecimalField) else NumberField}
    return column.formfield(**{**options, **kind})


class DayInput(forms.DateInput):
    """The browser's own date picker."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def show_refusal(form: forms.Form, refusal: BillingError, field: str | None = None) -> bool:
    """Show a service's refusal at its field, where the label stands for the input's name, or above the form if the form does
    not have the field. `field` is the form's own name of it. Returns whether the form has the field."""
    name = field or refusal.field
    if name not in form.fields:
        form.add_error(None, refusal.shown)
        return False
    form.add_error(name, refusal.shown_at_field)
    style_fields(form)
    return True


def style_fields(form: forms.Form) -> None:
    for name, field in form.fields.items():
        kind = next((css for widget, css in CLASSES.items() if isinstance(field.widget, widget)), "form-control")
        field.widget.attrs.setdefault("class", kind)
        if form.is_bound and name in form.errors:
            field.widget.attrs["class"] += " is-invalid"
            field.widget.attrs["aria-invalid"] = "true"
