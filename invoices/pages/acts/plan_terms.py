"""Terms of a customer's plans: pauses of billing, trials and own prices. Each is previewed in the facts."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.db.models import Max
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import clock
from accounts.callers import Caller
from accounts.kinds import RateModel
from accounts.models import RateSchedule
from accounts.pages.forms import DayInput
from accounts.periods import ONE_DAY
from accounts.rates import RateTerms, TierTerms
from accounts.rights import ROW_RIGHTS
from accounts.services.pauses import (
    billed_to,
    last_pause,
    pause_billing,
    planned_pause,
    planned_resumption,
    resume_billing,
)
from accounts.services.plans import planned_trial, update_plan_instance
from accounts.services.prices import add_price, change_price, check_planned_price, planned_end
from billing_site.common.limits import PO_NUM_LENGTH
from billing_site.common.numbers import AMBIGUOUS, short_number
from invoices.pages.acts.additions import AdditionForm, AdditionPage, AdditionPreview, InstancePage, units_field
from invoices.pages.acts.base import amount_field
from invoices.services.planning.intended import Change, pausing, with_own_price, with_po_number, with_trial
from invoices.services.planning.price_costs import PriceCost, own_prices_of, price_costs


class PauseForm(AdditionForm):
    first_day = forms.DateField(label=_("First day that is not charged"), widget=DayInput)
    last_day = forms.DateField(
        label=_("Last day that is not charged"),
        required=False,
        widget=DayInput,
        help_text=_("Empty: until billing is resumed."),
    )


class PausePage(AdditionPage):
    right = ROW_RIGHTS["change", "accounts.planinstance"]

    def first_free_day(self) -> date:
        """Return today, or the day after the last one that is billed."""
        billed, today = billed_to(self.account), clock.today(self.client)
        return today if billed is None else max(today, billed + ONE_DAY)

    def follows(self, form: Any) -> list[str]:
        billed, ahead = billed_to(self.account), self._billed_ahead()
        texts = []
        if billed is not None:
            texts.append(gettext("Days through %(day)s are billed already and stay charged.") % {"day": self.day(billed)})
        if ahead is not None and (billed is None or ahead > billed):
            texts.append(gettext("Charges in advance are billed through %(day)s and stay charged.") % {"day": self.day(ahead)})
        return texts

    def _billed_ahead(self) -> date | None:
        billed: date | None = self.account.plan_instances.aggregate(last=Max("billed_through"))["last"]
        return billed


class PauseBilling(PausePage):
    """A pause of billing of the whole account."""

    form_class = PauseForm
    title = _("Pause billing")
    button = _("Pause billing")
    done = _("Billing is paused.")

    def initial(self) -> dict[str, Any]:
        return {"first_day": self.first_free_day().isoformat()}

    def intended(self, form: PauseForm) -> Change:
        fields = form.cleaned_data
        return pausing(self.account, planned_pause(self.account, fields["first_day"], fields["last_day"]))

    def follows(self, form: PauseForm) -> list[str]:
        return [*super().follows(form), gettext("Usage of the paused days is still charged.")]

    def do(self, form: PauseForm, caller: Caller) -> Any:
        return pause_billing(account=self.account, caller=caller, **form.cleaned_data)


class ResumeForm(AdditionForm):
    first_day = forms.DateField(label=_("First day that is charged again"), widget=DayInput)


class ResumeBilling(PausePage):
    """The end of a pause."""

    form_class = ResumeForm
    title = _("Resume billing")
    button = _("Resume billing")
    done = _("The end of the pause is set.")

    def initial(self) -> dict[str, Any]:
        pause = last_pause(self.account, self.today - ONE_DAY)
        first = self.first_free_day()
        return {"first_day": (first if pause is None else max(first, pause.first_day + ONE_DAY)).isoformat()}

    def intended(self, form: ResumeForm) -> Change:
        return pausing(self.account, planned_resumption(self.account, form.cleaned_data["first_day"]))

    def do(self, form: ResumeForm, caller: Caller) -> Any:
        return resume_billing(account=self.account, caller=caller, **form.cleaned_data)


class TrialForm(AdditionForm):
    trial_end = forms.DateField(
        label=_("Last free day"),
        required=False,
        widget=DayInput,
        help_text=_("The plan is charged from the next day. Empty: no trial."),
    )


class SetTrial(InstancePage):
    """The free trial of a plan."""

    form_class = TrialForm
    title = _("Free trial")
    button = _("Save trial")
    done = _("The trial is changed.")

    def initial(self) -> dict[str, Any]:
        return {"trial_end": self.instance.trial_end.isoformat() if self.instance.trial_end else ""}

    def intended(self, form: TrialForm) -> Change:
        planned = planned_trial(self.instance, form.cleaned_data["trial_end"])
        return with_trial(self.account, self.instance.pk, planned.trial_end)

    def do(self, form: TrialForm, caller: Caller) -> Any:
        changed = planned_trial(self.instance, form.cleaned_data["trial_end"])
        return update_plan_instance(changed, ["trial_end"], caller=caller)


class PoNumberForm(AdditionForm):
    po_num = forms.CharField(
        label=_("PO number"),
        required=False,
        max_length=PO_NUM_LENGTH,
        help_text=_("Lines of the next invoices have it. Issued invoices keep theirs."),
    )


class SetPoNumber(InstancePage):
    """The purchase order number of a plan."""

    form_class = PoNumberForm
    title = _("PO number of the plan")
    button = _("Save PO number")
    done = _("The PO number is changed.")

    def initial(self) -> dict[str, Any]:
        return {"po_num": self.instance.po_num}

    def intended(self, form: PoNumberForm) -> Change:
        return with_po_number(self.instance.pk, form.cleaned_data["po_num"])

    def do(self, form: PoNumberForm, caller: Caller) -> Any:
        self.instance.po_num = form.cleaned_data["po_num"]
        return update_plan_instance(self.instance, ["po_num"], caller=caller)


class OwnPriceForm(AdditionForm):
    """A price of one customer for one of the charges of a plan."""

    charge = forms.TypedChoiceField(label=_("Charge"), coerce=int)
    model = forms.ChoiceField(label=_("Model"), choices=RateModel.choices)
    rate_per_unit = amount_field(
        label=_("Rate"),
        required=False,
        decimal_places=10,
        max_digits=20,
        help_text=_("The rate of one unit, or the flat fee. Empty if each band has its own rate."),
    )
    bands = forms.CharField(
        label=_("Bands"),
        required=False,
        max_length=4000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("One band on each line: the units above which it begins, a space, and its rate. The first begins at 0."),
    )
    minimum_amount = amount_field(label=_("Minimum of a full period"), required=False)
    maximum_amount = amount_field(label=_("Maximum of a full period"), required=False)
    valid_from = forms.DateField(
        label=_("Valid from"), widget=DayInput, help_text=_("Periods that begin on this day or later have this price.")
    )
    valid_to = forms.DateField(label=_("Last day"), required=False, widget=DayInput, help_text=_("Empty: no end."))
    tried = units_field(label=_("Show the cost of this number of units"), required=False, min_value=0)
    fields_of_errors: ClassVar[Mapping[str, str]] = {"tiers": "bands"}

    def __init__(self, data: Any = None, *, charges: Sequence[tuple[int, str]], **kwargs: Any) -> None:
        self.charges = charges
        super().__init__(data, **kwargs)

    def offer(self) -> None:
        super().offer()
        self.fields["charge"].choices = self.charges  # type: ignore[attr-defined]

    def clean_bands(self) -> tuple[TierTerms, ...]:
        lines = [line.split() for line in self.cleaned_data["bands"].splitlines() if line.strip()]
        return tuple(self._band(number, line) for number, line in enumerate(lines, 1))

    def _band(self, number: int, parts: list[str]) -> TierTerms:
        field = amount_field(decimal_places=10, max_digits=25, min_value=0)
        try:
            from_unit, rate = [Decimal(field.clean(part)) for part in parts]
        except (ValueError, forms.ValidationError) as why:
            if getattr(why, "code", "") == AMBIGUOUS:
                raise
            wrong = gettext("Line %(number)s is not a band. Write two numbers: 100 0.05") % {"number": number}
            raise forms.ValidationError(wrong) from None
        return TierTerms(from_unit, rate)

    def terms(self, currency: str) -> RateTerms:
        fields = self.cleaned_data
        names = ("rate_per_unit", "model", "minimum_amount", "maximum_amount", "valid_from", "valid_to")
        return RateTerms(currency=currency, tiers=fields["bands"], **{name: fields[name] for name in names})


class OwnPricePage(InstancePage):
    template = "acts/own_price.html"

    def context(self, preview: AdditionPreview | None) -> Mapping[str, Any]:
        return {**super().context(preview), "prices": own_prices_of(self.instance)}


class AddOwnPrice(OwnPricePage):
    """A price of the customer, in place of the list price."""

    right = ROW_RIGHTS["add", "accounts.rateschedule"]
    form_class = OwnPriceForm
    title = _("Own price")
    button = _("Add own price")
    done = _("The customer's own price is added.")

    def initial(self) -> dict[str, Any]:
        billed = self.instance.billed_through
        begins = self.instance.start_date if billed is None else billed + ONE_DAY
        charge = self._charges().first()
        units = short_number(self.instance.units)
        return {
            "charge": str(charge.pk) if charge else "",
            "model": RateModel.PER_UNIT.value,
            "valid_from": begins.isoformat(),
            "tried": units,
        }

    def _charges(self) -> Any:
        return self.instance.plan.charges.select_related("service").order_by("pk")

    def form(self, data: Any, **options: Any) -> Any:
        charges = [(one.pk, f"{one.service.name} · {one.get_line_type_display()}") for one in self._charges()]
        return super().form(data, charges=charges, **options)

    def _charge(self, form: OwnPriceForm) -> Any:
        return get_object_or_404(self._charges(), pk=form.cleaned_data["charge"])

    def intended(self, form: OwnPriceForm) -> Change:
        charge, terms = self._charge(form), form.terms(self.account.currency)
        check_planned_price(charge, terms, self.instance)
        return with_own_price(self.instance.pk, charge.pk, terms)

    def costs(self, form: OwnPriceForm) -> list[PriceCost]:
        tried = form.cleaned_data["tried"]
        units = [] if tried is None else [tried]
        terms = form.terms(self.account.currency)
        return price_costs(self.instance, form.cleaned_data["charge"], terms, units, form.cleaned_data["valid_from"])

    def do(self, form: OwnPriceForm, caller: Caller) -> Any:
        return add_price(self._charge(form), form.terms(self.account.currency), self.instance, caller=caller)


class EndPriceForm(AdditionForm):
    valid_to = forms.DateField(label=_("Last day"), required=False, widget=DayInput, help_text=_("Empty: no end."))


class EndOwnPrice(OwnPricePage):
    """The last day of a customer's own price. After it the list price applies."""

    right = ROW_RIGHTS["change", "accounts.rateschedule"]
    form_class = EndPriceForm
    title = _("End own price")
    button = _("Save end")
    done = _("The end of the price is set.")
    price: RateSchedule

    def open(self, **numbers: int) -> None:
        super().open(**numbers)
        prices = RateSchedule.objects.select_related("charge__service", "plan_instance__account")
        self.price = get_object_or_404(prices, pk=numbers["price"], plan_instance=self.instance)

    def initial(self) -> dict[str, Any]:
        return {"valid_to": (self.price.valid_to or self.today).isoformat()}

    def back(self) -> str:
        return reverse("own-price", args=[self.account.pk, self.instance.pk])

    def intended(self, form: EndPriceForm) -> Change:
        terms = planned_end(self.price, form.cleaned_data["valid_to"], self.today)
        return with_own_price(self.instance.pk, self.price.charge_id, terms, replaces=self.price.pk)

    def do(self, form: EndPriceForm, caller: Caller) -> Any:
        terms = planned_end(self.price, form.cleaned_data["valid_to"], self.today)
        return change_price(self.price, terms, caller=caller, today=self.today)
