"""Undo the void of an invoice, and a credit memo."""

from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from billing_site.common.limits import DOCUMENT_COMMENTS_LENGTH
from invoices.kinds import ReasonType, VoidReason
from invoices.models import Invoice
from invoices.pages.acts.base import ActForm, ReasonField, comments_field
from invoices.pages.acts.credits import InvoicePageOfAct
from invoices.services.correcting.memo_undoing import UndoMemoPlan, preview_undo_memo, undo_memo
from invoices.services.correcting.void_undoing import UndoVoidPlan, preview_undo_void, undo_void


class UndoVoidForm(ActForm):
    reason = forms.TypedChoiceField(label=_("Reason"), coerce=int, choices=[("", _("Choose a reason")), *VoidReason.choices])
    comments = comments_field()


class UndoVoid(InvoicePageOfAct):
    """The undo of a void: an invoice with a number of its own charges again what the voided one charged."""

    form_class = UndoVoidForm
    template = "acts/undo_void.html"
    title = _("Undo void")
    button = _("Undo void")

    def preview(self, form: UndoVoidForm) -> UndoVoidPlan:
        return preview_undo_void(client=self.client, invoice_no=self.invoice.pk, today=self.today)

    def act(self, form: UndoVoidForm, caller: Caller, preview: UndoVoidPlan) -> str:
        why = form.why
        restored: Invoice = undo_void(
            client=self.client,
            invoice_no=self.invoice.pk,
            caller=caller,
            today=self.today,
            reason_code=why.reason_code,
            comments=why.comments,
            seen=preview.seen,
        )
        values: dict[str, Any] = {"restored": restored, "invoice": self.invoice}
        self.tell(gettext("%(restored)s charges again what %(invoice)s charged.") % values)
        return reverse("invoice", args=[restored.pk])


class UndoMemoForm(ActForm):
    reason = ReasonField(ReasonType.CREDIT_MEMO)
    comments = comments_field(max_length=DOCUMENT_COMMENTS_LENGTH)


class UndoMemo(InvoicePageOfAct):
    """The undo of a credit memo: a reversal offsets it, and its invoice and payments are as before."""

    form_class = UndoMemoForm
    template = "acts/undo_memo.html"
    title = _("Undo credit memo")
    button = _("Undo credit memo")

    def preview(self, form: UndoMemoForm) -> UndoMemoPlan:
        return preview_undo_memo(client=self.client, memo_no=self.invoice.pk, today=self.today)

    def act(self, form: UndoMemoForm, caller: Caller, preview: UndoMemoPlan) -> str:
        undone = undo_memo(
            client=self.client,
            memo_no=self.invoice.pk,
            caller=caller,
            today=self.today,
            why=form.why,
            seen=preview.seen,
        )
        values = {"memo": undone.memo, "reversal": undone.reversal, "invoice": undone.memo.corrects}
        self.tell(gettext("%(memo)s is undone by %(reversal)s. %(invoice)s counts as before.") % values)
        return reverse("invoice", args=[undone.memo.corrects_id])
