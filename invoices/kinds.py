"""The words that documents are sorted by, and which states may follow which. Knows no tables, so pure modules may use it."""

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _


class InvoiceKind(TextChoices):
    RECURRING = "recurring", _("Recurring")
    ADVANCE = "advance", _("Advance")


class InvoiceStatus(TextChoices):
    PENDING = "pending", _("Pending")
    APPROVED = "approved", _("Approved")
    DISCARDED = "discarded", _("Discarded")


LIVE_STATUSES = (InvoiceStatus.PENDING, InvoiceStatus.APPROVED)

TRANSITIONS = {
    InvoiceStatus.PENDING: (InvoiceStatus.APPROVED, InvoiceStatus.DISCARDED),
    InvoiceStatus.APPROVED: (),
    InvoiceStatus.DISCARDED: (),
}


class LineType(IntegerChoices):
    """Aria's line types."""

    RECURRING = 1, _("Recurring charge")
    TAX = 2, _("Tax charge")
    SERVICE_CREDIT = 3, _("Service credit")
    COUPON = 4, _("Coupon credit")
    ACTIVATION = 5, _("Activation charge")
    USAGE = 6, _("Usage charge")
    ARREARS = 7, _("Recurring charge in arrears")
    ORDER = 8, _("Order charge")
    SURCHARGE = 9, _("Surcharge")


CREDIT_TYPES = (LineType.SERVICE_CREDIT, LineType.COUPON)


class SeriesKind(TextChoices):
    INVOICE = "invoice", _("Invoices")


class RunResult(TextChoices):
    WAITING = "waiting", _("Waiting")
    INVOICED = "invoiced", _("Invoiced")
    NOTHING_TO_BILL = "nothing_to_bill", _("Nothing to bill")
    REFUSED = "refused", _("Refused")
