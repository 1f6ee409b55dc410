"""A one-off invoice: charges that wait for the next invoice, and a new one, are billed at once, pending or issued."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Service
from accounts.rights import GENERATE, ROW_RIGHTS, may
from billing_site.common.numbers import short_number
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice, OneTimeCharge
from invoices.pages.acts.additions import MOST_CHOICES, AdditionForm, OwnRowField, units_field
from invoices.pages.acts.base import amount_field
from invoices.pages.acts.editing import AccountActPage
from invoices.services.billing.one_off import bill_one_off, one_off_request
from invoices.services.billing.one_time_charges import NewCharge
from invoices.services.issuing.generate_preview import InvoicePreview, preview_invoice

OF_NEW = ("service", "rate_per_unit", "units", "description", "po_num")


class OneOffForm(AdditionForm):
    """Stored charges to tick, and a new one. `charges` are those that no invoice holds."""

    orders = forms.TypedMultipleChoiceField(
        label=_("Charges of the account"), required=False, coerce=int, widget=forms.CheckboxSelectMultiple
    )
    service = OwnRowField(Service, label=_("Service"), required=False)
    rate_per_unit = amount_field(label=_("Price of one unit"), required=False, decimal_places=6, max_digits=17)
    units = units_field(required=False)
    description = forms.CharField(label=_("Description"), required=False, max_length=200)
    po_num = forms.CharField(label=_("PO number"), required=False, max_length=1000)
    pending = forms.BooleanField(
        label=_("As pending"), required=False, help_text=_("The invoice needs approval before it is issued.")
    )
    fields_of_errors: ClassVar[Mapping[str, str]] = {"order_nos": "orders", "charges": "orders"}

    def __init__(self, data: Any = None, *, charges: list[tuple[int, str]], may_order: bool, **kwargs: Any) -> None:
        self.charges, self.may_order = charges, may_order
        super().__init__(data, **kwargs)

    def offer(self) -> None:
        if not self.may_order:
            for name in OF_NEW:
                del self.fields[name]
        super().offer()
        self.fields["orders"].choices = self.charges  # type: ignore[attr-defined]
        if not self.charges:
            del self.fields["orders"]

    def clean(self) -> dict[str, Any]:
        """Refuse terms of a charge that is not complete, which would be ignored."""
        fields: dict[str, Any] = super().clean() or self.cleaned_data
        if fields.get("service"):
            if fields.get("rate_per_unit") is None and "rate_per_unit" not in self.errors:
                self.add_error("rate_per_unit", ValidationError(_("This field is required."), code="required"))
        elif any(fields.get(name) not in (None, "") for name in ("rate_per_unit", "description", "po_num")):
            self.add_error("service", _("Choose the service of the new charge."))
        return fields

    @property
    def new(self) -> list[NewCharge]:
        """The new charge, if there is one."""
        fields = self.cleaned_data
        if not fields.get("service"):
            return []
        terms = {name: fields[name] for name in ("rate_per_unit", "description", "po_num")}
        return [NewCharge(self.row("service"), units=Decimal(1) if fields["units"] is None else fields["units"], **terms)]

    @property
    def asked(self) -> dict[str, Any]:
        """What is billed, as the services take it."""
        fields = self.cleaned_data
        return {"charges": self.new, "order_nos": fields.get("orders") or [], "force_pending": fields["pending"]}


class OneOffPreview(NamedTuple):
    """The invoice that would be made."""

    invoice: InvoicePreview
    seen: str


class OneOffInvoice(AccountActPage):
    """An invoice of chosen charges, beside the account's cycles."""

    right = GENERATE
    form_class = OneOffForm
    template = "acts/one_off.html"
    title = _("One-off invoice")
    button = _("Bill now")

    def initial(self) -> dict[str, Any]:
        return {"orders": [str(number) for number, _text in self._charges()], "units": "1"}

    def _charges(self) -> list[tuple[int, str]]:
        """Return the charges of the account that no invoice holds."""
        rows = OneTimeCharge.objects.filter(account=self.account, invoice=None).select_related("service").order_by("pk")
        return [(one.pk, self._text(one)) for one in rows[:MOST_CHOICES]]

    def _text(self, order: OneTimeCharge) -> str:
        name = order.description or order.service.name
        price = self.money(order.rate_per_unit, self.account.currency)
        shown = {"name": name, "units": short_number(order.units), "price": price, "day": self.day(order.charge_date)}
        return gettext("%(name)s: %(units)s at %(price)s, of %(day)s") % shown

    def form(self, data: Any, **options: Any) -> Any:
        may_order = may(self.caller, ROW_RIGHTS["add", "invoices.onetimecharge"])
        return super().form(data, charges=self._charges(), may_order=may_order, **options)

    def preview(self, form: OneOffForm) -> OneOffPreview | None:
        asked = form.asked
        if not asked["charges"] and not asked["order_nos"]:
            return None
        request = one_off_request(client=self.client, account_no=self.account.pk, today=self.today, **asked)
        invoice = preview_invoice(client=self.client, account_no=self.account.pk, request=request)
        return OneOffPreview(invoice, invoice.fingerprint)

    def act(self, form: OneOffForm, caller: Caller, preview: OneOffPreview) -> str:
        number = bill_one_off(
            client=self.client,
            account_no=self.account.pk,
            caller=caller,
            today=self.today,
            seen=preview.seen,
            **form.asked,
        )
        invoice = Invoice.objects.get(pk=number)
        if invoice.status == InvoiceStatus.PENDING:
            self.tell(gettext("Invoice %(number)s is pending.") % {"number": number}, good=False)
        else:
            self.tell(gettext("Invoice %(number)s is issued.") % {"number": invoice.document_number})
        return reverse("invoice", args=[number])
