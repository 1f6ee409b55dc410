"""Base of the forms of coupons, surcharges and tax rates: rows of the catalogue that are valid between two days."""

from collections.abc import Sequence
from copy import copy
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Service
from accounts.pages.forms import NumberField
from accounts.services.changing import check_unused, remove_row
from invoices.pages.acts.base import ActPage
from invoices.pages.catalogue.editors import CatalogueChange, RemoveForm
from invoices.pages.changing import Changes, RowForm, locked, values_of
from invoices.services.money.ledger.acts import seen_as
from invoices.services.planning.out_of_date import would_be_out_of_date

MOST_COUNTED = 1000
MOST_DIGITS = 19


def decimal_field(label: Any, help_text: Any = "", **options: Any) -> NumberField:
    """Return a field for a number, written as the reader's language writes it."""
    return NumberField(label=label, help_text=help_text, **options)


def counted(rows: QuerySet[Any]) -> tuple[int, str]:
    """Return the number of rows for a plural, and as text. Not more than 1,000 are counted."""
    count = rows.order_by()[: MOST_COUNTED + 1].count()
    return count, gettext("more than %(most)d") % {"most": MOST_COUNTED} if count > MOST_COUNTED else str(count)


def pending_note(row: Any) -> str:
    """Say which pending invoices a change of the row flags."""
    count, text = counted(would_be_out_of_date(row))
    if not count:
        return gettext("No pending invoice is affected. Issued invoices do not change.")
    flagged = ngettext(
        "%(count)s pending invoice keeps what it has until it is recalculated, and is flagged as out of date.",
        "%(count)s pending invoices keep what they have until they are recalculated, and are flagged as out of date.",
        count,
    )
    return f"{flagged % {'count': text}} {gettext('Issued invoices do not change.')}"


class ServicesField(forms.ModelMultipleChoiceField):
    """Services of the client. None chosen means all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Service.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, **options)

    def label_from_instance(self, obj: Any) -> str:
        return str(obj.name or obj.client_service_id)

    def said(self, value: Any) -> str:
        """Return chosen services in words: given as rows, or as their numbers."""
        numbers = [getattr(one, "pk", one) for one in value or ()]
        chosen = self.queryset.filter(pk__in=numbers) if numbers else ()  # type: ignore[union-attr]
        return ", ".join(map(self.label_from_instance, chosen)) or gettext("all services")


class DatedForm(RowForm):
    """A form whose choices of services are those of the client."""

    def offer(self) -> None:
        super().offer()
        own = Service.objects.filter(client=self.client).order_by("name", "pk")
        for field in self.fields.values():
            if isinstance(field, forms.ModelChoiceField) and field.queryset.model is Service:  # type: ignore[union-attr]
                field.queryset = own


class DatedPage(CatalogueChange):
    """A form of one row of `model`. Its preview plans the row and checks it, and writes nothing."""

    model: ClassVar[Any]
    list_name: ClassVar[str]
    page_name: ClassVar[str]

    @property
    def is_new(self) -> bool:
        return self.row is None

    def back(self) -> str:
        return self.after(self.row)

    def after(self, row: Any) -> str:
        """Return the address of a row, or of the list if there is none."""
        return reverse(self.list_name) if row is None else reverse(self.page_name, args=[row.pk])

    def stored(self, row: Any) -> dict[str, Any]:
        """Return what the fields have for a stored row."""
        return values_of(row, self.form_class._meta.fields)  # type: ignore[attr-defined]

    def preview(self, form: Any) -> Changes:
        self.check(form)
        changes, notes, version = self.changes(form), [str(one) for one in self.notes(form)], self._version()
        return Changes(changes, notes, seen_as(changes, notes, version), version)

    def check(self, form: Any) -> None:
        """Refuse what `do` would refuse, without writing or locking anything."""
        self.planned(form).full_clean()

    def planned(self, form: Any) -> Any:
        """Return the row with the typed values, not stored."""
        row = self.model(client=self.client) if self.is_new else copy(self.row)
        for name, value in self.columns(form).items():
            setattr(row, name, value)
        return row

    def columns(self, form: Any) -> dict[str, Any]:
        """Return the typed columns: all of a new row, else those that the reader has changed."""
        values = form.values if self.is_new else form.changed_columns
        return {name: value for name, value in values.items() if name != "services"}

    def notes(self, form: Any) -> list[str]:
        planned = self.planned(form)
        return [*self.follows(planned, form), *self._after_its_end(planned), pending_note(planned if self.is_new else self.row)]

    def follows(self, planned: Any, form: Any) -> Sequence[str]:
        """Say what the row applies to, and who is affected."""
        return []

    def _after_its_end(self, planned: Any) -> list[str]:
        if planned.valid_to is None:
            return []
        return [gettext("Its last day is %(day)s. Later days are without it.") % {"day": self.day(planned.valid_to)}]


class AddDated(DatedPage):
    """A new row. The address may name one that it begins with, so that only what differs is typed."""

    parameters = ("like",)

    def open(self, **numbers: int) -> None:
        self.row = None

    def initial(self) -> dict[str, Any]:
        like = self.request.GET.get("like", "")
        is_number = like.isascii() and like.isdecimal() and len(like) < MOST_DIGITS
        found = self.model.objects.filter(client=self.client, pk=like).first() if is_number else None
        first = self.first() if found is None else {**self.stored(found), "valid_to": None}
        return {**first, "valid_from": self.today.isoformat()}

    def first(self) -> dict[str, Any]:
        """Return what the fields of a row have that begins with nothing."""
        return {}


class ChangeDated(DatedPage):
    done: ClassVar[Any] = _("The change is saved.")

    def open(self, **numbers: int) -> None:
        (number,) = numbers.values()
        self.row = self.found(self.model.objects.all(), number)

    def initial(self) -> dict[str, Any]:
        return self.stored(self.row)

    def after(self, row: Any) -> str:
        return super().after(self.row)


class RemoveDated(DatedPage):
    """Removes a row that nothing refers to. Shows at once whether it can be removed."""

    form_class: ClassVar[Any] = RemoveForm
    button = _("Remove")
    tone = "btn-danger"
    done: ClassVar[Any] = _("It is removed.")
    get = ActPage.get

    def open(self, **numbers: int) -> None:
        (number,) = numbers.values()
        self.row = self.found(self.model.objects.all(), number)

    def initial(self) -> dict[str, Any]:
        return {}

    def do(self, form: Any, caller: Caller) -> None:
        remove_row(locked(self.row), caller=caller)

    def check(self, form: Any) -> None:
        check_unused(self.row)

    def notes(self, form: Any) -> list[str]:
        kept = gettext("It is removed, and its history stays. To stop it from a day on, give it a last day instead.")
        return [kept, pending_note(self.row)]
