"""Surcharges, coupons, redemptions and service credits in the admin."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.catalogue import check_of_client
from accounts.admin.figures import count
from accounts.admin.rows import (
    HistoryAdmin,
    MasterDataForm,
    PagedInline,
    ReadOnlyAdmin,
    link_to_page,
    page_link,
)
from accounts.models import Client
from accounts.rates import shown_rate
from invoices.admin.amounts import amount
from invoices.models import Coupon, CouponRedemption, CouponUse, CreditUse, ServiceCredit, Surcharge
from invoices.services.billing.coupons import check_limits
from invoices.services.planning.extras import credits_with_used, redemptions_with_used


class OfClientForm(MasterDataForm):
    """The services of a coupon or surcharge must belong to its client."""

    # The model's own check has a better message.
    guarded: ClassVar = {"coupon_ends_after_start": None, "surcharge_ends_after_start": None}

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        client: Client | None = cleaned.get("client")
        check_of_client(cleaned.get("service"), client, "service")
        for service in cleaned.get("services", ()):
            check_of_client(service, client, "services")
        return cleaned


class OffOrOn:
    """A percent, or an amount in a currency."""

    @admin.display(description=_("percent or amount"))
    def percent_or_amount(self, row: Coupon | Surcharge) -> str:
        if row.percent is not None:
            return f"{row.percent.normalize():f} %"
        return "-" if row.amount is None else f"{shown_rate(row.amount, row.currency)} {row.currency}"


@admin.register(Surcharge)
class SurchargeAdmin(OffOrOn, HistoryAdmin):  # type: ignore[misc]
    client_path = "client"
    form = OfClientForm
    fields = [
        ("client", "name"),
        "service",
        "percent",
        ("amount", "currency"),
        "services",
        ("valid_from", "valid_to"),
    ]
    fixed_fields = ["client"]
    list_display = ["name", "client", "service", "percent_or_amount", "valid_from", "valid_to"]
    list_filter = ["client", "valid_from", "valid_to"]
    list_select_related = ["client", "service"]
    search_fields = ["name", "service__name"]
    autocomplete_fields = ["client", "service", "services"]


class UsesOfRedemption(PagedInline):
    model = CouponUse
    fields = readonly_fields = ("document", "status", "line_no")
    verbose_name_plural = _("invoices that used it")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouponUse]:
        return super().get_queryset(request).select_related("invoice")

    @admin.display(description=_("invoice"))
    def document(self, use: CouponUse) -> SafeString:
        return page_link(use.invoice)

    @admin.display(description=_("status"))
    def status(self, use: CouponUse) -> str:
        return use.invoice.get_status_display()


class RedemptionsOfCoupon(PagedInline):
    model = CouponRedemption
    fields = ["redemption", "account", "redeemed_on", "uses_plain"]
    readonly_fields = ["redemption", "redeemed_on", "uses_plain"]
    redemption = link_to_page(_("number"), lambda redemption: redemption.redemption_no)
    ordering = ["redemption_no"]
    verbose_name_plural = _("redemptions")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouponRedemption]:
        return redemptions_with_used(super().get_queryset(request)).select_related("account")

    @admin.display(description=_("invoices that used it"))
    def uses_plain(self, redemption: CouponRedemption) -> SafeString:
        return count(redemption.used)  # type: ignore[attr-defined]


@admin.register(Coupon)
class CouponAdmin(OffOrOn, HistoryAdmin):  # type: ignore[misc]
    client_path = "client"
    form = OfClientForm
    fixed_fields = ["client"]
    list_display = [
        "code",
        "name",
        "client",
        "percent_or_amount",
        "cycles",
        "valid_from",
        "valid_to",
        "redeemed",
    ]
    list_filter = ["client", "valid_from", "valid_to"]
    list_select_related = ["client"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["client", "services"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            check_limits(obj)
        super().save_model(request, obj, form, change)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Coupon]:
        coupons: QuerySet[Coupon] = super().get_queryset(request)
        return coupons.annotate(redeemed=Count("redemptions"))

    def get_fields(self, request: HttpRequest, obj: Coupon | None = None) -> list[Any]:
        fields = [
            ("client", "code"),
            ("name", "gl_code"),
            "percent",
            ("amount", "currency"),
            "services",
            ("valid_from", "valid_to"),
            ("cycles", "max_redemptions"),
        ]
        return [*fields]

    def get_inlines(self, request: HttpRequest, obj: Coupon | None) -> list[type[InlineModelAdmin]]:
        return [RedemptionsOfCoupon] if obj else []

    @admin.display(description=_("redeemed"), ordering="redeemed")
    def redeemed(self, coupon: Any) -> str:
        if coupon.max_redemptions is None:
            return str(coupon.redeemed)
        return gettext("%(number)d of %(most)d") % {"number": coupon.redeemed, "most": coupon.max_redemptions}


@admin.register(CouponRedemption)
class CouponRedemptionAdmin(ReadOnlyAdmin):
    """Redemptions. Coupons are redeemed and withdrawn on the page of the account."""

    client_path = "coupon__client"
    fields = [("coupon", "account"), ("redemption_no", "redeemed_on"), "uses"]
    list_display = ["coupon", "redemption_no", "account", "redeemed_on", "uses"]
    list_filter = ["coupon__client", "redeemed_on"]
    list_select_related = ["coupon", "account"]
    search_fields = ["coupon__code__exact", "account__client_acct_id", "account__id__exact"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouponRedemption]:
        return redemptions_with_used(super().get_queryset(request))

    def get_inlines(self, request: HttpRequest, obj: CouponRedemption | None) -> list[type[InlineModelAdmin]]:
        return [UsesOfRedemption] if obj else []

    @admin.display(description=_("invoices that used it"), ordering="used")
    def uses(self, redemption: CouponRedemption) -> SafeString:
        return count(redemption.used)  # type: ignore[attr-defined]


class UsesOfCredit(PagedInline):
    model = CreditUse
    fields = readonly_fields = ("document", "status", "line_no", "amount_in_currency")
    verbose_name_plural = _("invoices that used it")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditUse]:
        return super().get_queryset(request).select_related("invoice")

    @admin.display(description=_("invoice"))
    def document(self, use: CreditUse) -> SafeString:
        return page_link(use.invoice)

    @admin.display(description=_("status"))
    def status(self, use: CreditUse) -> str:
        return use.invoice.get_status_display()

    @admin.display(description=_("amount"))
    def amount_in_currency(self, use: CreditUse) -> SafeString:
        return amount(use.amount, use.invoice.currency)


class CreditFigures:
    """A service credit's amount, its uses on invoices, and the remainder."""

    @admin.display(description=_("amount"), ordering="amount")
    def amount_in_currency(self, credit: Any) -> SafeString:
        return amount(credit.amount, credit.account.currency)

    @admin.display(description=_("used"), ordering="used")
    def used_in_currency(self, credit: Any) -> SafeString:
        return amount(credit.used, credit.account.currency)

    @admin.display(description=_("remaining"))
    def left_in_currency(self, credit: Any) -> SafeString:
        return amount(credit.amount - credit.used, credit.account.currency)


@admin.register(ServiceCredit)
class ServiceCreditAdmin(CreditFigures, ReadOnlyAdmin):  # type: ignore[misc]
    """Service credits. They are given and ended on the page of the account."""

    client_path = "account__client"
    fields = [
        ("account", "amount_in_currency"),
        ("reason", "gl_code"),
        ("service", "expires_on"),
        ("used_in_currency", "left_in_currency"),
        "created_at",
    ]
    list_display = [
        "reason",
        "id",
        "account",
        "service",
        "amount_in_currency",
        "used_in_currency",
        "left_in_currency",
        "expires_on",
    ]
    list_filter = ["account__client", "expires_on", "created_at"]
    list_select_related = ["account", "service"]
    search_fields = ["reason", "id__exact", "account__client_acct_id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceCredit]:
        return credits_with_used(super().get_queryset(request))

    def get_inlines(self, request: HttpRequest, obj: ServiceCredit | None) -> list[type[InlineModelAdmin]]:
        return [UsesOfCredit] if obj else []
