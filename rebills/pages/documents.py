"""The page of a rebill: the three documents, the results of collection and statement, or that it needs approval."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.callers import Caller
from accounts.pages.base import StaffPage
from accounts.staff import names_of
from billing_site.errors import BillingError
from invoices.api.downloads import download_of
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Invoice
from invoices.services.documents.approval_rules import check_four_eyes
from invoices.services.documents.chains import Chain, read_chain
from invoices.services.documents.rights import REBILL_PERMISSION
from invoices.services.documents.states import mark_states
from invoices.services.documents.versions import makers_of
from invoices.services.printing.files import appendix_of_document
from rebills.models import Rebill


class RebillPage(StaffPage):
    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        rows = Rebill.objects.select_related("client", "account", "corrects", "memo", "statement_contact")
        rebill = self.found(rows, number)
        chain = read_chain(client=self.client, invoice_no=rebill.pk)
        mark_states([rebill, *(step.document for step in chain.steps)], self.today)
        return self.page(
            "rebills/rebill.html",
            {
                "rebill": rebill,
                "invoice": rebill,
                "difference": rebill.total_amount - rebill.corrects.total_amount,
                "due": rebill.amount_due,
                "attempts": list(rebill.collection_attempts.order_by("attempt_no")),
                "statements": list(rebill.statements.select_related("contact").order_by("pk")),
                "reason": next((step.reason for step in chain.steps if step.document.pk == rebill.pk), ""),
                "chain": chain,
                "reversals": [
                    step.document
                    for step in chain.steps
                    if step.document.corrects_id in (rebill.pk, rebill.memo_id) and step.document.kind == InvoiceKind.REVERSAL
                ],
                "may_rebill": self.may(REBILL_PERMISSION),
                "people": names_of(_who(chain)),
                "needs_another_person": rebill.status == InvoiceStatus.PENDING and _needs_another_person(rebill, self.caller),
            },
        )


class ExplanationPdf(StaffPage):
    """The explanation of changes alone as a PDF. If it cannot be made, the rebill's page says why."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        rebill = self.found(Rebill.objects.all(), number)
        try:
            return download_of(appendix_of_document(self.client, rebill.pk))
        except BillingError as refusal:
            messages.error(request, refusal.shown)
            return redirect("rebilled", rebill.pk)


def _who(chain: Chain) -> set[str]:
    return {who for step in chain.steps for who in (step.document.generated_by, step.document.approved_by) if who}


def _needs_another_person(rebill: Invoice, caller: Caller) -> bool:
    """Whether four eyes require another approver than the reader."""
    try:
        check_four_eyes(rebill.client, rebill, makers_of([rebill])[rebill.pk], caller)
    except BillingError:
        return True
    return False
