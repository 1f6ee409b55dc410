"""Who is billed: accounts, their contacts, payment methods and plan instances."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.kinds import AccountStatus, ContactRole, PaymentMethodType
from accounts.models.catalogue import Plan
from accounts.models.clients import Address, Client
from accounts.models.history import MasterDataHistory
from accounts.models.places import ExemptionModel
from accounts.validators import validate_billing_day, validate_currency, validate_no_card_number
from billing_site.common.exact_decimals import MOST_UNITS_VALIDATOR, UnitsField


class Account(ExemptionModel):
    """A customer of a client. Its primary key is Aria's acct_no."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="accounts")
    client_acct_id = models.CharField(
        _("client account id"), max_length=50, help_text=_("The client's own name for the account, unique to the client.")
    )
    status = models.SmallIntegerField(choices=AccountStatus, default=AccountStatus.ACTIVE)
    currency = models.CharField(max_length=3, validators=[validate_currency])
    is_test = models.BooleanField(_("test account"), default=False, help_text=_("Test accounts are never billed."))
    invoice_approval_required = models.BooleanField(
        default=False, help_text=_("This account does require manual approval of pending invoices.")
    )
    payment_terms_days = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Days from approval to the due date. Empty: the client's terms.")
    )
    bill_day = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text=_("Anniversary day; in a shorter month its last day. Empty: the day the first plan begins."),
    )
    next_bill_date = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("When the next cycle is due: the earliest of the plan instances' dates. Empty: nothing to bill any more."),
    )
    last_bill_date = models.DateField(
        null=True, blank=True, editable=False, help_text=_("Bill date of the newest cycle that was billed.")
    )
    arrears_due_from = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("First day whose usage and arrears no recurring invoice has charged yet. Empty: none has ever."),
    )
    orders_due = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("Date of a cycle that was billed ahead of it, on which one-time charges are due. Empty: none is due so."),
    )
    billing_version = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text=_("Counts the changes of what the account is billed for: an invoice planned before one is not recorded."),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    history = MasterDataHistory(
        not_kept=("next_bill_date", "last_bill_date", "arrears_due_from", "orders_due", "billing_version")
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "client_acct_id"], name="one_account_per_client_id"),
            models.CheckConstraint(condition=Q(bill_day__isnull=True) | Q(bill_day__range=(1, 31)), name="account_bill_day"),
            models.CheckConstraint(
                condition=Q(tax_exemption_to__isnull=True)
                | Q(tax_exemption_from__isnull=True)
                | Q(tax_exemption_to__gte=F("tax_exemption_from")),
                name="account_exemption_ends_after_start",
            ),
        ]
        # A billing run asks which of a client's accounts are due.
        indexes = [models.Index(fields=["client", "next_bill_date"], name="account_due")]

    def __str__(self) -> str:
        return f"{self.client_acct_id} ({self.pk})"


class Contact(ExemptionModel, Address):
    """A person or address of an account, known by its number (Aria's *_address_seq)."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="contacts")
    contact_no = models.PositiveIntegerField()
    role = models.CharField(max_length=10, choices=ContactRole, default=ContactRole.ACCOUNT)
    name = models.CharField(max_length=200)
    company = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=30, blank=True)
    history = MasterDataHistory()

    class Meta:
        ordering = ["account", "contact_no"]
        constraints = [
            models.UniqueConstraint(fields=["account", "contact_no"], name="one_contact_per_number"),
            models.CheckConstraint(
                condition=Q(tax_exemption_to__isnull=True)
                | Q(tax_exemption_from__isnull=True)
                | Q(tax_exemption_to__gte=F("tax_exemption_from")),
                name="contact_exemption_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact_no} {self.name}"


class PaymentMethod(models.Model):
    """How an account pays. Card and bank numbers stay with the gateway: only its token for them is kept here."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="payment_methods")
    type = models.CharField(max_length=20, choices=PaymentMethodType)
    token = models.CharField(max_length=200, blank=True, validators=[validate_no_card_number])
    label = models.CharField(max_length=100, blank=True, help_text=_("What staff see, such as 'Visa ending 4242'."))
    history = MasterDataHistory(not_kept=("token",))

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.label or self.get_type_display()


class PlanInstance(models.Model):
    """A plan that an account has taken: so many units, from a first day to a last."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="plan_instances")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="instances")
    units = UnitsField(default=Decimal(1), validators=[MinValueValidator(0), MOST_UNITS_VALIDATOR])
    start_date = models.DateField(validators=[validate_billing_day], help_text=_("First day that is charged."))
    end_date = models.DateField(
        null=True, blank=True, validators=[validate_billing_day], help_text=_("Last day that is charged. Empty: runs on.")
    )
    billed_through = models.DateField(
        null=True, blank=True, editable=False, help_text=_("Last day that an approved invoice covers.")
    )
    billed_elsewhere_through = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("Last day that was billed before the customer came here. Cycles are counted from the day after it."),
    )
    ahead_since = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_(
            "Of an instance that an advance invoice billed first: from when the account's arrears were due then. Until a "
            "recurring invoice follows, its arrears begin with its start."
        ),
    )
    end_entered_after = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_(
            "Of an end that was entered after a recurring invoice of a later day: that day. Until the next one, the cycle "
            "that the end cuts short is still to be charged in arrears."
        ),
    )
    credited_from = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("First unused day: what was charged for it and later days is given back. Empty: it stays charged."),
    )
    replaces = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="replaced_by",
        help_text=_("The plan instance whose place this one has taken."),
    )
    po_num = models.CharField(_("PO number"), max_length=1000, blank=True)
    taken_off_on = models.DateField(
        null=True, blank=True, editable=False, help_text=_("When it was taken off before it began: it is never billed.")
    )
    history = MasterDataHistory(not_kept=("billed_through", "billed_elsewhere_through", "ahead_since", "end_entered_after"))

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(end_date__isnull=True) | Q(end_date__gte=F("start_date")), name="plan_instance_ends_after_start"
            ),
            models.CheckConstraint(condition=Q(units__gte=0), name="plan_instance_units"),
            models.CheckConstraint(
                condition=Q(credited_from__isnull=True) | Q(end_date__isnull=False, credited_from__gt=F("end_date")),
                name="unused_days_are_after_the_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} of account {self.account_id}"
