"""The client (tenant), its settings, and the keys its programs authenticate with."""

from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.kinds import CreditTo, EInvoiceFormat, EInvoiceProfile, FourEyes, GuardedAct, MissingTaxData, TaxRounding
from accounts.models.history import MasterDataHistory
from accounts.models.identities import ExchangeRatesField, SellerModel
from accounts.models.places import COUNTRY_HELP, REGION_HELP, ChoiceField, CountryField, PlaceModel
from accounts.tax_categories import COMMON
from accounts.validators import (
    validate_contact_roles,
    validate_currency,
    validate_guarded_acts,
    validate_networks,
    validate_role_names,
    validate_significant_digits,
    validate_tax_categories,
    validate_time_zone,
)
from billing_site.common.languages import Language


class Address(PlaceModel):
    """A postal address. Country is ISO 3166-1 alpha-2. Region is the state or province as tax tables name it."""

    address1 = models.CharField(max_length=200, blank=True)
    address2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    region = models.CharField(max_length=50, blank=True, help_text=REGION_HELP)
    postal_code = models.CharField(max_length=20, blank=True)
    country = CountryField(blank=True, help_text=COUNTRY_HELP)

    class Meta:
        abstract = True


class RunLimits(models.Model):
    """The limits that stop a billing run: of a client the ones that its new runs get, of a run its own."""

    stop_above_refusals = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text=_("A billing run stops when more accounts than this are refused. 0: at the first refusal. Empty: no limit."),
    )
    stop_above_refused_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=_(
            "A billing run stops when more than this percent of its accounts are refused. 0: at the first refusal. "
            "Empty: no limit."
        ),
    )
    stop_above_percent_of_last = models.DecimalField(
        max_digits=7,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_(
            "A billing run stops when its total in one currency is above this percent of the last finished run with the same "
            "filter. 0: at the first amount above 0. Empty: no limit."
        ),
    )
    stop_above_invoice = models.DecimalField(
        max_digits=15,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_(
            "A billing run stops before it bills an invoice whose total is above this amount. 0: before the first invoice "
            "above 0. Empty: no limit."
        ),
    )

    class Meta:
        abstract = True


