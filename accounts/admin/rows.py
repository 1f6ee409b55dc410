"""Base classes of the admin: which rows staff see, master data that staff change, and records that nobody changes."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import wraps
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.db.models import ForeignKey, ManyToManyField, Model, Q, QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import override
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline

from accounts.staff import clients_of, names_of
from billing_site.common.exact_decimals import form_class
from billing_site.common.languages import ENGLISH
from billing_site.errors import BillingError


def own_rows(rows: QuerySet[Any], user: Any) -> QuerySet[Any]:
    """Return the rows of a model that a member of staff may see, by its admin's `client_path` (see OwnRows)."""
    # A model without an admin page has no client path. Then an error is better than showing rows of other clients.
    return rows if user.is_superuser else admin.site.get_model_admin(rows.model).own(rows, user)  # type: ignore[attr-defined]


class RowWidget(AutocompleteSelect):
    """A field to choose a row. A value that cannot be a primary key is not looked up."""

    def format_value(self, value: Any) -> list[str]:
        return [text for text in super().format_value(value) if not text or is_number(text)]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        value = super().value_from_datadict(data, files, name)
        return value if not value or is_number(value) else "none"


def is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 19


class RecordedInEnglish:
    """The admin's own record of changes names rows in English, whoever changes them."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        with override(ENGLISH):
            return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        with override(ENGLISH):
            return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        with override(ENGLISH):
            return super().log_deletions(request, queryset)  # type: ignore[misc]


class DigitsOnly:
    """A form whose numbers are written with digits, without an exponent."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_dbfield(db_field, request, **form_class(db_field), **kwargs)  # type: ignore[misc]


class OwnChoices(DigitsOnly):
    """A form that offers and accepts only rows that the member of staff may see."""

    def formfield_for_foreignkey(self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any) -> Any:
        if "widget" not in kwargs and db_field.name in self.get_autocomplete_fields(request):  # type: ignore[attr-defined]
            kwargs["widget"] = RowWidget(db_field, self.admin_site)  # type: ignore[attr-defined]
        return self._own(super().formfield_for_foreignkey(db_field, request, **kwargs), request)  # type: ignore[misc]

    def formfield_for_manytomany(self, db_field: ManyToManyField, request: HttpRequest, **kwargs: Any) -> Any:
        return self._own(super().formfield_for_manytomany(db_field, request, **kwargs), request)  # type: ignore[misc]

    def _own(self, field: Any, request: HttpRequest) -> Any:
        if field is not None:
            field.queryset = own_rows(field.queryset, request.user)
        return field


class OwnRows(OwnChoices):
    """Rows limited to the clients that staff are assigned to. Rows of other clients do not exist for them."""

    # How a row leads to its client. None: it belongs to no client, and only superusers see it.
    client_path: ClassVar[str | None]
    # Whether rows without a client are shared by all clients.
    common_rows: ClassVar[bool] = False

    def own(self, rows: QuerySet[Any], user: Any) -> QuerySet[Any]:
        if user.is_superuser:
            return rows
        if self.client_path is None:
            return rows.none()
        common = Q(**{self.client_path: None}) if self.common_rows else Q()
        return rows.filter(Q(**{f"{self.client_path}__in": clients_of(user)}) | common)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.own(super().get_queryset(request), request.user)  # type: ignore[misc]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field) if is_number(str(object_id)) else None  # type: ignore[misc]
        if row is None:
            raise Http404
        return row


def only_superusers(admin: object, request: HttpRequest, obj: Model | None = None) -> bool:
    return bool(request.user.is_superuser)


class OwnRelatedFilter(admin.RelatedFieldListFilter):
    """List filters that offer only rows of the user's clients."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        rows = own_rows(field.related_model._default_manager.all(), request.user)
        rows = rows.order_by(*self.field_admin_ordering(field, request, model_admin) or rows.model._meta.ordering)
        return [(row.pk, str(row)) for row in rows]


admin.FieldListFilter.register(lambda field: bool(field.remote_field), OwnRelatedFilter, take_priority=True)


class MasterDataForm(forms.ModelForm):
    """A form that also shows what a service refused when the form was saved."""

    refusal: BillingError | None = None
    # The user who fills in the form.
    user: Any = None
    # By database constraint: the field to show its error at, and the message. None: the service reports it.
    guarded: ClassVar[Mapping[str, tuple[str, Any] | None]] = {}
    # The form's name of a field that a service names differently.
    named: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in self.initial.items():
            if isinstance(value, Decimal):
                # Without the trailing zeros that the database adds.
                self.initial[name] = Decimal(f"{value.normalize():f}")

    def full_clean(self) -> None:
        super().full_clean()
        for constraint in self._meta.model._meta.constraints:
            if constraint.name in self.guarded:
                self._replace_message(str(constraint.get_violation_error_message()), self.guarded[constraint.name])

    def _replace_message(self, general: str, message: tuple[str, Any] | None) -> None:
        """Replace Django's general message of a constraint by ours."""
        if general not in self.non_field_errors():
            return
        kept = [error for error in self.non_field_errors().as_data() if general not in error.messages]
        del self.errors[NON_FIELD_ERRORS]
        for error in kept:
            self.add_error(None, error)
        if message is not None:
            self.add_error(*message)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.refusal is not None:
            field = self.named.get(self.refusal.field or "", self.refusal.field)
            if field in self.fields:
                self.add_error(field, self.refusal.shown_at_field)
            else:
                self.add_error(None, self.refusal.shown)
        return cleaned


