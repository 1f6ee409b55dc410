"""The lists of plans and services, and the page of one plan with its price calculator."""

from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from accounts.models import Plan, PlanCharge, RateSchedule, Service
from accounts.pages.base import StaffPage
from accounts.pages.forms import DayInput, PageForm, style_fields
from accounts.rights import ROW_RIGHTS, may
from billing_site.common.exact_decimals import MOST_UNITS_VALIDATOR
from billing_site.common.keyset_pages import Order, page_of
from billing_site.errors import BillingError
from invoices.pages.acts.additions import units_field
from invoices.services.lists.catalogue import calculate, currencies_of, plan_rows, plans_found, priced_charges, services_found
from invoices.services.lists.histories import changes_of

ROWS_OF_A_PAGE = 50
CHANGES_SHOWN = 20


class CataloguePage(StaffPage):
    needs = "accounts.view_plan"

    @property
    def may_add(self) -> bool:
        return may(self.caller, ROW_RIGHTS["add", "accounts.plan"])

    @property
    def may_change(self) -> bool:
        return may(self.caller, ROW_RIGHTS["change", "accounts.plan"])

    @property
    def may_price(self) -> bool:
        return may(self.caller, ROW_RIGHTS["add", "accounts.rateschedule"])


class WordsForm(PageForm):
    q = forms.CharField(label=_("Search"), required=False, max_length=100, widget=forms.TextInput({"type": "search"}))


class PlanList(CataloguePage):
    parameters = ("q",)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = WordsForm(request.GET)
        words = form.cleaned_data["q"] if form.is_valid() else ""
        pages = page_of(plans_found(self.client, words), Order(), request.GET.get("cursor"), ROWS_OF_A_PAGE)
        rows = plan_rows(pages.rows, self.today)
        return self.page("catalogue/plans.html", {"form": form, "pages": pages, "rows": rows, "words": words})


class ServiceList(CataloguePage):
    parameters = ("q",)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = WordsForm(request.GET)
        words = form.cleaned_data["q"] if form.is_valid() else ""
        pages = page_of(services_found(self.client, words), Order(), request.GET.get("cursor"), ROWS_OF_A_PAGE)
        shown = {
            "form": form,
            "pages": pages,
            "words": words,
            "may_add": may(self.caller, ROW_RIGHTS["add", "accounts.service"]),
        }
        return self.page("catalogue/services.html", shown)


class CalculatorForm(forms.Form):
    """What the price calculator of a plan is asked."""

    units = units_field(label=_("Units of the plan"), min_value=0, validators=[MOST_UNITS_VALIDATOR])
    used = units_field(label=_("Used units"), min_value=0, validators=[MOST_UNITS_VALIDATOR], required=False)
    currency = forms.ChoiceField(label=_("Currency"))
    day = forms.DateField(label=_("First day of the period"), widget=DayInput)

    def __init__(self, *args: Any, currencies: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].choices = [(one, one.upper()) for one in currencies]  # type: ignore[attr-defined]
        style_fields(self)


class PlanPage(CataloguePage):
    """One plan: its charges with their prices, its minimums, its customers, and what units of it cost."""

    parameters = tuple(CalculatorForm.base_fields)

    def get(self, request: HttpRequest, plan_no: int) -> HttpResponseBase:
        plan = self.found(Plan.objects.all(), plan_no)
        (row,) = plan_rows([plan], self.today)
        currencies = currencies_of(row.charges)
        first = {"units": "1", "used": "0", "currency": next(iter(currencies), ""), "day": self.today.isoformat()}
        asked = {**first, **{name: value for name, value in request.GET.items() if name in first}}
        form = CalculatorForm(asked, currencies=currencies)
        calculation, refusal = self._calculated(plan, row.charges, form) if currencies else (None, None)
        prices = RateSchedule.history.filter(charge__plan=plan)
        shown = {
            "plan": plan,
            "row": row,
            "minimums": plan.minimums.select_related("service"),
            "own_prices": RateSchedule.objects.filter(charge__plan=plan).exclude(plan_instance=None).count(),
            "form": form,
            "calculation": calculation,
            "refusal": refusal,
            "history": changes_of(
                [Plan.history.filter(id=plan.pk), PlanCharge.history.filter(plan=plan), prices], CHANGES_SHOWN
            ),
        }
        return self.page("catalogue/plan.html", shown)

    def _calculated(self, plan: Plan, charges: Any, form: CalculatorForm) -> tuple[Any, BillingError | None]:
        if not form.is_valid():
            return None, None
        asked = {**form.cleaned_data, "used": form.cleaned_data["used"] or Decimal(0)}
        try:
            return calculate(plan, charges, **asked), None
        except BillingError as refusal:
            return None, refusal


class ServicePage(CataloguePage):
    """One service: what it is, and the charges of plans for it."""

    def get(self, request: HttpRequest, service_no: int) -> HttpResponseBase:
        service = self.found(Service.objects.select_related("location"), service_no)
        rows = PlanCharge.objects.filter(service=service)
        pages = page_of(rows, Order(), request.GET.get("cursor"), ROWS_OF_A_PAGE)
        charges = priced_charges(PlanCharge.objects.filter(pk__in=[one.pk for one in pages.rows]), self.today)
        shown = {
            "service": service,
            "pages": pages,
            "charges": charges,
            "may_change_service": may(self.caller, ROW_RIGHTS["change", "accounts.service"]),
            "history": changes_of([Service.history.filter(id=service.pk)], CHANGES_SHOWN),
        }
        return self.page("catalogue/service.html", shown)
