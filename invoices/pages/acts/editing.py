"""Base of the pages that change one row: only what the reader has changed is written, and only over what was seen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext

from accounts.callers import Caller
from accounts.models import Account
from accounts.pages.forms import DayInput, field_of_column
from accounts.receipts import use
from accounts.services.changing import change_row, change_version, planned_values, version_of_row
from billing_site.errors import BillingError, ErrorCode
from invoices.pages.acts.base import ActForm, ActPage
from invoices.services.lists.row_changes import Change, shown_value
from invoices.services.money.ledger.acts import seen_as

Part = tuple[Any, Sequence[str]]
"""A heading, and the columns under it."""


class KnowsChanges(ActForm):
    """A form that sends back what its fields had at first, so that it knows what the reader has changed."""

    later: ClassVar[tuple[str, ...]] = ()

    @property
    def changed(self) -> dict[str, Any]:
        """The values that the reader has changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self.cleaned_data}


class RowForm(KnowsChanges):
    """A form of columns of a model, under headings. What the reader has not changed is known by its first value."""

    model: ClassVar[Any]
    parts: ClassVar[Sequence[Part]]

    def offer(self) -> None:
        super().offer()
        for _title, names in self.parts:
            for name in names:
                self.fields[name] = self._field(name)

    def _field(self, name: str) -> forms.Field:
        """Return the model's own form field, so that texts and limits are said once."""
        column = self.model._meta.get_field(name)
        widget = {"widget": DayInput} if column.get_internal_type() == "DateField" else {}
        field: forms.Field = field_of_column(column, **widget)
        field.show_hidden_initial = True
        return field

    @property
    def groups(self) -> list[tuple[Any, list[Any]]]:
        """The fields under their headings."""
        return [(title, [self[name] for name in names]) for title, names in self.parts]


class RowPreview(NamedTuple):
    """What a change sets, and what follows from it. Bound to the version of the row, and to what is written."""

    changes: list[Change]
    follows: Any
    seen: str
    version: str = ""


def column_changes(row: Any, values: Mapping[str, Any]) -> list[Change]:
    """Return the values of a row that a change sets, as they are shown."""
    fields = [row._meta.get_field(name) for name in values]
    return [
        Change(str(field.verbose_name), shown_value(field, getattr(row, field.name)), shown_value(field, values[field.name]))
        for field in fields
    ]


@contextmanager
def over_what_was_seen() -> Iterator[None]:
    """A transaction that changes a version of a row. If the row has another version, its page shows the change anew (90003)."""
    try:
        with transaction.atomic():
            yield
    except BillingError as refusal:
        if refusal.code is ErrorCode.CHANGED_SINCE:
            raise BillingError(ErrorCode.DOCUMENT_MOVED) from refusal
        raise


class AccountActPage(ActPage):
    """An act on an account, which returns to its page. `consequences` shows what follows from it."""

    account: Account
    consequences = "acts/_follows.html"

    def open(self, **numbers: int) -> None:
        self.account = self.found(Account.objects.select_related("client"), numbers["number"])

    def back(self) -> str:
        return reverse("account", args=[self.account.pk])

    def context(self, preview: Any) -> Mapping[str, Any]:
        return {"account": self.account}


class AddRowPage(AccountActPage):
    """A new row of an account."""

    template = "acts/edit.html"
    done: ClassVar[Any]
    form_class: ClassVar[type[RowForm]]

    def planned(self, form: RowForm) -> Any:
        """Return the row as it would be added. Refuses what the model refuses."""
        row = form.model(account=self.account, **form.cleaned_data)
        row.full_clean(exclude=self.numbered)
        return row

    numbered: ClassVar[tuple[str, ...]] = ()
    """Columns that the service sets."""

    def follows(self, row: Any) -> Any:
        return None

    def preview(self, form: RowForm) -> RowPreview:
        row = self.planned(form)
        blank = form.model(account=self.account)
        values = {name: getattr(row, name) for name in form.cleaned_data if getattr(row, name) != getattr(blank, name)}
        follows = self.follows(row)
        return RowPreview(column_changes(blank, values), follows, seen_as(str(sorted(values.items())), str(follows)))


class EditPage(AccountActPage):
    """A change of one row."""

    template = "acts/edit.html"
    done: ClassVar[Any]
    form_class: ClassVar[type[RowForm]]
    row: Any
    change: ClassVar[Callable[..., Any]] = staticmethod(change_row)
    """The service that writes the change."""
    planned: ClassVar[Callable[..., dict[str, Any]]] = staticmethod(planned_values)
    """The function that plans it."""

    def initial(self) -> dict[str, Any]:
        return {name: _as_typed(getattr(self.row, name)) for _title, names in self.form_class.parts for name in names}

    def form(self, data: Any, **options: Any) -> Any:
        # What a reader sees at first is no change yet, so it is the initial data too.
        return super().form(data, **{"initial": self.initial(), **options})

    def follows(self, values: Mapping[str, Any]) -> Any:
        """Return what follows from a change besides it."""
        return None

    def preview(self, form: RowForm) -> RowPreview:
        values = type(self).planned(self.row, form.changed)
        version, follows = version_of_row(self.row), self.follows(values)
        # What changes nothing needs no confirmation, so a change that was not shown yet is not taken for one that has moved.
        seen = seen_as(version, str(sorted(values.items())), str(follows)) if values else ""
        return RowPreview(column_changes(self.row, values), follows, seen, version)

    def act(self, form: RowForm, caller: Caller, preview: RowPreview) -> str:
        with over_what_was_seen():
            use(self.client, caller.receipt)
            change_version(self.row, form.changed, version=preview.version, caller=caller, change=type(self).change)
        self.tell(str(self.done) if preview.changes else gettext("Nothing was changed."))
        return self.back()

    def context(self, preview: Any) -> Mapping[str, Any]:
        return {**super().context(preview), "row": self.row}


def _as_typed(value: Any) -> Any:
    return "" if value is None else value