class MasterDataAdmin(RecordedInEnglish, OwnRows, ModelAdmin):  # type: ignore[misc]
    """Rows that staff add and change. `fixed_fields` are set when a row is created and never change."""

    form = MasterDataForm
    fixed_fields: Sequence[str] = ()

    def get_fixed_fields(self, obj: Any) -> Sequence[str]:
        return self.fixed_fields

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Disable fixed fields instead of making them read-only: Django checks a unique key only if the form has all its
        fields."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.refusal, form.user = getattr(request, "refusal", None), request.user
        if obj is not None:
            for name in self.get_fixed_fields(obj):
                if name in form.base_fields:
                    form.base_fields[name].disabled = True
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write only the columns that were changed: billing may have changed others since the row was read."""
        if change:
            columns = {field.name for field in obj._meta.concrete_fields}
            obj.save(update_fields=columns.intersection(form.changed_data))
        else:
            obj.save()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the form again with the refusal of a service, which has rolled everything back."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except BillingError as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except BillingError as refusal:
            messages.error(request, refusal.shown)
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", object_id)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the refusal of an action on selected rows. Nothing was done to any of them."""
        try:
            return super().changelist_view(request, extra_context)
        except BillingError as refusal:
            messages.error(request, refusal.shown)
            return redirect(request.get_full_path())


class HistoryAdmin(MasterDataAdmin, SimpleHistoryAdmin):  # type: ignore[misc]
    """Master data with history: who changed what, also for rows that were deleted."""

    def get_history_queryset(self, request: HttpRequest, history_manager: Any, pk_name: str, object_id: Any) -> QuerySet[Any]:
        return self.own(super().get_history_queryset(request, history_manager, pk_name, object_id), request.user)

    def history_form_view(self, request: HttpRequest, object_id: str, version_id: str, extra_context: Any = None) -> Any:
        """Show a version. Reverting to it is not possible, because that would bypass the services."""
        if request.method != "GET":
            raise PermissionDenied
        get_object_or_404(self.own(self.model.history.all(), request.user), id=object_id, history_id=version_id)
        return super().history_form_view(request, object_id, version_id, extra_context)


def never(admin: object, request: HttpRequest, obj: Model | None = None) -> bool:
    """Deny everybody, superusers too."""
    return False


class ReadOnlyAdmin(OwnRows, ModelAdmin):  # type: ignore[misc]
    """Rows that are shown in full and never added, changed or deleted."""

    has_add_permission = never
    has_change_permission = never
    has_delete_permission = never
    # These tables grow without limit, so a filtered list does not count all rows too.
    show_full_result_count = False


class NamesPeople:
    """Pages that show names of people. The names of all rows of a list are read together."""

    identities: ClassVar[Sequence[str]]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)  # type: ignore[misc]
        people = names_of(one for row in page.result_list for column in self.identities if (one := getattr(row, column)))
        for row in page.result_list:
            row.people = people
        return page


def person(column: str, heading: Any) -> Callable[[Any, Any], str]:
    """Return a column with the name of the identity that `column` has. `column` must be in `NamesPeople.identities`."""

    @admin.display(description=heading, ordering=column)
    def named(pages: NamesPeople, row: Any) -> str:
        if not hasattr(row, "people"):
            row.people = names_of(one for each in pages.identities if (one := getattr(row, each)))
        return str(row.people.get(getattr(row, column)) or "-")

    return named


def text_link(url: str, text: Any) -> SafeString:
    return format_html('<a href="{}" class="text-link">{}</a>', url, text)


def page_link(row: Model, text: Any = None) -> SafeString:
    """Return a link to the page of a row, with its name or the text."""
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return text_link(url, row if text is None else text)


def list_link(model: type[Model], text: Any, **filters: Any) -> SafeString:
    """Return a link to the list of a model, with filters set."""
    return text_link(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=filters or None), text)


def add_link(model: type[Model], text: Any, **values: Any) -> SafeString:
    """Return a link to the page that adds a row of a model, with values filled in."""
    return text_link(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add", query=values), text)


def cached_per_row(column: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Cache a column per row, because the template reads the value several times."""

    @wraps(column)
    def remembered(admin: Any, row: Any) -> Any:
        answers = row.__dict__.setdefault("column_answers", {})
        if column.__name__ not in answers:
            answers[column.__name__] = column(admin, row)
        return answers[column.__name__]

    return remembered


def may_add(request: HttpRequest, model: type[Model]) -> bool:
    return request.user.has_perm(f"{model._meta.app_label}.add_{model._meta.model_name}")


def link_to_page(heading: Any, text: Callable[[Any], Any] = str) -> Callable[[Any, Model], SafeString]:
    """Return a column that links to the row's own page. Unfold's own link appears only under a mouse."""

    @admin.display(description=heading)
    def link(inline: Any, row: Model) -> SafeString:
        return page_link(row, text(row))

    return link


class ReadOnlyInline(TabularInline):
    has_add_permission = never
    has_change_permission = never
    has_delete_permission = never
    extra = 0
    hide_title = True


class PagedInline(ReadOnlyInline):
    """Rows shown in pages, because there may be very many."""

    per_page: Any = 10
