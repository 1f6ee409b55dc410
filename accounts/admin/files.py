"""Import and export of CSV files. Rows are checked as on the forms, previewed first, and limited to the clients of the user."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from import_export.admin import ImportExportMixin
from import_export.fields import Field
from import_export.formats.base_formats import CSV
from import_export.resources import ModelResource
from import_export.widgets import DecimalWidget, ForeignKeyWidget
from tablib import Dataset
from unfold.contrib.import_export.forms import ExportForm, ImportForm

from accounts.admin.rows import OwnRows, own_rows
from accounts.callers import Caller
from accounts.importing.reading import DECIMAL_COMMA, UnreadableFile, read_rows
from accounts.models import Client
from accounts.staff import clients_of
from billing_site.common.csv_lists import marked, unmarked
from billing_site.common.members import unknown_columns
from billing_site.common.written import WITH_EXPONENT, has_exponent
from billing_site.errors import BillingError

CLIENT_NO = "client_no"


class OfClient(ForeignKeyWidget):  # type: ignore[misc]
    """A row of the same client, found by the client's own identifier."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        if not value:
            return None
        found = self.model._default_manager.filter(**{"client": row[CLIENT_NO], self.field: value}).first()
        if found is None:
            raise ValueError(_("%(value)s does not exist") % {"value": value})
        return found


def of_client(name: str, model: type[Model], own_id: str, **options: Any) -> Field:
    return Field(column_name=own_id, attribute=name, widget=OfClient(model, own_id), **options)


class TidyCSV(CSV):  # type: ignore[misc]
    """CSV as spreadsheets write it, with any separator and without empty rows, read by the same code as the commands."""

    def create_dataset(self, in_stream: Any, **kwargs: Any) -> Dataset:
        content = in_stream if isinstance(in_stream, bytes) else in_stream.encode()
        dataset = Dataset()
        for row in read_rows(BytesIO(content), ()):
            if row.fault:
                raise UnreadableFile(f"line {row.line} {row.fault}")
            if dataset.headers is None:
                dataset.headers = list(row.values)
            dataset.append(list(row.values.values()))
        return dataset


