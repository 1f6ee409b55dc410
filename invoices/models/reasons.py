"""Reasons for credits, write-offs, disputes and refunds: a common list for each, which clients can extend."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from accounts.models.history import MasterDataHistory
from invoices.kinds import ReasonType

COMMON_NAMES = (
    gettext_noop("Goodwill"),
    gettext_noop("Service failure"),
    gettext_noop("Billing error"),
    gettext_noop("Promotion"),
    gettext_noop("Service not provided"),
    gettext_noop("Price correction"),
    gettext_noop("Goods returned"),
    gettext_noop("Bad debt"),
    gettext_noop("Small balance"),
    gettext_noop("Bankruptcy"),
    gettext_noop("Settlement"),
    gettext_noop("Charge not recognised"),
    gettext_noop("Amount in dispute"),
    gettext_noop("Service quality"),
    gettext_noop("Duplicate payment"),
    gettext_noop("Overpayment"),
    gettext_noop("Customer request"),
    gettext_noop("Cancelled service"),
    gettext_noop("Wrong price or quantity"),
    gettext_noop("PO number missing or changed"),
    gettext_noop("Wrong service or tax address"),
    gettext_noop("Wrong bill-to"),
    gettext_noop("Usage loaded late"),
    gettext_noop("Charge left out"),
    gettext_noop("Wrong tax"),
    gettext_noop("Charged in error"),
    gettext_noop("Other"),
)
"""The names of the common reasons, which migrations have written, for the catalogues."""


class ReasonCode(models.Model):
    """A reason of one type. Without a client it is common. A client's own reason with the same number replaces it."""

    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, null=True, blank=True, related_name="reason_codes", db_index=False
    )
    type = models.CharField(max_length=20, choices=ReasonType)
    code = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(9999)])
    name = models.CharField(max_length=100)
    is_active = models.BooleanField(default=True, help_text=_("Whether the reason can be chosen. Existing records keep it."))
    history = MasterDataHistory()

    class Meta:
        ordering = ["type", "code", "client"]
        constraints = [
            models.UniqueConstraint(fields=["client", "type", "code"], name="one_reason_per_code"),
            models.UniqueConstraint(fields=["type", "code"], condition=Q(client=None), name="one_common_reason_per_code"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def shown_name(self) -> str:
        """The name for a page: a common one in the reader's language, the client's own one as it is written."""
        return self.name if self.client_id is not None else gettext(self.name)
