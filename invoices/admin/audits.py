"""Audit runs in the admin, with their findings. Adding one runs the audits."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin.rows import MasterDataAdmin, PagedInline, never
from accounts.callers import Caller
from accounts.staff import name_of
from invoices.audit.kept import audit_and_keep
from invoices.models import AuditFinding, AuditRun


class WithFindings(admin.SimpleListFilter):
    title = _("findings")
    parameter_name = "found"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("some", _("Some")), ("none", _("None"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditRun]) -> QuerySet[AuditRun]:
        if self.value() == "some":
            return queryset.filter(findings_count__gt=0)
        return queryset.filter(findings_count=0) if self.value() == "none" else queryset


class FindingsOfRun(PagedInline):
    model = AuditFinding
    fields = readonly_fields = ("audit", "words")
    verbose_name_plural = _("findings")


@admin.register(AuditRun)
class AuditRunAdmin(MasterDataAdmin):
    """Staff audit their clients' rows, superusers also those of all clients. For a large client the command is better."""

    client_path = "client"
    has_change_permission = has_delete_permission = never
    list_display = ["id", "client", "started_at", "finished_at", "rows", "findings_count"]
    list_filter = ["client", "started_at", WithFindings]
    list_select_related = ["client"]
    autocomplete_fields = ["client"]

    def get_fields(self, request: HttpRequest, obj: AuditRun | None = None) -> list[Any]:
        found = [("started_at", "finished_at"), ("asked_for_by", "rows"), "findings_count"]
        return ["client", *found] if obj is not None else ["client"]

    def get_inlines(self, request: HttpRequest, obj: AuditRun | None) -> list[Any]:
        return [FindingsOfRun] if obj is not None else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "client" in form.base_fields:
            form.base_fields["client"].required = not request.user.is_superuser
        return form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Run outside the transaction that Django opens for a page, because audits read in a transaction of their own."""
        if request.method == "POST":
            response = self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]
            if response.status_code == 302:
                return response
        return super().changeform_view(request, object_id, form_url, extra_context)

    @admin.display(description=_("requested by"))
    def asked_for_by(self, run: AuditRun) -> str:
        return name_of(run.asked_by)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        run, _reports = audit_and_keep(obj.client, Caller(staff=request.user).identity)
        obj.pk = run.pk
