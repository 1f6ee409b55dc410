"""The page of one document: chain, actions, lines with explanations, money and timeline."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from babel import Locale
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.kinds import CreditTo
from accounts.models import Event, Receipt
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm
from accounts.rights import APPROVE, CORRECT, GENERATE
from accounts.staff import names_of
from billing_site.errors import BillingError, ErrorCode
from invoices.api.downloads import download_of
from invoices.calculation import ZERO
from invoices.document import Document
from invoices.fingerprints import fingerprint
from invoices.kinds import FAILED_ATTEMPTS, DecisionAct, FileKind, FileState, InvoiceKind, InvoiceStatus
from invoices.line_explanations import line_explanation, units_text
from invoices.models import Adjustment, Comparison, Invoice, InvoiceLine
from invoices.pages.adjustments import adjustments_context
from invoices.pages.approval_rules import approval_words
from invoices.pages.forms import ActForm, RemarkForm, VoidForm
from invoices.plan.actions import Action
from invoices.plan.billing_again import missing_texts
from invoices.plan.facts import BillingRequest
from invoices.plan.vat import tax_texts_of_lines
from invoices.services.actions import RIGHTS, Allowed, available_actions
from invoices.services.approving.automatic import resume_approval, stop_approval
from invoices.services.approving.bulk import more_approvals
from invoices.services.approving.deciding import decide_on_one
from invoices.services.billing.generating import generate_invoice
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.collecting.starting import methods_of
from invoices.services.correcting.remarks import CHANGEABLE, change_remarks
from invoices.services.documents.chains import read_chain
from invoices.services.documents.comparisons import compared_lines
from invoices.services.documents.document_storage import stored_contents
from invoices.services.documents.outcomes import NothingToBill, Settled
from invoices.services.documents.rebill_markers import with_rebills
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.rights import (
    APPROVE_PERMISSION,
    COLLECT_PERMISSION,
    CORRECT_PERMISSION,
    GENERATE_PERMISSION,
    REBILL_PERMISSION,
)
from invoices.services.documents.states import mark_states
from invoices.services.documents.tax_answers import answer_on
from invoices.services.lists.invoice_history import payments_on_invoice
from invoices.services.lists.timeline import events_for_people, timeline_entries
from invoices.services.money.ledger.history import description
from invoices.services.planning.billing_again import unbilled_periods_of, waive_periods
from invoices.services.planning.flags import flags_of, with_flags
from invoices.services.planning.out_of_date import changes_since
from invoices.services.planning.rule_matching import given_approvals, ruled_documents
from invoices.services.printing.files import e_invoice_of_document, file_of_document
from invoices.services.printing.printed import Reference, language_of, line_references, statement_context, statement_parts
from invoices.services.undoing.voiding import void_invoice

EVENTS_SHOWN = 200

BUTTONS = {
    Action.APPROVE: _("Approve"),
    Action.DISCARD: _("Discard"),
    Action.RECALCULATE: _("Recalculate"),
    Action.REGENERATE: _("Regenerate"),
    Action.ADJUST: _("Adjust lines"),
    Action.VOID: _("Void"),
    Action.COLLECT: _("Collect open amount"),
    Action.REFUND: pgettext_lazy("act", "Refund"),
    Action.CREDIT: _("Credit lines"),
    Action.WRITE_OFF: _("Write off"),
    Action.DISPUTE: pgettext_lazy("act", "Dispute"),
    Action.REBILL: pgettext_lazy("act", "Rebill"),
    Action.UNDO: _("Undo rebill"),
    Action.UNDO_MEMO: _("Undo credit memo"),
    Action.UNDO_VOID: _("Undo void"),
}

QUESTIONS = {
    Action.APPROVE: (
        _("The document gets its number and today's date. Collecting and statements follow, as the settings say."),
        _("Approve document"),
    ),
    Action.DISCARD: (
        _(
            "The document gets no number, and nothing is charged. Its usage, charges, coupons and credits "
            "go to the next invoice."
        ),
        _("Discard document"),
    ),
    Action.RECALCULATE: (
        _("The document is calculated again from today's data. Its invoice number and adjustments stay."),
        _("Recalculate document"),
    ),
    Action.REGENERATE: (
        _("The document is discarded and generated again for the same cycle from today's data, with another invoice number."),
        _("Regenerate document"),
    ),
}
"""The question before each act, and its button. Other acts have a form or page of their own."""


class Choice(NamedTuple):
    """An action that may be possible with a document: where, or why not and what blocks it.

    `question` and `button` are shown if it is done on this page.
    """

    allowed: Allowed
    words: Any
    address: str
    question: Any = ""
    button: Any = ""

    @property
    def name(self) -> str:
        return self.allowed.action.value

    @property
    def needs_method(self) -> bool:
        return self.allowed.error is not None and self.allowed.error.code is ErrorCode.NO_ELECTRONIC_METHOD


class ExplainedLine(NamedTuple):
    """A line with the explanation of its amount."""

    line: InvoiceLine
    units_and_rate: str
    explanation: str
    references: list[Reference]


def _explained(line: InvoiceLine) -> ExplainedLine:
    return ExplainedLine(line, units_text(line), "; ".join(line_explanation(line)), list(line_references(line)))


class DocumentPage(StaffPage):
    def document(self, number: int) -> Any:
        rows = with_rebills(Invoice.objects.select_related("account", "corrects", "memo", "client"))
        return self.found(rows, number)


class InvoicePage(DocumentPage):
    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        return self.shown(self.document(number))

    def shown(self, invoice: Any, forms_: Mapping[str, PageForm] | None = None, status: int = 200) -> HttpResponse:
        allowed = available_actions(self.client, [invoice.pk], self.caller, self.today)[invoice.pk]
        lines = list(invoice.lines.order_by("line_no"))
        for line in lines:
            line.invoice = invoice
        chain = read_chain(client=self.client, invoice_no=invoice.pk)
        mark_states([invoice, *(step.document for step in chain.steps)], self.today)
        events = events_for_people(Event.objects.filter(invoice_no=invoice.pk, client=self.client))
        attempts = list(invoice.collection_attempts.select_related("payment_method").order_by("-attempt_no"))
        people = [
            invoice.generated_by,
            invoice.approved_by,
            invoice.posting_user,
            *(attempt.requested_by for attempt in attempts),
        ]
        names = names_of(one for one in people if one)
        for attempt in attempts:
            attempt.by = names[attempt.requested_by]
        files = list(invoice.files.all())
        due = invoice.open_amount
        may_pay = due > ZERO and self.may(COLLECT_PERMISSION)
        content = stored_contents([invoice.pk])[invoice.pk]
        context = {
            "invoice": invoice,
            "made_by": names[invoice.generated_by],
            "approved_by": names.get(invoice.approved_by, ""),
            "posted_by": names.get(invoice.posting_user, ""),
            "can_act": may_pay or any(one.error is None for one in allowed),
            "may_pay": may_pay,
            "is_issued": invoice.number is not None,
            "to_bill_again": missing_texts(unbilled_periods_of(invoice)),
            "may_bill_again": self.may(GENERATE_PERMISSION),
            "may_waive": self.may(CORRECT_PERMISSION),
            "may_remark": invoice.number is not None and self.may(APPROVE_PERMISSION),
            "due": due,
            "choices": [_choice(one, invoice) for one in allowed],
            "collects_by": methods_of([invoice.account_id]).get(invoice.account_id) if due > ZERO else None,
            "forms": {"act": ActForm(), "void": VoidForm(), "remark": RemarkForm.of(invoice), **(forms_ or {})},
            "lines": [_explained(line) for line in lines],
            "taxes": list(invoice.tax_details.all()),
            "payments": [(entry, description(entry), -amount) for entry, amount in payments_on_invoice(invoice) if amount],
            "attempts": attempts,
            "failed_attempt": attempts[0] if due > ZERO and attempts and attempts[0].status in FAILED_ATTEMPTS else None,
            "again": self._again(invoice),
            "statements": list(invoice.statements.order_by("-pk")),
            "missing_file": next((one for one in files if one.state != FileState.MADE), None),
            "has_e_invoice": any(one.kind == FileKind.E_INVOICE for one in files),
            "chain": chain,
            "events": timeline_entries(list(events.order_by("-pk")[:EVENTS_SHOWN])),
            **self._flags(invoice),
            "tax_texts": tax_texts_of_lines(content),
            **self._pending(invoice, content),
            **adjustments_context(invoice),
        }
        return self.page("invoices/invoice.html", context, status=status)

    def _again(self, invoice: Any) -> str:
        """Return the address where a discarded document can be generated again, for readers who may, else ""."""
        if invoice.status != InvoiceStatus.DISCARDED:
            return ""
        if invoice.kind == InvoiceKind.REBILL:
            return reverse("rebill", args=[invoice.corrects_id]) if self.may(REBILL_PERMISSION) else ""
        if invoice.kind == InvoiceKind.ONE_OFF or not self.may(GENERATE_PERMISSION):
            return ""
        mode = "advance" if invoice.kind == InvoiceKind.ADVANCE else "pending"
        return reverse("generate", args=[invoice.account_id], query={"mode": mode})

    def _flags(self, invoice: Any) -> dict[str, Any]:
        """Return the document's flags and changes, and what tax data it lacks."""
        flagged = with_flags(Invoice.objects.select_related("tax_answer"), self.client).get(pk=invoice.pk)
        answer = answer_on(flagged)
        return {
            "flags": flags_of(flagged),
            "changes": changes_since([invoice.pk]).get(invoice.pk, []),
            "missing_tax_data": answer.missing,
        }

    def _pending(self, invoice: Any, content: Document) -> dict[str, Any]:
        """Return, for a pending document, its comparison and the fingerprint of what is shown."""
        if invoice.status != InvoiceStatus.PENDING:
            return {}
        ruled = ruled_documents(self.client, [invoice.pk])
        given = given_approvals([invoice.pk]) if ruled else {}
        comparison = Comparison.objects.filter(pk=invoice.pk).select_related("previous").first()
        previous = comparison.previous if comparison else None
        return {
            "comparison": comparison,
            "previous": previous,
            "beside": compared_lines(invoice, previous) if previous else [],
            "approval": approval_words(ruled, given).get(invoice.pk),
            "approved_already": names_of(one.given_by for one in given.get(invoice.pk, ())).values(),
            "may_approve": self.may(APPROVE_PERMISSION),
            "fingerprint": fingerprint(content),
        }


