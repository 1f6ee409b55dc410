"""The enumerations of accounts and catalogue. Without database, so that pure modules may import them."""

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop


class AccountStatus(IntegerChoices):
    """Aria's status_cd values."""

    ARCHIVED = -99, _("Archived")
    SUSPENDED_DUNNING_5 = -15, _("Suspended, dunning 5")
    SUSPENDED_DUNNING_4 = -14, _("Suspended, dunning 4")
    SUSPENDED_DUNNING_3 = -13, _("Suspended, dunning 3")
    SUSPENDED_DUNNING_2 = -12, _("Suspended, dunning 2")
    SUSPENDED_DUNNING_1 = -11, _("Suspended, dunning 1")
    CONTRACT_EXPIRED = -4, _("Contract expired")
    TERMINATED = -3, _("Terminated")
    CANCELLED = -2, _("Cancelled")
    SUSPENDED = -1, _("Suspended")
    INACTIVE = 0, _("Inactive")
    ACTIVE = 1, _("Active")
    CANCELLATION_PENDING = 2, _("Cancellation pending")
    TERMINATION_PENDING = 3, _("Termination pending")
    ACTIVE_DUNNING_PENDING = 10, _("Active, dunning pending")
    ACTIVE_DUNNING_1 = 11, _("Active, dunning 1")
    ACTIVE_DUNNING_2 = 12, _("Active, dunning 2")
    ACTIVE_DUNNING_3 = 13, _("Active, dunning 3")
    ACTIVE_DUNNING_4 = 14, _("Active, dunning 4")
    ACTIVE_DUNNING_5 = 15, _("Active, dunning 5")
    ACTIVE_DUNNING_6 = 16, _("Active, dunning 6")
    ACTIVE_DUNNING_7 = 17, _("Active, dunning 7")
    ACTIVE_DUNNING_8 = 18, _("Active, dunning 8")
    REINSTATED_FORWARD_BILL = 21, _("Reinstated, forward bill")
    REINSTATED_BACK_BILL = 22, _("Reinstated, back bill")
    INSTALLATION_PENDING = 31, _("Installation pending")
    REGISTERED_PENDING_ACTIVATION = 32, _("Registered, pending activation")
    ACTIVE_TRIAL = 41, _("Active, trial")
    TEMPORARY_SERVICE_BAN = 51, _("Temporary service ban")
    ACTIVE_NON_BILLABLE = 61, _("Active, non-billable")
    PERMANENT = 99, _("Permanent")


BILLABLE_STATUSES = frozenset({1, 2, 3, *range(10, 19), 21, 22, 51})
"""Accounts in these statuses are invoiced. A temporary service ban (51) does not affect billing. Other statuses are refused
(7002)."""


class ContactRole(TextChoices):
    ACCOUNT = "account", _("Account")
    BILLING = "billing", _("Billing")
    STATEMENT = "statement", _("Statement")
    OTHER = "other", _("Other")


class PaymentMethodType(TextChoices):
    CARD = "card", _("Card")
    BANK_TRANSFER = "bank_transfer", _("Bank transfer, automatic")
    ELECTRONIC_CHECK = "electronic_check", _("Electronic cheque")
    MAILED_CHECK = "mailed_check", _("Mailed cheque")


ELECTRONIC_METHODS = (PaymentMethodType.CARD, PaymentMethodType.BANK_TRANSFER, PaymentMethodType.ELECTRONIC_CHECK)
"""Payment methods that a gateway collects by, using a token."""


class BillingInterval(IntegerChoices):
    """Number of months that one recurring charge covers."""

    MONTHLY = 1, _("Monthly")
    QUARTERLY = 3, _("Quarterly")
    HALF_YEARLY = 6, _("Half-yearly")
    YEARLY = 12, _("Yearly")


class TrialUnit(TextChoices):
    """What the length of a trial counts."""

    DAYS = "days", _("Days")
    WEEKS = "weeks", _("Weeks")
    MONTHS = "months", _("Months")


class ChargeType(IntegerChoices):
    """When a plan charges for a service. The numbers are the line types that Aria's invoices show for it."""

    RECURRING = 1, _("Recurring, in advance")
    ACTIVATION = 5, _("Activation, once")
    USAGE = 6, _("Usage, in arrears")
    ARREARS = 7, _("Recurring, in arrears")


ARREARS_TYPES = (ChargeType.USAGE, ChargeType.ARREARS)
"""Charge types that are billed when the cycle has ended."""


