"""Corrections of debts in the admin: write-offs, disputes, credit memos and voids."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from accounts.admin.rows import page_link
from billing_site.common.limits import DOCUMENT_COMMENTS_LENGTH
from invoices.admin.acts import (
    TO_BE_CHOSEN,
    ActAdmin,
    ActForm,
    EntryAdmin,
    ReasonField,
    all_field,
    amount_field,
    by,
    comments_field,
    why,
)
from invoices.admin.amounts import amount
from invoices.kinds import CHARGE_KINDS, EntryKind, InvoiceKind, ReasonType, VoidReason
from invoices.models import CreditMemo, Dispute, Invoice, TransactionVoid, WriteOff
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.undoing.voiding import void_invoice


class WriteOffForm(ActForm):
    amount = amount_field(required=False)
    everything = all_field(_("The whole open amount. Tick this box, or enter an amount."))
    reason = ReasonField(ReasonType.WRITE_OFF)
    comments = comments_field()
    named: ClassVar = {"invoice_no": "invoice", "reason_code": "reason"}

    class Meta:
        model = WriteOff
        fields = ["invoice", "amount", "everything", "reason", "comments"]


class DisputeForm(WriteOffForm):
    reason = ReasonField(ReasonType.DISPUTE)

    class Meta:
        model = Dispute
        fields = WriteOffForm.Meta.fields


@admin.register(WriteOff)
class WriteOffAdmin(EntryAdmin):
    add_form: type[forms.ModelForm] = WriteOffForm
    autocomplete_fields = ["invoice"]
    kind = EntryKind.WRITE_OFF

    def act(self, request: HttpRequest, obj: Any, form: Any) -> None:
        fields = form.cleaned_data
        obj.pk = write_off(
            invoice_no=obj.invoice_id,
            amount=fields["amount"],
            everything=fields["everything"],
            why=why(fields),
            kind=self.kind,
            **by(request, obj.invoice.client),
        ).pk


@admin.register(Dispute)
class DisputeAdmin(WriteOffAdmin):
    """Disputes. Voiding one makes its amount due again."""

    add_form = DisputeForm
    kind = EntryKind.DISPUTE


class VoidForm(ActForm):
    reason = forms.TypedChoiceField(choices=[TO_BE_CHOSEN, *VoidReason.choices], coerce=int, widget=UnfoldAdminSelectWidget)
    comments = comments_field()
    named: ClassVar = {"transaction_id": "voids", "invoice_no": "voids", "reason_code": "reason"}

    class Meta:
        model = TransactionVoid
        fields = ["voids", "reason", "comments"]


@admin.register(TransactionVoid)
class TransactionVoidAdmin(EntryAdmin):
    """Voids. Voiding an invoice or credit memo's entry voids the document and releases everything it held."""

    kind = EntryKind.VOID
    add_form = VoidForm
    autocomplete_fields = ["voids"]

    def act(self, request: HttpRequest, obj: Any, form: Any) -> None:
        fields, entry = form.cleaned_data, obj.voids
        who, reason = by(request, entry.account.client), {"reason_code": fields["reason"], "comments": fields["comments"]}
        if entry.kind in CHARGE_KINDS:
            obj.pk = void_invoice(invoice_no=entry.invoice_id, **reason, **who).void_transaction_id
        else:
            obj.pk = void_transaction(transaction_id=entry.pk, **reason, **who).pk


class CreditMemoForm(ActForm):
    line_no = forms.IntegerField(required=False, widget=UnfoldAdminIntegerFieldWidget, help_text=_("One line of the invoice."))
    amount = amount_field(
        required=False,
        help_text=_("Amount before added tax. The tax is credited in proportion. Empty with a line: the whole line."),
    )
    everything = all_field(_("Everything that can still be credited. Tick this box, or enter a line or an amount."))
    reason = ReasonField(ReasonType.CREDIT_MEMO)
    comments = comments_field(required=True, max_length=DOCUMENT_COMMENTS_LENGTH)
    named: ClassVar = {"invoice_no": "corrects", "reason_code": "reason", "lines": "line_no"}

    class Meta:
        model = CreditMemo
        fields = ["corrects", "line_no", "amount", "everything", "reason", "comments"]


@admin.register(CreditMemo)
class CreditMemoAdmin(ActAdmin):
    client_path = "client"
    add_form = CreditMemoForm
    autocomplete_fields = ["corrects"]
    list_display = ["document_number", "account", "corrects", "invoice_date", "status", "total_in_currency"]
    list_filter = ["status", "client", "invoice_date"]
    list_select_related = ["account", "corrects"]
    search_fields = ["document_number", "id__exact", "corrects__document_number", "account__client_acct_id"]
    shown = (
        ("document_number", "status"),
        ("account", "corrects"),
        ("invoice_date", "total_in_currency"),
        ("reason_code", "comments"),
        "document",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(kind=InvoiceKind.CREDIT_MEMO)

    @admin.display(description=_("total"), ordering="total_amount")
    def total_in_currency(self, memo: CreditMemo) -> SafeString:
        return amount(memo.total_amount, memo.currency)

    @admin.display(description=_("document"))
    def document(self, memo: CreditMemo) -> SafeString:
        return page_link(Invoice.objects.get(pk=memo.pk), _("Lines and taxes"))

    def act(self, request: HttpRequest, obj: Any, form: Any) -> None:
        fields = form.cleaned_data
        line_no, everything = fields["line_no"], fields["everything"]
        credit = CreditRequest(amount=fields["amount"], everything=everything)
        if line_no is not None:
            credit = CreditRequest(lines={line_no: fields["amount"]}, everything=everything)
        obj.pk = create_credit_memo(
            invoice_no=obj.corrects_id, why=why(fields), credit=credit, **by(request, obj.corrects.client)
        ).pk
