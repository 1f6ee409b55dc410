"""The list of accounts, with filters, by pages or as CSV file."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.kinds import AccountStatus
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm
from billing_site.common.csv_lists import ROWS_AT_ONCE, csv_response
from billing_site.common.keyset_pages import in_chunks, order_of, page_of
from invoices.api.serializers.money import AmountField
from invoices.services.lists.accounts import AccountFilters, AccountRow, account_rows, find_accounts

ORDERS = {"number": "pk", "account": "client_acct_id", "next_bill_date": "next_bill_date"}
ORDER_CHOICES = (
    ("", _("Oldest account first")),
    ("-number", _("Newest account first")),
    ("account", _("Account, A to Z")),
    ("-account", _("Account, Z to A")),
    ("next_bill_date", _("Next bill date, earliest first")),
    ("-next_bill_date", _("Next bill date, latest first")),
)


class YesNoField(forms.TypedChoiceField):
    """Yes, no, or no choice."""

    def __init__(self, label: Any, yes: Any, no: Any) -> None:
        choices = [("", _("Any")), ("yes", yes), ("no", no)]
        super().__init__(label=label, choices=choices, coerce="yes".__eq__, empty_value=None, required=False)


class AccountSearch(PageForm):
    search = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=100,
        widget=forms.TextInput({"type": "search", "placeholder": _("Account, number, name, company")}),
    )
    status = forms.TypedChoiceField(
        label=_("Status"), choices=[("", _("Any")), *AccountStatus.choices], coerce=int, empty_value=None, required=False
    )
    currency = forms.CharField(label=_("Currency"), required=False, max_length=3, widget=forms.TextInput({"size": 3}))
    due = YesNoField(_("Due to bill"), _("Due"), _("Not due"))
    owes = YesNoField(_("Balance"), _("Owes"), _("Nothing open"))
    waits = YesNoField(_("Pending invoice"), _("On file"), _("None"))
    approval = YesNoField(_("Approval"), _("Required"), _("Not required"))
    test = YesNoField(_("Test accounts"), _("Only"), _("Without"))
    ordering = forms.ChoiceField(label=_("Order"), choices=ORDER_CHOICES, required=False)

    @property
    def wanted(self) -> AccountFilters:
        filters = self.cleaned_data
        return AccountFilters(
            search=filters["search"],
            status=filters["status"],
            currency=filters["currency"],
            is_due=filters["due"],
            owes=filters["owes"],
            has_pending_invoice=filters["waits"],
            approval_required=filters["approval"],
            is_test=filters["test"],
        )


class AccountList(StaffPage):
    needs = "accounts.view_account"
    parameters = tuple(AccountSearch.base_fields)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = AccountSearch(request.GET)
        if not form.is_valid():
            return self.page("accounts/list.html", {"form": form, "searched": True})
        accounts = find_accounts(self.client, form.wanted, self.today)
        order = order_of(form.cleaned_data["ordering"], ORDERS)
        if request.GET.get("format") == "csv":
            chunks = in_chunks(accounts, order, ROWS_AT_ONCE)
            return csv_response("accounts", AccountRowSerializer(), chunks, self._written)
        pages = page_of(accounts, order, request.GET.get("cursor"))
        rows = account_rows(pages.rows, self.today)
        return self.page(
            "accounts/list.html",
            {"form": form, "pages": pages, "rows": rows, "searched": form.wanted != AccountFilters()},
        )

    def _written(self, accounts: list[Any]) -> Any:
        return AccountRowSerializer(account_rows(accounts, self.today), many=True).data


class AccountRowSerializer(serializers.Serializer):
    acct_no = serializers.ReadOnlyField()
    client_acct_id = serializers.ReadOnlyField()
    name = serializers.ReadOnlyField()
    company = serializers.ReadOnlyField()
    status = serializers.ReadOnlyField()
    status_text = serializers.ReadOnlyField()
    currency = serializers.ReadOnlyField()
    is_test = serializers.ReadOnlyField()
    approval_required = serializers.ReadOnlyField()
    plans = serializers.SerializerMethodField()
    next_bill_date = serializers.ReadOnlyField()
    balance = AmountField()
    pending_invoice = serializers.ReadOnlyField()

    def get_plans(self, row: AccountRow) -> str:
        return "; ".join(row.plans)
