"""Generate an invoice of one account: choose the mode, preview it, and generate what the preview showed."""

from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.db.models import TextChoices
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import resolve, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.callers import Caller
from accounts.models import Account, Receipt
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm, show_refusal
from accounts.pages.languages import locale_of
from accounts.rights import GENERATE
from billing_site.common.currencies import shown_money
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import AttemptStatus, InvoiceStatus
from invoices.models import Invoice
from invoices.pages.account_pages import not_permitted
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.documents.collection_results import outcome_of
from invoices.services.issuing.generate_preview import InvoicePreview, preview_invoice
from invoices.services.planning.billable import Billable, billable


class Mode(TextChoices):
    """How an invoice is generated."""

    NOW = "now", gettext_lazy("Now")
    PENDING = "pending", gettext_lazy("As pending")
    ADVANCE = "advance", gettext_lazy("In advance")
    FINAL = "final", gettext_lazy("Final invoice")


HINTS = {
    Mode.NOW: gettext_lazy("Bills the cycle that is due. Issues the invoice, unless a rule requires approval."),
    Mode.PENDING: gettext_lazy("Bills the cycle that is due. The invoice is pending and changes nothing until it is approved."),
    Mode.ADVANCE: gettext_lazy("Bills the coming cycle before its date. Usage and orders are billed on the bill date."),
    Mode.FINAL: gettext_lazy("Bills today what plans that have ended have left, without waiting for the next bill date."),
}


class Way(NamedTuple):
    """A mode, and why it cannot be chosen, if so."""

    mode: Mode
    hint: Any
    refusal: BillingError | None


class GeneratingForm(PageForm):
    mode = forms.ChoiceField(choices=Mode.choices)
    alt_bill_day = forms.IntegerField(
        label=gettext_lazy("Alternate bill day"),
        required=False,
        help_text=gettext_lazy(
            "A day of the month, 1 to 31. The first invoice is prorated to this day. Empty: the account's own bill day."
        ),
        widget=forms.NumberInput({"inputmode": "numeric", "min": 1, "max": 31}),
    )

    def request(self, today: Any) -> BillingRequest:
        mode = self.cleaned_data["mode"]
        return BillingRequest(
            today,
            advance=mode == Mode.ADVANCE,
            alt_bill_day=self.cleaned_data["alt_bill_day"],
            force_pending=mode == Mode.PENDING,
            final=mode == Mode.FINAL,
        )


class GeneratePage(StaffPage):
    needs = "accounts.view_account"
    parameters = ("mode", "alt_bill_day")

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        account = self.found(Account.objects.select_related("client"), number)
        ways = self._ways(account)
        first = Mode.ADVANCE if ways.now is not None and ways.ahead is None else Mode.NOW
        return self._shown(account, ways, GeneratingForm(request.GET if "mode" in request.GET else {"mode": first.value}))

    def post(self, request: HttpRequest, number: int) -> HttpResponseBase:
        """Generate what the preview showed, once; or preview the current choice.

        A refusal is shown beside a new preview. A mode that differs from the previewed one is refused.
        """
        account = self.found(Account.objects.select_related("client"), number)
        form = GeneratingForm(request.POST)
        if request.POST.get("act") == "preview" or not form.is_valid():
            return self._shown(account, self._ways(account), form)
        if request.POST.get("seen_mode", form.cleaned_data["mode"]) != form.cleaned_data["mode"]:
            return self._shown(account, self._ways(account), form, BillingError(ErrorCode.DOCUMENT_MOVED, field="mode"))
        try:
            answer = self.once(lambda caller: self._generated(account, form, caller), self._address_of(account), GENERATE)
        except BillingError as refusal:
            return self._shown(account, self._ways(account), form, refusal)
        self._show_result(account, answer["Location"])
        return answer

    def _generated(self, account: Account, form: GeneratingForm, caller: Caller) -> str:
        invoice_no = generate_invoice(
            client=account.client,
            account_no=account.pk,
            request=form.request(self.today),
            caller=caller,
            seen=self.request.POST.get("fingerprint", ""),
        )
        return _address(account, invoice_no)

    def _address_of(self, account: Account) -> Any:
        def address_of(receipt: Receipt) -> str:
            return _address(account, receipt.invoice_no)

        return address_of

    def _ways(self, account: Account) -> Billable:
        return billable(client=account.client, account_no=account.pk, today=self.today)

    def _shown(
        self, account: Account, ways: Billable, form: GeneratingForm, refusal: BillingError | None = None
    ) -> HttpResponse:
        expected, why_not = self._expected(account, form)
        refusals = {Mode.ADVANCE: ways.ahead, Mode.FINAL: ways.final}
        if ways.alternate is not None:
            form.fields["alt_bill_day"].disabled = not form["alt_bill_day"].value()
        return self.page(
            "accounts/generate.html",
            {
                "account": account,
                "form": form,
                "ways": [Way(mode, HINTS[mode], refusals.get(mode, ways.now)) for mode in Mode],
                "alternate_refusal": ways.alternate,
                "expected": expected,
                "why_not": why_not,
                "refusal": refusal,
                "not_permitted": not_permitted(self),
            },
            status=200 if refusal is None else refusal.code.http_status,
        )

    def _expected(self, account: Account, form: GeneratingForm) -> tuple[InvoicePreview | None, BillingError | None]:
        """Return what would be generated, or why nothing would. A wrong input is shown at its field instead."""
        if not form.is_valid():
            return None, None
        try:
            return preview_invoice(client=account.client, account_no=account.pk, request=form.request(self.today)), None
        except BillingError as error:
            if error.field in form.fields:
                show_refusal(form, error)
                return None, None
            return None, error

    def _show_result(self, account: Account, address: str) -> None:
        """Show the result from what is stored, so that a repeated request gets the same message."""
        found = resolve(address)
        if found.url_name != "invoice":
            account.refresh_from_db()
            messages.info(self.request, _("There was nothing to bill in this cycle. The account moved to the next cycle."))
            return
        invoice = Invoice.objects.get(pk=found.kwargs["number"])
        total = shown_money(invoice.total_amount, invoice.currency, locale_of(self.request))
        if invoice.status == InvoiceStatus.PENDING:
            text = _("Invoice %(number)s of %(total)s is pending.")
            messages.warning(self.request, text % {"number": invoice.pk, "total": total})
            return
        text = _("Invoice %(number)s of %(total)s is issued.")
        messages.success(self.request, text % {"number": invoice.document_number, "total": total})
        self._tell_collection(invoice)

    def _tell_collection(self, invoice: Invoice) -> None:
        attempt = invoice.collection_attempts.order_by("-attempt_no").first()
        if attempt is None:
            return
        if attempt.amount is not None and attempt.status == AttemptStatus.COLLECTED:
            amount = shown_money(attempt.amount, invoice.currency, locale_of(self.request))
            messages.success(self.request, _("%(amount)s was collected.") % {"amount": amount})
            return
        outcome = outcome_of(attempt, invoice.account_id)
        text = _("It was voided, because it could not be collected: %(why)s")
        if invoice.status != InvoiceStatus.VOIDED:
            text = _("It was not collected: %(why)s")
        messages.warning(self.request, text % {"why": outcome.shown})


def _address(account: Account, invoice_no: int | None) -> str:
    """Return the address of the invoice or, if there was nothing to bill, of the account."""
    return reverse("account", args=[account.pk]) if invoice_no is None else reverse("invoice", args=[invoice_no])
