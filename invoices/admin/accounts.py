"""Accounts in the admin with their invoices: what an account owes, and generating its invoices.

`accounts` must not import `invoices`. So the page that `accounts` registers is replaced here by one that extends it, as Django
lets a project replace the page of its users. Without this app the page of `accounts` still works.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.accounts import AccountAdmin
from accounts.admin.figures import count, days, figures, plain, rate
from accounts.admin.rows import PagedInline, cached_per_row, link_to_page, list_link, text_link
from accounts.callers import Caller
from accounts.clock import today
from accounts.models import Account
from billing_site.errors import BillingError
from invoices.admin.amounts import amount
from invoices.admin.batches import outcomes_by_client, show_outcomes
from invoices.admin.credits import CreditFigures
from invoices.admin.ledger import EntryColumns
from invoices.models import CouponRedemption, LedgerEntry, OneTimeCharge, ServiceCredit, Usage
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoices
from invoices.services.documents.rights import APPROVE_PERMISSION, COLLECT_PERMISSION, CORRECT_PERMISSION
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.history import description, with_voids
from invoices.services.money.receivables import Receivable, receivables_of
from invoices.services.planning.extras import credits_with_used, redemptions_with_used
from invoices.services.planning.previewing import rate_unbilled_usage

admin.site.unregister(Account)


class OrdersOfAccount(PagedInline):
    """Unbilled orders first."""

    model = OneTimeCharge
    fields = readonly_fields = ("order", "service", "charge_date", "invoice", "units_plain", "rate_plain")
    order = link_to_page(_("one-time charge"))
    ordering = [F("invoice").desc(nulls_first=True), "-id"]
    verbose_name_plural = _("one-time charges")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OneTimeCharge]:
        return super().get_queryset(request).select_related("account", "service", "invoice")

    @admin.display(description=_("units"))
    def units_plain(self, order: OneTimeCharge) -> SafeString:
        return plain(order.units)

    @admin.display(description=_("rate per unit"))
    def rate_plain(self, order: OneTimeCharge) -> SafeString:
        return rate(order.rate_per_unit, order.account.currency)


class CreditsOfAccount(CreditFigures, PagedInline):  # type: ignore[misc]
    model = ServiceCredit
    fields = readonly_fields = (
        "credit",
        "service",
        "expires_on",
        "amount_in_currency",
        "used_in_currency",
        "left_in_currency",
    )
    credit = link_to_page(_("service credit"))
    ordering = ["-id"]
    verbose_name_plural = _("service credits")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceCredit]:
        return credits_with_used(super().get_queryset(request)).select_related("account", "service")


class CouponsOfAccount(PagedInline):
    model = CouponRedemption
    fields = readonly_fields = ("redemption", "redeemed_on", "uses_plain", "cycles_plain")
    redemption = link_to_page(_("coupon"), lambda redemption: f"{redemption.coupon} ({redemption.coupon.name})")
    ordering = ["-id"]
    verbose_name_plural = _("coupons")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouponRedemption]:
        return redemptions_with_used(super().get_queryset(request)).select_related("coupon")

    @admin.display(description=_("invoices that used it"))
    def uses_plain(self, redemption: CouponRedemption) -> SafeString:
        return count(redemption.used)  # type: ignore[attr-defined]

    @admin.display(description=_("of at most"))
    def cycles_plain(self, redemption: CouponRedemption) -> SafeString | str:
        cycles = redemption.coupon.cycles
        return "-" if cycles is None else count(cycles)


class LedgerOfAccount(EntryColumns, PagedInline):  # type: ignore[misc]
    """Newest first, each with the balance after it."""

    model = LedgerEntry
    fields = readonly_fields = ("transaction", "date", "amount_in_currency", "balance_in_currency")
    transaction = link_to_page(_("transaction"), description)
    ordering = ["-entry_no"]
    verbose_name_plural = _("transactions")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        return with_voids(super().get_queryset(request))


EXTRAS = (LedgerOfAccount, OrdersOfAccount, CreditsOfAccount, CouponsOfAccount)
MONEY_ADDITIONS = (
    ("record-payment", _("Payment"), COLLECT_PERMISSION),
    ("give-cash-credit", _("Cash credit"), CORRECT_PERMISSION),
)
"""Pages of the back office, and the right that each needs."""
ADDITIONS = (
    ("add-order", _("One-time charge"), "invoices.add_onetimecharge"),
    ("give-service-credit", _("Service credit"), "invoices.add_servicecredit"),
    ("redeem-coupon", _("Redeem a coupon"), "invoices.add_couponredemption"),
)
"""Pages of the back office, and the right that each needs."""


AGE_HEADINGS = (_("current"), _("1-30 days"), _("31-60 days"), _("61-90 days"), _("over 90"), _("total"))


def _links(account: Account, pages: Iterable[tuple[str, Any, str]]) -> SafeString:
    links = (text_link(reverse(page, args=[account.pk]), text) for page, text, _right in pages)
    return format_html_join(SafeString(" &middot; "), "{}", ((link,) for link in links))


def _receivable(account: Account) -> Receivable:
    """Return the account's receivables, read once for all columns."""
    found: Receivable | None = account.__dict__.get("receivable")
    if found is None:
        (found,) = receivables_of([account], today(account.client))
        account.__dict__["receivable"] = found
    return found


