"""What waits for an account's next invoices, put right: charges changed or cancelled, coupons withdrawn, credits ended.

Each shows its effect on the next invoice, and is refused once an invoice holds what it is about.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Account
from accounts.pages.base import StaffPage
from accounts.pages.forms import DayInput
from accounts.rights import ROW_RIGHTS
from billing_site.common.keyset_pages import Order, page_of
from billing_site.common.numbers import short_number
from invoices.models import CouponRedemption, OneTimeCharge, ServiceCredit
from invoices.pages.acts.additions import AdditionForm, AdditionPage, AdditionPreview, OrderForm
from invoices.services.billing.coupons import check_can_be_withdrawn, withdraw_redemption
from invoices.services.billing.one_time_charges import (
    cancel_one_time_charge,
    change_one_time_charge,
    planned_order_change,
    unbilled_order,
)
from invoices.services.billing.service_credits import expire_service_credit, planned_expiry
from invoices.services.lists.waiting import credits_left, orders_waiting, redemptions_left
from invoices.services.planning.intended import Change, with_changed_order, with_expiry, without_coupon, without_order

ORDERS_SHOWN = 10


def waiting(page: StaffPage, account: Account) -> Mapping[str, Any]:
    """Return what the account's page shows of what waits, as far as the reader may see it."""
    shown: dict[str, Any] = {}
    if page.may("invoices.view_onetimecharge"):
        orders = orders_waiting(account)
        shown["order_pages"] = page_of(orders, Order("pk", descending=True), page.request.GET.get("orders"), ORDERS_SHOWN)
    if page.may("invoices.view_couponredemption"):
        shown["redemptions"] = redemptions_left(account)
    if page.may("invoices.view_servicecredit"):
        shown["credits"] = credits_left(account, page.today)
    return shown


class WaitingPage(AdditionPage):
    """An act on one row of the account. `model` says of which kind, `row` is what was read."""

    model: ClassVar[Any]
    related: ClassVar[tuple[str, ...]] = ()
    row: Any

    def open(self, **numbers: int) -> None:
        super().open(number=numbers["number"])
        self.row = get_object_or_404(self.model.objects.select_related(*self.related), pk=numbers["row"], account=self.account)

    def context(self, preview: AdditionPreview | None) -> Mapping[str, Any]:
        return {**super().context(preview), "about_row": str(self.row)}


class ChangeOrder(WaitingPage):
    """Other terms of a one-time charge that no invoice holds."""

    model = OneTimeCharge
    related = ("service",)
    right = ROW_RIGHTS["change", "invoices.onetimecharge"]
    form_class = OrderForm
    title = _("Change one-time charge")
    button = _("Save charge")
    done = _("The charge is changed.")

    def initial(self) -> dict[str, Any]:
        return {
            "service": str(self.row.service_id),
            "rate_per_unit": short_number(self.row.rate_per_unit),
            "units": short_number(self.row.units),
            "charge_date": self.row.charge_date.isoformat(),
            "description": self.row.description,
            "po_num": self.row.po_num,
            "client_order_id": self.row.client_order_id,
        }

    def _terms(self, form: OrderForm) -> dict[str, Any]:
        return {**form.cleaned_data, "service": form.row("service")}

    def intended(self, form: OrderForm) -> Change:
        return with_changed_order(self.account, planned_order_change(self.row.pk, **self._terms(form)))

    def do(self, form: OrderForm, caller: Caller) -> Any:
        return change_one_time_charge(client=self.client, order_no=self.row.pk, caller=caller, **self._terms(form))


class TakeBackForm(AdditionForm):
    """Confirms that a row is taken back."""


class CancelOrder(WaitingPage):
    """The end of a one-time charge that no invoice holds: it is never billed."""

    model = OneTimeCharge
    right = ROW_RIGHTS["delete", "invoices.onetimecharge"]
    form_class = TakeBackForm
    title = _("Remove one-time charge")
    button = _("Remove charge")
    tone = "btn-danger"
    done = _("The charge is removed. It is never billed.")

    def intended(self, form: Any) -> Change:
        return without_order(self.account, unbilled_order(self.row.pk).pk)

    def do(self, form: Any, caller: Caller) -> Any:
        cancel_one_time_charge(client=self.client, order_no=self.row.pk, caller=caller)


class WithdrawCoupon(WaitingPage):
    """The end of a redeemed coupon that no invoice uses."""

    model = CouponRedemption
    related = ("coupon",)
    right = ROW_RIGHTS["delete", "invoices.couponredemption"]
    form_class = TakeBackForm
    title = _("Withdraw coupon")
    button = _("Withdraw coupon")
    tone = "btn-danger"
    done = _("The coupon is withdrawn. It can be redeemed again.")

    def intended(self, form: Any) -> Change:
        check_can_be_withdrawn(self.row)
        return without_coupon(self.row.pk)

    def do(self, form: Any, caller: Caller) -> Any:
        withdraw_redemption(client=self.client, redemption_no=self.row.pk, caller=caller)


class ExpiryForm(AdditionForm):
    expires_on = forms.DateField(
        label=_("Last bill date that uses it"),
        required=False,
        widget=DayInput,
        help_text=_("Yesterday ends it at once. Empty: it does not expire."),
    )


class EndServiceCredit(WaitingPage):
    """The last bill date on which a service credit is used."""

    model = ServiceCredit
    right = ROW_RIGHTS["change", "invoices.servicecredit"]
    form_class = ExpiryForm
    title = _("End of service credit")
    button = _("Save end")
    done = _("The end of the service credit is set.")

    def initial(self) -> dict[str, Any]:
        return {"expires_on": (self.row.expires_on or self.today).isoformat()}

    def intended(self, form: ExpiryForm) -> Change:
        return with_expiry(self.row.pk, planned_expiry(self.row.pk, form.cleaned_data["expires_on"]).expires_on)

    def do(self, form: ExpiryForm, caller: Caller) -> Any:
        day = form.cleaned_data["expires_on"]
        return expire_service_credit(client=self.client, credit_no=self.row.pk, caller=caller, expires_on=day)
