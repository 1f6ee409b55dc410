"""Record a payment, give a cash credit, and apply unapplied credit."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django import forms
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Account
from accounts.pages.forms import DayInput
from accounts.rights import COLLECT, CORRECT
from invoices.calculation import ZERO
from invoices.kinds import FREE_KINDS, PaymentType, ReasonType
from invoices.models import Invoice, LedgerEntry
from invoices.pages.acts.base import ActForm, ActPage, ReasonField, amount_field, comments_field, typed
from invoices.services.money.ledger.applying import Paid
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.history import description
from invoices.services.money.ledger.open_items import Charge, left_of_credit, open_charges
from invoices.services.money.ledger.payments import (
    CreditPreview,
    add_cash_credit,
    apply_unused_credit,
    preview_application,
    preview_cash_credit,
    preview_payment,
    record_external_payment,
)

SHOWN = 200
"""Open invoices that can be chosen, the oldest first. A payment pays the others too."""


class OpenInvoice(NamedTuple):
    """An open invoice that a payment can be chosen to pay."""

    invoice: Invoice
    charge: Charge
    is_chosen: bool


class PaidInvoice(NamedTuple):
    """An invoice that would be paid, and how much of it."""

    invoice: Invoice
    paid: Paid


class PaysForm(ActForm):
    """A form with the open invoices that can be chosen."""

    invoice = forms.TypedMultipleChoiceField(required=False, coerce=int, label=_("Invoices to pay"))

    def __init__(self, data: Any = None, *, open_invoices: Sequence[int], **kwargs: Any) -> None:
        self.open_invoices = open_invoices
        super().__init__(data, **kwargs)

    fields_of_errors = {"invoice_no": "invoice", "invoices": "invoice", "reason_code": "reason"}

    def offer(self) -> None:
        super().offer()
        self.fields["invoice"].choices = [(number, number) for number in self.open_invoices]  # type: ignore[attr-defined]


class PaymentForm(PaysForm):
    amount = amount_field()
    type = forms.ChoiceField(label=_("Paid by"), choices=PaymentType.choices, initial=PaymentType.BANK_TRANSFER)
    received_on = forms.DateField(label=_("Received on"), widget=DayInput)
    reference = forms.CharField(
        label=_("Reference"),
        required=False,
        max_length=100,
        help_text=_("Of the transfer or cheque. The same reference on the same day is refused."),
    )
    comments = comments_field()
    field_order = ("amount", "type", "received_on", "reference", "comments", "invoice")
    later = ()


class CashCreditForm(PaysForm):
    amount = amount_field()
    reason = ReasonField(ReasonType.CASH_CREDIT)
    comments = comments_field()
    field_order = ("amount", "reason", "comments", "invoice")


class ApplyForm(PaysForm):
    pass


class CreditPage(ActPage):
    """An act that pays open invoices of an account."""

    template = "acts/credit.html"
    account: Account

    def open(self, **numbers: int) -> None:
        self.account = self.found(Account.objects.select_related("client"), numbers["number"])
        self.charges = open_charges([self.account.pk]).get(self.account.pk, [])

    def form(self, data: Any, **options: Any) -> Any:
        return super().form(data, open_invoices=[charge.invoice_no for charge in self.charges], **options)

    def back(self) -> str:
        return reverse("account", args=[self.account.pk])

    def shown_chosen(self) -> list[int]:
        """Return the invoices that are ticked."""
        sent = self.request.POST.getlist("invoice") if self.request.method == "POST" else self.initial().get("invoice", [])
        return [int(number) for number in sent if str(number).isdecimal()]

    def context(self, preview: CreditPreview | None) -> Mapping[str, Any]:
        charges, chosen = self.charges[:SHOWN], self.shown_chosen()
        paid = preview.paid if preview else ()
        numbers = {charge.invoice_no for charge in charges} | {one.charge.invoice_no for one in paid}
        invoices = Invoice.objects.in_bulk(numbers)
        return {
            "account": self.account,
            "currency": self.account.currency,
            "balance": account_balance(self.account),
            "open_total": sum((charge.due for charge in self.charges), ZERO),
            "open_invoices": [
                OpenInvoice(invoices[charge.invoice_no], charge, charge.invoice_no in chosen) for charge in charges
            ],
            "more_open": len(self.charges) - len(charges),
            "paid": [PaidInvoice(invoices[one.charge.invoice_no], one) for one in paid],
        }

    def outcome(self, preview: CreditPreview) -> str:
        """Say what was paid, after the act."""
        invoices = Invoice.objects.in_bulk([one.charge.invoice_no for one in preview.paid])
        parts = [
            gettext("%(amount)s pays %(invoice)s.")
            % {"amount": self.money(one.amount, self.account.currency), "invoice": invoices[one.charge.invoice_no]}
            for one in preview.paid[:5]
        ]
        if preview.unapplied:
            rest = self.money(preview.unapplied, self.account.currency)
            parts.append(gettext("%(amount)s is unapplied credit.") % {"amount": rest})
        return " ".join(parts)


class RecordPayment(CreditPage):
    """A payment from outside a gateway: it pays the chosen invoices, then the oldest ones; the rest is unapplied credit."""

    right = COLLECT
    form_class = PaymentForm
    parameters = ("invoice",)
    title = _("Record payment")
    button = _("Record payment")

    def initial(self) -> dict[str, Any]:
        chosen = self.request.GET.get("invoice", "")
        due = {str(charge.invoice_no): charge.due for charge in self.charges}
        first = {"type": PaymentType.BANK_TRANSFER.value, "received_on": self.today.isoformat(), "invoice": []}
        if chosen in due:
            first |= {"invoice": [chosen], "amount": typed(due[chosen], self.account.currency)}
        elif len(self.charges) == 1:
            first["amount"] = typed(self.charges[0].due, self.account.currency)
        return first

    def _asked(self, form: PaymentForm) -> dict[str, Any]:
        fields = form.cleaned_data
        return {
            "client": self.client,
            "account_no": self.account.pk,
            "today": self.today,
            "amount": fields["amount"],
            "type": PaymentType(fields["type"]),
            "received_on": fields["received_on"],
            "reference": fields["reference"],
            "pays": fields["invoice"],
        }

    def preview(self, form: PaymentForm) -> CreditPreview:
        return preview_payment(**self._asked(form))

    def act(self, form: PaymentForm, caller: Caller, preview: CreditPreview) -> str:
        record_external_payment(**self._asked(form), caller=caller, comments=form.cleaned_data["comments"], seen=preview.seen)
        amount = self.money(preview.amount, self.account.currency)
        self.tell(gettext("The payment of %(amount)s is recorded.") % {"amount": amount} + " " + self.outcome(preview))
        return self.back()


class GiveCashCredit(CreditPage):
    """A cash credit: it pays invoices, tax included, and is not a document."""

    right = CORRECT
    form_class = CashCreditForm
    title = _("Give cash credit")
    button = _("Give cash credit")

    def preview(self, form: CashCreditForm) -> CreditPreview:
        return preview_cash_credit(**self._asked(form))

    def _asked(self, form: CashCreditForm) -> dict[str, Any]:
        return {"client": self.client, "account_no": self.account.pk, "amount": form.cleaned_data["amount"]} | {
            "pays": form.cleaned_data["invoice"]
        }

    def act(self, form: CashCreditForm, caller: Caller, preview: CreditPreview) -> str:
        add_cash_credit(**self._asked(form), caller=caller, today=self.today, why=form.why, seen=preview.seen)
        amount = self.money(preview.amount, self.account.currency)
        self.tell(gettext("The cash credit of %(amount)s is given.") % {"amount": amount} + " " + self.outcome(preview))
        return self.back()


class ApplyCredit(CreditPage):
    """Unapplied credit pays the chosen invoices, then the oldest ones."""

    right = COLLECT
    form_class = ApplyForm
    title = _("Apply credit")
    button = _("Apply credit")
    entry: LedgerEntry

    def open(self, **numbers: int) -> None:
        rows = LedgerEntry.objects.select_related("account__client").filter(kind__in=FREE_KINDS)
        self.entry = self.found(rows, numbers["number"], "account__client")
        super().open(number=self.entry.account_id)

    def preview(self, form: ApplyForm) -> CreditPreview:
        return preview_application(client=self.client, transaction_id=self.entry.pk, pays=form.cleaned_data["invoice"])

    def act(self, form: ApplyForm, caller: Caller, preview: CreditPreview) -> str:
        apply_unused_credit(
            client=self.client,
            transaction_id=self.entry.pk,
            caller=caller,
            today=self.today,
            pays=form.cleaned_data["invoice"],
            seen=preview.seen,
        )
        self.tell(self.outcome(preview))
        return self.back()

    def context(self, preview: CreditPreview | None) -> Mapping[str, Any]:
        left = left_of_credit(self.entry.pk)
        return {**super().context(preview), "source": description(self.entry), "left": left}
