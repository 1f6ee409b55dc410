"""Billing runs and their outcomes, read-only."""

from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin.figures import count, figures
from accounts.admin.rows import ReadOnlyAdmin, cached_per_row
from accounts.staff import name_of
from billing_site.errors import shown_message
from invoices.admin.amounts import amount
from invoices.kinds import RunResult
from invoices.models import BillingRun, RunOutcome
from invoices.services.runs.figures import count_refusals, count_results, run_totals

RESULT_COLOURS = {
    RunResult.WAITING.value: "info",
    RunResult.INVOICED.value: "success",
    RunResult.NOTHING_TO_BILL.value: "info",
    RunResult.REFUSED.value: "danger",
}


@admin.register(BillingRun)
class BillingRunAdmin(ReadOnlyAdmin):
    client_path = "client"
    list_display = ["id", "client", "bill_date", "started_at", "finished_at"]
    list_filter = ["client", "bill_date", ("finished_at", admin.EmptyFieldListFilter)]
    list_select_related = ["client"]
    search_fields = ["id__exact", "client__name", "started_by"]
    fieldsets = [
        (None, {"fields": [("client", "bill_date"), ("started_at", "finished_at"), "starter"]}),
        (_("Outcomes"), {"fields": ["results", "totals", "refusals", "accounts"]}),
    ]

    @admin.display(description=_("started by"))
    @cached_per_row
    def starter(self, run: BillingRun) -> str:
        return name_of(run.started_by)

    @admin.display(description=_("accounts by result"))
    @cached_per_row
    def results(self, run: BillingRun) -> SafeString:
        counts = count_results(run)
        rows = [(result.label, count(counts[result])) for result in RunResult if result in counts]
        return figures([_("Result"), _("Accounts")], rows)

    @admin.display(description=_("invoiced"))
    @cached_per_row
    def totals(self, run: BillingRun) -> SafeString:
        return figures(
            [_("Currency"), _("Invoices"), _("Net"), _("Tax"), _("Total")],
            [
                (
                    total.currency,
                    count(total.invoices),
                    amount(total.net_amount, total.currency),
                    amount(total.tax_amount, total.currency),
                    amount(total.total_amount, total.currency),
                )
                for total in run_totals(run)
            ],
        )

    @admin.display(description=_("refused"))
    @cached_per_row
    def refusals(self, run: BillingRun) -> SafeString:
        rows = [
            (refused.error_code, shown_message(refused.error_code, refused.message), count(refused.accounts))
            for refused in count_refusals(run)
        ]
        return figures([_("Code"), _("Reason"), _("Accounts")], rows, words=2)

    @admin.display(description=_("accounts"))
    def accounts(self, run: BillingRun) -> SafeString:
        url = reverse("admin:invoices_runoutcome_changelist", query={"run__id__exact": run.pk})
        return format_html('<a href="{}" class="text-link">{}</a>', url, _("Outcome of each account"))


@admin.register(RunOutcome)
class RunOutcomeAdmin(ReadOnlyAdmin):
    client_path = "run__client"
    fields = ["run", "account", "result", "invoice", "error_code", "message"]
    list_display = ["id", "run", "account", "result_label", "invoice", "error_code", "message"]
    list_filter = ["result", "error_code", "run__client"]
    list_select_related = ["run", "account", "invoice"]
    search_fields = ["account__client_acct_id", "account__id__exact", "invoice__document_number"]

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Allow links from a run to its outcomes. A list filter with all runs would be too long to be useful."""
        return lookup == "run__id__exact" or super().lookup_allowed(lookup, value, request)

    @display(description=_("result"), ordering="result", label=RESULT_COLOURS)  # type: ignore[arg-type]
    def result_label(self, outcome: RunOutcome) -> tuple[str, Any]:
        return outcome.result, outcome.get_result_display()
