"""Forms of coupons and surcharges: a percent or an amount, for some services or all, between two days."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Account, PlanCharge
from accounts.pages.forms import DayInput
from accounts.rights import ROW_RIGHTS
from accounts.services.catalogue import running
from invoices.models import Coupon, Surcharge
from invoices.pages.catalogue.dated_forms import (
    AddDated,
    ChangeDated,
    DatedForm,
    DatedPage,
    RemoveDated,
    ServicesField,
    counted,
    decimal_field,
)
from invoices.pages.changing import locked
from invoices.services.billing.discounts_and_surcharges import (
    add_with_services,
    change_with_services,
    check_changed,
    check_new,
)
from invoices.services.planning.extras import redemptions_with_used

DAYS: dict[str, Any] = {"valid_from": DayInput, "valid_to": DayInput}
LABELS: dict[str, Any] = {"valid_from": _("First day"), "valid_to": _("Last day"), "service": _("Service of its line")}


class PercentOrAmountForm(DatedForm):
    percent = decimal_field(
        _("Percent"), _("Give a percent, or an amount."), required=False, min_value=0, max_digits=9, decimal_places=6
    )
    amount = decimal_field(_("Amount"), _("Before tax."), required=False, min_value=0, max_digits=15, decimal_places=4)
    services = ServicesField(label=_("Services"), help_text=_("Services that it applies to. None chosen: all services."))

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).lower()


class CouponForm(PercentOrAmountForm):
    class Meta:
        model = Coupon
        fields = (
            *("code", "name", "percent", "amount", "currency", "services"),
            *("valid_from", "valid_to", "cycles", "max_redemptions", "gl_code"),
        )
        widgets = DAYS
        labels: ClassVar[dict[str, Any]] = {
            **LABELS,
            "cycles": _("Invoices per customer"),
            "max_redemptions": _("Customers at most"),
        }
        help_texts: ClassVar[dict[str, Any]] = {"valid_from": _("From this day on customers can redeem it.")}


class SurchargeForm(PercentOrAmountForm):
    class Meta:
        model = Surcharge
        fields = ("name", "service", "percent", "amount", "currency", "services", "valid_from", "valid_to")
        widgets = DAYS
        labels = LABELS


class WithServices(DatedPage):
    """A form of a row whose services are chosen with it."""

    def check(self, form: Any) -> None:
        services = form.cleaned_data["services"]
        if self.is_new:
            check_new(self.planned(form), services)
        else:
            check_changed(self.row, self.columns(form), services)

    def do(self, form: Any, caller: Caller) -> Any:
        if self.is_new:
            return add_with_services(self.planned(form), form.cleaned_data["services"], caller=caller)
        chosen = form.changed.get("services", self.row.services.all())
        return change_with_services(locked(self.row), self.columns(form), chosen, caller=caller)


class OfCoupon(WithServices):
    needs = "invoices.view_coupon"
    form_class: ClassVar[Any] = CouponForm
    model = Coupon
    list_name, page_name = "coupons", "coupon"

    def follows(self, planned: Coupon, form: Any) -> Sequence[str]:
        redeemed, text = counted(planned.redemptions.all()) if planned.pk else (0, "0")
        if not redeemed:
            return [gettext("No customer has redeemed it yet. Redeem it on the page of a customer.")]
        words = ngettext("%(count)s customer has redeemed it.", "%(count)s customers have redeemed it.", redeemed)
        return [
            words % {"count": text},
            *self._left(planned),
            gettext("Invoices that are generated from now on get what is saved."),
        ]

    def _left(self, planned: Coupon) -> list[str]:
        """Say how many customers still get it on their next invoices, with the typed number of invoices."""
        if planned.cycles is None:
            return []
        used_up, text = counted(redemptions_with_used(planned.redemptions.all()).filter(used__gte=planned.cycles))
        words = ngettext(
            "%(count)s of them has had it on all its invoices.", "%(count)s of them have had it on all their invoices.", used_up
        )
        return [words % {"count": text}] if used_up else []


class AddCoupon(OfCoupon, AddDated):
    right = ROW_RIGHTS["add", "invoices.coupon"]
    title = _("New coupon")
    button = _("Add coupon")
    done: ClassVar[Any] = _("The coupon is added.")


class ChangeCoupon(OfCoupon, ChangeDated):
    right = ROW_RIGHTS["change", "invoices.coupon"]
    title = _("Change or end coupon")


class RemoveCoupon(RemoveDated, OfCoupon):
    right = ROW_RIGHTS["delete", "invoices.coupon"]
    form_class = RemoveDated.form_class
    title = _("Remove coupon")


class OfSurcharge(WithServices):
    needs = "invoices.view_surcharge"
    form_class: ClassVar[Any] = SurchargeForm
    model = Surcharge
    list_name, page_name = "surcharges", "surcharge"

    def follows(self, planned: Surcharge, form: Any) -> Sequence[str]:
        """Say which customers have plans that charge for its services."""
        charges = PlanCharge.objects.filter(plan__client=self.client)
        if chosen := list(form.cleaned_data["services"]):
            charges = charges.filter(service__in=chosen)
        instances = running(self.today).filter(plan__in=charges.values("plan"))
        if planned.currency:
            instances = instances.filter(account__currency=planned.currency)
        customers, text = counted(Account.objects.filter(client=self.client, pk__in=instances.values("account")))
        words = ngettext(
            "%(count)s customer has a plan that it is added to.",
            "%(count)s customers have plans that it is added to.",
            customers,
        )
        return [words % {"count": text}, gettext("It is added to invoices whose bill date is from its first to its last day.")]


class AddSurcharge(OfSurcharge, AddDated):
    right = ROW_RIGHTS["add", "invoices.surcharge"]
    title = _("New surcharge")
    button = _("Add surcharge")
    done: ClassVar[Any] = _("The surcharge is added.")

    def follows(self, planned: Surcharge, form: Any) -> Sequence[str]:
        replaces = gettext("From its first day on it replaces an earlier surcharge with the same name, service and currency.")
        return [*super().follows(planned, form), replaces]


class ChangeSurcharge(OfSurcharge, ChangeDated):
    right = ROW_RIGHTS["change", "invoices.surcharge"]
    title = _("Change or end surcharge")


class RemoveSurcharge(RemoveDated, OfSurcharge):
    right = ROW_RIGHTS["delete", "invoices.surcharge"]
    form_class = RemoveDated.form_class
    title = _("Remove surcharge")
