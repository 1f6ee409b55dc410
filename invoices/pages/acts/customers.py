"""A new customer in one form, with the first invoice and customers who may be the same."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.kinds import PaymentMethodType
from accounts.models import Account, Contact, Plan, Receipt
from accounts.pages.forms import DayInput, field_of_column
from accounts.receipts import use
from accounts.rights import ROW_RIGHTS, may
from accounts.services.customers import FirstPlan, open_customer
from billing_site.errors import BillingError
from invoices.pages.acts.additions import AdditionForm, OwnRowField, units_field
from invoices.pages.acts.base import ActPage
from invoices.services.lists.search import FoundAccount, customers_like
from invoices.services.money.ledger.acts import seen_as
from invoices.services.money.payment_methods import add_payment_method
from invoices.services.planning.intended import NextInvoice
from invoices.services.planning.rehearsing import rehearse

OF_ACCOUNT = ("client_acct_id", "currency", "tax_id")
OF_CONTACT = ("name", "company", "email", "phone", "address1", "address2", "postal_code", "city", "region", "country")
OF_PLAN = ("plan", "units", "start_date", "po_num")
OF_METHOD = ("type", "token", "label")


def _fields(model: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return the model's own form fields, so that texts and limits are said once."""
    return {name: field_of_column(model._meta.get_field(name)) for name in names}


class CustomerForm(AdditionForm):
    """Fields of an account, its contact, its plan and its payment method. `columns` are left out if the reader may not add
    such rows."""

    plan = OwnRowField(Plan, label=_("Plan"), required=False)
    units = units_field(required=False)
    start_date = forms.DateField(label=_("First charged day"), required=False, widget=DayInput)
    po_num = forms.CharField(label=_("PO number"), required=False, max_length=1000)
    type = forms.ChoiceField(label=_("Paid by"), required=False, choices=[("", _("None yet")), *PaymentMethodType.choices])
    token = forms.CharField(
        label=_("Token"), required=False, max_length=200, help_text=_("The payment gateway's. Never a card or bank number.")
    )
    label = forms.CharField(label=_("Name of the payment method"), required=False, max_length=100)

    def __init__(self, data: Any = None, *, without: Sequence[str] = (), **kwargs: Any) -> None:
        self.without = without
        super().__init__(data, **kwargs)

    def offer(self) -> None:
        self.fields = {**_fields(Account, OF_ACCOUNT), **_fields(Contact, OF_CONTACT), **self.fields}
        for name in self.without:
            del self.fields[name]
        super().offer()

    def values(self, names: Sequence[str]) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}

    @property
    def groups(self) -> list[tuple[Any, list[Any]]]:
        """The fields under their headings."""
        parts = (
            (_("Account"), OF_ACCOUNT),
            (_("Contact"), OF_CONTACT),
            (_("Plan"), OF_PLAN),
            (_("Payment method"), OF_METHOD),
        )
        found = [(title, [self[name] for name in names if name in self.fields]) for title, names in parts]
        return [(title, fields) for title, fields in found if fields]

    def clean(self) -> dict[str, Any]:
        """Refuse what would be ignored: terms of no plan, and a token of no payment method."""
        fields: dict[str, Any] = super().clean() or self.cleaned_data
        if fields.get("plan"):
            for name in ("units", "start_date"):
                if fields.get(name) is None and name not in self.errors:
                    self.add_error(name, ValidationError(_("This field is required."), code="required"))
        elif fields.get("po_num"):
            self.add_error("plan", _("Choose the plan of this PO number."))
        if not fields.get("type") and (fields.get("token") or fields.get("label")):
            self.add_error("type", _("Choose the type of this payment method."))
        return fields


class CustomerPreview(NamedTuple):
    """The first invoice, and customers who seem to be the same."""

    after: NextInvoice
    alike: list[FoundAccount]
    seen: str


class NewCustomer(ActPage):
    right = ROW_RIGHTS["add", "accounts.account"]
    form_class = CustomerForm
    template = "acts/customer.html"
    title = _("New customer")
    button = _("Create customer")
    opened: Account | None = None
    GROUP_RIGHTS: ClassVar = (("accounts.planinstance", OF_PLAN), ("accounts.paymentmethod", OF_METHOD))

    def open(self, **numbers: int) -> None:
        """A new customer is about nothing that exists."""

    def back(self) -> str:
        return reverse("accounts")

    def _answer_of(self, receipt: Receipt) -> str:
        return reverse("account", args=[receipt.row_no]) if receipt.row_no else self.back()

    def form(self, data: Any, **options: Any) -> Any:
        without = [name for rows, names in self.GROUP_RIGHTS if not may(self.caller, ROW_RIGHTS["add", rows]) for name in names]
        return super().form(data, without=without, **options)

    def initial(self) -> dict[str, Any]:
        last = Account.objects.filter(client=self.client).order_by("-pk").values_list("currency", flat=True).first()
        return {"currency": last or "usd", "units": "1", "start_date": self.today.isoformat()}

    def _create(self, form: CustomerForm, caller: Caller) -> Account:
        fields = form.cleaned_data
        plans = []
        if fields.get("plan"):
            plans = [FirstPlan(form.row("plan"), fields["units"], fields["start_date"], fields["po_num"])]
        return open_customer(
            client=self.client,
            caller=caller,
            account=form.values(OF_ACCOUNT),
            contact=form.values(OF_CONTACT),
            plans=plans,
        )

    def preview(self, form: CustomerForm) -> CustomerPreview:
        fields = form.cleaned_data
        rehearsed = rehearse(lambda: self._create(form, self.caller), client=self.client, today=self.today, new_account=True)
        alike = customers_like(self.client, email=fields["email"], company=fields["company"], tax_id=fields["tax_id"])
        seen = seen_as(str(sorted(fields.items())), rehearsed.after.facts, [one.account.pk for one in alike])
        return CustomerPreview(rehearsed.after, alike, seen)

    def act(self, form: CustomerForm, caller: Caller, preview: CustomerPreview) -> str:
        with transaction.atomic():
            account = self._create(form, caller)
            use(self.client, caller.receipt, row_no=account.pk)
        self.tell(gettext("Customer %(account)s is created.") % {"account": account.client_acct_id})
        self._add_method(form, account)
        return reverse("account", args=[account.pk])

    def _add_method(self, form: CustomerForm, account: Account) -> None:
        """Add the payment method after the commit, because the gateway is asked. A refusal leaves the customer as it is."""
        method: Mapping[str, Any] = form.values(OF_METHOD)
        if not method.get("type"):
            return
        try:
            add_payment_method(client=self.client, account_no=account.pk, caller=self.caller, **method)
        except BillingError as refusal:
            self.tell(gettext("The payment method was not added: %(why)s") % {"why": refusal.shown}, good=False)
        except ValidationError as wrong:
            why = " ".join(wrong.messages)
            self.tell(gettext("The payment method was not added: %(why)s") % {"why": why}, good=False)
