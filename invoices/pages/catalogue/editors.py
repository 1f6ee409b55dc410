"""Forms of the catalogue: services, plans, charges and minimums. Each says what follows from a change."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Plan, PlanCharge, PlanMinimum, Service, ServiceLocation
from accounts.pages.forms import field_of_column
from accounts.rates import RateTerms
from accounts.rights import ROW_RIGHTS
from accounts.services.accounts import lock_row
from accounts.services.catalogue import (
    add_charge,
    change_charge,
    change_plan_terms,
    remove_charge,
    running_instances,
    set_minimum,
)
from accounts.services.changing import add_row, change_row, remove_row
from accounts.tax_categories import categories_in
from accounts.unit_codes import PIECE
from invoices.pages.acts.base import ActPage
from invoices.pages.catalogue.price_fields import OtherPricesField, PriceFields, currency_choices
from invoices.pages.changing import ChangePage, RowForm, locked, values_of

PENDING_KEEPS = _("Pending invoices keep what they have, and are flagged as out of date. Issued invoices do not change.")


class ServiceForm(RowForm):
    tax_category = forms.ChoiceField()

    class Meta:
        model = Service
        fields = (
            *("client_service_id", "name", "gl_code", "tax_category", "tax_inclusive", "location"),
            *("unit_code", "price_units", "item_number", "buyer_item_number", "classifications", "origin_country"),
        )
        formfield_callback = field_of_column

    def offer(self) -> None:
        super().offer()
        column = Service._meta.get_field("tax_category")
        field: Any = self.fields["tax_category"]
        field.label, field.help_text = capfirst(column.verbose_name), column.help_text
        field.choices = [(one, one) for one in categories_in(self.client.tax_categories)]
        location: Any = self.fields["location"]
        location.queryset = ServiceLocation.objects.filter(client=self.client)


class CatalogueChange(ChangePage):
    needs = "accounts.view_plan"


class AddService(CatalogueChange):
    right = ROW_RIGHTS["add", "accounts.service"]
    form_class = ServiceForm
    title = _("New service")
    button = _("Add service")
    done = _("The service is added.")

    def open(self, **numbers: int) -> None:
        self.row = None

    def initial(self) -> dict[str, Any]:
        return {"tax_category": "standard", "unit_code": PIECE, "price_units": 1}

    def back(self) -> str:
        return reverse("catalogue-services")

    def do(self, form: ServiceForm, caller: Caller) -> Service:
        return add_row(Service(client=self.client, **form.values), caller=caller)

    def after(self, row: Service) -> str:
        return reverse("catalogue-service", args=[row.pk])


class ChangeService(CatalogueChange):
    right = ROW_RIGHTS["change", "accounts.service"]
    form_class = ServiceForm
    title = _("Change service")
    done = _("The service is changed.")

    def open(self, **numbers: int) -> None:
        self.row = self.found(Service.objects.all(), numbers["service_no"])

    def back(self) -> str:
        return reverse("catalogue-service", args=[self.row.pk])

    def do(self, form: ServiceForm, caller: Caller) -> Any:
        return change_row(locked(self.row), form.changed_columns, caller=caller)

    def notes(self, form: Any) -> list[str]:
        plans = PlanCharge.objects.filter(service=self.row).values("plan").distinct().count()
        used = ngettext("%(count)d plan charges for it.", "%(count)d plans charge for it.", plans) % {"count": plans}
        return [used, str(PENDING_KEEPS), *self._tax_notes(form)]

    def _tax_notes(self, form: Any) -> list[str]:
        if form.changed_columns.get("tax_inclusive", self.row.tax_inclusive) == self.row.tax_inclusive:
            return []
        return [gettext("Prices keep their amounts. From now on they count as prices with tax, or without tax.")]


class RemoveForm(RowForm):
    """Confirms that a row is removed."""

    class Meta:
        model = Service
        fields: ClassVar[tuple[str, ...]] = ()


class RemovePage(CatalogueChange):
    form_class = RemoveForm
    button = _("Remove")
    tone = "btn-danger"
    done = _("It is removed.")

    def get(self, request: HttpRequest, **numbers: Any) -> HttpResponseBase:
        """Show at once whether the row can be removed, and what follows."""
        return ActPage.get(self, request, **numbers)

    def notes(self, form: Any) -> list[str]:
        return [gettext("Nothing uses it. It is removed, and its history stays.")]


class RemoveService(RemovePage):
    right = ROW_RIGHTS["delete", "accounts.service"]
    title = _("Remove service")

    def open(self, **numbers: int) -> None:
        self.row = self.found(Service.objects.all(), numbers["service_no"])

    def back(self) -> str:
        return reverse("catalogue-service", args=[self.row.pk])

    def after(self, row: Any) -> str:
        return reverse("catalogue-services")

    def do(self, form: Any, caller: Caller) -> None:
        lock_row(self.row)
        remove_row(Service.objects.get(pk=self.row.pk), caller=caller)


class PlanForm(RowForm):
    class Meta:
        model = Plan
        fields = ("client_plan_id", "name", "billing_interval", "term_months", "trial_length", "trial_unit")


class AddPlan(CatalogueChange):
    right = ROW_RIGHTS["add", "accounts.plan"]
    form_class = PlanForm
    title = _("New plan")
    button = _("Add plan")
    done = _("The plan is added. Now add what it charges for.")

    def open(self, **numbers: int) -> None:
        self.row = None

    def initial(self) -> dict[str, Any]:
        return {"billing_interval": 1, "term_months": 0, "trial_length": 0, "trial_unit": "days"}

    def back(self) -> str:
        return reverse("catalogue")

    def do(self, form: PlanForm, caller: Caller) -> Plan:
        return add_row(Plan(client=self.client, **form.values), caller=caller)

    def after(self, row: Plan) -> str:
        return reverse("add-charge", args=[row.pk])


class OfPlan(CatalogueChange):
    """A change of a plan, or of a part of it."""

    right = ROW_RIGHTS["change", "accounts.plan"]
    plan: Plan

    def back(self) -> str:
        return reverse("catalogue-plan", args=[self.plan.pk])

    def find_plan(self, plan_no: int) -> Plan:
        self.plan = self.found(Plan.objects.all(), plan_no)
        return self.plan

    def find_charge(self, charge_no: int) -> PlanCharge:
        charge: PlanCharge = self.found(PlanCharge.objects.select_related("plan", "service"), charge_no, "plan__client")
        self.plan = charge.plan
        return charge

    def customers(self) -> str:
        count = running_instances(self.plan, self.today).count()
        return ngettext("%(count)d customer has this plan.", "%(count)d customers have this plan.", count) % {"count": count}


class ChangePlan(OfPlan):
    form_class = PlanForm
    title = _("Change plan")
    done = _("The plan is changed.")

    def open(self, **numbers: int) -> None:
        self.row = self.find_plan(numbers["plan_no"])

    def do(self, form: PlanForm, caller: Caller) -> Any:
        return change_plan_terms(locked(self.row), form.changed_columns, caller=caller)

    def notes(self, form: Any) -> list[str]:
        trial = gettext("A changed trial applies to customers who get the plan from now on.")
        has_other_trial = {"trial_length", "trial_unit"} & set(form.changed_data)
        return [self.customers(), str(PENDING_KEEPS), *([trial] if has_other_trial else [])]


class RemovePlan(RemovePage, OfPlan):
    right = ROW_RIGHTS["delete", "accounts.plan"]
    title = _("Remove plan")

    def open(self, **numbers: int) -> None:
        self.row = self.find_plan(numbers["plan_no"])

    def after(self, row: Any) -> str:
        return reverse("catalogue")

    def do(self, form: Any, caller: Caller) -> None:
        lock_row(self.row)
        remove_row(Plan.objects.get(pk=self.row.pk), caller=caller)


class ChargeForm(RowForm):
    class Meta:
        model = PlanCharge
        fields = ("service", "line_type", "billing_interval", "record_increment", "record_minimum")
        formfield_callback = field_of_column

    def offer(self) -> None:
        super().offer()
        service: Any = self.fields["service"]
        service.queryset = Service.objects.filter(client=self.client).order_by("name", "pk")


class NewChargeForm(PriceFields, ChargeForm):
    """A charge with its first price in each currency of the plan's customers."""

    others = OtherPricesField()

    @property
    def prices(self) -> list[RateTerms]:
        others = self.cleaned_data["others"].items()
        more = [self.terms._replace(currency=name, rate_per_unit=rate, tiers=bands) for name, (rate, bands) in others]
        return [self.terms, *more]


