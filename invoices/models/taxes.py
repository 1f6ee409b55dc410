"""The tax table that the embedded engine reads."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from accounts.models.history import MasterDataHistory
from accounts.validators import validate_country
from invoices.kinds import TaxedAt


class TaxRate(models.Model):
    """What one authority levies on one category of service, between two days.

    A row without a region is the whole country's (Aria's tax_authority_level 0); one with a region is added to it (level 1).
    """

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="tax_rates")
    name = models.CharField(max_length=100, help_text=_("What invoices call it: VAT, State sales tax."))
    country = models.CharField(max_length=2, validators=[validate_country])
    region = models.CharField(max_length=50, blank=True, help_text=_("State or province. Empty: the whole country."))
    category = models.CharField(max_length=50, default="standard", help_text=_("The services' tax category it applies to."))
    percent = models.DecimalField(max_digits=9, decimal_places=6, validators=[MinValueValidator(0), MaxValueValidator(100)])
    taxed_at = models.CharField(
        max_length=10,
        choices=TaxedAt,
        default=TaxedAt.SHIP_TO,
        help_text=_("Which of a line's four addresses must lie in its country and region."),
    )
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True, help_text=_("Last day. Empty: still valid."))
    history = MasterDataHistory()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="tax_rate_ends_after_start"
            ),
            models.CheckConstraint(condition=Q(percent__range=(0, 100)), name="tax_rate_percent"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.percent.normalize():f} %"
