"""Forms for decisions on documents."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.pages.forms import PageForm
from billing_site.common.limits import COMMENTS_LENGTH, REMARK_LENGTH
from invoices.kinds import PAYMENT_VOID_REASONS, DecisionAct, VoidReason


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


class ActForm(PageForm):
    reason = forms.CharField(required=False, max_length=REMARK_LENGTH, label=_("Reason"))


INVOICE_VOID_REASONS = [(reason.value, reason.label) for reason in VoidReason if reason not in PAYMENT_VOID_REASONS]


class VoidForm(PageForm):
    """Voids a document. No reason is preselected, because the reason is stored with the document and in the ledger."""

    reason_code = forms.TypedChoiceField(
        coerce=int, choices=[("", _("Choose a reason")), *INVOICE_VOID_REASONS], label=_("Reason")
    )
    comments = forms.CharField(required=False, max_length=COMMENTS_LENGTH, label=_("Comments"))