class Client(RunLimits, SellerModel, Address):
    """A tenant. Its primary key is Aria's client_no. Its columns are the client's settings."""

    name = models.CharField(max_length=200)
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text=_("Time zone that decides the client's date, and so when an account is due."),
    )
    clock_offset = models.DurationField(
        default=timedelta(),
        editable=False,
        help_text=_("How far this client's virtual clock is ahead of the real time. Not available in production."),
    )
    invoice_approval_required = models.BooleanField(
        default=False,
        help_text=_(
            "Every invoice is generated as pending and needs approval. New accounts get this setting when they are created."
        ),
    )
    pending_discard_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text=_(
            "The command discard_stale discards invoices that are pending for more than this number of days. Empty: never."
        ),
    )
    four_eyes = models.CharField(
        max_length=20,
        choices=FourEyes,
        default=FourEyes.OFF,
        help_text=_(
            "Four eyes: whether another person must approve an invoice. Where it applies, invoices are generated as pending."
        ),
    )
    four_eyes_amount = models.DecimalField(
        max_digits=15,
        decimal_places=4,
        default=0,
        validators=[MinValueValidator(0)],
        help_text=_("For 'above an amount': the total in the invoice's currency above which another person must approve."),
    )
    second_person_for = models.CharField(
        max_length=100,
        blank=True,
        default=",".join(GuardedAct.values),
        validators=[validate_guarded_acts],
        help_text=_("Acts that need four eyes. A selected act is pending until another person approves it."),
    )
    second_factor_roles = models.CharField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[validate_role_names],
        help_text=_(
            "Roles that need a second factor to sign in: an authenticator app or a passkey. Superusers need one too, if any "
            "role does."
        ),
    )
    flag_first = models.BooleanField(default=True, help_text=_("The approval queue flags an account's first invoice."))
    flag_change_percent = models.DecimalField(
        max_digits=7,
        decimal_places=2,
        null=True,
        blank=True,
        default=20,
        validators=[MinValueValidator(0)],
        help_text=_(
            "The approval queue flags an invoice if its total differs from the account's last invoice by "
            "more than this percent. Empty: never."
        ),
    )
    flag_lines = models.BooleanField(
        default=True,
        help_text=_("The approval queue flags services that are new or missing compared with the account's last invoice."),
    )
    flag_missing_po = models.BooleanField(
        default=False, help_text=_("The approval queue flags an invoice without a PO number.")
    )
    payment_terms_days = models.PositiveIntegerField(
        default=30,
        help_text=_("Number of days from approval to the due date. An account can have its own payment terms."),
    )
    taxable_address_order = models.CharField(
        max_length=30,
        default="account,billing,statement",
        validators=[validate_contact_roles],
        help_text=_(
            "Contact roles that decide the tax address. The first contact of the account with one of these "
            "roles, in this order, is used."
        ),
    )
    tax_categories = models.CharField(
        max_length=1000,
        default=COMMON,
        blank=True,
        validators=[validate_tax_categories],
        help_text=_(
            "Additional tax categories of services and tax rates, separated by commas. standard, zero and exempt always "
            "exist. Any other category is refused."
        ),
    )
    missing_tax_data = ChoiceField(
        max_length=10,
        choices=MissingTaxData,
        default=MissingTaxData.HOLD,
        help_text=_(
            "What happens to an invoice if the account has no address, or if no tax rate exists for its place or tax "
            "category. A client without any tax rate charges no tax, so nothing is missing."
        ),
    )
    tax_rounding = models.CharField(
        max_length=10,
        choices=TaxRounding,
        default=TaxRounding.DOCUMENT,
        help_text=_("Tax rounding: once per tax rate over the document (EN 16931), or on each line."),
    )
    tax_engine = models.CharField(
        max_length=30,
        default="table",
        help_text=_("The tax engine that quotes this client's invoices: a name in the TAX_ENGINES setting."),
    )
    gateway = models.CharField(
        max_length=30,
        default="sandbox",
        help_text=_("The payment gateway that collects for this client: a name in the GATEWAYS setting."),
    )
    collect_on_approval = models.BooleanField(
        default=False,
        help_text=_(
            "The open amount of an invoice is collected when the invoice is issued (Auto-Collect On Pending Invoice Approval)."
        ),
    )
    collect_on_rebill = models.BooleanField(
        default=False,
        help_text=_("The open amount of a rebill is collected when the rebill is issued (Autocollect on Rebill)."),
    )
    rebill_approval_required = models.BooleanField(
        default=False, help_text=_("Every rebill is pending until it is approved. Until then it changes nothing.")
    )
    original_due_date_on_rebill = models.BooleanField(
        default=True,
        help_text=_(
            "A rebill has the due date of its original (Use Original Invoice Due Date for Rebill). If not, "
            "its due date follows from its own payment terms."
        ),
    )
    credit_to = ChoiceField(
        max_length=20,
        choices=CreditTo,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Where payments go that a credit memo, void or rebill frees, if the act does not say it. Empty: they pay the "
            "oldest open invoices, and after a void they are kept as credit."
        ),
    )
    closed_through = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("Last day of the closed periods. Nothing is dated, numbered or changed up to it."),
    )
    carry_unlisted_lines = models.BooleanField(
        default=False,
        help_text=_(
            "Lines that a rebill request does not list are carried onto the rebill. If not, they are "
            "credited and left out, as in Aria."
        ),
    )
    credit_unused_on_change = models.BooleanField(
        default=True,
        help_text=_("If a plan changes in a billed cycle, its unused days are credited on the next invoice."),
    )
    credit_unused_on_end = models.BooleanField(
        default=False,
        help_text=_("If a plan ends in a billed cycle, its unused days are credited on the next invoice."),
    )
    statement_on_issue = models.BooleanField(
        default=False, help_text=_("The statement is sent by e-mail when an invoice is issued.")
    )
    attach_pdf = models.BooleanField(
        default=False, db_default=False, help_text=_("The e-mail of a statement has the document's PDF attached.")
    )
    e_invoice = models.CharField(
        max_length=10,
        choices=EInvoiceFormat,
        default=EInvoiceFormat.NONE,
        db_default=EInvoiceFormat.NONE,
        help_text=_(
            "Each issued document also gets an electronic invoice (EN 16931). A document that cannot be a valid one is refused "
            "before it is issued."
        ),
    )
    e_invoice_profile = models.CharField(
        max_length=10,
        choices=EInvoiceProfile,
        default=EInvoiceProfile.EN16931,
        db_default=EInvoiceProfile.EN16931,
        help_text=_("Rules that electronic invoices keep besides those of the standard. XRechnung and Peppol need UBL."),
    )
    tax_currency = models.CharField(
        max_length=3,
        blank=True,
        default="",
        db_default="",
        validators=[validate_currency],
        help_text=_(
            "Currency of your VAT accounts. A document in another currency names its VAT in this currency too. Empty: none."
        ),
    )
    tax_currency_rates = ExchangeRatesField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "What 1 unit of a document's currency is in the VAT currency: EUR 11.4523, USD 10.1. Kept on each document when it "
            "is made."
        ),
    )
    reply_to = models.EmailField(
        blank=True,
        default="",
        db_default="",
        help_text=_("E-mail address for answers to statements. Empty: the address that sends them."),
    )
    language = models.CharField(
        max_length=5,
        choices=Language,
        default=Language.ENGLISH,
        help_text=_("The language of statements. An account can have its own language."),
    )
    void_on_collection_failure = models.BooleanField(
        default=False, help_text=_("An invoice is voided if it cannot be collected when it is issued.")
    )
    dunning_on_collection_failure = models.BooleanField(
        default=False,
        help_text=_(
            "An account goes into dunning if its invoice cannot be collected when it is issued, unless that invoice is voided."
        ),
    )
    never_allow_used_receipt_id = models.BooleanField(
        default=False,
        help_text=_("A failed call also uses up its client_receipt_id (NEVER_ALLOW_USED_RECEIPT_ID)."),
    )
    keep_documents_years = models.PositiveSmallIntegerField(
        default=10,
        db_default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_(
            "Number of years for which documents are kept by law, from the end of the year of their date. Then the personal "
            "data of erased customers is blanked on them."
        ),
    )
    keep_calls_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Number of days for which the log of API calls is kept. Empty: the setting CALL_LOG_DAYS of the server."),
    )
    keep_mails_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Number of days after which e-mail addresses are blanked in the log of sent statements. Empty: never."),
    )
    keep_event_data_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Number of days after which personal data is blanked in the events of customers. Empty: never."),
    )
    keep_accesses_days = models.PositiveIntegerField(
        default=730,
        db_default=730,
        validators=[MinValueValidator(1)],
        help_text=_("Number of days for which the log of who has seen personal data is kept."),
    )
    staff = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="clients",
        help_text=_(
            "Users who work for this client. Superusers work for every client. Other users see only the "
            "clients they are assigned to."
        ),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    history = MasterDataHistory(not_kept=("clock_offset",), m2m_fields=["staff"])

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.pk})"

    def clean(self) -> None:
        super().clean()
        if self.e_invoice == EInvoiceFormat.FACTUR_X and self.e_invoice_profile != EInvoiceProfile.EN16931:
            raise ValidationError({"e_invoice_profile": _("Factur-X has the profile EN 16931. Choose UBL for the others.")})


