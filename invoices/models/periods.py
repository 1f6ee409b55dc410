"""Closed periods of a client, and their reopening."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from invoices.kinds import PeriodState


class ClosedPeriod(models.Model):
    """A span of days that a client has closed, in order. Reopening needs two people: one asks for it, another approves."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    first_day = models.DateField(null=True, help_text=_("Empty: everything before is closed with it."))
    last_day = models.DateField()
    state = models.CharField(max_length=20, choices=PeriodState, default=PeriodState.CLOSED)
    closed_by = models.CharField(max_length=60)
    closed_at = models.DateTimeField()
    reopening_asked_by = models.CharField(max_length=60, blank=True)
    reopening_asked_at = models.DateTimeField(null=True)
    comments = models.CharField(max_length=1000, blank=True, help_text=_("Why it is reopened."))
    reopened_by = models.CharField(max_length=60, blank=True)
    reopened_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["client", "last_day"], condition=~Q(state=PeriodState.REOPENED), name="one_closed_period_per_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_day or ''}/{self.last_day}"
