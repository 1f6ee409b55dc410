"""Forms of the tax table: the rates of places and categories, between two days."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Account, Contact
from accounts.pages.forms import DayInput
from accounts.rights import ROW_RIGHTS
from accounts.services.changing import add_row, change_row
from accounts.tax_categories import STANDARD, categories_in
from billing_site.common.currencies import currency_of, rounded_to
from billing_site.common.numbers import short_number
from billing_site.common.places import country_code
from invoices.kinds import TaxedAt
from invoices.models import TaxRate
from invoices.pages.catalogue.dated_forms import (
    AddDated,
    ChangeDated,
    DatedForm,
    DatedPage,
    RemoveDated,
    counted,
    decimal_field,
)
from invoices.pages.changing import locked
from invoices.services.documents.tax_rates import check_never_taxed, remove_tax_rate
from invoices.services.lists.dated_rows import rate_before

EXAMPLE = Decimal(100)
"""The net amount whose tax a preview shows."""


class TaxRateForm(DatedForm):
    percent = decimal_field(_("Percent"), min_value=0, max_value=100, max_digits=9, decimal_places=6)
    category = forms.ChoiceField(label=_("Tax category"), help_text=_("Tax category of the services that the rate applies to."))

    class Meta:
        model = TaxRate
        fields = (
            *("name", "country", "region", "category", "percent", "taxed_at"),
            *("valid_from", "valid_to", "vat_category", "exemption_reason"),
        )
        widgets: ClassVar[dict[str, Any]] = {"valid_from": DayInput, "valid_to": DayInput}
        labels: ClassVar[dict[str, Any]] = {
            "valid_from": _("First day"),
            "valid_to": _("Last day"),
            "taxed_at": _("Decided by"),
            "vat_category": _("Category in electronic invoices"),
            "exemption_reason": _("Why no tax is charged"),
        }

    def offer(self) -> None:
        super().offer()
        category: Any = self.fields["category"]
        category.choices = [(one, one) for one in categories_in(self.client.tax_categories)]


class OfTaxRate(DatedPage):
    needs = "invoices.view_taxrate"
    form_class: ClassVar[Any] = TaxRateForm
    model = TaxRate
    list_name, page_name = "tax-rates", "tax-rate"

    def do(self, form: Any, caller: Caller) -> Any:
        if self.is_new:
            return add_row(self.planned(form), caller=caller)
        return change_row(locked(self.row), self.columns(form), caller=caller)

    def follows(self, planned: TaxRate, form: Any) -> Sequence[str]:
        """Say what 100 of the customers' money is taxed with, which rate is replaced, and who lives there."""
        percent = {"percent": short_number(planned.percent), "day": self.day(planned.valid_from)}
        notes = [self._example(planned)]
        before = rate_before(planned)
        if before is not None:
            replaces = gettext("From %(day)s on it replaces the rate of %(before)s %%.")
            notes.append(replaces % {**percent, "before": short_number(before.percent)})
        return [
            *notes,
            gettext("The tax date of a document decides. Rebills keep the rates of their original."),
            *self._customers(planned),
        ]

    def _example(self, planned: TaxRate) -> str:
        currency = (
            Account.objects.filter(client=self.client).order_by("-pk").values_list("currency", flat=True).first() or "usd"
        )
        tax = rounded_to(EXAMPLE * planned.percent / 100, currency_of(currency).exponent)
        shown = {"net": self.money(EXAMPLE, currency), "tax": self.money(tax, currency), "name": planned.name}
        return gettext("An amount of %(net)s before tax has %(tax)s %(name)s.") % shown

    def _customers(self, planned: TaxRate) -> list[str]:
        if planned.taxed_at in (TaxedAt.SHIP_FROM, TaxedAt.BILL_FROM):
            return [gettext("It applies by the address that a service is billed or delivered from, whoever the customer is.")]
        there = Contact.objects.filter(account__client=self.client, country=country_code(planned.country) or planned.country)
        customers, text = counted(there.values("account").distinct())
        words = ngettext(
            "%(count)s customer has an address in this country.",
            "%(count)s customers have addresses in this country.",
            customers,
        )
        return [words % {"count": text}]


class AddTaxRate(OfTaxRate, AddDated):
    right = ROW_RIGHTS["add", "invoices.taxrate"]
    title = _("New tax rate")
    button = _("Add tax rate")
    done: ClassVar[Any] = _("The tax rate is added.")

    def first(self) -> dict[str, Any]:
        return {"category": STANDARD, "taxed_at": TaxedAt.SHIP_TO, "country": self.client.country}


class ChangeTaxRate(OfTaxRate, ChangeDated):
    right = ROW_RIGHTS["change", "invoices.taxrate"]
    title = _("Correct or end tax rate")

    def follows(self, planned: TaxRate, form: Any) -> Sequence[str]:
        warning = gettext("Invoices that are generated from now on use the corrected rate, also for earlier tax dates.")
        return [*super().follows(planned, form), warning]


class RemoveTaxRate(RemoveDated, OfTaxRate):
    right = ROW_RIGHTS["delete", "invoices.taxrate"]
    form_class = RemoveDated.form_class
    title = _("Remove tax rate")

    def check(self, form: Any) -> None:
        check_never_taxed(self.row)

    def do(self, form: Any, caller: Caller) -> None:
        remove_tax_rate(locked(self.row), caller=caller)
