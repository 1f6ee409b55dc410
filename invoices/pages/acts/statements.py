"""Send the statement of a document again."""

from typing import Any, ClassVar, NamedTuple

from django import forms
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Receipt
from accounts.rights import SEND_STATEMENTS
from billing_site.errors import shown_message
from invoices.kinds import StatementStatus
from invoices.pages.acts.base import ActForm
from invoices.pages.acts.credits import InvoicePageOfAct
from invoices.services.money.ledger.acts import seen_as
from invoices.services.statements.statements import finish_sending, resend_statement


class StatementForm(ActForm):
    contact = forms.TypedChoiceField(label=_("Send to"), required=False, coerce=int, empty_value=None)
    later: ClassVar[tuple[str, ...]] = ()
    fields_of_errors: ClassVar[dict[str, str]] = {"statement_address_seq": "contact"}

    def __init__(self, data: Any = None, *, invoice: Any, **kwargs: Any) -> None:
        self.invoice = invoice
        super().__init__(data, **kwargs)

    def offer(self) -> None:
        contacts = self.invoice.account.contacts.exclude(email="").order_by("contact_no")
        chosen = [(one.contact_no, f"{one.name}, {one.email}") for one in contacts]
        self.fields["contact"].choices = [("", _("The recipient of its statements")), *chosen]  # type: ignore[attr-defined]

    @property
    def recipient(self) -> str:
        """The chosen contact, or who gets the statements of this document."""
        choices = dict(self.fields["contact"].choices)  # type: ignore[attr-defined]
        return str(choices[self.cleaned_data["contact"] or ""])


class StatementPreview(NamedTuple):
    recipient: str
    seen: str


class SendStatement(InvoicePageOfAct):
    """The statement is sent once more, by the mail server, at once."""

    right = SEND_STATEMENTS
    form_class = StatementForm
    template = "acts/statement.html"
    title = _("Send statement")
    button = _("Send statement")

    def form(self, data: Any, **options: Any) -> Any:
        return super().form(data, invoice=self.invoice, **options)

    def initial(self) -> dict[str, Any]:
        return {"contact": ""}

    def preview(self, form: StatementForm) -> StatementPreview:
        return StatementPreview(form.recipient, seen_as(form.recipient))

    def act(self, form: StatementForm, caller: Caller, preview: StatementPreview) -> str:
        sent = resend_statement(
            client=self.client, invoice_no=self.invoice.pk, caller=caller, contact_no=form.cleaned_data["contact"]
        )
        if sent.status == StatementStatus.SENT:
            self.tell(gettext("The statement is sent to %(email)s.") % {"email": sent.email})
        else:
            why = shown_message(sent.error_code, sent.message, getattr(sent, "detail", ""))
            self.tell(gettext("The statement was not sent: %(why)s") % {"why": why}, good=False)
        return self.back()

    def _answer_of(self, receipt: Receipt) -> str:
        """Send a statement that a process had begun to send when it died."""
        if receipt.row_no is not None:
            finish_sending(client=self.client, statement_no=receipt.row_no, caller=self.caller)
        return reverse("invoice", args=[self.invoice.pk])
