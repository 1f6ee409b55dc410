"""Prices in the admin: list prices of charges, and own prices of plan instances."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import ForeignKey, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminSingleDateWidget

from accounts.admin.catalogue_files import PriceFile
from accounts.admin.figures import day as shown_day
from accounts.admin.figures import plain, rate
from accounts.admin.files import FilesAdmin
from accounts.admin.rows import DigitsOnly, HistoryAdmin, MasterDataForm, ReadOnlyInline, is_number, link_to_page
from accounts.callers import Caller
from accounts.clock import today
from accounts.kinds import BandEdge, RateModel
from accounts.models import PlanCharge, PlanInstance, RateSchedule, RateTier
from accounts.models.rates import FROM_THE_BEGINNING
from accounts.rates import Rates, RateTerms, TierTerms, rates_on, shown_rate
from accounts.services.prices import add_price, change_price, remove_price

SHORT_NAMES = {
    RateModel.PER_UNIT: _("per unit"),
    RateModel.TIERED: _("tiered"),
    RateModel.VOLUME: _("volume"),
    RateModel.FLAT: _("flat fee"),
}


def price_text(price: RateSchedule) -> str:
    """Return a price in a few words: "30.00 usd", "flat fee 99.00 usd", "tiered in eur"."""
    if price.rate_per_unit is None:
        return gettext("%(model)s in %(currency)s") % {"model": SHORT_NAMES[RateModel(price.model)], "currency": price.currency}
    rate = f"{shown_rate(price.rate_per_unit, price.currency)} {price.currency}"
    return f"{SHORT_NAMES[RateModel.FLAT]} {rate}" if price.model == RateModel.FLAT else rate


def price_texts(prices: Iterable[RateSchedule], day: date) -> str:
    """Return the price of each currency on a day, then later prices, or a text that there is no price."""
    prices = list(prices)
    known = [_as_rates(price) for price in prices]
    current = (rates_on(day, currency, known) for currency in sorted({price.currency for price in prices}))
    holding = {rates.schedule_no for rates in current if rates is not None}
    texts = [price_text(price) for price in prices if price.pk in holding]
    texts += [
        gettext("%(price)s from %(day)s") % {"price": price_text(price), "day": shown_day(price.valid_from)}
        for price in prices
        if price.valid_from > day
    ]
    return "; ".join(texts) or gettext("no price")


def _as_rates(price: RateSchedule) -> Rates:
    return Rates(price.pk, price.currency, price.model, (), valid_from=price.valid_from, valid_to=price.valid_to)


def _edge_text(price: RateSchedule) -> str:
    return gettext("from") if price.band_edge == BandEdge.REACHED else gettext("above")


def list_prices() -> Prefetch:
    """Return a prefetch of the list prices of charges, as `list_rates`."""
    return Prefetch("rates", RateSchedule.objects.filter(plan_instance=None), "list_rates")


class PriceColumns:
    """Columns of prices in lists."""

    @admin.display(description=_("bands"))
    def bands(self, price: RateSchedule) -> SafeString:
        """Return each band on a line of its own."""
        rows = (
            (_edge_text(price), plain(tier.from_unit), rate(tier.rate_per_unit, price.currency)) for tier in price.tiers.all()
        )
        lines = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", rows)
        return format_html('<table class="figures">{}</table>', lines) if lines else SafeString("-")

    @admin.display(description=_("minimum"))
    def minimum_plain(self, price: RateSchedule) -> SafeString:
        return plain(price.minimum_amount)

    @admin.display(description=_("maximum"))
    def maximum_plain(self, price: RateSchedule) -> SafeString:
        return plain(price.maximum_amount)

    @admin.display(description=_("valid from"), ordering="valid_from")
    def begins(self, price: RateSchedule) -> str:
        return "-" if price.valid_from == FROM_THE_BEGINNING else shown_day(price.valid_from)


PRICE_COLUMNS = ("bands", "begins", "valid_to", "minimum_plain", "maximum_plain")


class ListPricesOfCharge(PriceColumns, ReadOnlyInline):  # type: ignore[misc]
    model = RateSchedule
    fields = readonly_fields = ("price", *PRICE_COLUMNS)
    price = link_to_page(_("price"), price_text)
    verbose_name_plural = _("list prices")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RateSchedule]:
        return super().get_queryset(request).filter(plan_instance=None).prefetch_related("tiers")


class OwnPricesOfPlanInstance(PriceColumns, ReadOnlyInline):  # type: ignore[misc]
    model = RateSchedule
    fields = readonly_fields = ("price", "charge", *PRICE_COLUMNS)
    price = link_to_page(_("price"), price_text)
    verbose_name_plural = _("customer prices")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RateSchedule]:
        return super().get_queryset(request).select_related("charge__service").prefetch_related("tiers")


class ChargeChoice(forms.ModelChoiceField):
    """Charges, named by plan and service, because several plans may have a charge for the same service."""

    def label_from_instance(self, obj: PlanCharge) -> str:
        return f"{obj.plan}: {obj}"


class PriceForm(MasterDataForm):
    valid_from = forms.DateField(
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text=_("First day. Empty: from the beginning. The first day of the charged period decides which price applies."),
    )
    guarded: ClassVar = {
        "one_list_rate_per_day_it_begins": (
            "valid_from",
            _("The charge already has a list price in this currency from this day on."),
        ),
        "one_own_rate_per_day_it_begins": (
            "valid_from",
            _("The charge already has a customer price in this currency from this day on."),
        ),
        "rate_minimum_below_maximum": ("maximum_amount", _("The maximum is below the minimum.")),
        "rate_ends_after_start": ("valid_to", _("The last day is before the first day.")),
        "bands_are_reached_by_volume": ("band_edge", _("Only a volume price has bands that are reached.")),
        # The service refuses a price with both a rate and bands, or with neither.
        "a_rate_or_bands": None,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.initial.get("valid_from") == FROM_THE_BEGINNING:
            self.initial["valid_from"] = None

        if "band_edge" in self.fields:
            self.fields["band_edge"].required = False

    def clean_band_edge(self) -> str:
        return self.cleaned_data["band_edge"] or BandEdge.ABOVE.value

    def clean_valid_from(self) -> date:
        first_day: date | None = self.cleaned_data["valid_from"]
        return first_day or FROM_THE_BEGINNING


class BandsFormSet(PaginationInlineFormSet):
    def validate_unique(self) -> None:
        """Skip the check: all bands are replaced at once, and a new band may begin where an old one began. The service
        checks them."""

    def tiers(self) -> tuple[TierTerms, ...]:
        kept = (one.cleaned_data for one in self.forms if one.cleaned_data and not one.cleaned_data.get("DELETE"))
        return tuple(TierTerms(band["from_unit"], band["rate_per_unit"]) for band in kept)


class BandsOfPrice(DigitsOnly, TabularInline):  # type: ignore[misc]
    """The bands of a price. Staff who may change a price may change its bands."""

    model = RateTier
    form = MasterDataForm
    formset = BandsFormSet
    fields = ["from_unit", "rate_per_unit"]
    extra = 0
    hide_title = True
    verbose_name = _("band")
    verbose_name_plural = _("bands")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.view_rateschedule") or self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.change_rateschedule") or request.user.has_perm("accounts.add_rateschedule")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)


def terms_of(price: Mapping[str, Any], bands: BandsFormSet) -> RateTerms:
    terms = {name: price[name] for name in RateTerms._fields if name in price}
    return RateTerms(**{**terms, "tiers": bands.tiers()})


@admin.register(RateSchedule)
class RateScheduleAdmin(PriceColumns, FilesAdmin, HistoryAdmin):  # type: ignore[misc]
    """Prices with their bands. The service checks and stores both together."""

    resource_classes = [PriceFile]
    client_path = "charge__plan__client"
    form = PriceForm
    inlines = [BandsOfPrice]
    # A price of another charge or customer is a different price.
    fixed_fields = ["charge", "plan_instance"]
    autocomplete_fields = ["plan_instance"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "charge",
                    "plan_instance",
                    ("currency", "model", "band_edge"),
                    "rate_per_unit",
                    ("minimum_amount", "maximum_amount"),
                    ("valid_from", "valid_to"),
                ],
                "description": _(
                    "Existing invoices keep their price. A change applies to invoices that are generated from now on, and to "
                    "pending invoices that are regenerated."
                ),
            },
        )
    ]
    list_display = ["price", "charge_of_plan", "customer", "begins", "valid_to"]
    list_filter = [
        "charge__plan__client",
        "model",
        "currency",
        ("plan_instance", admin.EmptyFieldListFilter),
        "charge__line_type",
    ]
    list_select_related = ["charge__plan", "charge__service", "plan_instance__account", "plan_instance__plan"]
    search_fields = ["charge__plan__name", "charge__service__name", "plan_instance__account__client_acct_id"]

    @admin.display(description=_("price"))
    def price(self, price: RateSchedule) -> str:
        return price_text(price)

    history_list_display = ["tiers"]

    @admin.display(description=_("bands"))
    def tiers(self, version: Any) -> str:
        """Return the bands of one version of the price: those stored when the next version was written."""
        following = version.next_record
        end = following.history_date - timedelta(microseconds=1) if following is not None else timezone.now()
        return "; ".join(map(str, RateTier.history.as_of(end).filter(schedule=version.id).order_by("from_unit"))) or "-"

    @admin.display(description=_("charge"), ordering="charge")
    def charge_of_plan(self, price: RateSchedule) -> str:
        return f"{price.charge.plan}: {price.charge}"

    @admin.display(description=_("customer price of"), ordering="plan_instance")
    def customer(self, price: RateSchedule) -> str:
        return "-" if price.plan_instance is None else str(price.plan_instance.account)

    def formfield_for_foreignkey(self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "charge":
            kwargs |= {"form_class": ChargeChoice, "widget": UnfoldAdminSelect2Widget(), "queryset": self._charges(request)}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def _charges(self, request: HttpRequest) -> QuerySet[PlanCharge]:
        """Return the charges to choose from. If a link named a plan or plan instance, only those of that plan."""
        charges = PlanCharge.objects.select_related("plan", "service").order_by("plan__name", "pk")
        assert request.resolver_match is not None
        price_no = request.resolver_match.kwargs.get("object_id", "")
        if price_no.isdecimal():
            return charges.filter(rates=price_no)
        for name, path in (("plan_instance", "plan__instances"), ("charge", "plan__charges")):
            if is_number(request.GET.get(name, "")):
                return charges.filter(**{path: request.GET[name]})
        return charges

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Suggest today as first day if the plan has begun, so that the price of used days does not change."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        number = request.GET.get("plan_instance", "")
        instance = PlanInstance.objects.filter(pk=number).first() if is_number(number) else None
        if instance is not None and instance.start_date < (day := today(instance.account.client)):
            initial.setdefault("valid_from", day)
        return initial

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store the price later, with its bands, when these are read too."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        (bands,) = formsets
        terms = terms_of(form.cleaned_data, bands)
        price = form.instance
        if change:
            changed = change_price(price, terms, caller=Caller(staff=request.user), today=today(price.charge.plan.client))
            if changed.pk != price.pk:
                words = gettext("Days before %(day)s keep their price. A new price with the new terms starts on that day.")
                messages.info(request, words % {"day": changed.valid_from})
        else:
            price.pk = add_price(price.charge, terms, price.plan_instance, caller=Caller(staff=request.user)).pk
        # Writes nothing: this only tells the history which bands changed.
        bands.save(commit=False)

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """Return to the page that lists the price: its charge, or the plan instance whose own price it is."""
        row = obj.plan_instance or obj.charge
        if not request.user.has_perm(f"accounts.view_{row._meta.model_name}"):
            return super().response_post_save_add(request, obj)
        return redirect(f"admin:accounts_{row._meta.model_name}_change", row.pk)

    response_post_save_change = response_post_save_add

    def delete_model(self, request: HttpRequest, obj: RateSchedule) -> None:
        remove_price(obj, caller=Caller(staff=request.user), today=today(obj.charge.plan.client))

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RateSchedule]) -> None:
        for price in queryset.order_by("plan_instance__account", "pk"):
            self.delete_model(request, price)