def _choice(allowed: Allowed, invoice: Any) -> Choice:
    """Return an action as it is shown. Actions with a page of their own get a link."""
    action = allowed.action
    addresses = {
        Action.REBILL: reverse("rebill", args=[invoice.pk]),
        Action.ADJUST: reverse("adjust", args=[invoice.pk]),
        Action.CREDIT: reverse("credit-lines", args=[invoice.pk]),
        Action.WRITE_OFF: reverse("write-off", args=[invoice.pk]),
        Action.DISPUTE: reverse("dispute", args=[invoice.pk]),
        Action.REFUND: reverse("refund-invoice", args=[invoice.pk]),
        Action.UNDO: reverse("undo", args=[invoice.pk]),
        Action.UNDO_MEMO: reverse("undo-memo", args=[invoice.pk]),
        Action.UNDO_VOID: reverse("undo-void", args=[invoice.pk]),
    }
    return Choice(allowed, BUTTONS[action], addresses.get(action, ""), *QUESTIONS.get(action, ()))


RIGHTS_OF_ACTS = {
    **{action.value: right for action, right in RIGHTS.items()},
    **dict.fromkeys(("stop_approval", "resume_approval"), APPROVE),
    "bill_again": GENERATE,
    "waive_periods": CORRECT,
    "remark": APPROVE,
}
FORMS: Mapping[str, type[PageForm]] = {"void": VoidForm, "remark": RemarkForm}
"""The forms of acts that need more than a reason."""


