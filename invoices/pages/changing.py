"""Base of the pages that change master data: a form, what would change and what follows from it, then the change.

Only what the reader has changed is written, and only over the version of the row that was seen.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms.models import model_to_dict
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.receipts import use
from accounts.services.changing import check_version, version_of_row
from billing_site.common.numbers import short_number
from billing_site.errors import BillingError, ErrorCode
from invoices.pages.acts.base import ActPage
from invoices.pages.acts.editing import KnowsChanges, over_what_was_seen
from invoices.services.money.ledger.acts import seen_as
from invoices.services.planning.rehearsing import attempt


class Change(NamedTuple):
    """A column that gets another value, in words."""

    label: str
    before: str
    after: str


class Changes(NamedTuple):
    """What a change page shows before the change: what changes, what follows from it, and what the page itself adds."""

    changes: Sequence[Change]
    notes: Sequence[str]
    seen: str
    version: str
    more: Any = None


class RowForm(KnowsChanges, forms.ModelForm):
    """A form of columns of a row. The service that stores the row checks it as a whole."""

    def offer(self) -> None:
        """Send the columns' first values too. Where they do not come back, those of the row count."""
        super().offer()
        for name in self._meta.fields or ():
            self.fields[name].show_hidden_initial = not self.is_bound or self.add_initial_prefix(name) in self.data

    def _get_validation_exclusions(self) -> set[str]:
        """Leave all checks of the row as a whole to the service, which knows its other columns, and fields that are refused
        already to their message."""
        others = {one.name for one in self._meta.model._meta.concrete_fields if one.name not in (self._meta.fields or ())}
        return others | set(self.errors)

    def _update_errors(self, errors: ValidationError) -> None:
        """Show what the model refuses. If a field is refused already, show only what the model refuses of single columns.

        What it says of the incomplete row as a whole would contradict the field's message.
        """
        if not self.errors:
            super()._update_errors(errors)  # type: ignore[misc]
            return
        try:
            self.instance.clean_fields(exclude=self._get_validation_exclusions())
        except ValidationError as of_columns:
            super()._update_errors(of_columns)  # type: ignore[misc]

    def validate_constraints(self) -> None:
        """The service validates constraints."""

    def validate_unique(self) -> None:
        """The service validates unique columns."""

    @property
    def values(self) -> dict[str, Any]:
        """The columns' values."""
        return {name: self.cleaned_data[name] for name in self._meta.fields or ()}

    @property
    def changed_columns(self) -> dict[str, Any]:
        """The columns that the reader has changed."""
        return {name: value for name, value in self.changed.items() if name in (self._meta.fields or ())}


def values_of(row: Model, names: Sequence[str]) -> dict[str, Any]:
    """Return what the fields of a row's form have at first. Numbers are without the zeros that the database adds."""
    found = model_to_dict(row, fields=names)
    return {name: Decimal(f"{value.normalize():f}") if isinstance(value, Decimal) else value for name, value in found.items()}


def said(field: forms.Field, value: Any) -> str:
    """Return the value of a field in words. A field of our own may know them itself."""
    if hasattr(field, "said"):
        return str(field.said(value)) or "–"
    if isinstance(field, forms.BooleanField):
        return gettext("yes") if value else gettext("no")
    if value in (None, "", []):
        return "–"
    if isinstance(value, Decimal):
        return short_number(value)
    named = dict(getattr(field, "choices", ())) if isinstance(field, forms.ChoiceField) else {}
    return ", ".join(str(named.get(one, one)) for one in (value if isinstance(value, list | tuple) else [value]))


class ChangePage(ActPage):
    """A change of master data. `do` makes it by its service; a preview does it too, and takes it back."""

    template = "acts/change.html"
    button = _("Save")
    done: ClassVar[Any] = _("Saved.")
    row: Any = None

    def get(self, request: HttpRequest, **numbers: Any) -> HttpResponseBase:
        """Show the form. Nothing is changed yet, so nothing is previewed."""
        self.open(**numbers)
        self._check_right()
        return self._shown(self.form(None, initial=self.initial()), None)

    def form(self, data: Any, **options: Any) -> Any:
        return super().form(data, **{"initial": self.initial(), **options})

    def initial(self) -> dict[str, Any]:
        return {} if self.row is None else values_of(self.row, self.form_class._meta.fields)  # type: ignore[attr-defined]

    def do(self, form: Any, caller: Caller) -> Any:
        """Make the change by its service."""
        raise NotImplementedError

    def after(self, row: Any) -> str:
        """Return the address to go to after the change. `row` is what `do` returned."""
        return self.back()

    def notes(self, form: Any) -> list[str]:
        """Say what follows from the change."""
        return []

    def more(self, form: Any) -> Any:
        """Return what a preview shows besides."""
        return None

    def try_out(self, form: Any) -> None:
        """Refuse what the change refuses. The change is made by its service, and taken back."""
        attempt(lambda: self.do(form, self.caller))

    def preview(self, form: Any) -> Changes:
        self.try_out(form)
        changes, notes, version = self.changes(form), self.notes(form), self._version()
        return Changes(changes, notes, seen_as(changes, [str(one) for one in notes], version), version, self.more(form))

    def _version(self) -> str:
        """Return a text that differs if the row differs. A new row, and one without history, have none."""
        return version_of_row(self.row) if self._is_versioned() else ""

    def _is_versioned(self) -> bool:
        return self.row is not None and self.row.pk is not None and hasattr(type(self.row), "history")

    def before(self, form: Any) -> Mapping[str, Any]:
        """Return the values that the change replaces."""
        return self.initial()

    def changes(self, form: Any) -> list[Change]:
        before = self.before(form)
        shown = [(field, name, before.get(name), form.cleaned_data.get(name)) for name, field in form.fields.items()]
        kept = self._kept(form)
        said_ = [
            (field.label or name, said(field, old), said(field, _plain(new)))
            for field, name, old, new in shown
            if name not in kept
        ]
        return [Change(str(label), old, new) for label, old, new in said_ if old != new]

    def _kept(self, form: Any) -> set[str]:
        """Return the columns of a stored row that the reader has not changed."""
        if self.row is None or not isinstance(form, RowForm):
            return set()
        return set(form._meta.fields or ()) - set(form.changed_data)

    def _check_unchanged(self, form: Any, preview: Changes) -> None:
        """Lock the row. Refuses (90162) if it, or a part of it that the form shows, is not what was seen."""
        if not self._is_versioned():
            return
        check_version(self.row, preview.version)
        self.row.refresh_from_db()
        if self.changes(form) != preview.changes:
            raise BillingError(ErrorCode.CHANGED_SINCE)

    def act(self, form: Any, caller: Caller, preview: Changes) -> str:
        with over_what_was_seen():
            use(self.client, caller.receipt)
            self._check_unchanged(form, preview)
            row = self.do(form, caller)
        self.tell(str(self.done))
        return self.after(row)

    def context(self, preview: Any) -> Mapping[str, Any]:
        return {"row": self.row}


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value


def locked(row: Any) -> Any:
    """Return the stored row, locked until the end of the transaction."""
    return type(row)._default_manager.select_for_update(no_key=True).get(pk=row.pk)