class CollectionThreshold(models.Model):
    """Minimum collection threshold of one currency. An amount due below it is not collected."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="collection_thresholds", db_index=False)
    currency = models.CharField(max_length=3, validators=[validate_currency])
    amount = models.DecimalField(
        max_digits=15, decimal_places=4, validators=[MinValueValidator(0), validate_significant_digits]
    )
    history = MasterDataHistory()

    class Meta:
        ordering = ["client", "currency"]
        constraints = [models.UniqueConstraint(fields=["client", "currency"], name="one_threshold_per_currency")]

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} {self.currency}"


class ApiKey(models.Model):
    """A secret that a client's program sends as auth_key. Only its SHA-256 is stored; the prefix finds the row."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100, help_text=_("Name of the program that uses this key."))
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    may_approve = models.BooleanField(default=False, help_text=_("This key may approve, discard and regenerate invoices."))
    may_collect = models.BooleanField(default=False, help_text=_("This key may collect invoices and record payments."))
    may_rebill = models.BooleanField(default=False, help_text=_("This key may rebill issued invoices."))
    may_correct = models.BooleanField(default=False, help_text=_("This key may void, credit, write off, dispute and refund."))
    may_change_catalogue = models.BooleanField(
        default=False, help_text=_("This key may add services, plans, prices, tax rates, surcharges, coupons and reasons.")
    )
    may_change_customers = models.BooleanField(
        default=False,
        help_text=_("This key may add accounts, contacts and payment methods, and add, change and end customers' plans."),
    )
    may_add_usage = models.BooleanField(
        default=False, help_text=_("This key may load and remove usage, order one-time charges and redeem coupons.")
    )
    may_give_credits = models.BooleanField(default=False, help_text=_("This key may add and end service credits."))
    may_change_settings = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("This key may change the client's settings, schedules, webhooks, e-mail texts and approval rules."),
    )
    read_only = models.BooleanField(default=False, help_text=_("This key may only read and preview."))
    allowed_addresses = models.CharField(
        max_length=1000,
        blank=True,
        validators=[validate_networks],
        help_text=_(
            "IP addresses and networks from which this key may be used, separated by commas: 192.0.2.7, "
            "2001:db8::/32. Empty: any."
        ),
    )
    stands_for = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text=_("People and keys that know or knew its secret. Four eyes treats them as one person."),
    )
    last_used_at = models.DateTimeField(null=True, editable=False, help_text=_("Accurate to the minute."))
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    history = MasterDataHistory(not_kept=("secret_hash", "last_used_at"))

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
