"""The fields of a price, with bands as lines of text, and what units would cost at it."""

from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.kinds import BandEdge, ChargeType, RateModel
from accounts.models import Account, Plan, RateSchedule, RateTier
from accounts.pages.forms import DayInput, NumberField
from accounts.rates import Rates, RateTerms, TierTerms, rates_of
from accounts.validators import validate_currency
from billing_site.common.currencies import currency_of
from billing_site.common.exact_decimals import MOST_UNITS_VALIDATOR
from billing_site.common.numbers import AMBIGUOUS, plain_number, short_number
from invoices.pages.acts.additions import units_field
from invoices.pages.acts.base import ActForm
from invoices.plan.rating import RatedCharge
from invoices.services.lists.catalogue import cost

MOST_BANDS = 500


def currency_choices(plan: Plan) -> list[str]:
    """Return the currencies of a plan's prices, else of the client's newest account, in order. One at least."""
    known = sorted(set(RateSchedule.objects.filter(charge__plan=plan, plan_instance=None).values_list("currency", flat=True)))
    newest = Account.objects.filter(client=plan.client_id).order_by("-pk").values_list("currency", flat=True).first()
    return known or [newest or "usd"]


class BandsField(forms.CharField):
    """Bands, one on a line: the units above which it begins, and the rate."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Bands"),
            required=False,
            max_length=50_000,
            widget=forms.Textarea({"rows": 4, "spellcheck": "false"}),
            help_text=_(
                "One band on each line: the units above which it begins, a space, and its price. The first begins at 0. "
                "Lines from a spreadsheet can be pasted."
            ),
        )

    def clean(self, value: Any) -> tuple[TierTerms, ...]:
        lines = [line for line in super().clean(value).replace("\u00a0", " ").splitlines() if line.strip()]
        if len(lines) > MOST_BANDS:
            raise ValidationError(_("There are more than %(most)d bands."), params={"most": MOST_BANDS})
        return tuple(_band(line) for line in lines)

    def said(self, value: Any) -> str:
        """Return bands in words, typed or cleaned."""
        lines = (value or "").splitlines() if value is None or isinstance(value, str) else [_typed(band) for band in value]
        return "; ".join(lines)


def _typed(band: TierTerms) -> str:
    return f"{short_number(band.from_unit)} {short_number(band.rate_per_unit)}"


def _band(line: str) -> TierTerms:
    parts = line.replace(";", " ").split()
    try:
        from_unit, rate = (Decimal(plain_number(part)) for part in parts)
    except (ValueError, ValidationError) as why:
        if getattr(why, "code", "") == AMBIGUOUS:
            raise
        raise ValidationError(_("Line %(line)s is not two numbers."), params={"line": line.strip()[:40]}) from None
    for name, number in (("from_unit", from_unit), ("rate_per_unit", rate)):
        column: Any = RateTier._meta.get_field(name)
        column.run_validators(number)
    return TierTerms(from_unit, rate)


class OtherPricesField(forms.CharField):
    """Prices in other currencies, one on a line: the currency and the rate, or for a band the currency, where it begins and its
    rate. Cleaned to the rate or bands of each currency."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Prices in other currencies"),
            required=False,
            max_length=50_000,
            widget=forms.Textarea({"rows": 2, "spellcheck": "false"}),
            help_text=_("One on each line: eur 12.50. If the price has bands, one line for each band: eur 100 0.05."),
        )

    def clean(self, value: Any) -> dict[str, tuple[Decimal | None, tuple[TierTerms, ...]]]:
        found: dict[str, tuple[Decimal | None, tuple[TierTerms, ...]]] = {}
        for line in super().clean(value).splitlines():
            currency, _space, rest = line.strip().partition(" ")
            if not currency:
                continue
            validate_currency(currency.lower())
            band = _band(rest if len(rest.split()) > 1 else f"0 {rest}")
            is_band = len(rest.split()) > 1
            bands = (*found.get(currency.lower(), (None, ()))[1], band) if is_band else ()
            found[currency.lower()] = (None if is_band else band.rate_per_unit), bands
        return found

    def said(self, value: Any) -> str:
        """Return cleaned prices in words."""
        known = (value or {}).items()
        return "; ".join(
            f"{name} {short_number(rate) if rate is not None else ', '.join(map(_typed, bands))}"
            for name, (rate, bands) in known
        )


