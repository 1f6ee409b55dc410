"""Acts that give money away and need a second person: requested by one, approved by another."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.kinds import GuardedAct
from accounts.models import Account, Client
from invoices.kinds import ActState
from invoices.models.documents import AmountField, Invoice

NAMES = {
    GuardedAct.MEMOS: _("Credit memo"),
    GuardedAct.CASH_CREDITS: _("Cash credit"),
    GuardedAct.WRITE_OFFS: _("Write-off"),
    GuardedAct.REFUNDS: _("Refund"),
    GuardedAct.VOIDS: _("Void"),
    GuardedAct.REBILLS: _("Undo of a rebill"),
}


class RequestedAct(models.Model):
    """A requested credit memo, cash credit, write-off, refund or void.

    It has no effect on the ledger until it is approved. Then the same service performs it in the name of the requester.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="requested_acts")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="requested_acts")
    kind = models.CharField(max_length=20, choices=GuardedAct)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="requested_acts")
    transaction_no = models.BigIntegerField(null=True, help_text=_("The transaction to refund or void."))
    amount = AmountField(help_text=_("The amount to credit, write off, refund or void."))
    currency = models.CharField(max_length=3)
    arguments = models.JSONField(encoder=DjangoJSONEncoder, help_text=_("Arguments of the act, used when it is approved."))
    arguments_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=ActState, default=ActState.PENDING)
    requested_by = models.CharField(max_length=60)
    requested_at = models.DateTimeField()
    decided_by = models.CharField(max_length=60, blank=True)
    decided_at = models.DateTimeField(null=True)
    result_no = models.BigIntegerField(null=True, help_text=_("The document or transaction that the act created."))

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["client", "arguments_hash"], condition=Q(state=ActState.PENDING), name="one_pending_act_of_a_kind"
            ),
            models.CheckConstraint(
                condition=Q(state=ActState.PENDING, decided_by="", decided_at=None)
                | (~Q(state=ActState.PENDING) & ~Q(decided_by="") & Q(decided_at__isnull=False)),
                name="decided_acts_name_who",
            ),
            models.CheckConstraint(
                condition=Q(state=ActState.APPROVED) | Q(result_no=None), name="only_approved_acts_have_results"
            ),
        ]
        indexes = [models.Index(fields=["client", "id"], condition=Q(state=ActState.PENDING), name="pending_acts_of_client")]

    def __str__(self) -> str:
        return f"{NAMES[GuardedAct(self.kind)]} {self.pk}"
