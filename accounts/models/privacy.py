"""Who has seen personal data of a customer."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.kinds import AccessKind
from accounts.models.accounts import Account
from accounts.models.clients import Client


class PersonalDataAccess(models.Model):
    """Somebody opened or exported the personal data of an account. One row for each caller, account, kind and hour."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    by = models.CharField(max_length=60, help_text=_("Staff, API key or process."))
    kind = models.CharField(max_length=10, choices=AccessKind)
    hour = models.DateTimeField(help_text=_("Beginning of the hour, in UTC."))

    class Meta:
        ordering = ["-id"]
        verbose_name = _("access to personal data")
        verbose_name_plural = _("accesses to personal data")
        constraints = [models.UniqueConstraint(fields=["account", "by", "kind", "hour"], name="one_access_per_hour")]
        indexes = [models.Index(fields=["client", "hour"], name="accesses_of_client")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.by}"
