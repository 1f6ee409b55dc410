"""Seals of rows that are written once, and the heads of their chains that are kept outside the database."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from invoices.kinds import SealedRows


class Seal(models.Model):
    """The sealed rows of one kind and client whose numbers are above `after_no` and at most `through_no`.

    The seals of a client are a chain: each code covers the seal before it.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="seals", db_index=False)
    seal_no = models.PositiveBigIntegerField(help_text=_("Numbered from 1 within the client."))
    kind = models.CharField(max_length=20, choices=SealedRows)
    format = models.PositiveSmallIntegerField(help_text=_("Which columns are covered, and in which form."))
    after_no = models.PositiveBigIntegerField()
    through_no = models.PositiveBigIntegerField()
    rows = models.PositiveIntegerField(_("number of rows"))
    digest = models.CharField(max_length=64, help_text=_("SHA-256 of the hashes of the rows, in the order of their numbers."))
    marks = models.BinaryField(help_text=_("The first bytes of the hash of each row. They tell which row was altered."))
    sealed_at = models.DateTimeField()
    key_id = models.CharField(max_length=40, help_text=_("The key of the code. The key itself is outside the database."))
    code = models.CharField(max_length=64, help_text=_("HMAC-SHA-256 of this seal and of the code before it."))

    class Meta:
        ordering = ["client", "seal_no"]
        constraints = [models.UniqueConstraint(fields=["client", "seal_no"], name="one_seal_per_number")]
        indexes = [models.Index(fields=["client", "kind", "seal_no"], name="seals_of_kind")]

    def __str__(self) -> str:
        return gettext("Seal %(number)s") % {"number": self.seal_no}


class SealHead(models.Model):
    """The newest seal of a client on a day, as it was stored outside the database under `name`."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="seal_heads", db_index=False)
    seal_no = models.PositiveBigIntegerField()
    name = models.CharField(max_length=200, help_text=_("The name in the storage of heads."))
    stored_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["client", "seal_no"], name="one_head_per_seal")]

    def __str__(self) -> str:
        return self.name


class SealProgress(models.Model):
    """How far the rows of one kind are sealed, those of all clients together.

    `candidate` is the number up to which rows are sealed next. It waits for the transactions in `open`, which may still write
    rows with lower numbers.
    """

    kind = models.CharField(max_length=20, choices=SealedRows, primary_key=True)
    through = models.PositiveBigIntegerField(default=0)
    candidate = models.PositiveBigIntegerField(default=0)
    open = models.JSONField(default=list)
    tried_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = verbose_name_plural = _("progress of seals")

    def __str__(self) -> str:
        return gettext("Sealed through %(number)s") % {"number": self.through}
