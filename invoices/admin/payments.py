"""Payments, refunds and cash credits in the admin."""

from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.admin.rows import (
    page_link,
)
from invoices.admin.acts import ActAdmin, ActForm, EntryAdmin, ReasonField, all_field, amount_field, by, comments_field, why
from invoices.admin.ledger import STANDING, ColumnsOfEntry
from invoices.kinds import (
    EntryKind,
    PaymentType,
    ReasonType,
    RefundStatus,
)
from invoices.models import (
    CashCredit,
    Payment,
    Refund,
)
from invoices.services.documents.rights import COLLECT_PERMISSION
from invoices.services.money.ledger.payments import add_cash_credit, record_external_payment
from invoices.services.money.ledger.refunds import make_refund, request_refund

REFUND_COLOURS = {
    RefundStatus.ASKED.value: "warning",
    RefundStatus.DONE.value: "success",
    RefundStatus.FAILED.value: "danger",
}


class PaymentForm(ActForm):
    type = forms.ChoiceField(choices=PaymentType.choices, initial=PaymentType.CHECK, widget=UnfoldAdminSelectWidget)
    amount = amount_field()
    received_on = forms.DateField(required=False, widget=UnfoldAdminSingleDateWidget, help_text=_("Empty: today."))
    reference = forms.CharField(
        max_length=100,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Reference of the check or transfer. The same reference on the same day is refused."),
    )
    invoice = forms.IntegerField(
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("The invoice number that the payment is for. Empty: the oldest open invoices."),
    )
    comments = comments_field()
    named: ClassVar = {"acct_no": "account", "invoices": "invoice"}

    class Meta:
        model = Payment
        fields = ["account", "type", "amount", "received_on", "reference", "invoice", "comments"]


@admin.register(Payment)
class PaymentAdmin(ColumnsOfEntry, ActAdmin):  # type: ignore[misc]
    client_path = "account__client"
    right = COLLECT_PERMISSION
    add_form = PaymentForm
    autocomplete_fields = ["account"]
    list_display = ["named", "account", "date", "type", "reference", "amount_in_currency"]
    list_filter = ["type", "gateway", "account__client"]
    list_select_related = ["account", "entry__account", "entry__voids"]
    search_fields = ["entry__id__exact", "reference", "gateway_payment_id", "account__client_acct_id"]
    shown = (
        ("account", "named"),
        ("amount_in_currency", "left"),
        ("date", "type"),
        ("reference", "comment"),
        ("gateway", "gateway_payment_id"),
        *STANDING,
        "who",
    )

    def act(self, request: HttpRequest, obj: Any, form: Any) -> None:
        fields = form.cleaned_data
        chosen = {fields["invoice"]: fields["amount"]} if fields["invoice"] else None
        obj.entry = record_external_payment(
            account_no=obj.account_id,
            amount=fields["amount"],
            type=PaymentType(fields["type"]),
            received_on=fields["received_on"],
            reference=fields["reference"],
            comments=fields["comments"],
            invoices=chosen,
            **by(request, obj.account.client),
        ).entry


class RefundForm(ActForm):
    amount = amount_field(required=False)
    everything = all_field(_("Everything that is not refunded yet. Tick this box, or enter an amount."))
    reason = ReasonField(ReasonType.REFUND)
    comments = comments_field()
    named: ClassVar = {"transaction_id": "payment", "reason_code": "reason"}

    class Meta:
        model = Refund
        fields = ["payment", "amount", "everything", "reason", "comments"]


@admin.register(Refund)
class RefundAdmin(ColumnsOfEntry, ActAdmin):  # type: ignore[misc]
    """Refunds. The gateway is called after the page's transaction is committed."""

    client_path = "payment__account__client"
    add_form = RefundForm
    autocomplete_fields = ["payment"]
    list_display = ["named", "account", "payment", "date", "status_label", "amount_in_currency"]
    list_filter = ["status", "payment__account__client"]
    list_select_related = ["entry__account", "entry__voids", "payment"]
    search_fields = ["entry__id__exact", "gateway_refund_id", "payment__account__client_acct_id"]
    shown = (
        ("account", "payment"),
        ("amount_in_currency", "status"),
        ("reason", "comment"),
        ("gateway_refund_id", "proc_status_code"),
        "proc_status_text",
        ("asked_at", "settled_at"),
        *STANDING,
        "who",
    )

    @admin.display(description=_("account"))
    def account(self, refund: Refund) -> SafeString:
        return page_link(refund.entry.account)

    @display(description=_("status"), ordering="status", label=REFUND_COLOURS)  # type: ignore[arg-type]
    def status_label(self, refund: Refund) -> tuple[str, str]:
        return refund.status, refund.get_status_display()

    def act(self, request: HttpRequest, obj: Any, form: Any) -> None:
        fields, who = form.cleaned_data, by(request, obj.payment.account.client)
        terms = {"amount": fields["amount"], "everything": fields["everything"]}
        refund = request_refund(transaction_id=obj.payment_id, **terms, why=why(fields), **who)
        obj.entry = refund.entry
        transaction.on_commit(partial(make_refund, refund, **who))


class CashCreditForm(ActForm):
    amount = amount_field()
    reason = ReasonField(ReasonType.CASH_CREDIT)
    comments = comments_field()
    named: ClassVar = {"acct_no": "account", "reason_code": "reason"}

    class Meta:
        model = CashCredit
        fields = ["account", "amount", "reason", "comments"]


@admin.register(CashCredit)
class CashCreditAdmin(EntryAdmin):
    kind = EntryKind.CASH_CREDIT
    add_form = CashCreditForm
    autocomplete_fields = ["account"]

    def act(self, request: HttpRequest, obj: Any, form: Any) -> None:
        fields = form.cleaned_data
        obj.pk = add_cash_credit(
            account_no=obj.account_id, amount=fields["amount"], why=why(fields), **by(request, obj.account.client)
        ).pk
