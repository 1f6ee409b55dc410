"""Refund a payment, and void a transaction."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.pages.base import StaffPage
from accounts.rights import CORRECT
from invoices.kinds import CHARGE_KINDS, PAYMENT_KINDS, EntryKind, ReasonType, RefundStatus, VoidReason
from invoices.models import Invoice, LedgerEntry, Payment
from invoices.pages.acts.base import ActForm, ActPage, ReasonField, amount_field, comments_field, typed
from invoices.services.lists.invoice_history import payments_on_invoice
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.history import description, with_voids
from invoices.services.money.ledger.open_items import left_of_credit
from invoices.services.money.ledger.refunds import RefundPreview, left_to_refund, preview_refund, refund_payment
from invoices.services.money.ledger.voids import (
    UNDOABLE_KINDS,
    UndoEntryPlan,
    VoidPreview,
    preview_undo_transaction,
    preview_void,
    undo_transaction,
    void_transaction,
)


class TransactionPage(ActPage):
    """An act on one transaction of an account."""

    right = CORRECT
    kinds: Sequence[EntryKind]
    entry: LedgerEntry

    def open(self, **numbers: int) -> None:
        rows = with_voids(LedgerEntry.objects.select_related("account__client")).filter(kind__in=self.kinds)
        self.entry = self.found(rows, numbers["number"], "account__client")

    def back(self) -> str:
        return reverse("account", args=[self.entry.account_id])

    def context(self, preview: Any) -> Mapping[str, Any]:
        released = preview.released if preview else ()
        charges = LedgerEntry.objects.select_related("invoice").in_bulk([number for number, _amount in released])
        return {
            "account": self.entry.account,
            "entry": self.entry,
            "named": description(self.entry),
            "currency": self.entry.account.currency,
            "released": [(charges[number].invoice, amount) for number, amount in released],
            "balance": account_balance(self.entry.account),
        }


class RefundForm(ActForm):
    amount = amount_field()
    reason = ReasonField(ReasonType.REFUND)
    comments = comments_field()


class RefundPayment(TransactionPage):
    """A refund of a payment, by its gateway or by hand."""

    kinds = tuple(PAYMENT_KINDS)
    form_class = RefundForm
    template = "acts/refund.html"
    title = _("Refund")
    button = _("Refund payment")

    def open(self, **numbers: int) -> None:
        super().open(**numbers)
        self.payment = Payment.objects.select_related("entry").get(pk=self.entry.pk)

    def initial(self) -> dict[str, Any]:
        """Begin with the part that pays no invoice, if there is one: its refund opens no invoice again."""
        left = Decimal(0) if self.entry.is_voided else left_of_credit(self.entry.pk) or left_to_refund(self.payment)
        return {"amount": typed(left, self.entry.account.currency)} if left > 0 else {}

    def preview(self, form: RefundForm) -> RefundPreview:
        return preview_refund(client=self.client, transaction_id=self.entry.pk, amount=form.cleaned_data["amount"])

    def act(self, form: RefundForm, caller: Caller, preview: RefundPreview) -> str:
        refund = refund_payment(
            client=self.client,
            transaction_id=self.entry.pk,
            caller=caller,
            today=self.today,
            why=form.why,
            amount=form.cleaned_data["amount"],
            seen=preview.seen,
        )
        values = {"amount": self.money(preview.amount, self.entry.account.currency), "payment": description(self.entry)}
        texts = {
            RefundStatus.DONE.value: gettext("%(amount)s of %(payment)s is refunded."),
            RefundStatus.ASKED.value: gettext("%(amount)s of %(payment)s is being refunded by the payment gateway."),
            RefundStatus.FAILED.value: gettext(
                "The payment gateway refused to refund %(amount)s of %(payment)s. Nothing has changed."
            ),
            RefundStatus.WITHDRAWN.value: gettext(
                "The refund of %(amount)s of %(payment)s was undone before the payment gateway was asked for it."
            ),
        }
        text = texts[refund.status] % values
        if refund.status == RefundStatus.DONE and not preview.electronic:
            text += " " + gettext("Pay it to the customer yourself.")
        self.tell(text, good=refund.status in (RefundStatus.DONE, RefundStatus.ASKED))
        return self.back()


class RefundOfInvoice(StaffPage):
    """Choose which payment of an invoice to refund. If there is only one, its refund is shown at once."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        invoice = self.found(Invoice.objects.select_related("account"), number)
        payments = [
            (entry, description(entry), amount)
            for entry, amount in payments_on_invoice(invoice)
            if entry.kind in PAYMENT_KINDS and amount
        ]
        if len(payments) == 1:
            return redirect("refund", payments[0][0].pk)
        return self.page("acts/payments.html", {"invoice": invoice, "payments": payments})


class VoidForm(ActForm):
    reason = forms.TypedChoiceField(label=_("Reason"), coerce=int, choices=[("", _("Choose a reason")), *VoidReason.choices])
    comments = comments_field()


class VoidTransaction(TransactionPage):
    """A void of a payment or cash credit. What else is voided is undone by the same service."""

    kinds = tuple(kind for kind in EntryKind if kind not in (*CHARGE_KINDS, EntryKind.VOID))
    form_class = VoidForm
    template = "acts/void.html"
    title = _("Void")
    button = _("Void transaction")
    tone = "btn-danger"

    def preview(self, form: VoidForm) -> VoidPreview:
        reason = form.cleaned_data.get("reason") or None
        return preview_void(client=self.client, transaction_id=self.entry.pk, reason_code=reason)

    def act(self, form: VoidForm, caller: Caller, preview: VoidPreview) -> str:
        why = form.why
        void_transaction(
            client=self.client,
            transaction_id=self.entry.pk,
            caller=caller,
            today=self.today,
            reason_code=why.reason_code,
            comments=why.comments,
            seen=preview.seen,
        )
        self.tell(gettext("%(transaction)s is voided.") % {"transaction": description(self.entry)})
        return self.back()


class UndoTransaction(TransactionPage):
    """The undo of a write-off, dispute or refund: what it took from invoices or payments is where it was."""

    kinds = UNDOABLE_KINDS
    form_class = VoidForm
    template = "acts/undo_transaction.html"
    title = _("Undo")
    button = _("Undo transaction")

    def preview(self, form: VoidForm) -> UndoEntryPlan:
        return preview_undo_transaction(client=self.client, transaction_id=self.entry.pk)

    def act(self, form: VoidForm, caller: Caller, preview: UndoEntryPlan) -> str:
        why = form.why
        undo_transaction(
            client=self.client,
            transaction_id=self.entry.pk,
            caller=caller,
            today=self.today,
            reason_code=why.reason_code,
            comments=why.comments,
            seen=preview.seen,
        )
        self.tell(gettext("%(transaction)s is undone.") % {"transaction": description(self.entry)})
        return self.back()

    def context(self, preview: UndoEntryPlan | None) -> Mapping[str, Any]:
        return {"account": self.entry.account, "named": description(self.entry), "currency": self.entry.account.currency}
