"""Forms of list prices: add, correct, end and remove one."""

from typing import Any, ClassVar

from django.db.models import Q
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import PlanCharge, RateSchedule
from accounts.rates import rates_on
from accounts.rights import ROW_RIGHTS
from accounts.services.catalogue import running_instances
from accounts.services.prices import add_price, change_price, remove_price
from invoices.pages.catalogue.editors import PENDING_KEEPS, OfPlan, RemoveForm, RemovePage
from invoices.pages.catalogue.price_fields import PriceFields, currency_choices, typed_price
from invoices.pages.changing import RowForm, locked
from invoices.services.lists.catalogue import priced_charges, rates_of_row


class PriceForm(PriceFields, RowForm):
    class Meta:
        model = RateSchedule
        fields: ClassVar[tuple[str, ...]] = ()


class OfCharge(OfPlan):
    """A price of a charge."""

    form_class: ClassVar[Any] = PriceForm
    template = "catalogue/price.html"
    charge: PlanCharge

    def notes(self, form: Any) -> list[str]:
        terms = form.terms
        instances = running_instances(self.plan, self.today).filter(account__currency=terms.currency)
        own = instances.filter(Q(own_rates__charge=self.charge)).distinct().count()
        customers = instances.count() - own
        listed = ngettext(
            "%(count)d customer pays the list price in this currency.",
            "%(count)d customers pay the list price in this currency.",
            customers,
        )
        kept = ngettext(
            "%(count)d customer has an own price and keeps it.", "%(count)d customers have own prices and keep them.", own
        )
        notes = [listed % {"count": customers}, *([kept % {"count": own}] if own else []), *self._replaced(form)]
        return [*notes, str(PENDING_KEEPS)]

    def _replaced(self, form: Any) -> list[str]:
        """Say which price the typed one replaces, if it replaces one."""
        (priced,) = priced_charges(PlanCharge.objects.filter(pk=self.charge.pk), self.today)
        others = [
            one for one in (*priced.now, *priced.later, *priced.earlier) if self.row is None or one.schedule_no != self.row.pk
        ]
        day = form.terms.valid_from or self.today
        before = rates_on(day, form.terms.currency, others)
        return [] if before is None else [gettext("From its first day on it replaces the price that applies until then.")]

    def more(self, form: PriceForm) -> Any:
        return form.calculated(self.charge.line_type)


class AddPrice(OfCharge):
    right = ROW_RIGHTS["add", "accounts.rateschedule"]
    title = _("New price")
    button = _("Add price")
    done = _("The price is added.")

    def open(self, **numbers: int) -> None:
        self.charge = self.find_charge(numbers["charge_no"])
        self.row = None

    def initial(self) -> dict[str, Any]:
        """Suggest today's price, so that only what differs is typed."""
        (priced,) = priced_charges(PlanCharge.objects.filter(pk=self.charge.pk), self.today)
        stored = RateSchedule.objects.filter(pk__in=[one.schedule_no for one in priced.now[:1]]).first()
        if stored is None:
            return {"currency": currency_choices(self.plan)[0], "model": "per_unit", "try_units": "1"}
        return {**typed_price(stored), "valid_from": self.today.isoformat(), "valid_to": None}

    def do(self, form: PriceForm, caller: Caller) -> RateSchedule:
        return add_price(self.charge, form.terms, caller=caller)


class StoredPrice(OfCharge):
    def open(self, **numbers: int) -> None:
        rows = RateSchedule.objects.filter(plan_instance=None).select_related("charge__plan", "charge__service")
        self.row = self.found(rows, numbers["price_no"], "charge__plan__client")
        self.charge, self.plan = self.row.charge, self.row.charge.plan

    def initial(self) -> dict[str, Any]:
        return typed_price(self.row)


class ChangePrice(StoredPrice):
    right = ROW_RIGHTS["change", "accounts.rateschedule"]
    title = _("Correct or end price")
    done = _("The price is changed.")

    def do(self, form: PriceForm, caller: Caller) -> RateSchedule:
        return change_price(locked(self.row), form.terms, caller=caller, today=self.today)

    def notes(self, form: Any) -> list[str]:
        warning = gettext(
            "Days that no invoice has billed yet are charged at the corrected price. To change it from a day on, add a price."
        )
        return [*super().notes(form), warning]


class RemovePrice(RemovePage, StoredPrice):
    right = ROW_RIGHTS["delete", "accounts.rateschedule"]
    form_class = RemoveForm
    template = "acts/change.html"
    title = _("Remove price")

    def initial(self) -> dict[str, Any]:
        return {}

    def do(self, form: Any, caller: Caller) -> None:
        remove_price(locked(self.row), caller=caller, today=self.today)

    def after(self, row: Any) -> str:
        return self.back()

    def notes(self, form: Any) -> list[str]:
        (priced,) = priced_charges(PlanCharge.objects.filter(pk=self.charge.pk), self.today)
        others = [one for one in (*priced.now, *priced.later, *priced.earlier) if one.schedule_no != self.row.pk]
        left = rates_on(self.today, self.row.currency, others)
        if left is None and rates_of_row(self.row).is_valid(self.row.currency, self.today):
            return [gettext("Then the charge has no price in this currency today: customers who pay in it cannot be billed.")]
        return [str(PENDING_KEEPS)]

    def more(self, form: Any) -> None:
        return None