class RateModel(TextChoices):
    """How an amount follows from units."""

    PER_UNIT = "per_unit", _("Per unit: every unit at one rate")
    TIERED = "tiered", _("Tiered: the units of each band at the band's own rate")
    VOLUME = "volume", _("Volume: all units at the rate of the band that they reach")
    FLAT = "flat", _("Flat fee, whatever the units")


class BandEdge(TextChoices):
    """Which band has the units at which a band begins."""

    ABOVE = "above", _("A band begins above its number of units")
    REACHED = "reached", _("A band begins when its number of units is reached")


BANDED_MODELS = (RateModel.TIERED, RateModel.VOLUME)


class FourEyes(TextChoices):
    """Whether the person who generated a document may approve it."""

    OFF = "off", _("Off")
    ANOTHER_PERSON = "another_person", _("Another person approves")
    ABOVE_AMOUNT = "above_amount", _("Another person approves above an amount")


class CreditTo(TextChoices):
    """Where money goes that a correction frees."""

    OLDEST_OPEN_INVOICE = "oldest_open_invoice", _("It pays the oldest open invoices")
    KEEP_AS_CREDIT = "keep_as_credit", _("It is kept as credit for the next invoice")
    REFUND = "refund", _("It is refunded by the original method")
    REFUND_BY_HAND = "refund_by_hand", _("It is refunded by hand, by another method")

    @property
    def refunds(self) -> bool:
        return self in (CreditTo.REFUND, CreditTo.REFUND_BY_HAND)


class GuardedAct(TextChoices):
    """What needs a second person under four eyes: documents, and acts that give money away."""

    INVOICES = "invoices", _("Invoices")
    REBILLS = "rebills", _("Rebills")
    MEMOS = "memos", _("Credit memos")
    CASH_CREDITS = "cash_credits", _("Cash credits")
    WRITE_OFFS = "write_offs", _("Write-offs")
    REFUNDS = "refunds", _("Refunds")
    VOIDS = "voids", _("Voids")


class SettingsChangeState(TextChoices):
    PROPOSED = "proposed", _("Proposed")
    CONFIRMED = "confirmed", _("Confirmed")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class TaxExemption(TextChoices):
    """Why a customer is not charged tax."""

    NONE = "none", _("Not exempt")
    EXEMPT = "exempt", _("Exempt")
    REVERSE_CHARGE = "reverse_charge", _("Reverse charge")
    INTRA_COMMUNITY = "intra_community", _("Intra-community supply")
    EXPORT = "export", _("Export")
    NOT_SUBJECT = "not_subject", _("Not subject to tax")


class EInvoiceFormat(TextChoices):
    """How documents are sent as electronic invoices."""

    NONE = "none", _("None")
    UBL = "ubl", _("UBL")
    FACTUR_X = "factur_x", _("Factur-X / ZUGFeRD (in the PDF)")


class AccessKind(TextChoices):
    """How somebody has seen personal data."""

    OPENED = "opened", _("Opened")
    EXPORTED = "exported", _("Exported")


class EInvoiceProfile(TextChoices):
    """The rules that electronic invoices keep besides those of the European standard."""

    EN16931 = "en16931", _("EN 16931")
    XRECHNUNG = "xrechnung", _("XRechnung")
    PEPPOL = "peppol", _("Peppol BIS Billing 3")


class BuyerEInvoice(TextChoices):
    """What a customer gets instead of the client's profile."""

    NONE = "none", _("No electronic invoice")
    EN16931 = EInvoiceProfile.EN16931.value, EInvoiceProfile.EN16931.label
    XRECHNUNG = EInvoiceProfile.XRECHNUNG.value, EInvoiceProfile.XRECHNUNG.label
    PEPPOL = EInvoiceProfile.PEPPOL.value, EInvoiceProfile.PEPPOL.label


class MissingTaxData(TextChoices):
    """What happens to an invoice without an address or without a tax rate for its place."""

    HOLD = "hold", _("Generate it as pending")
    REFUSE = "refuse", _("Refuse it")
    ALLOW = "allow", _("Issue it")


class TaxRounding(TextChoices):
    DOCUMENT = "document", _("Per tax rate over the document")
    LINE = "line", _("Per line")


MARKED_WORDS = (gettext_noop("per_unit"), gettext_noop("tiered"), gettext_noop("volume"), gettext_noop("flat"))
"""The words for rate models in the details of refusals, which `word` makes of them."""
