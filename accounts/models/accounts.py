"""Accounts with their contacts, payment methods and plan instances."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.kinds import AccountStatus, ContactRole, PaymentMethodType
from accounts.models.catalogue import Plan
from accounts.models.clients import Address, Client
from accounts.models.history import MasterDataHistory
from accounts.models.identities import BuyerModel, CardDigitsField, IbanField, MandateField
from accounts.models.pauses import AccountQuerySet, follow_status
from accounts.models.places import ExemptionModel
from accounts.models.tags import TagsField
from accounts.validators import validate_billing_day, validate_currency, validate_no_card_number
from billing_site.common.currencies import Currency, currency_of
from billing_site.common.exact_decimals import MOST_UNITS_VALIDATOR, UnitsField
from billing_site.common.languages import Language
from billing_site.common.limits import COMMENTS_LENGTH
from billing_site.common.prefixes import Folded


class Account(BuyerModel, ExemptionModel):
    """A customer of a client. Its primary key is Aria's acct_no."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="accounts", db_index=False)
    client_acct_id = models.CharField(
        _("client account id"), max_length=50, help_text=_("The client's own id of the account. Unique within the client.")
    )
    status = models.SmallIntegerField(choices=AccountStatus, default=AccountStatus.ACTIVE)
    currency = models.CharField(max_length=3, validators=[validate_currency])
    is_test = models.BooleanField(_("test account"), default=False, help_text=_("Test accounts are never billed."))
    invoice_approval_required = models.BooleanField(default=False, help_text=_("Invoices of this account need approval."))
    payment_terms_days = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Number of days from approval to the due date. Empty: the client's payment terms.")
    )
    language = models.CharField(
        max_length=5,
        blank=True,
        choices=Language,
        help_text=_("The language of the statements of this account. Empty: the client's language."),
    )
    bill_day = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text=_(
            "Day of the month on which cycles start. In a shorter month: the last day. Empty: the day on "
            "which the first plan starts."
        ),
    )
    next_bill_date = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_(
            "Date on which the next cycle is due: the earliest date of the plan instances. Empty: nothing more to bill."
        ),
    )
    last_bill_date = models.DateField(
        null=True, blank=True, editable=False, help_text=_("Bill date of the newest billed cycle.")
    )
    arrears_due_from = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("First day whose usage and arrears are not billed yet. Empty: none was ever billed."),
    )
    orders_due = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_(
            "Start of a cycle that is already billed in advance and still has one-time charges to bill. Empty: there is none."
        ),
    )
    billing_version = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text=_(
            "Number of changes to what the account is billed for. An invoice that was planned before a change is not recorded."
        ),
    )
    tags = TagsField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text=_("Groups of customers of your own, separated by commas: reseller, press."),
    )
    note = models.TextField(
        max_length=COMMENTS_LENGTH, blank=True, default="", db_default="", help_text=_("For staff. Customers never see it.")
    )
    created_at = models.DateTimeField(auto_now_add=True)
    history = MasterDataHistory(
        not_kept=("next_bill_date", "last_bill_date", "arrears_due_from", "orders_due", "billing_version")
    )

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        permissions = [("handle_personal_data", "Can export and erase personal data of customers")]
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
        indexes = [
            # A billing run selects the due accounts of a client. A list sorts by the day, and has its number for equal days.
            models.Index(fields=["client", "next_bill_date", "id"], name="account_due_by_number"),
            # A list in the order of the numbers.
            models.Index(fields=["client", "id"], name="accounts_of_client"),
            # The search.
            models.Index("client", Folded("client_acct_id"), name="account_ids_begin"),
            models.Index(Folded("tax_id"), condition=~Q(tax_id=""), name="account_tax_ids_begin"),
            models.Index(fields=["client", "tags"], condition=~Q(tags=""), name="account_tags"),
        ]

    def __str__(self) -> str:
        return f"{self.client_acct_id} ({self.pk})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the account. A change of its status begins or ends a pause of billing."""
        written = kwargs.get("update_fields")
        if self._state.adding or (written is not None and "status" not in written):
            super().save(*args, **kwargs)
            return
        with transaction.atomic():
            before = dict(Account.objects.filter(pk=self.pk).values_list("pk", "status"))
            super().save(*args, **kwargs)
            if before.get(self.pk) != self.status:
                follow_status(Account, before)
                self.refresh_from_db(fields=["billing_version"])

    @property
    def billing_currency(self) -> Currency:
        """The currency as the account's amounts are calculated in it. `currency` is its code."""
        return currency_of(self.currency)


