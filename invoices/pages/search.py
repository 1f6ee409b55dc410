"""The search over everything, which every page has: customers, documents, and pages."""

from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.pages.base import StaffPage
from invoices.services.lists.search import search

LONGEST = 200


class NamedPage(NamedTuple):
    """A page that can be found by its name, and the permission that it needs."""

    name: str
    title: Any
    needs: str


PAGES = (
    NamedPage("dashboard", _("Dashboard"), "invoices.view_invoice"),
    NamedPage("accounts", _("Accounts"), "accounts.view_account"),
    NamedPage("new-customer", _("New customer"), "accounts.add_account"),
    NamedPage("load-usage", _("Load usage"), "invoices.add_usage"),
    NamedPage("invoices", _("Invoices"), "invoices.view_invoice"),
    NamedPage("pending", _("Approval queue"), "invoices.view_invoice"),
    NamedPage("rebills", _("Rebills"), "invoices.view_invoice"),
    NamedPage("runs", _("Billing runs"), "invoices.view_invoice"),
    NamedPage("start-run", _("New billing run"), "invoices.generate_invoice"),
    NamedPage("reports", _("Reports"), "invoices.view_invoice"),
    NamedPage("schedules", _("Daily tasks"), "invoices.view_invoice"),
    NamedPage("catalogue", _("Catalogue"), "accounts.view_plan"),
    NamedPage("catalogue-services", _("Services"), "accounts.view_plan"),
    NamedPage("new-plan", _("New plan"), "accounts.add_plan"),
    NamedPage("new-service", _("New service"), "accounts.add_service"),
    NamedPage("change-prices", _("Change prices for all customers"), "accounts.add_rateschedule"),
    NamedPage("coupons", _("Coupons"), "invoices.view_coupon"),
    NamedPage("surcharges", _("Surcharges"), "invoices.view_surcharge"),
    NamedPage("tax-rates", _("Tax rates"), "invoices.view_taxrate"),
    NamedPage("new-coupon", _("New coupon"), "invoices.add_coupon"),
    NamedPage("new-surcharge", _("New surcharge"), "invoices.add_surcharge"),
    NamedPage("new-tax-rate", _("New tax rate"), "invoices.add_taxrate"),
    NamedPage("settings", _("Settings"), "accounts.view_client"),
    NamedPage("number-series", _("Number series"), "accounts.view_client"),
    NamedPage("people", _("People"), "accounts.view_client"),
    NamedPage("reasons", _("Reasons"), "accounts.view_client"),
    NamedPage("api-keys", _("API keys"), "accounts.view_apikey"),
    NamedPage("docs", _("API"), "invoices.view_invoice"),
)


class SearchPage(StaffPage):
    """The results of a search. While typing, each page shows the same results below its field."""

    needs = "accounts.view_account"
    parameters = ("q",)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated and not request.user.has_perm(self.needs):
            self.needs = "invoices.view_invoice"
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        text = request.GET.get("q", "")[:LONGEST]
        sees_invoices = self.may("invoices.view_invoice")
        found = search(self.client, text, self.today, accounts=self.may("accounts.view_account"), invoices=sees_invoices)
        pages = self._pages(text)
        context = {"text": text, "found": found, "pages": pages, "is_empty": not (pages or any(found))}
        return self.page("search.html", context)

    def _pages(self, text: str) -> list[tuple[str, Any]]:
        """Return the pages with a word that begins with the text, or whose name contains it."""
        wanted = text.strip().lower()
        if len(wanted) < 2:
            return []
        return [(reverse(one.name), one.title) for one in PAGES if wanted in str(one.title).lower() and self.may(one.needs)]
