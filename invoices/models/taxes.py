"""The tax table of the built-in tax engine, and what documents record about their tax besides the taxes."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from accounts.kinds import TaxExemption
from accounts.models import Client
from accounts.models.catalogue import known_category
from accounts.models.history import MasterDataHistory
from accounts.models.places import COUNTRY_HELP, CountryField, PlaceModel
from accounts.tax_categories import STANDARD, is_untaxed
from accounts.vat_categories import CHARGED, VatCategory, default_category
from invoices.kinds import TaxedAt
from invoices.models.documents import Invoice


class TaxRate(PlaceModel):
    """The rate of one authority on one category of services, between two days.

    A row without a region applies to the whole country (Aria's tax_authority_level 0); one with a region is added to it (level
    1). Of valid rows with the same name, place and category, the one that began last applies.
    """

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="tax_rates")
    name = models.CharField(max_length=100, help_text=_("Name on invoices: VAT, State sales tax."))
    country = CountryField(help_text=COUNTRY_HELP)
    region = models.CharField(
        max_length=50, blank=True, help_text=_("State or province: CA or California. Empty: the whole country.")
    )
    category = models.CharField(
        max_length=50, default=STANDARD, help_text=_("Tax category of the services that the rate applies to.")
    )
    percent = models.DecimalField(max_digits=9, decimal_places=6, validators=[MinValueValidator(0), MaxValueValidator(100)])
    vat_category = models.CharField(
        max_length=2,
        choices=VatCategory,
        blank=True,
        default="",
        db_default="",
        help_text=_("Category in the European standard for invoices (UNCL5305). Empty: S, or Z for a rate of 0 percent."),
    )
    exemption_reason = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text=_("The law's text for a rate of 0 percent, printed on documents. Empty: the usual text of its category."),
    )
    taxed_at = models.CharField(
        max_length=10,
        choices=TaxedAt,
        default=TaxedAt.SHIP_TO,
        help_text=_("Which of the four addresses of a line must be in this country and region."),
    )
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True, help_text=_("Last day. Empty: no end."))
    history = MasterDataHistory()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="tax_rate_ends_after_start"
            ),
            models.CheckConstraint(condition=Q(percent__range=(0, 100)), name="tax_rate_percent"),
            models.CheckConstraint(
                condition=Q(vat_category="")
                | Q(vat_category__in=CHARGED, percent__gt=0)
                | (~Q(vat_category__in=CHARGED) & Q(percent=0)),
                name="only_charged_categories_above_zero",
            ),
            models.UniqueConstraint(
                "client",
                Lower("name"),
                "country",
                Lower("region"),
                "category",
                "valid_from",
                name="one_tax_rate_per_day_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.percent.normalize():f} %"

    def clean(self) -> None:
        """Refuse an unknown category, and a second rate with the same name, place, category and first day."""
        super().clean()
        self.category = known_category(self, "category")
        if self.valid_to is not None and self.valid_from is not None and self.valid_to < self.valid_from:
            raise ValidationError({"valid_to": _("The last day is before the first day.")})
        if self.percent and is_untaxed(self.category):
            text = _("A tax rate of the category %(category)s must be 0 percent.")
            raise ValidationError({"percent": ValidationError(text, params={"category": self.category})})
        self._check_vat_category()
        same = TaxRate.objects.filter(
            client=self.client_id,
            name__iexact=self.name,
            country=self.country,
            region__iexact=self.region,
            category=self.category,
            valid_from=self.valid_from,
        ).exclude(pk=self.pk)
        if earlier := same.first():
            words = _("Tax rate %(number)s already has this name, place, category and first day: %(percent)s %%.")
            values = {"number": earlier.pk, "percent": f"{earlier.percent.normalize():f}"}
            raise ValidationError({"valid_from": ValidationError(words, params=values)})

    def _check_vat_category(self) -> None:
        """Set the category if none is given. Refuse one that does not fit the percent, and a reason for a rate that charges."""
        self.vat_category = self.vat_category or default_category(self.percent)
        if (self.vat_category in CHARGED) != bool(self.percent):
            raise ValidationError(
                {"vat_category": _("A rate above 0 percent has the category S or B, a rate of 0 percent another one.")}
            )
        if self.exemption_reason and self.percent:
            raise ValidationError({"exemption_reason": _("Only a rate of 0 percent has a reason why no tax is charged.")})


class TaxAnswer(models.Model):
    """Records that tax data is missing for a document, or that the customer is exempt. Most documents have no such row.

    Written with the document. Not part of its fingerprint, because older documents do not have it.
    """

    invoice = models.OneToOneField(Invoice, on_delete=models.CASCADE, primary_key=True, related_name="tax_answer")
    no_address = models.BooleanField(default=False, help_text=_("The account has no contact, or the contact has no country."))
    no_rate = models.BooleanField(default=False, help_text=_("No tax rate exists for a place or tax category."))
    unanswered = models.JSONField(default=list, help_text=_("Numbers of the lines without a tax rate."))
    missing = models.CharField(max_length=500, blank=True, help_text=_("Description of the missing data."))
    exemption = models.CharField(max_length=20, choices=TaxExemption, default=TaxExemption.NONE)
    reason = models.CharField(max_length=200, blank=True, help_text=_("Why the customer is exempt."))

    def __str__(self) -> str:
        return f"{self.invoice_id}: {self.missing or self.exemption}"