class ClientFile(ModelResource):  # type: ignore[misc]
    """Rows of a client, which each row names by its number. Staff who are assigned to only one client may leave it out.

    A row that exists is changed, any other is created. An empty cell keeps the value of a column that cannot be empty.
    """

    client_no = Field(column_name=CLIENT_NO, attribute="client", widget=ForeignKeyWidget(Client))

    class Meta:
        clean_model_instances = True
        use_transactions = True
        skip_unchanged = True
        report_skipped = True

    def __init__(self, user: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user = user

    @property
    def caller(self) -> Caller:
        return Caller(staff=self.user)

    @property
    def pages(self) -> Any:
        return admin.site.get_model_admin(self._meta.model)

    def get_queryset(self) -> QuerySet[Any]:
        return own_rows(super().get_queryset(), self.user)

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        if CLIENT_NO not in dataset.headers:
            dataset.append_col([""] * len(dataset), header=CLIENT_NO)
        known = [field.column_name for field in self.get_import_fields()]
        if unknown := unknown_columns(dataset.headers, known):
            raise UnreadableFile(unknown)

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        for column, value in row.items():
            row[column] = unmarked(value)
        self._check_numbers(row)
        row[CLIENT_NO] = self.client_of(row[CLIENT_NO])

    def _check_numbers(self, row: Any) -> None:
        """Refuse a number with an exponent, or with a decimal comma: 1,234 could also mean a thousand."""
        for field in self.get_import_fields():
            text = (row.get(field.column_name) or "").strip()
            if isinstance(field.widget, DecimalWidget) and DECIMAL_COMMA.fullmatch(text):
                raise ValidationError({field.column_name: _("This is not a number. Write decimals with a point: 1.5.")})
            if isinstance(field.widget, DecimalWidget) and has_exponent(text):
                raise ValidationError({field.column_name: WITH_EXPONENT})

    def client_of(self, number: str) -> int | None:
        """Return the number of the client that the row belongs to."""
        own = clients_of(self.user)
        found = list(own.filter(pk=number) if number.isdecimal() else own[:2] if not number else ())
        if len(found) != 1:
            raise ValidationError({CLIENT_NO: _("Give the number of one of your clients.")})
        return found[0].pk

    def import_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        fixed = self.pages.get_fixed_fields(instance) if instance.pk else ()
        before = {name: getattr(instance, name) for name in fixed}
        super().import_instance(instance, row, **kwargs)
        changed = [name for name, value in before.items() if getattr(instance, name) != value]
        if changed:
            raise ValidationError({name: _("This column cannot be changed after the row is created.") for name in changed})

    def import_field(self, field: Field, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        if row.get(field.column_name) in ("", None) and field.attribute in self._not_emptied(instance):
            return
        super().import_field(field, instance, row, is_m2m, **kwargs)

    def _not_emptied(self, instance: Any) -> set[str]:
        fields = instance._meta.concrete_fields
        needed = {field.name for field in fields if not field.null and not getattr(field, "empty_strings_allowed", False)}
        return needed.union(self.pages.get_fixed_fields(instance) if instance.pk else ())

    def save_instance(self, instance: Any, is_create: bool, row: Any, **kwargs: Any) -> None:
        """Report a service's refusal as an error of the row."""
        try:
            super().save_instance(instance, is_create, row, **kwargs)
        except BillingError as refusal:
            raise ValidationError(refusal.shown) from refusal

    def do_instance_save(self, instance: Any, is_create: bool) -> None:
        """Write only the file's columns of an existing row, so that columns that billing changed meanwhile are kept."""
        if is_create:
            self.create(instance)
        else:
            written = {field.attribute for field in self.get_import_fields()}
            instance.save(update_fields=[field.name for field in instance._meta.concrete_fields if field.name in written])

    def create(self, instance: Any) -> None:
        instance.save(force_insert=True)

    def export_field(self, field: Field, instance: Any, **kwargs: Any) -> Any:
        return marked(super().export_field(field, instance, **kwargs))


class FilesAdmin(ImportExportMixin, OwnRows):  # type: ignore[misc]
    """A list with CSV import for staff who may add and change its rows, and CSV export for staff who may view them."""

    import_form_class = ImportForm
    export_form_class = ExportForm
    formats = [TidyCSV]
    # The history of the rows records the import already.
    skip_admin_log = True
    has_add_permission: Callable[..., bool]
    has_change_permission: Callable[..., bool]
    has_view_permission: Callable[..., bool]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def add_data_read_fail_error_to_form(self, form: Any, error: Exception) -> None:
        """Show why a file cannot be read."""
        if isinstance(error, UnreadableFile):
            form.add_error("import_file", _("The file cannot be read: %(why)s.") % {"why": error})
        else:
            super().add_data_read_fail_error_to_form(form, error)

    def export_action(self, request: HttpRequest) -> HttpResponseBase:
        """Export nothing if a filter is not known, and say so on the list: otherwise all rows would be exported."""
        try:
            response: HttpResponseBase = super().export_action(request)
        except IncorrectLookupParameters:
            messages.error(request, _("This list does not have this filter. Nothing was exported."))
            return redirect(f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_changelist")
        return response

    def get_resource_kwargs(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"user": request.user}

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        """Import all rows of a file or none."""
        return {**super().get_import_data_kwargs(**kwargs), "rollback_on_validation_errors": True}

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponseBase:
        """Check again: rows may have changed since the preview."""
        if result.has_errors() or result.has_validation_errors():
            messages.error(request, _("Nothing was imported, because rows changed after the preview. Preview the file again."))
            return redirect(f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_import")
        response: HttpResponseBase = super().process_result(result, request)
        return response
