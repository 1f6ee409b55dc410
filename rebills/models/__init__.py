"""Rebills as a model of their own. A rebill is a document; its original, its memo and its status are in the document's
columns."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from invoices.kinds import InvoiceKind
from invoices.models import Invoice
from rebills.models.campaigns import CampaignItem, CampaignTax, RebillCampaign

__all__ = ["CampaignItem", "CampaignTax", "Rebill", "RebillCampaign"]


class RebillManager(models.Manager["Rebill"]):
    def get_queryset(self) -> models.QuerySet["Rebill"]:
        return super().get_queryset().filter(kind=InvoiceKind.REBILL)


class Rebill(Invoice):
    """The invoice that replaces an issued one. A pending rebill needs approval and changes nothing until then."""

    objects: ClassVar[RebillManager] = RebillManager()

    class Meta:
        proxy = True
        ordering = ["-id"]
        verbose_name = _("rebill")