class AddCharge(OfPlan):
    right = ROW_RIGHTS["change", "accounts.plan"]
    form_class = NewChargeForm
    template = "catalogue/price.html"
    title = _("Add charge")
    button = _("Add charge")
    done = _("The charge is added.")

    def open(self, **numbers: int) -> None:
        self.find_plan(numbers["plan_no"])
        self.row = None

    def initial(self) -> dict[str, Any]:
        return {
            "line_type": 1,
            "currency": currency_choices(self.plan)[0],
            "model": "per_unit",
            "band_edge": "above",
            "try_units": "1",
        }

    def do(self, form: NewChargeForm, caller: Caller) -> PlanCharge:
        charge = PlanCharge(plan=self.plan, **form.values)
        return add_charge(charge, form.prices, caller=caller, today=self.today)

    def notes(self, form: Any) -> list[str]:
        return [
            self.customers(),
            gettext("They are charged from the next period that begins after the first day of the price."),
        ]

    def more(self, form: NewChargeForm) -> Any:
        return form.calculated(form.cleaned_data["line_type"])


class ChangeCharge(OfPlan):
    form_class = ChargeForm
    title = _("Change charge")
    done = _("The charge is changed.")

    def open(self, **numbers: int) -> None:
        self.row = self.find_charge(numbers["charge_no"])

    def do(self, form: ChargeForm, caller: Caller) -> Any:
        return change_charge(locked(self.row), form.changed_columns, caller=caller)

    def notes(self, form: Any) -> list[str]:
        return [self.customers(), gettext("A changed rounding applies to usage that is loaded from now on.")]


