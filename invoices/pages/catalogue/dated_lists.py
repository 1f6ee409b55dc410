"""The lists of coupons, surcharges and tax rates, and the page of one."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.pages.base import StaffPage
from accounts.rights import ROW_RIGHTS, may
from billing_site.common.keyset_pages import Order, page_of
from invoices.models import Coupon, CouponRedemption, Surcharge, TaxRate
from invoices.pages.catalogue.lists import CHANGES_SHOWN, ROWS_OF_A_PAGE, WordsForm
from invoices.services.lists.dated_rows import coupons_found, state_on, surcharges_found, tax_rates_found
from invoices.services.lists.histories import changes_of
from invoices.services.planning.extras import redemptions_with_used


class DatedRowsPage(StaffPage):
    model: ClassVar[Any]

    def may_do(self, verb: str) -> bool:
        return may(self.caller, ROW_RIGHTS[verb, self.model._meta.label_lower])

    @property
    def may_add(self) -> bool:
        return self.may_do("add")

    @property
    def may_change(self) -> bool:
        return self.may_do("change")

    @property
    def may_remove(self) -> bool:
        return self.may_do("delete")

    def rows(self, words: str = "") -> QuerySet[Any]:
        """Return the client's rows that words find."""
        raise NotImplementedError


class DatedList(DatedRowsPage):
    """The rows of a model that are valid between two days, with the state of each."""

    template: ClassVar[str]
    parameters = ("q",)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = WordsForm(request.GET)
        words = form.cleaned_data["q"] if form.is_valid() else ""
        pages = page_of(self.rows(words), Order(), request.GET.get("cursor"), ROWS_OF_A_PAGE)
        rows = [(row, *state_on(row, self.today)) for row in pages.rows]
        return self.page(self.template, {"form": form, "pages": pages, "rows": rows, "words": words})


class DatedPage(DatedRowsPage):
    """One row: what it is, and who changed it."""

    template: ClassVar[str]

    def get(self, request: HttpRequest, **numbers: int) -> HttpResponseBase:
        (number,) = numbers.values()
        self.found(self.model.objects.all(), number)
        row = self.rows().get(pk=number)
        state, tone = state_on(row, self.today)
        shown = {
            "row": row,
            "state": state,
            "tone": tone,
            "history": changes_of([self.model.history.filter(id=row.pk)], CHANGES_SHOWN),
            **self.more(row),
        }
        return self.page(self.template, shown)

    def more(self, row: Any) -> Mapping[str, Any]:
        return {}


class OfCoupons(DatedRowsPage):
    needs = "invoices.view_coupon"
    model = Coupon

    def rows(self, words: str = "") -> QuerySet[Any]:
        return coupons_found(self.client, words)


class CouponList(OfCoupons, DatedList):
    template = "catalogue/coupons.html"


class CouponPage(OfCoupons, DatedPage):
    template = "catalogue/coupon.html"

    def more(self, row: Coupon) -> Mapping[str, Any]:
        redemptions = redemptions_with_used(CouponRedemption.objects.filter(coupon=row).select_related("account"))
        return {"pages": page_of(redemptions, Order(descending=True), self.request.GET.get("cursor"), ROWS_OF_A_PAGE)}


class OfSurcharges(DatedRowsPage):
    needs = "invoices.view_surcharge"
    model = Surcharge

    def rows(self, words: str = "") -> QuerySet[Any]:
        return surcharges_found(self.client, words, self.today)


class SurchargeList(OfSurcharges, DatedList):
    template = "catalogue/surcharges.html"


class SurchargePage(OfSurcharges, DatedPage):
    template = "catalogue/surcharge.html"


class OfTaxRates(DatedRowsPage):
    needs = "invoices.view_taxrate"
    model = TaxRate

    def rows(self, words: str = "") -> QuerySet[Any]:
        return tax_rates_found(self.client, words, self.today)


class TaxRateList(OfTaxRates, DatedList):
    template = "catalogue/tax_rates.html"


class TaxRatePage(OfTaxRates, DatedPage):
    template = "catalogue/tax_rate.html"