class InvoiceAct(InvoicePage):
    """Performs one act on a document, and shows the result."""

    def get(self, request: HttpRequest, number: int, act: str = "") -> HttpResponse:
        return self.shown(self.document(number))

    def post(self, request: HttpRequest, number: int, act: str) -> HttpResponse:
        invoice = self.document(number)
        name = act if act in FORMS else "act"
        form = FORMS.get(act, ActForm)(request.POST)
        if not form.is_valid():
            return self.shown(invoice, {name: form}, status=422)
        acts: dict[str, Callable[[Any, dict[str, Any], Caller], int]] = {
            "approve": self._approve,
            "discard": self._discard,
            "recalculate": self._recalculate,
            "regenerate": self._regenerate,
            "collect": self._collect,
            "stop_approval": self._stop_approval,
            "resume_approval": self._resume_approval,
            "void": self._void,
            "bill_again": self._bill_again,
            "waive_periods": self._waive,
            "remark": self._remark,
        }
        if act not in acts:
            raise BillingError(ErrorCode.INVALID_DIRECTIVE, act[:30])
        fields = form.cleaned_data

        def answer_of(receipt: Receipt) -> str:
            return reverse("invoice", args=[receipt.invoice_no or number])

        return self.once(
            lambda caller: reverse("invoice", args=[acts[act](invoice, fields, caller)]), answer_of, RIGHTS_OF_ACTS[act]
        )

    def _approve(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        outcome = self._decide(DecisionAct.APPROVE, invoice, fields, caller, seen=self.request.POST.get("fingerprint", ""))
        issued = Invoice.objects.get(pk=invoice.pk)
        missing = outcome.recorded.approvals_missing if isinstance(outcome, Settled) else 0
        if missing:
            messages.success(self.request, more_approvals(missing).shown)
            return issued.pk
        messages.success(self.request, gettext("Approved as %(number)s.") % {"number": issued.document_number})
        collection = outcome.collection if isinstance(outcome, Settled) else None
        if collection is not None and collection.error is not None:
            messages.warning(self.request, gettext("Not collected: %(why)s") % {"why": collection.shown})
        return issued.pk

    def _stop_approval(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        stop_approval(client=self.client, invoice_no=invoice.pk, caller=caller, reason=fields["reason"])
        messages.success(self.request, gettext("Stopped. A person must approve it."))
        number: int = invoice.pk
        return number

    def _resume_approval(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        resume_approval(client=self.client, invoice_no=invoice.pk, caller=caller, reason=fields["reason"])
        messages.success(self.request, gettext("It is approved automatically again."))
        number: int = invoice.pk
        return number

    def _discard(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        self._decide(DecisionAct.DISCARD, invoice, fields, caller)
        messages.success(self.request, gettext("Discarded. Nothing is charged."))
        number: int = invoice.pk
        return number

    def _recalculate(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        self._decide(DecisionAct.RECALCULATE, invoice, fields, caller)
        unfit = Adjustment.objects.filter(invoice=invoice.pk, through_version=None, line_no=None).count()
        messages.success(self.request, gettext("Recalculated. The invoice number is the same."))
        if unfit:
            text = ngettext("%(n)s adjustment no longer fits.", "%(n)s adjustments no longer fit.", unfit) % {"n": unfit}
            messages.warning(self.request, text)
        number: int = invoice.pk
        return number

    def _regenerate(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        outcome = self._decide(DecisionAct.REGENERATE, invoice, fields, caller)
        if isinstance(outcome, NothingToBill):
            messages.success(self.request, gettext("Discarded. There is nothing to bill for its cycle now."))
            number: int = invoice.pk
            return number
        messages.success(
            self.request, gettext("Regenerated. This pending invoice replaces invoice %(old)s.") % {"old": invoice.pk}
        )
        return outcome.invoice_no

    def _decide(
        self, act: DecisionAct, invoice: Any, fields: dict[str, Any], caller: Caller, *, seen: str = ""
    ) -> Settled | NothingToBill:
        by: dict[str, Any] = {"client": self.client, "caller": caller, "today": self.today}
        return decide_on_one(act, invoice_no=invoice.pk, remarks=Remarks(fields["reason"]), seen=seen, **by)

    def _collect(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        (collected,) = collect_invoices(client=self.client, invoice_nos=[invoice.pk], caller=caller, today=self.today)
        if collected.error is not None:
            messages.error(self.request, gettext("Not collected: %(why)s") % {"why": collected.error.shown})
        else:
            messages.success(self.request, gettext("Collected.") if collected.amount else collected.shown)
        number: int = invoice.pk
        return number

    def _void(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        void_invoice(client=self.client, invoice_no=invoice.pk, caller=caller, today=self.today, **fields)
        kept = (fields["credit_to"] or self.client.credit_to or CreditTo.KEEP_AS_CREDIT) == CreditTo.KEEP_AS_CREDIT
        done = gettext("Voided. Payments on this invoice are now unapplied credit.") if kept else gettext("Voided.")
        messages.success(self.request, done)
        number: int = invoice.pk
        return number

    def _bill_again(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        number = generate_invoice(
            client=self.client,
            account_no=invoice.account_id,
            request=BillingRequest(self.today, again_for=invoice.pk),
            caller=caller,
        )
        messages.success(self.request, gettext("Billed again. This invoice bills the periods of %(old)s.") % {"old": invoice})
        return number or invoice.pk

    def _waive(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        waive_periods(
            client=self.client, invoice_no=invoice.pk, caller=caller, today=self.today, comments=fields.get("reason", "")
        )
        messages.success(self.request, gettext("The periods of this invoice will not be billed again."))
        number: int = invoice.pk
        return number

    def _remark(self, invoice: Any, fields: dict[str, Any], caller: Caller) -> int:
        change_remarks(
            client=self.client,
            invoice_no=invoice.pk,
            caller=caller,
            changes={name: fields[name] for name in CHANGEABLE},
            version=fields["version"],
        )
        messages.success(self.request, gettext("Note and statuses are saved."))
        number: int = invoice.pk
        return number


class PrintPage(DocumentPage):
    """The document as the customer receives it, for printing."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        invoice = self.document(number)
        locale = Locale.parse(language_of(invoice), sep="-")
        shown = statement_context(invoice, statement_parts([invoice])[invoice.pk], locale)
        return self.page("invoices/print.html", {**shown, "document_locale": locale})


class EInvoicePage(DocumentPage):
    """The document's electronic invoice. If it cannot be made, the document's page says why."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        invoice = self.document(number)
        try:
            file = e_invoice_of_document(self.client, invoice.pk)
        except BillingError as refusal:
            messages.error(request, refusal.shown)
            return redirect("invoice", invoice.pk)
        return download_of(file)


class PdfPage(DocumentPage):
    """The document's PDF. If it cannot be made, the print view says why."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        invoice = self.document(number)
        try:
            file = file_of_document(self.client, invoice.pk)
        except BillingError as refusal:
            messages.error(request, refusal.shown)
            return redirect("print", invoice.pk)
        return download_of(file)