class RemoveCharge(RemovePage, OfPlan):
    right = ROW_RIGHTS["change", "accounts.plan"]
    title = _("Remove charge")

    def open(self, **numbers: int) -> None:
        self.row = self.find_charge(numbers["charge_no"])

    def after(self, row: Any) -> str:
        return self.back()

    def do(self, form: Any, caller: Caller) -> None:
        remove_charge(locked(self.row), caller=caller)


class MinimumForm(RowForm):
    currency = forms.CharField(label=_("Currency"), max_length=3)
    remove = forms.BooleanField(label=_("Remove this minimum"), required=False)

    class Meta:
        model = PlanMinimum
        fields = ("amount", "service")
        formfield_callback = field_of_column

    def offer(self) -> None:
        super().offer()
        service: Any = self.fields["service"]
        service.queryset = Service.objects.filter(client=self.client).order_by("name", "pk")
        self.fields["amount"].required = False

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).lower()

    def clean(self) -> dict[str, Any]:
        """Ask for an amount, unless the minimum is removed."""
        fields: dict[str, Any] = super().clean() or self.cleaned_data
        if fields.get("remove"):
            fields |= {"amount": None, "service": None}
        elif fields.get("amount") is None and "amount" not in self.errors:
            self.add_error("amount", ValidationError(gettext("This field is required."), code="required"))
        return fields

    def _get_validation_exclusions(self) -> set[str]:
        """A minimum that is removed has no amount."""
        return super()._get_validation_exclusions() | ({"amount"} if self.cleaned_data.get("remove") else set())


class SetMinimum(OfPlan):
    form_class = MinimumForm
    title = _("Minimum of the plan")
    done = _("The minimum is saved.")

    def open(self, **numbers: int) -> None:
        self.row = None
        self.find_plan(numbers["plan_no"])

    def initial(self) -> dict[str, Any]:
        return {"currency": currency_choices(self.plan)[0]}

    def before(self, form: MinimumForm) -> dict[str, Any]:
        """Return the stored minimum in the typed currency, which is replaced or removed."""
        currency = form.cleaned_data["currency"]
        stored = PlanMinimum.objects.filter(plan=self.plan, currency=currency).first()
        kept = {} if stored is None else values_of(stored, ["amount", "service"])
        return {**self.initial(), "currency": currency, **kept}

    def do(self, form: MinimumForm, caller: Caller) -> None:
        chosen = form.cleaned_data
        set_minimum(self.plan, chosen["currency"], chosen["amount"], chosen["service"], caller=caller)

    def notes(self, form: Any) -> list[str]:
        return [self.customers(), str(PENDING_KEEPS)]
