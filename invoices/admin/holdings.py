"""What an invoice holds so that no other bills or uses it: usage, one-time charges, coupons and service credits."""

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import Count
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.figures import count, figures, plain
from accounts.admin.rows import cached_per_row, list_link, page_link
from billing_site.common.storage import ExactSum
from invoices.admin.amounts import amount
from invoices.kinds import LIVE_STATUSES
from invoices.models import Invoice, Usage
from invoices.services.usage.usage_storage import CHARGED_UNITS


class HeldByInvoice:
    """Discarding an invoice releases all of it, so a discarded invoice holds nothing."""

    @admin.display(description=_("usage"))
    @cached_per_row
    def usage_held(self, invoice: Invoice) -> SafeString:
        held = (
            invoice.usage.order_by("service")
            .values_list("service__name")
            .annotate(Count("pk"), charged=ExactSum(CHARGED_UNITS))
        )
        rows = [(name, count(records), plain(units)) for name, records, units in held]
        if not rows:
            return SafeString("-")
        link = list_link(Usage, _("The usage records"), invoice__id__exact=invoice.pk)
        return format_html("{}{}", figures([_("Service"), _("Records"), _("Units")], rows), link)

    @admin.display(description=_("one-time charges"))
    @cached_per_row
    def orders_held(self, invoice: Invoice) -> SafeString:
        return _lines(page_link(order) for order in invoice.one_time_charges.select_related("service"))

    @admin.display(description=_("coupons"))
    @cached_per_row
    def coupons_held(self, invoice: Invoice) -> SafeString:
        if invoice.status not in LIVE_STATUSES:
            return SafeString("-")
        uses = invoice.coupon_uses.select_related("redemption__coupon")
        return _lines(
            format_html("{} {}", page_link(use.redemption, use.redemption.coupon), _on_line(use.line_no)) for use in uses
        )

    @admin.display(description=_("service credits"))
    @cached_per_row
    def credits_held(self, invoice: Invoice) -> SafeString:
        if invoice.status not in LIVE_STATUSES:
            return SafeString("-")
        rows = [
            (format_html("{} {}", page_link(use.credit), _on_line(use.line_no)), amount(use.amount, invoice.currency))
            for use in invoice.credit_uses.select_related("credit")
        ]
        return figures([_("Credit"), _("Used")], rows)


def _on_line(line_no: int) -> str:
    return gettext("(line %(number)s)") % {"number": line_no}


def _lines(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join(SafeString("<br>"), "{}", ((part,) for part in parts)) or SafeString("-")
