"""Changes of settings that one person proposes and another confirms."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.kinds import SettingsChangeState
from accounts.models.clients import Client


class SettingsChange(models.Model):
    """A proposed change of a client's four-eyes settings. It takes effect when another administrator confirms it."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="settings_changes")
    before = models.JSONField(help_text=_("The settings when the change was proposed."))
    after = models.JSONField(help_text=_("The settings after the change is confirmed."))
    state = models.CharField(max_length=10, choices=SettingsChangeState, default=SettingsChangeState.PROPOSED)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["client"], condition=Q(state=SettingsChangeState.PROPOSED), name="one_proposed_change_per_client"
            ),
            models.CheckConstraint(
                condition=Q(state=SettingsChangeState.PROPOSED, decided_by=None, decided_at=None)
                | (~Q(state=SettingsChangeState.PROPOSED) & Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="decided_changes_name_who",
            ),
            models.CheckConstraint(
                condition=~Q(state=SettingsChangeState.CONFIRMED) | ~Q(proposed_by=models.F("decided_by")),
                name="changes_are_confirmed_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client}: {self.words}"

    @property
    def words(self) -> str:
        """Return each setting with its old and new value."""
        return "; ".join(f"{name.replace('_', ' ')}: {self.before[name]} → {value}" for name, value in self.after.items())
