"""Ledger entries, and which entry pays which. Rows are only added, never changed.

The account's balance is in its newest entry. What is due on an invoice, and what is unapplied of a payment or credit, is the
entry's amount minus its allocations. What is due is also stored on the invoice (`Invoice.open_amount`), so that open invoices
are found among many.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Client, PaymentMethod
from billing_site.common.exact_decimals import ExactDecimalField
from billing_site.common.prefixes import Folded
from invoices.kinds import CHARGE_KINDS, RAISING_KINDS, AllocationKind, EntryKind, PaymentType, RefundStatus
from invoices.models.documents import AmountField, Invoice


class LedgerEntry(models.Model):
    """One transaction of an account. Its primary key is Aria's transaction_id.

    A positive amount raises what the account owes (invoice, refund), a negative one lowers it (payment, credit).
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="ledger", db_index=False)
    entry_no = models.PositiveIntegerField(help_text=_("Numbered from 1 within the account."))
    kind = models.CharField(max_length=20, choices=EntryKind)
    amount = AmountField()
    balance_after = AmountField(help_text=_("Balance of the account after this entry."))
    invoice = models.ForeignKey(
        Invoice,
        on_delete=models.PROTECT,
        null=True,
        related_name="ledger",
        help_text=_("The document that was posted, or the invoice that is written off or disputed."),
    )
    voids = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="voided_by")
    entry_date = models.DateField(help_text=_("The client's date. For a payment: the date on which it was received."))
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=60)
    reason_code = models.PositiveSmallIntegerField(null=True)
    comments = models.TextField(blank=True, max_length=1000)

    class Meta:
        ordering = ["account", "entry_no"]
        verbose_name = _("transaction")
        permissions = [
            ("collect_money", "Can collect invoices and record payments"),
            ("correct_money", "Can void, credit, write off, dispute and refund"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["account", "entry_no"], name="one_entry_per_number"),
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(kind__in=CHARGE_KINDS), name="one_entry_per_issued_document"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=RAISING_KINDS, amount__gte=0)
                # The memo of a rebilled invoice with a total of 0 is 0 too.
                | Q(kind=EntryKind.CREDIT_MEMO, amount__lte=0)
                | Q(kind=EntryKind.VOID, voids__isnull=False)
                | (~Q(kind__in=[*RAISING_KINDS, EntryKind.CREDIT_MEMO, EntryKind.VOID]) & Q(amount__lt=0)),
                name="entry_raises_or_lowers_the_balance",
            ),
            models.CheckConstraint(condition=Q(kind=EntryKind.VOID) | Q(voids__isnull=True), name="only_voids_void"),
        ]
        indexes = [
            # Every approval looks for unapplied credits. Most accounts have none.
            models.Index(fields=["account"], condition=Q(amount__lt=0), name="credits_of_account"),
            # Monthly sums of invoiced, collected and credited amounts read only this index.
            models.Index(fields=["kind", "entry_date", "account", "amount"], name="entries_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def is_voided(self) -> bool:
        return hasattr(self, "voided_by")


class Allocation(models.Model):
    """The part of a credit (negative entry) that pays a debit (positive entry). A negative amount here releases it again."""

    credit = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="taken_by")
    debit = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="paid_by", db_index=False)
    kind = models.CharField(max_length=20, choices=AllocationKind)
    amount = AmountField()
    day = models.DateField(help_text=_("The client's date from which it counts, never before the dates of both entries."))
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=AllocationKind.APPLIED, amount__gt=0) | (~Q(kind=AllocationKind.APPLIED) & Q(amount__lt=0)),
                name="allocation_takes_or_lets_go",
            ),
        ]
        indexes = [
            models.Index(fields=["debit", "amount"], name="taken_for_debit"),
            # What was open on an earlier day: what is open now, and what has been paid since.
            models.Index(fields=["day", "debit", "amount"], name="taken_since_day"),
        ]

    def __str__(self) -> str:
        shown = {"amount": f"{self.amount.normalize():f}", "credit": self.credit_id, "debit": self.debit_id}
        return gettext("%(amount)s of %(credit)s to %(debit)s") % shown


class SummedLedger(models.Model):
    """How far the daily sums reach, in one row of number 1: entries up to `through` are in the sums."""

    through = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return gettext("Summed through transaction %(number)s") % {"number": self.through}


class DailySum(models.Model):
    """The sum of a client's transactions of one kind in one currency on one day. A void counts as the kind that it voids."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)
    day = models.DateField()
    kind = models.CharField(max_length=20, choices=EntryKind)
    amount = ExactDecimalField(max_digits=24, decimal_places=4)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "day", "currency", "kind"], name="one_sum_per_day_currency_and_kind")
        ]

    def __str__(self) -> str:
        shown = {"kind": self.get_kind_display(), "day": self.day, "amount": self.amount, "currency": self.currency}
        return gettext("%(kind)s of %(day)s: %(amount)s %(currency)s") % shown


class Payment(models.Model):
    """A payment of an account, by a gateway or recorded from outside. Its number is that of its ledger entry."""

    entry = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, primary_key=True, related_name="payment")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="payments")
    type = models.CharField(max_length=20, choices=PaymentType)
    reference = models.CharField(
        max_length=100, blank=True, help_text=_("Reference of the check or transfer. Unique for the account and the day.")
    )
    received_on = models.DateField(help_text=_("Date of the ledger entry, copied for a database constraint."))
    is_voided = models.BooleanField(default=False, help_text=_("Set when the ledger entry is voided."))
    payment_method = models.ForeignKey(PaymentMethod, on_delete=models.SET_NULL, null=True, related_name="+")
    gateway = models.CharField(max_length=30, blank=True)
    gateway_payment_id = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["-entry"]
        indexes = [models.Index(Folded("reference"), condition=~Q(reference=""), name="payment_references_begin")]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "gateway_payment_id"], condition=~Q(gateway_payment_id=""), name="one_payment_per_charge"
            ),
            models.UniqueConstraint(
                fields=["account", "type", "reference", "received_on"],
                condition=~Q(reference="") & Q(is_voided=False),
                name="one_payment_per_reference_and_day",
            ),
        ]

    def __str__(self) -> str:
        return gettext("Payment %(number)s") % {"number": self.pk}


class Refund(models.Model):
    """Money that is returned from a payment. Its entry is posted when it is requested, and voided if the gateway refuses.

    Only its state changes, as the gateway answers.
    """

    entry = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, primary_key=True, related_name="refund")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    status = models.CharField(max_length=20, choices=RefundStatus)
    idempotency_key = models.CharField(max_length=64, blank=True)
    gateway_refund_id = models.CharField(max_length=100, blank=True)
    proc_status_code = models.CharField(max_length=50, blank=True)
    proc_status_text = models.CharField(max_length=300, blank=True)
    asked_at = models.DateTimeField()
    sent_at = models.DateTimeField(
        null=True,
        editable=False,
        db_default=Now(),
        help_text=_("When the gateway was first asked for it. From then on it cannot be withdrawn."),
    )
    """Rows of code that does not name the column count as sent."""
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-entry"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status=RefundStatus.WITHDRAWN) | Q(sent_at=None), name="withdrawn_refunds_were_not_sent"
            ),
            models.UniqueConstraint(
                fields=["idempotency_key"], condition=~Q(idempotency_key=""), name="one_refund_per_idempotency_key"
            ),
        ]
        indexes = [
            models.Index(fields=["asked_at"], condition=Q(status=RefundStatus.ASKED), name="refunds_to_be_resolved"),
        ]

    def __str__(self) -> str:
        return gettext("Refund %(number)s") % {"number": self.pk}
