"""Change a customer: the account, its contacts and its payment methods."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.kinds import BILLABLE_STATUSES
from accounts.models import Account, Contact, PaymentMethod
from accounts.models.identities import BUYER_FIELDS, PAYER_FIELDS
from accounts.models.places import EXEMPTION_FIELDS
from accounts.pages.base import StaffPage
from accounts.receipts import use
from accounts.rights import ROW_RIGHTS
from accounts.services.accounts import add_contact
from accounts.services.changing import remove_row
from accounts.services.personal_access import note_access
from billing_site.errors import BillingError
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice
from invoices.pages.acts.editing import AddRowPage, EditPage, RowForm, RowPreview
from invoices.services.lists.contact_uses import ContactUses, contact_uses
from invoices.services.money.payment_methods import (
    add_payment_method,
    change_payment_method,
    check_payment_method,
    planned_method_change,
)

PLACE = ("address1", "address2", "postal_code", "city", "region", "country")


class AccountForm(RowForm):
    model = Account
    parts = (
        (_("Account"), ("client_acct_id", "status", "is_test")),
        (_("For staff"), ("tags", "note")),
        (_("Billing"), ("payment_terms_days", "language", "invoice_approval_required")),
        (_("Company"), BUYER_FIELDS),
        (_("Tax exemption"), EXEMPTION_FIELDS),
    )


class EditAccount(EditPage):
    """The settings of an account."""

    right = ROW_RIGHTS["change", "accounts.account"]
    form_class = AccountForm
    title = _("Change account")
    button = _("Save changes")
    done = _("The account is changed.")

    def open(self, **numbers: int) -> None:
        super().open(**numbers)
        self.row = self.account

    def follows(self, values: Mapping[str, Any]) -> list[str]:
        """Say what a change of the status does to billing, and that a pending invoice keeps what it has."""
        found = []
        was, is_now = self.account.status in BILLABLE_STATUSES, values.get("status", self.account.status) in BILLABLE_STATUSES
        if was and not is_now:
            found.append(gettext("Billing is paused from today, until the account has a status that is billed."))
        if is_now and not was:
            found.append(gettext("The account is billed again, from today or, if it is back-billed, for all days."))
        pending = Invoice.objects.filter(account=self.account, status=InvoiceStatus.PENDING)
        if values and pending.exists():
            found.append(gettext("Pending documents keep what they have. Regenerate them to use the changes."))
        return found


class ContactForm(RowForm):
    model = Contact
    parts = (
        (_("Contact"), ("name", "company", "role", "email", "phone", "copy_of_statements")),
        (_("Address"), PLACE),
        (_("Company"), BUYER_FIELDS),
        (_("Tax exemption"), EXEMPTION_FIELDS),
    )


def _contacts_with(account: Account, planned: Contact) -> list[ContactUses]:
    """Return what the contacts of an account are used for if this one is as planned."""
    others = [one for one in account.contacts.all() if one.pk != planned.pk]
    return contact_uses([*others, planned], account.client)


class AddContact(AddRowPage):
    """A new contact of the account."""

    right = ROW_RIGHTS["add", "accounts.contact"]
    form_class = ContactForm
    title = _("Add contact")
    button = _("Add contact")
    done = _("The contact is added.")
    numbered = ("contact_no",)
    consequences = "acts/_contact_uses.html"

    def initial(self) -> dict[str, Any]:
        first = self.account.contacts.exists()
        return {"role": "other" if first else "account", "tax_exemption": "none"}

    def follows(self, row: Contact) -> list[ContactUses]:
        row.contact_no = max((one.contact_no for one in self.account.contacts.all()), default=0) + 1
        return _contacts_with(self.account, row)

    def act(self, form: ContactForm, caller: Caller, preview: RowPreview) -> str:
        with transaction.atomic():
            contact = add_contact(account=self.account, caller=caller, **form.cleaned_data)
            use(self.client, caller.receipt, row_no=contact.pk)
        self.tell(str(self.done))
        return self.back()


class EditContact(EditPage):
    """A contact: name, addresses, tax ids, and what it is used for."""

    right = ROW_RIGHTS["change", "accounts.contact"]
    form_class = ContactForm
    title = _("Change contact")
    button = _("Save changes")
    done = _("The contact is changed. Issued documents keep what they have.")
    consequences = "acts/_contact_uses.html"

    def open(self, **numbers: int) -> None:
        super().open(**numbers)
        self.row = get_object_or_404(Contact, account=self.account, pk=numbers["contact"])
        note_access(self.account.client, [self.account.pk], self.caller)

    def follows(self, values: Mapping[str, Any]) -> list[ContactUses]:
        planned = Contact.objects.get(pk=self.row.pk)
        for name, value in values.items():
            setattr(planned, name, value)
        return _contacts_with(self.account, planned)


class RemoveContact(StaffPage):
    """Removes a contact that nothing refers to, and returns to the account."""

    needs = "accounts.view_account"

    def post(self, request: HttpRequest, number: int, contact: int) -> HttpResponse:
        account = self.found(Account.objects.all(), number)
        row = get_object_or_404(Contact, account=account, pk=contact)
        address = reverse("account", args=[account.pk])

        def work(caller: Caller) -> str:
            try:
                with transaction.atomic():
                    use(account.client, caller.receipt)
                    remove_row(row, caller=caller)
            except BillingError as refusal:
                messages.error(request, refusal.shown)
            else:
                messages.success(request, gettext("The contact is removed."))
            return address

        return self.once(work, lambda receipt: address, ROW_RIGHTS["delete", "accounts.contact"])


class NewMethodForm(RowForm):
    model = PaymentMethod
    parts: ClassVar = ((_("Payment method"), ("type", "token", "label", *PAYER_FIELDS, "is_default")),)


class AddPaymentMethod(AddRowPage):
    """A new payment method, which the gateway keeps."""

    right = ROW_RIGHTS["add", "accounts.paymentmethod"]
    form_class = NewMethodForm
    title = _("Add payment method")
    button = _("Add payment method")
    done = _("The payment method is added.")

    def planned(self, form: RowForm) -> PaymentMethod:
        row = PaymentMethod(account=self.account, **{**form.cleaned_data, "is_default": False})
        check_payment_method(row, is_default=form.cleaned_data["is_default"])
        row.is_default = form.cleaned_data["is_default"]
        return row

    def follows(self, row: PaymentMethod) -> list[str]:
        return [gettext("Before it is stored, the payment gateway is asked to keep it.")] if row.token else []

    def act(self, form: NewMethodForm, caller: Caller, preview: RowPreview) -> str:
        add_payment_method(client=self.client, account_no=self.account.pk, caller=caller, **form.cleaned_data)
        self.tell(str(self.done))
        return self.back()


class MethodForm(RowForm):
    model = PaymentMethod
    parts: ClassVar = ((_("Payment method"), ("label", *PAYER_FIELDS, "is_default", "is_disabled")),)


class EditPaymentMethod(EditPage):
    """A payment method: its name, whether collections use it, and whether it is disabled."""

    right = ROW_RIGHTS["change", "accounts.paymentmethod"]
    form_class = MethodForm
    title = _("Change payment method")
    button = _("Save changes")
    done = _("The payment method is changed.")
    change = staticmethod(change_payment_method)
    planned = staticmethod(planned_method_change)

    def open(self, **numbers: int) -> None:
        super().open(**numbers)
        self.row = get_object_or_404(PaymentMethod, account=self.account, pk=numbers["method"])
