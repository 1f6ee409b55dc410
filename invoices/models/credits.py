"""Surcharges, coupons, service credits, and their uses on documents.

What is left of a credit or coupon is calculated from its uses on pending and approved invoices, and never stored. A discarded
invoice gives it back.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Client, PlanInstance, Service
from accounts.models.history import MasterDataHistory
from accounts.validators import validate_billing_day, validate_currency, validate_significant_digits
from billing_site.common.currencies import currency_of
from invoices.models.documents import AmountField, Invoice

POSITIVE = [MinValueValidator(0), validate_significant_digits]


class PercentField(models.DecimalField):
    """0 to 100 percent."""

    def __init__(self, **options: Any) -> None:
        validators = [MinValueValidator(0), MaxValueValidator(100)]
        super().__init__(**{"validators": validators, **options, "max_digits": 9, "decimal_places": 6})


PERCENT_OR_AMOUNT = _("Give either a percent above 0 and up to 100, or an amount above 0 with its currency.")


def percent_or_amount(name: str) -> models.CheckConstraint:
    """Return a constraint: either a percent above 0 up to 100, or an amount above 0 in a currency."""
    # Without "is not null" a row with neither would pass, because a check constraint treats unknown as true.
    percent = Q(percent__isnull=False, percent__gt=0, percent__lte=100, amount__isnull=True, currency="")
    amount = Q(percent__isnull=True, amount__isnull=False, amount__gt=0) & ~Q(currency="")
    return models.CheckConstraint(
        condition=percent | amount,
        name=name,
        violation_error_message=PERCENT_OR_AMOUNT,
    )


class PercentOrAmount(models.Model):
    """A percentage of the charges of some services, or an amount, between two days."""

    name = models.CharField(max_length=200, help_text=_("Name on invoices."))
    percent = PercentField(null=True, blank=True)
    amount = AmountField(null=True, blank=True, validators=POSITIVE)
    currency = models.CharField(
        max_length=3, blank=True, validators=[validate_currency], help_text=_("Currency of the amount.")
    )
    services = models.ManyToManyField(
        Service, blank=True, related_name="+", help_text=_("Services that it applies to. None selected: all services.")
    )
    valid_from = models.DateField(validators=[validate_billing_day])
    valid_to = models.DateField(
        null=True, blank=True, validators=[validate_billing_day], help_text=_("Last day. Empty: no end.")
    )

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse anything but either a percent or an amount with its currency, by the names of the fields, an amount that its
        currency cannot have, and a last day before the first."""
        if wrong := self._neither_percent_nor_amount():
            raise ValidationError(dict.fromkeys(wrong, PERCENT_OR_AMOUNT))
        if self.valid_to is not None and self.valid_from is not None and self.valid_to < self.valid_from:
            raise ValidationError({"valid_to": _("The last day is before the first day.")})
        if self.amount is not None and self.currency and self.amount % currency_of(self.currency).smallest_unit:
            raise ValidationError({"amount": _("The amount has more decimals than its currency.")})

    def _neither_percent_nor_amount(self) -> list[str]:
        """Return the names of the fields because of which this is neither a percent nor an amount with its currency."""
        if (self.percent is None) == (self.amount is None):
            return ["percent", "amount"]
        if self.percent is not None:
            return [name for name, is_wrong in (("percent", self.percent == 0), ("currency", bool(self.currency))) if is_wrong]
        return [name for name, is_wrong in (("amount", self.amount == 0), ("currency", not self.currency)) if is_wrong]


class Surcharge(PercentOrAmount):
    """Added to every invoice with charges for its services: a percent of these charges, or an amount once per invoice.

    It applies if valid on the bill date, to charges before coupons and credits, and not to other surcharges. Of valid
    surcharges with the same name, own service and currency, the one that began last applies.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="surcharges")
    service = models.ForeignKey(
        Service,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Service of the surcharge line. Decides its GL code and tax."),
    )
    history = MasterDataHistory(m2m_fields=["services"])

    class Meta:
        ordering = ["id"]
        constraints = [
            percent_or_amount("surcharge_percent_or_amount"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="surcharge_ends_after_start"
            ),
            models.UniqueConstraint(
                "client", Lower("name"), "service", "currency", "valid_from", name="one_surcharge_per_day_it_begins"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse also a second surcharge with the same name, own service, currency and first day."""
        super().clean()
        if self.client_id is None or self.service_id is None:
            return
        same = Surcharge.objects.filter(
            client=self.client_id,
            name__iexact=self.name,
            service=self.service_id,
            currency=self.currency,
            valid_from=self.valid_from,
        ).exclude(pk=self.pk)
        if earlier := same.first():
            words = _("Surcharge %(number)s already has this name, service and first day.")
            raise ValidationError({"valid_from": ValidationError(words, params={"number": earlier.pk})})


