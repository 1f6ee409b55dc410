"""The two sorts of rows in the admin: master data, which staff change, and the record of what happened, which nobody does."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from billing_site.errors import BillingError


class MasterDataForm(forms.ModelForm):
    """A form that also shows what a service refused when the form was saved."""

    refusal: BillingError | None = None

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.refusal is not None:
            field = self.refusal.field if self.refusal.field in self.fields else None
            self.add_error(field, self.refusal.message)
        return cleaned


class MasterDataAdmin(ModelAdmin):
    """Rows that staff add and change. What a row is made with and keeps for ever stands in `fixed_fields`."""

    form = MasterDataForm
    fixed_fields: Sequence[str] = ()

    def get_fixed_fields(self, obj: Any) -> Sequence[str]:
        return self.fixed_fields

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Fixed fields are disabled, not read-only: Django checks a unique key only where all of its fields are on the form."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.refusal = getattr(request, "refusal", None)
        if obj is not None:
            for name in self.get_fixed_fields(obj):
                if name in form.base_fields:
                    form.base_fields[name].disabled = True
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A change writes the columns that were changed and no others: billing may have moved those since the row was read."""
        if change:
            obj.save(update_fields=form.changed_data)
        else:
            obj.save()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """A refusal by a service has undone everything; the form is shown again with it, as with any wrong value."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except BillingError as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)


def never(admin: object, request: HttpRequest, obj: Model | None = None) -> bool:
    """Not even a superuser."""
    return False


class ReadOnlyAdmin(ModelAdmin):
    """Rows that everything is shown of, and that nobody adds, changes or deletes."""

    has_add_permission = never
    has_change_permission = never
    has_delete_permission = never
    # These tables grow without end: a list that is filtered does not count them whole as well.
    show_full_result_count = False


def link_to_page(heading: Any) -> Callable[[Any, Model], SafeString]:
    """A column that names the row and leads to its own page. Unfold's link shows under a mouse only."""

    @admin.display(description=heading)
    def link(inline: Any, row: Model) -> SafeString:
        url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', url, row)

    return link


class ReadOnlyInline(TabularInline):
    has_add_permission = never
    has_change_permission = never
    has_delete_permission = never
    extra = 0
    hide_title = True
