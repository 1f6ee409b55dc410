"""A change of prices for all customers from a day on: tick prices, see who pays more or less, then confirm."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.callers import Caller
from accounts.kinds import RateModel
from accounts.models import RateSchedule, RateTier
from accounts.models.rates import FROM_THE_BEGINNING
from accounts.pages.forms import DayInput, NumberField
from accounts.periods import ONE_DAY
from accounts.rates import ZERO, shown_rate
from accounts.receipts import use
from accounts.rights import ROW_RIGHTS
from billing_site.common.csv_lists import csv_response
from billing_site.common.numbers import typed_number
from billing_site.common.written import day_of
from billing_site.errors import BillingError
from invoices.pages.acts.base import FOR_A_PREVIEW, ActForm, ActPage
from invoices.services.billing.price_changes import (
    MOST_PRICES,
    Hit,
    PriceChange,
    PriceChangePreview,
    change_prices,
    decimals_of,
    hits,
    preview_price_change,
)

HITS_SHOWN = 50
LINES_AT_ONCE = 500
TICK_ALL, TICK_NONE = "tick_all", "tick_none"
"""The acts of the buttons that only tick prices."""


class PriceChangeForm(ActForm):
    prices = forms.TypedMultipleChoiceField(label=_("Prices"), coerce=int, widget=forms.CheckboxSelectMultiple)
    percent = NumberField(
        label=_("Change by percent"),
        required=False,
        min_value=-100,
        max_digits=7,
        decimal_places=4,
        help_text=_("5 makes 10.00 to 10.50, -5 makes it 9.50. Bands, minimums and maximums change too."),
    )
    rate = NumberField(
        label=_("Or the new price"),
        required=False,
        min_value=0,
        max_digits=20,
        decimal_places=10,
        help_text=_("The same for all ticked prices."),
    )
    decimals = forms.IntegerField(label=_("Decimals of the new prices"), min_value=0, max_value=10, initial=2)
    first_day = forms.DateField(
        label=_("From this day on"), widget=DayInput, help_text=_("Periods that begin on this day or later have the new price.")
    )
    own_prices = forms.BooleanField(
        label=_("Also change the own prices of customers"),
        required=False,
        help_text=_("Each keeps at least as many decimals as it has."),
    )

    def __init__(self, *args: Any, listed: Sequence[tuple[int, str]], **kwargs: Any) -> None:
        self.listed = listed
        super().__init__(*args, **kwargs)

    def offer(self) -> None:
        super().offer()
        self.fields["prices"].choices = self.listed  # type: ignore[attr-defined]

    @property
    def ticked(self) -> int:
        """How many of the listed prices are ticked."""
        chosen = {str(value) for value in self["prices"].value() or ()}
        return sum(str(number) in chosen for number, _name in self.listed)


def asked_by(form: PriceChangeForm) -> PriceChange:
    """Return what the form asks for."""
    fields = form.cleaned_data
    return PriceChange(
        tuple(sorted(fields["prices"])),
        fields["first_day"],
        fields["percent"],
        fields["rate"],
        fields["decimals"],
        fields["own_prices"],
    )


@dataclass(frozen=True)
class SeenChange:
    """The preview of the service, the first customers, and the address of the whole list as a file."""

    change: PriceChangePreview
    hits: list[Hit]
    csv: str

    @property
    def seen(self) -> str:
        return self.change.seen


class ChangePrices(ActPage):
    """A change of the list prices of a plan or service, for all who pay them."""

    needs = "accounts.view_plan"
    right = ROW_RIGHTS["add", "accounts.rateschedule"]
    parameters: ClassVar = ("plan", "service", *PriceChangeForm.base_fields)
    form_class = PriceChangeForm
    template = "catalogue/price_change.html"
    title = _("Change prices for all customers")
    button = _("Change prices")

    def open(self, **numbers: int) -> None:
        rows = RateSchedule.objects.filter(charge__plan__client=self.client, plan_instance=None)
        for name, path in (("plan", "charge__plan"), ("service", "charge__service")):
            number = self.request.GET.get(name, "")
            if number:
                rows = rows.filter(**{path: int(number) if number.isdecimal() and len(number) < 19 else 0})
        going_on = rows.exclude(valid_to__lt=self.today).select_related("charge__plan", "charge__service")
        found = list(going_on.order_by("charge__plan__name", "charge", "currency", "valid_from")[: MOST_PRICES + 1])
        self.listed, self.has_more = found[:MOST_PRICES], len(found) > MOST_PRICES

    def get(self, request: HttpRequest, **numbers: int) -> HttpResponseBase:
        if request.GET.get("format") == "csv":
            self.open()
            form = self.form(request.GET)
            if not form.is_valid():
                return self._shown(form, None, status=400)
            return self._file(asked_by(form))
        return super().get(request, **numbers)

    def post(self, request: HttpRequest, **numbers: int) -> HttpResponseBase:
        act = request.POST.get("act")
        if act not in (TICK_ALL, TICK_NONE):
            return super().post(request, **numbers)
        self.open(**numbers)
        data = request.POST.copy()
        data["act"] = FOR_A_PREVIEW
        data.setlist("prices", [str(number) for number in self._applying(_first_day(data))] if act == TICK_ALL else [])
        request.POST = data  # type: ignore[assignment]
        return super().post(request, **numbers)

    def initial(self) -> dict[str, Any]:
        """No price is ticked, except those of the plan that the address names."""
        day = (self.today.replace(day=28) + 4 * ONE_DAY).replace(day=1)
        ticked = self._applying(self.today) if self.request.GET.get("plan") else []
        return {"prices": ticked, "decimals": self._decimals(), "first_day": day.isoformat()}

    def _applying(self, day: date | None) -> list[int]:
        """Return the listed prices that apply on a day, by default today: for each charge and currency the latest."""
        day = day or self.today
        latest: dict[tuple[int, str], int] = {}
        for price in self.listed:
            if price.valid_from <= day and (price.valid_to is None or price.valid_to >= day):
                latest[price.charge_id, price.currency] = price.pk
        return list(latest.values())

    def _decimals(self) -> int:
        """Return as many decimals as the listed prices have, at least 2, so that small rates do not become round ones."""
        rates = [price.rate_per_unit or ZERO for price in self.listed]
        rates += RateTier.objects.filter(schedule__in=self.listed).values_list("rate_per_unit", flat=True)
        return max(2, decimals_of(rates))

    def form(self, data: Any, **options: Any) -> Any:
        return super().form(data, listed=self._named, **options)

    @cached_property
    def _named(self) -> list[tuple[int, str]]:
        """Return the number of each listed price, and its plan, charge, rate or kind of bands, and days."""
        return [(price.pk, f"{price.charge.plan.name} · {price.charge}: {self._terms(price)}") for price in self.listed]

    def _terms(self, price: RateSchedule) -> str:
        if price.rate_per_unit is None:
            rate = gettext("volume") if price.model == RateModel.VOLUME else gettext("tiered")
        else:
            rate = typed_number(shown_rate(price.rate_per_unit, price.currency))
            rate = f"{gettext('flat fee')} {rate}" if price.model == RateModel.FLAT else rate
        words = [rate, price.currency.upper()]
        if price.valid_from > FROM_THE_BEGINNING:
            words += [gettext("from"), self.day(price.valid_from)]
        if price.valid_to is not None:
            words += [gettext("through"), self.day(price.valid_to)]
        return " ".join(words)

    def back(self) -> str:
        plan = self.request.GET.get("plan", "")
        return reverse("catalogue-plan", args=[int(plan)]) if plan.isdecimal() and self.listed else reverse("catalogue")

    def preview(self, form: PriceChangeForm) -> SeenChange | None:
        asked = asked_by(form)
        if asked.percent is None and asked.rate is None and self.request.method == "GET":
            return None
        change = preview_price_change(self.client, asked, self.today)
        first = list(islice(hits(self.client, asked, self.today), HITS_SHOWN))
        return SeenChange(change, first, self._csv_address(form))

    def _csv_address(self, form: PriceChangeForm) -> str:
        typed = {name: value for name, value in form.cleaned_data.items() if value not in (None, False, "")}
        scope = {name: self.request.GET[name] for name in ("plan", "service") if name in self.request.GET}
        return f"{self.request.path}?{urlencode({**scope, **typed, 'format': 'csv'}, doseq=True)}"

    def act(self, form: PriceChangeForm, caller: Caller, preview: SeenChange) -> str:
        asked = asked_by(form)
        with transaction.atomic():
            use(self.client, caller.receipt)
            added = change_prices(self.client, asked, seen=preview.seen, caller=caller, today=self.today)
        self.tell(_("Prices added: %(count)d. They apply from %(day)s on.") % {"count": len(added), "day": asked.first_day})
        return self.back()

    def _file(self, asked: PriceChange) -> HttpResponseBase:
        preview_price_change(self.client, asked, self.today)  # A refusal is shown before the file begins.
        found = hits(self.client, asked, self.today)
        return csv_response("price-change", HitSerializer(), _in_lists(found), lambda rows: HitSerializer(rows, many=True).data)

    def context(self, preview: Any) -> Mapping[str, Any]:
        return {
            "hits_shown": HITS_SHOWN,
            "most": MOST_PRICES,
            "listed": len(self.listed),
            "has_more": self.has_more,
            "also_renewed": "#ticked,#affected",
        }

    def refused(self, refusal: BillingError) -> HttpResponseBase:
        self.open()
        return self._shown(self.form(None, initial=self.initial()), refusal, status=422)


class HitSerializer(serializers.Serializer):
    account_no = serializers.ReadOnlyField()
    client_acct_id = serializers.ReadOnlyField()
    plan = serializers.ReadOnlyField()
    service = serializers.ReadOnlyField()
    units = serializers.ReadOnlyField()
    currency = serializers.ReadOnlyField()
    before = serializers.ReadOnlyField()
    after = serializers.ReadOnlyField()
    price_before = serializers.ReadOnlyField()
    price_after = serializers.ReadOnlyField()
    has_own_price = serializers.ReadOnlyField()


def _in_lists(found: Iterator[Hit]) -> Iterator[list[Hit]]:
    while chunk := list(islice(found, LINES_AT_ONCE)):
        yield chunk


def _first_day(data: Mapping[str, str]) -> date | None:
    """Return the first day that is typed, if it is a day."""
    try:
        return day_of(data.get("first_day", ""))
    except ValueError:
        return None
