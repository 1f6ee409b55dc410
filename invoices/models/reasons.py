"""Reasons for credits, write-offs, disputes and refunds: a common list for each, which clients can extend."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from accounts.models.history import MasterDataHistory
from invoices.kinds import ReasonType


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
