"""Forms for decisions on documents."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.kinds import CreditTo
from accounts.pages.forms import PageForm
from billing_site.common.limits import COMMENTS_LENGTH, REMARK_LENGTH
from invoices.kinds import PAYMENT_VOID_REASONS, DecisionAct, PostingStatus, VoidReason
from invoices.models import Invoice
from invoices.services.correcting.remarks import CHANGEABLE, remarks_version


class DecideForm(PageForm):
    act = forms.ChoiceField(choices=DecisionAct, widget=forms.HiddenInput)
    reason = forms.CharField(
        required=False, max_length=REMARK_LENGTH, label=_("Reason"), help_text=_("Stored in the audit trail.")
    )
    client_notes = forms.CharField(
        required=False,
        max_length=REMARK_LENGTH,
        label=_("Note"),
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Shown with the document. Leave empty to keep the current note."),
    )
    custom_status_label = forms.CharField(
        required=False, max_length=100, label=_("Custom status"), help_text=_("Leave empty to keep the current status.")
    )


class RemarkForm(PageForm):
    """The note and statuses of one document. `version` is that of what was shown."""

    version = forms.CharField(widget=forms.HiddenInput)
    client_notes = forms.CharField(
        required=False,
        max_length=REMARK_LENGTH,
        label=_("Note"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Shown with the document, not printed on it."),
    )
    custom_status_label = forms.CharField(required=False, max_length=100, label=_("Custom status"))
    posting_status = forms.ChoiceField(
        choices=PostingStatus, label=_("Posting status"), help_text=_("Whether your accounting has entered the document.")
    )

    @classmethod
    def of(cls, invoice: Invoice) -> "RemarkForm":
        return cls(initial={"version": remarks_version(invoice), **{name: getattr(invoice, name) for name in CHANGEABLE}})


class ActForm(PageForm):
    reason = forms.CharField(required=False, max_length=REMARK_LENGTH, label=_("Reason"))


INVOICE_VOID_REASONS = [(reason.value, reason.label) for reason in VoidReason if reason not in PAYMENT_VOID_REASONS]


def credit_to_field() -> forms.ChoiceField:
    """A field that says where freed payments go. Empty: as the client's setting says."""
    choices = [("", _("As the settings say")), *CreditTo.choices]
    return forms.ChoiceField(choices=choices, required=False, label=_("Payments that are freed"))


class VoidForm(PageForm):
    """Voids a document. No reason is preselected, because the reason is stored with the document and in the ledger."""

    reason_code = forms.TypedChoiceField(
        coerce=int, choices=[("", _("Choose a reason")), *INVOICE_VOID_REASONS], label=_("Reason")
    )
    credit_to = credit_to_field()
    comments = forms.CharField(required=False, max_length=COMMENTS_LENGTH, label=_("Comments"))
