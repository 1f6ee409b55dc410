"""Decisions on many documents, and comparisons of pending documents, read-only."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin.rows import ReadOnlyAdmin
from invoices.kinds import DecisionResult
from invoices.models import Comparison, Decision, DecisionOutcome

RESULT_COLOURS = {
    DecisionResult.WAITING.value: "info",
    DecisionResult.DONE.value: "success",
    DecisionResult.REFUSED.value: "danger",
    DecisionResult.FAILED.value: "warning",
}


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    client_path = "client"
    fields = [("client", "act"), ("staff", "made_at"), "reason", ("client_notes", "custom_status_label")]
    list_display = ["id", "client", "act", "staff", "made_at", "reason"]
    list_filter = ["act", "client", "made_at"]
    list_select_related = ["client", "staff"]
    search_fields = ["id__exact", "reason"]


@admin.register(DecisionOutcome)
class DecisionOutcomeAdmin(ReadOnlyAdmin):
    client_path = "decision__client"
    fields = ["decision", "invoice", "result", "new_invoice", ("error_code", "message"), "taken_at"]
    list_display = ["id", "decision", "invoice", "result_label", "error_code", "message"]
    list_filter = ["result", "error_code", "decision__client"]
    list_select_related = ["decision", "invoice"]
    search_fields = ["decision__id__exact", "invoice__id__exact"]

    @display(description=_("result"), ordering="result", label=RESULT_COLOURS)  # type: ignore[arg-type]
    def result_label(self, outcome: DecisionOutcome) -> tuple[str, Any]:
        return outcome.result, outcome.get_result_display()


@admin.register(Comparison)
class ComparisonAdmin(ReadOnlyAdmin):
    client_path = "invoice__client"
    fields = [("invoice", "previous"), ("change_amount", "change_percent"), ("new_lines", "missing_lines", "has_po")]
    list_display = ["invoice", "previous", "change_amount", "change_percent", "new_lines", "missing_lines", "has_po"]
    list_filter = ["has_po", "invoice__client"]
    list_select_related = ["invoice", "previous"]
    search_fields = ["invoice__id__exact"]