class Calculated(NamedTuple):
    """What units cost at the typed price."""

    units: Decimal
    rates: Rates
    rated: RatedCharge


class PriceFields(ActForm):
    """The fields of a price, and units to try it with."""

    currency = forms.CharField(label=_("Currency"), max_length=3, help_text=_("Three letters, such as usd."))
    model = forms.ChoiceField(label=_("How the amount is counted"), choices=RateModel.choices)
    rate_per_unit = NumberField(
        label=_("Price of one unit, or the flat fee"),
        required=False,
        min_value=0,
        max_digits=20,
        decimal_places=10,
        help_text=_("Empty if each band has its own price."),
    )
    tiers = BandsField()
    band_edge = forms.ChoiceField(
        label=_("Where bands begin"), choices=BandEdge.choices, required=False, help_text=_("Only for volume prices.")
    )
    minimum_amount = NumberField(
        label=_("Minimum of a period"),
        required=False,
        min_value=0,
        max_digits=15,
        decimal_places=4,
    )
    maximum_amount = NumberField(
        label=_("Maximum of a period"),
        required=False,
        min_value=0,
        max_digits=15,
        decimal_places=4,
    )
    valid_from = forms.DateField(
        label=_("First day"),
        required=False,
        widget=DayInput,
        help_text=_("Empty: from the beginning. The first day of a period decides."),
    )
    valid_to = forms.DateField(label=_("Last day"), required=False, widget=DayInput, help_text=_("Empty: no end."))
    try_units = units_field(
        label=_("Try it: units"),
        required=False,
        min_value=0,
        validators=[MOST_UNITS_VALIDATOR],
        help_text=_("Only for the calculation beside. It is not stored."),
    )

    def wrong(self, error: ValidationError) -> None:
        """Say in our words, at the day, that a price begins on it already."""
        (same_day,) = (one for one in RateSchedule._meta.constraints if one.name == "one_list_rate_per_day_it_begins")
        if str(same_day.get_violation_error_message()) in error.messages:
            error = ValidationError({"valid_from": _("The charge already has a list price in this currency from this day on.")})
        super().wrong(error)

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).lower()

    def clean_band_edge(self) -> str:
        return self.cleaned_data["band_edge"] or BandEdge.ABOVE.value

    @property
    def terms(self) -> RateTerms:
        """The typed price."""
        return RateTerms(**{name: self.cleaned_data[name] for name in RateTerms._fields})

    def calculated(self, line_type: int) -> Calculated | None:
        """Return what the units to try cost, or None if none are typed."""
        units = self.cleaned_data.get("try_units")
        if units is None:
            return None
        rates = rates_of(self.terms)
        is_usage = line_type == ChargeType.USAGE
        return Calculated(units, rates, cost(rates, units, currency_of(rates.currency), is_usage=is_usage))


def typed_price(price: RateSchedule) -> dict[str, Any]:
    """Return what the fields of a stored price have at first."""
    from_beginning = RateSchedule._meta.get_field("valid_from").default
    decimals = {name: _plain(getattr(price, name)) for name in ("rate_per_unit", "minimum_amount", "maximum_amount")}
    return {
        **decimals,
        "currency": price.currency,
        "model": price.model,
        "band_edge": price.band_edge,
        "tiers": "\n".join(_typed(TierTerms(one.from_unit, one.rate_per_unit)) for one in price.tiers.all()),
        "valid_from": None if price.valid_from == from_beginning else price.valid_from.isoformat(),
        "valid_to": price.valid_to and price.valid_to.isoformat(),
        "try_units": "1",
    }


def _plain(number: Decimal | None) -> Any:
    """Return a number without the zeros that the database adds."""
    return None if number is None else Decimal(f"{number.normalize():f}")