@admin.register(Account)
class BilledAccountAdmin(AccountAdmin):
    readonly_fields = [
        *AccountAdmin.readonly_fields,
        "balance",
        "unapplied",
        "ages",
        "money_additions",
        "unbilled_usage",
        "additions",
    ]
    actions = ["generate_invoice", "generate_pending_invoice"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        additions = ["additions"] if any(request.user.has_perm(right) for _page, _text, right in ADDITIONS) else []
        not_billed = [*(["unbilled_usage"] if request.user.has_perm("invoices.view_usage") else []), *additions]
        may_add_money = any(request.user.has_perm(right) for _page, _text, right in MONEY_ADDITIONS)
        return [
            *fieldsets,
            (_("Balance"), {"fields": [("balance", "unapplied"), "ages", *(["money_additions"] if may_add_money else [])]}),
            *([(_("Not yet billed"), {"fields": not_billed})] if not_billed else []),
        ]

    def get_inlines(self, request: HttpRequest, obj: Account | None) -> list[type[InlineModelAdmin]]:
        """Show only tables that have rows."""
        return [
            *super().get_inlines(request, obj),
            *(inline for inline in EXTRAS if obj is not None and inline.model.objects.filter(account=obj).exists()),
        ]

    @admin.display(description=_("usage so far"))
    @cached_per_row
    def unbilled_usage(self, account: Account) -> SafeString:
        """Unbilled usage at today's prices, before coupons, credits and tax; or why it cannot be rated."""
        try:
            usage = rate_unbilled_usage(client=account.client, account_no=account.pk, today=today(account.client))
        except BillingError as refusal:
            return format_html("{}", refusal.shown)
        rows: list[tuple[Any, ...]] = [
            (
                line.description,
                days(line.period_start, line.period_end),
                plain(line.units),
                rate(line.rate_per_unit, usage.currency),
                amount(line.amount, usage.currency),
            )
            for line in usage.lines
        ]
        if not rows:
            return SafeString("-")
        rows.append((format_html("<b>{}</b>", _("Total")), "", "", "", amount(usage.amount, usage.currency)))
        table = figures([_("Usage"), _("Period"), _("Units"), _("Rate"), _("Amount")], rows, words=2)
        link = list_link(Usage, _("The usage records"), account__id__exact=account.pk, billed="no")
        return format_html("{}{}", table, link)

    @admin.display(description=_("add"))
    def additions(self, account: Account) -> SafeString:
        return _links(account, ADDITIONS)

    @admin.display(description=_("balance"))
    @cached_per_row
    def balance(self, account: Account) -> SafeString:
        return amount(account_balance(account), account.currency)

    @admin.display(description=_("unapplied credit"))
    def unapplied(self, account: Account) -> SafeString:
        return amount(_receivable(account).unapplied, account.currency)

    @admin.display(description=_("open by age"))
    def ages(self, account: Account) -> SafeString:
        ages = _receivable(account).ages
        if not ages.total:
            return SafeString("-")
        cells = [amount(value, account.currency) for value in (*ages, ages.total)]
        return figures(AGE_HEADINGS, [cells], words=0)

    @admin.display(description=_("add"))
    def money_additions(self, account: Account) -> SafeString:
        return _links(account, MONEY_ADDITIONS)

    def has_approve_permission(self, request: HttpRequest) -> bool:
        """An invoice that is generated here may be issued at once, so this needs the right to approve."""
        return request.user.has_perm(APPROVE_PERMISSION)

    @admin.action(description=_("Generate invoice"), permissions=["approve"])
    def generate_invoice(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        self._generate(request, queryset, force_pending=False)

    @admin.action(description=_("Generate pending invoice"), permissions=["approve"])
    def generate_pending_invoice(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        self._generate(request, queryset, force_pending=True)

    def _generate(self, request: HttpRequest, queryset: QuerySet[Account], *, force_pending: bool) -> None:
        caller = Caller(staff=request.user)
        outcomes = outcomes_by_client(
            queryset,
            lambda client, numbers: generate_invoices(
                client=client,
                account_nos=numbers,
                request=BillingRequest(today(client), force_pending=force_pending),
                caller=caller,
            ),
        )
        show_outcomes(request, outcomes, gettext("Invoices generated"))
