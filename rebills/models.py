"""Rebills, as the resources and the admin know them. A rebill is a document like others: what it replaces, the memo that was
issued with it, and whether it waits, stand on it."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from invoices.kinds import InvoiceKind
from invoices.models import Invoice


class RebillManager(models.Manager["Rebill"]):
    def get_queryset(self) -> models.QuerySet["Rebill"]:
        return super().get_queryset().filter(kind=InvoiceKind.REBILL)


class Rebill(Invoice):
    """The invoice that takes the place of one that was issued. Pending: it waits for approval, and changes nothing."""

    objects: ClassVar[RebillManager] = RebillManager()

    class Meta:
        proxy = True
        ordering = ["-id"]
        verbose_name = _("rebill")
