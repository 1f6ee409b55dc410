"""What documents record about their tax besides the taxes."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.kinds import TaxExemption
from invoices.models.documents import Invoice


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
