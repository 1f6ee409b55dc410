"""The list of accounts, with filters, by pages or as CSV file."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from rest_framework import serializers

from accounts.kinds import AccountStatus
from accounts.pages.forms import PageForm
from accounts.pages.lists import Column, ListPage
from accounts.rights import GENERATE, may
from billing_site.common.keyset_pages import page_of
from invoices.api.serializers.money import AmountField
from invoices.services.lists.accounts import AccountFilters, AccountRow, account_rows, find_accounts

COLUMNS = (
    Column("account", _("Account"), "client_acct_id", ("client_acct_id", "acct_no"), "nowrap"),
    Column("name", _("Name"), members=("name", "company")),
    Column("status", _("Status"), members=("status", "status_text", "is_test", "approval_required")),
    Column("plans", _("Plans"), members=("plans",)),
    Column("next_bill_date", _("Next bill date"), "next_bill_date", ("next_bill_date",), "nowrap"),
    Column("balance", _("Balance"), members=("balance", "currency"), css="num"),
    Column("pending_invoice", _("Pending invoice"), members=("pending_invoice",), css="num"),
    Column("number", _("Account number"), "pk", ("acct_no",), "num", is_usual=False),
    Column("currency", _("Currency"), members=("currency",), is_usual=False),
    Column("company", _("Company"), members=("company",), is_usual=False),
)
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
    due = YesNoField(_("Due to bill"), pgettext_lazy("to bill", "Due"), pgettext_lazy("to bill", "Not due"))
    owes = YesNoField(_("Balance"), _("Owes"), _("Nothing open"))
    waits = YesNoField(_("Pending invoice"), _("On file"), _("None"))
    approval = YesNoField(_("Approval"), _("Required"), _("Not required"))
    test = YesNoField(_("Test accounts"), _("Only"), _("Without"))
    tag = forms.CharField(label=_("Tag"), required=False, max_length=200, widget=forms.TextInput({"size": 8}))
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
            tag=filters["tag"],
        )


class AccountList(ListPage):
    needs = "accounts.view_account"
    address = "accounts"
    columns = COLUMNS
    parameters = ("columns", *AccountSearch.base_fields)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = AccountSearch(request.GET)
        shown = {"form": form, **self.list_context()}
        if not form.is_valid():
            status = 400 if request.GET.get("format") == "csv" else 200
            return self.page("accounts/list.html", {**shown, "searched": True}, status=status)
        accounts = find_accounts(self.client, form.wanted, self.today)
        if request.GET.get("format") == "csv":
            return self.file("accounts", AccountRowSerializer(), accounts, self._written)
        pages = page_of(accounts, self.order, request.GET.get("cursor"))
        shown |= {"pages": pages, "rows": account_rows(pages.rows, self.today)}
        shown |= {"searched": form.wanted != AccountFilters(), "may_bill": may(self.caller, GENERATE)}
        return self.page("accounts/list.html", shown)

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
