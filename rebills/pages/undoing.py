"""The page that previews and does the undo of a rebill."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from accounts.callers import Caller
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm
from accounts.rights import REBILL
from billing_site.common.limits import COMMENTS_LENGTH
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import ReasonType
from invoices.models import Invoice
from invoices.services.documents.reasons import reasons_of
from invoices.services.documents.rights import REBILL_PERMISSION
from invoices.services.money.ledger.acts import Why
from rebills.services.undoing import UndoPlan, preview_undo, undo_needs_approval, undo_rebill


class UndoForm(PageForm):
    """Why a rebill is undone. No reason is preselected, because it is stored with the reversals."""

    reason_code = forms.IntegerField(label=gettext_lazy("Reason"), min_value=1, max_value=9999, widget=forms.Select)
    comments = forms.CharField(required=False, max_length=COMMENTS_LENGTH, label=gettext_lazy("Comments"))

    def __init__(self, data: Any, reasons: Any) -> None:
        super().__init__(data)
        choices = [("", gettext("Choose a reason")), *((str(reason.code), reason.shown_name) for reason in reasons)]
        self.fields["reason_code"].widget.choices = choices


class UndoPage(StaffPage):
    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        return self._shown(self._rebill(number), self._form(None))

    def post(self, request: HttpRequest, number: int) -> HttpResponse:
        """Undo what the preview showed, once. A refusal, also that the preview no longer holds, is shown beside a new
        preview."""
        rebill, form = self._rebill(number), self._form(request.POST)
        if not form.is_valid():
            return self._shown(rebill, form, status=422)
        why = Why(form.cleaned_data["reason_code"], form.cleaned_data["comments"])
        try:
            return self.once(lambda caller: self._undone(rebill, why, caller), lambda receipt: _address(rebill), REBILL)
        except BillingError as refusal:
            return self._shown(rebill, form, refusal, status=refusal.code.http_status)

    def _rebill(self, number: int) -> Invoice:
        rebill: Invoice = self.found(Invoice.objects.select_related("client", "account", "corrects"), number)
        return rebill

    def _form(self, data: Any) -> UndoForm:
        return UndoForm(data, reasons_of(self.client, ReasonType.REBILL))

    def _undone(self, rebill: Invoice, why: Why, caller: Caller) -> str:
        undo_rebill(
            client=self.client,
            rebill_no=rebill.pk,
            caller=caller,
            today=self.today,
            why=why,
            seen=self.request.POST.get("fingerprint", ""),
        )
        text = gettext("%(rebill)s is undone. %(original)s counts as before.")
        messages.success(self.request, text % {"rebill": rebill, "original": rebill.corrects})
        return _address(rebill)

    def _shown(
        self, rebill: Invoice, form: UndoForm, refusal: BillingError | None = None, *, status: int = 200
    ) -> HttpResponse:
        plan: UndoPlan | None = None
        try:
            plan = preview_undo(client=self.client, rebill_no=rebill.pk, today=self.today)
        except BillingError as error:
            refusal = refusal or error
        for one in plan.reversed if plan else ():
            one.reversed_total = -one.total_amount  # type: ignore[attr-defined]
        context = {
            "invoice": rebill,
            "plan": plan,
            "form": form,
            "refusal": refusal,
            "has_moved": refusal is not None and refusal.code is ErrorCode.DOCUMENT_MOVED,
            "may_rebill": self.may(REBILL_PERMISSION),
            "needs_approval": plan is not None and undo_needs_approval(self.client, plan),
        }
        return self.page("rebills/undo.html", context, status=status)


def _address(rebill: Invoice) -> str:
    return reverse("rebilled", args=[rebill.pk])