class Contact(BuyerModel, ExemptionModel, Address):
    """A person or address of an account, known by its number (Aria's *_address_seq).

    What it says of the company takes the place of what its account says."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="contacts", db_index=False)
    contact_no = models.PositiveIntegerField()
    role = models.CharField(max_length=10, choices=ContactRole, default=ContactRole.ACCOUNT)
    name = models.CharField(max_length=200)
    company = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    copy_of_statements = models.BooleanField(
        default=False, db_default=False, help_text=_("This contact gets a copy of each statement of the account by e-mail.")
    )
    phone = models.CharField(max_length=30, blank=True)
    history = MasterDataHistory()

    class Meta:
        ordering = ["account", "contact_no"]
        # The search, and customers who seem to be there already.
        indexes = [
            models.Index(Folded("name"), name="contact_names_begin"),
            models.Index(Folded("company"), condition=~Q(company=""), name="contact_companies_begin"),
            models.Index(Folded("email"), condition=~Q(email=""), name="contact_emails_begin"),
        ]
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
    """How an account pays. Card and bank numbers stay with the gateway; only the gateway's token is stored here."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="payment_methods")
    type = models.CharField(max_length=20, choices=PaymentMethodType)
    token = models.CharField(max_length=200, blank=True, validators=[validate_no_card_number])
    label = models.CharField(max_length=100, blank=True, help_text=_("Name shown to staff, such as 'Visa ending 4242'."))
    is_default = models.BooleanField(
        _("collected by this one"),
        default=False,
        db_default=False,
        help_text=_("Collections use it. If no payment method of the account is chosen, they use the one that was added last."),
    )
    is_disabled = models.BooleanField(
        _("disabled"), default=False, db_default=False, help_text=_("No collection uses it any more. It stays in the history.")
    )
    mandate_reference = MandateField(
        max_length=35,
        blank=True,
        default="",
        db_default="",
        help_text=_("Reference of the mandate by which you debit the customer's bank account. Documents name it."),
    )
    debited_account = IbanField(
        max_length=50,
        blank=True,
        default="",
        db_default="",
        help_text=_("IBAN of the customer's bank account that the mandate is for. PDFs name its last digits only."),
    )
    card_digits = CardDigitsField(
        max_length=6,
        blank=True,
        default="",
        db_default="",
        help_text=_("Last 4 to 6 digits of the card number. Documents name them."),
    )
    card_network = models.CharField(
        max_length=30,
        blank=True,
        default="",
        db_default="",
        help_text=_("Network of the card, such as VISA."),
        validators=[validate_no_card_number],
    )
    card_holder = models.CharField(max_length=100, blank=True, default="", db_default="", validators=[validate_no_card_number])
    history = MasterDataHistory(not_kept=("token",))

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(is_default=True),
                name="one_default_payment_method",
                violation_error_message=_("Collections use another payment method of the account."),
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(is_disabled=False),
                name="no_disabled_default_payment_method",
                violation_error_message=_("Collections use this payment method, so it cannot be disabled."),
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.get_type_display()

    def clean(self) -> None:
        """Refuse parts of a mandate or card that documents could not name alone, or that are of another type."""
        super().clean()
        for type, needed, others in (
            (PaymentMethodType.BANK_TRANSFER, ("mandate_reference", "debited_account"), ()),
            (PaymentMethodType.CARD, ("card_digits", "card_network"), ("card_holder",)),
        ):
            given = [name for name in (*needed, *others) if getattr(self, name)]
            if given and self.type != type:
                text = _("Only a payment method of the type %(type)s has this.")
                raise ValidationError(dict.fromkeys(given, ValidationError(text, params={"type": type.label})))
            missing = [name for name in needed if not getattr(self, name)]
            if given and missing:
                raise ValidationError(dict.fromkeys(missing, _("Give this too: documents name both.")))


class PlanInstance(models.Model):
    """A plan on an account: a number of units, from a first day to a last day."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="plan_instances")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="instances")
    units = UnitsField(default=Decimal(1), validators=[MinValueValidator(0), MOST_UNITS_VALIDATOR])
    start_date = models.DateField(validators=[validate_billing_day], help_text=_("First charged day."))
    end_date = models.DateField(
        null=True, blank=True, validators=[validate_billing_day], help_text=_("Last charged day. Empty: no end.")
    )
    trial_end = models.DateField(
        null=True,
        blank=True,
        validators=[validate_billing_day],
        help_text=_("Last day of the free trial. The plan is charged from the next day. Empty: no trial."),
    )
    billed_through = models.DateField(
        null=True, blank=True, editable=False, help_text=_("Last day that an approved invoice covers.")
    )
    billed_elsewhere_through = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("Last day that another system billed. Cycles are counted from the next day."),
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
            "Set if the end was entered after a recurring invoice of a later day: that day. Until the next recurring "
            "invoice, the shortened cycle still has to be charged in arrears."
        ),
    )
    credited_from = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("First unused day. The charges for this day and later days are credited. Empty: they stay charged."),
    )
    replaces = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="replaced_by",
        help_text=_("The plan instance that this one replaces."),
    )
    po_num = models.CharField(_("PO number"), max_length=1000, blank=True)
    taken_off_on = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("Day on which the plan was removed before it started. It is never billed."),
    )
    history = MasterDataHistory(not_kept=("billed_through", "billed_elsewhere_through", "ahead_since", "end_entered_after"))

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(Folded("po_num"), condition=~Q(po_num=""), name="plan_po_nums_begin")]
        constraints = [
            models.CheckConstraint(
                condition=Q(end_date__isnull=True) | Q(end_date__gte=F("start_date")), name="plan_instance_ends_after_start"
            ),
            models.CheckConstraint(condition=Q(units__gte=0), name="plan_instance_units"),
            models.CheckConstraint(
                condition=Q(trial_end__isnull=True) | Q(trial_end__gte=F("start_date")), name="a_trial_ends_after_the_start"
            ),
            models.CheckConstraint(
                condition=Q(credited_from__isnull=True) | Q(end_date__isnull=False, credited_from__gt=F("end_date")),
                name="unused_days_are_after_the_end",
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(plan)s of account %(number)s") % {"plan": self.plan, "number": self.account_id}

    def clean(self) -> None:
        """Refuse an end before the start. The database refuses it too, but names no field."""
        super().clean()
        if self.start_date and self.end_date and self.end_date < self.start_date:
            raise ValidationError({"end_date": _("The last charged day is before the first one.")})
