"""Audit runs and their findings."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Client


class AuditRun(models.Model):
    """One run of the audits over the rows of one client or of all."""

    client = models.ForeignKey(
        Client,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="audit_runs",
        help_text=_("The audited client. Empty: all clients."),
    )
    asked_by = models.CharField(max_length=60)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    rows = models.BigIntegerField(_("rows audited"))
    findings_count = models.PositiveIntegerField(_("findings"))

    class Meta:
        ordering = ["-id"]
        verbose_name = _("audit")

    def __str__(self) -> str:
        return gettext("Audit %(number)s") % {"number": self.pk}


class AuditFinding(models.Model):
    """A broken rule: the document or account, and how."""

    run = models.ForeignKey(AuditRun, on_delete=models.CASCADE, related_name="findings")
    audit = models.CharField(max_length=200, help_text=_("The audited rule."))
    words = models.TextField(_("finding"))

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.words