class Coupon(PercentOrAmount):
    """A discount that each account can redeem once, between two days. It then reduces a number of invoices, or all."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="coupons", db_index=False)
    code = models.CharField(max_length=50)
    gl_code = models.CharField(_("GL code"), max_length=50, blank=True)
    cycles = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Number of invoices of an account that get the coupon. Empty: all invoices."),
    )
    max_redemptions = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Number of accounts that may redeem the coupon. Empty: any number.")
    )
    history = MasterDataHistory(m2m_fields=["services"])

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "code"], name="one_coupon_per_code"),
            percent_or_amount("coupon_percent_or_amount"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="coupon_ends_after_start"
            ),
            models.CheckConstraint(condition=Q(cycles__isnull=True) | Q(cycles__gte=1), name="coupon_has_a_cycle"),
        ]

    def __str__(self) -> str:
        return self.code


class CouponRedemption(models.Model):
    """A coupon redeemed by an account. Redemptions of a coupon are numbered from 1 up to its limit."""

    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="redemptions", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="coupon_redemptions", db_index=False)
    redemption_no = models.PositiveIntegerField(editable=False)
    redeemed_on = models.DateField(editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["account", "coupon"], name="a_coupon_once_per_account"),
            models.UniqueConstraint(fields=["coupon", "redemption_no"], name="one_redemption_per_number"),
        ]

    def __str__(self) -> str:
        return gettext("%(coupon)s by account %(number)s") % {"coupon": self.coupon, "number": self.account_id}


class CouponUse(models.Model):
    """A redeemed coupon on an invoice, with its line."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="coupon_uses", db_index=False)
    redemption = models.ForeignKey(CouponRedemption, on_delete=models.PROTECT, related_name="uses")
    line_no = models.PositiveIntegerField()
    is_given_back = models.BooleanField(default=False, help_text=_("The invoice was rebilled, so this use no longer counts."))

    class Meta:
        ordering = ["invoice", "line_no"]
        constraints = [models.UniqueConstraint(fields=["invoice", "redemption"], name="a_coupon_once_per_invoice")]

    def __str__(self) -> str:
        return gettext("%(redemption)s on line %(line)s") % {"redemption": self.redemption_id, "line": self.line_no}


class ServiceCredit(models.Model):
    """An amount that reduces an account's charges before tax, until it is used up or expires."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="service_credits")
    amount = AmountField(validators=POSITIVE, help_text=_("In the account's currency."))
    reason = models.CharField(max_length=200)
    gl_code = models.CharField(_("GL code"), max_length=50, blank=True)
    service = models.ForeignKey(
        Service,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Service that the credit applies to. Empty: all services."),
    )
    expires_on = models.DateField(
        null=True,
        blank=True,
        validators=[validate_billing_day],
        help_text=_("Last bill date on which the credit is used. Empty: no end."),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="service_credit_has_an_amount")]

    def __str__(self) -> str:
        return self.reason


class CreditUse(models.Model):
    """The part of a service credit that an invoice used, with its line."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="credit_uses", db_index=False)
    credit = models.ForeignKey(ServiceCredit, on_delete=models.PROTECT, related_name="uses")
    line_no = models.PositiveIntegerField()
    amount = AmountField()
    is_given_back = models.BooleanField(default=False, help_text=_("The invoice was rebilled, so this use no longer counts."))

    class Meta:
        ordering = ["invoice", "line_no"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "credit"], name="a_credit_once_per_invoice"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_use_has_an_amount"),
        ]

    def __str__(self) -> str:
        shown = {"amount": f"{self.amount.normalize():f}", "credit": self.credit_id}
        return gettext("%(amount)s of credit %(credit)s") % shown


class UnusedCredit(models.Model):
    """What a document's line gives back for billed but unused days of a plan instance.

    The amount is negative if days that were given back are used again. The credits of each charging line are numbered, so two
    documents planned from the same facts cannot both give the same days back.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="unused_credits", db_index=False)
    line_no = models.PositiveIntegerField()
    plan_instance = models.ForeignKey(PlanInstance, on_delete=models.PROTECT, related_name="unused_credits")
    source = models.ForeignKey(
        Invoice,
        on_delete=models.PROTECT,
        related_name="unused_days_credited",
        help_text=_("The document that charged the days."),
        db_index=False,
    )
    source_line_no = models.PositiveIntegerField()
    step = models.PositiveIntegerField(help_text=_("Numbered from 1 for each line that charged the days."))
    first_day = models.DateField()
    last_day = models.DateField()
    amount = AmountField(help_text=_("Amount before added tax."))

    class Meta:
        ordering = ["invoice", "line_no"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "line_no"], name="one_unused_credit_per_line"),
            models.UniqueConstraint(fields=["source", "source_line_no", "step"], name="unused_days_are_credited_once"),
            models.CheckConstraint(condition=~Q(amount=0), name="unused_credit_has_an_amount"),
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="unused_credit_has_days"),
        ]

    def __str__(self) -> str:
        shown = {"amount": f"{self.amount.normalize():f}", "line": self.source_line_no, "invoice": self.source_id}
        return gettext("%(amount)s of line %(line)s of invoice %(invoice)s") % shown
