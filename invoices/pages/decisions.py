"""A decision on many documents: its progress, the result of each document, and retrying those that failed."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from rest_framework import serializers

from accounts.pages.base import StaffPage
from billing_site.common.csv_lists import ROWS_AT_ONCE, csv_response
from billing_site.common.keyset_pages import Order, in_chunks, page_of
from invoices.kinds import BULK_COLLECT, BULK_SEND, DecisionResult
from invoices.models import Decision, DecisionOutcome
from invoices.services.approving.bulk import collected_by, continue_decision, count_results, is_taken, retry_failed
from invoices.services.work.workers import missing_command


class DecisionPage(StaffPage):
    parameters = ("result",)

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        decision = self.found(Decision.objects.select_related("staff", "client"), number)
        counts = count_results(decision)
        rows = decision.outcomes.select_related("invoice__account", "new_invoice")
        result = request.GET.get("result", "")
        if result in DecisionResult.values:
            rows = rows.filter(result=result)
        pages = page_of(rows, Order(), request.GET.get("cursor"))
        context = {
            "decision": decision,
            "of": sum(counts.values()),
            "settled": sum(counts.values()) - counts[DecisionResult.WAITING],
            "remaining": counts[DecisionResult.WAITING],
            "failed": counts[DecisionResult.FAILED],
            "is_taken": is_taken(decision),
            "result": result,
            "results": [(one, counts[one]) for one in DecisionResult if counts[one]],
            "rows": pages.rows,
            "pages": pages,
            **self._who_works(decision, counts[DecisionResult.WAITING]),
            "collected": list(collected_by(decision).items()) if decision.act == BULK_COLLECT else (),
        }
        return self.page("invoices/decision.html", context)

    def _who_works(self, decision: Decision, remaining: int) -> dict[str, Any]:
        """Say who does the rest. The page of who has decided does a part at each load, which is quicker than to wait for a
        worker; but it leaves collecting and sending to workers, because each part takes as long as the payment gateway or the
        mail server."""
        is_mine, is_outside = decision.staff_id == self.request.user.pk, decision.act in (BULK_COLLECT, BULK_SEND)
        command = missing_command() if remaining else ""
        is_worked_on = bool(remaining) and not command
        return {
            "is_mine": is_mine,
            "is_outside": is_outside,
            "is_worked_on": is_worked_on,
            "start_command": command,
            "is_watched": is_worked_on and (is_outside or not is_mine),
        }

    def post(self, request: HttpRequest, number: int) -> HttpResponse:
        """Continue the rest of the decision. Only the person who made it may."""
        decision = self.found(Decision.objects.select_related("client").filter(staff=request.user.pk), number)
        if "retry" in request.POST:
            retry_failed(decision, caller=self.caller)
        continue_decision(decision, caller=self.caller, today=self.today)
        return redirect("decision", number)


class OutcomeSerializer(serializers.Serializer):
    invoice_no = serializers.ReadOnlyField(source="invoice_id")
    document_number = serializers.ReadOnlyField(source="invoice.document_number")
    acct_no = serializers.ReadOnlyField(source="invoice.account_id")
    client_acct_id = serializers.ReadOnlyField(source="invoice.account.client_acct_id")
    currency = serializers.ReadOnlyField(source="invoice.currency")
    total_amount = serializers.ReadOnlyField(source="invoice.total_amount")
    result = serializers.ReadOnlyField()
    new_invoice_no = serializers.ReadOnlyField(source="new_invoice_id")
    error_code = serializers.ReadOnlyField()
    error_msg = serializers.ReadOnlyField(source="message")


class DecisionCsv(StaffPage):
    """The result of each document as CSV file."""

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        decision = self.found(Decision.objects.all(), number)
        rows = DecisionOutcome.objects.filter(decision=decision).select_related("invoice__account")
        chunks: Iterator[list[Any]] = in_chunks(rows, Order(), ROWS_AT_ONCE)
        return csv_response(
            f"decision-{decision.pk}", OutcomeSerializer(), chunks, lambda chunk: OutcomeSerializer(chunk, many=True).data
        )
