"""The enumerations of documents and money, and the allowed changes of state. Without database, so pure modules may import
them."""

from typing import NamedTuple

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy


class InvoiceKind(TextChoices):
    RECURRING = "recurring", _("Recurring")
    ADVANCE = "advance", _("Advance")
    ONE_OFF = "one_off", _("One-off")
    CREDIT_MEMO = "credit_memo", _("Credit memo")
    REBILL = "rebill", _("Rebill")
    REVERSAL = "reversal", _("Reversal")


NOUNS = {
    InvoiceKind.RECURRING.value: gettext_noop("invoice"),
    InvoiceKind.ADVANCE.value: gettext_noop("advance invoice"),
    InvoiceKind.ONE_OFF.value: gettext_noop("one-off invoice"),
    InvoiceKind.CREDIT_MEMO.value: gettext_noop("credit memo"),
    InvoiceKind.REBILL.value: gettext_noop("rebill"),
    InvoiceKind.REVERSAL.value: gettext_noop("reversal"),
}
"""What a document of each kind is called within a sentence. `word` makes a part of a detail of it."""

CYCLE_KINDS = (InvoiceKind.RECURRING, InvoiceKind.ADVANCE)
"""Documents that bill a cycle and move their account's dates."""

BILLING_KINDS = (*CYCLE_KINDS, InvoiceKind.ONE_OFF)
"""Documents that charge for something for the first time: a cycle, or one-time charges alone. These move no dates."""

CORRECTING_KINDS = (InvoiceKind.CREDIT_MEMO, InvoiceKind.REBILL, InvoiceKind.REVERSAL)
"""Documents that refer to another one, which they credit, replace or reverse."""

OFFSETTING_KINDS = (InvoiceKind.CREDIT_MEMO, InvoiceKind.REVERSAL)
"""Documents that offset another one. Nothing is ever due on them."""


class UnusedDaysOutcome(TextChoices):
    """What happens to billed days that are not used."""

    NEXT_INVOICE = "next_invoice", _("Credited on the next invoice")
    CREDIT_MEMO = "credit_memo", _("Credited by a credit memo")
    STAYS_CHARGED = "stays_charged", _("Stays charged")


class InvoiceStatus(TextChoices):
    PENDING = "pending", _("Pending")
    APPROVED = "approved", _("Approved")
    DISCARDED = "discarded", _("Discarded")
    VOIDED = "voided", _("Voided")


class DocumentState(TextChoices):
    """What a document is, in one word, wherever it is shown: its status, what is paid, and what replaced it.

    Overdue: something is open after the due date, whether a part is paid or not. Rebilled: an issued rebill replaced it.
    Credited: a credit memo or reversal; or nothing is open, and only credit memos, write-offs and disputes cover it.
    """

    PENDING = "pending", _("Pending")
    OPEN = "open", _("Open")
    PARTLY_PAID = "partly_paid", _("Partly paid")
    PAID = "paid", _("Paid")
    OVERDUE = "overdue", _("Overdue")
    REBILLED = "rebilled", _("Rebilled")
    CREDITED = "credited", _("Credited")
    VOIDED = "voided", _("Voided")
    DISCARDED = "discarded", _("Discarded")


class PostingStatus(TextChoices):
    """Whether the client's accounting has entered an issued document."""

    UNPOSTED = "unposted", _("Not posted")
    POSTED = "posted", _("Posted")


class PeriodState(TextChoices):
    """States of a closed period."""

    CLOSED = "closed", _("Closed")
    REOPENING = "reopening", _("Reopening requested")
    REOPENED = "reopened", _("Reopened")


class ActState(TextChoices):
    """States of an act that needs a second person."""

    PENDING = "pending", _("Pending")
    APPROVED = "approved", _("Approved")
    DISCARDED = "discarded", _("Discarded")
    WITHDRAWN = "withdrawn", _("Withdrawn")


ACT_TRANSITIONS = {
    ActState.PENDING: (ActState.APPROVED, ActState.DISCARDED, ActState.WITHDRAWN),
    ActState.APPROVED: (),
    ActState.DISCARDED: (),
    ActState.WITHDRAWN: (),
}

ISSUED_STATUSES = (InvoiceStatus.APPROVED, InvoiceStatus.VOIDED)
"""An issued document keeps its number, dates and fingerprint, even if it is voided."""

LIVE_STATUSES = (InvoiceStatus.PENDING, InvoiceStatus.APPROVED)

TRANSITIONS = {
    InvoiceStatus.PENDING: (InvoiceStatus.APPROVED, InvoiceStatus.DISCARDED),
    InvoiceStatus.APPROVED: (InvoiceStatus.VOIDED,),
    InvoiceStatus.DISCARDED: (),
    InvoiceStatus.VOIDED: (),
}


class WaitReason(TextChoices):
    """Why an invoice is generated as pending."""

    CLIENT = "client", _("every invoice of this client needs approval")
    ACCOUNT = "account", _("every invoice of this account needs approval")
    FOUR_EYES = "four_eyes", _("four eyes: another person must approve this invoice")
    ASKED = "asked", _("a pending invoice was requested")
    TAX_DATA = "tax_data", _("the address or a tax rate is missing")


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


class LineProperties(NamedTuple):
    """How lines of a type are treated wherever documents are generated, corrected and audited.

    `is_credit`: its amount is negative and reduces the charges of its document. `in_advance` and `in_arrears`: a plan instance
    charges it, for the cycle that begins or for the one that ended; such a line names its plan instance. `by_days`: it charges
    days, so unused ones are credited. `each_cycle`: a new or missing one is shown to the approver. `is_surchargeable`: a
    surcharge in percent can be calculated from it.
    """

    is_credit: bool = False
    in_advance: bool = False
    in_arrears: bool = False
    by_days: bool = False
    each_cycle: bool = False
    is_surchargeable: bool = True


LINE_PROPERTIES = {
    LineType.RECURRING: LineProperties(in_advance=True, by_days=True, each_cycle=True),
    LineType.TAX: LineProperties(is_surchargeable=False),
    LineType.SERVICE_CREDIT: LineProperties(is_credit=True),
    LineType.COUPON: LineProperties(is_credit=True),
    LineType.ACTIVATION: LineProperties(in_advance=True),
    LineType.USAGE: LineProperties(in_arrears=True, each_cycle=True),
    LineType.ARREARS: LineProperties(in_arrears=True, by_days=True, each_cycle=True),
    LineType.ORDER: LineProperties(),
    LineType.SURCHARGE: LineProperties(is_surchargeable=False),
}
"""The one table of line types. A new type needs its row here; the lists below follow from it."""

CREDIT_TYPES = tuple(type for type, one in LINE_PROPERTIES.items() if one.is_credit)
ADVANCE_TYPES = tuple(type for type, one in LINE_PROPERTIES.items() if one.in_advance)
ARREARS_TYPES = tuple(type for type, one in LINE_PROPERTIES.items() if one.in_arrears)
PLAN_TYPES = (*ADVANCE_TYPES, *ARREARS_TYPES)
"""Charges of plan instances."""
DAY_TYPES = tuple(type for type, one in LINE_PROPERTIES.items() if one.by_days)
EACH_CYCLE_TYPES = tuple(type for type, one in LINE_PROPERTIES.items() if one.each_cycle)
NOT_SURCHARGEABLE = tuple(type for type, one in LINE_PROPERTIES.items() if not one.is_surchargeable)


def gives_days_back(line_type: int, plan_instance_no: int | None) -> bool:
    """Whether a line gives back, or charges again, unused days of a plan instance: a service credit that names the instance.

    It has its own tax and, unlike other credits, does not reduce other lines.
    """
    return line_type == LineType.SERVICE_CREDIT and plan_instance_no is not None


INVOICE_TYPES = {
    InvoiceKind.RECURRING: "F",
    InvoiceKind.ADVANCE: "F",
    InvoiceKind.ONE_OFF: "F",
    InvoiceKind.REBILL: "R",
    InvoiceKind.CREDIT_MEMO: "CM",
    InvoiceKind.REVERSAL: "RV",
}
"""Aria's invoice types (invoice_type_cd): F for a billing period, R for a rebill. Our additions: CM for a credit memo, RV for a
reversal."""


class SeriesKind(TextChoices):
    INVOICE = "invoice", _("Invoices")
    CREDIT_MEMO = "credit_memo", _("Credit memos")
    REBILL = "rebill", _("Rebills")
    REVERSAL = "reversal", _("Reversals")


NOTHING_BILLED = "account.nothing_to_bill"
"""The act by which an account moves past a cycle that had nothing to bill. There is no document, so the event records it."""
LEFT_OUT = "account.left_out"
"""The event of usage or orders that are too large for an invoice (90050)."""


class RunState(TextChoices):
    """States of a billing run. A stopped run was stopped by one of its limits; a person continues or cancels it."""

    PLANNED = "planned", _("Planned")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    CANCELLING = "cancelling", _("Being cancelled")
    CANCELLED = "cancelled", pgettext_lazy("billing run", "Cancelled")
    FINISHED = "finished", _("Finished")
    STOPPED = "stopped", _("Stopped by a limit")


RUN_TRANSITIONS = {
    RunState.PLANNED: (RunState.RUNNING, RunState.CANCELLED),
    RunState.RUNNING: (RunState.PAUSED, RunState.CANCELLING, RunState.FINISHED, RunState.STOPPED),
    RunState.PAUSED: (RunState.RUNNING, RunState.CANCELLING),
    RunState.CANCELLING: (RunState.CANCELLED,),
    RunState.STOPPED: (RunState.RUNNING, RunState.CANCELLING),
    RunState.FINISHED: (RunState.RUNNING,),
    RunState.CANCELLED: (),
}
"""Allowed changes of a run's state. A finished run runs again when its refused accounts are retried."""

ENDED_RUNS = (RunState.FINISHED, RunState.CANCELLED)
ACTIVE_RUNS = tuple(state for state in RunState if state not in ENDED_RUNS)
"""In these states of a run, its unbilled accounts are left out of other runs."""


class RunMode(TextChoices):
    """How the invoices of a run are generated."""

    AS_CONFIGURED = "as_configured", _("As configured: pending where the settings require approval")
    ALL_PENDING = "all_pending", _("All as pending")
    ADVANCE = "advance", _("In advance of the bill date")


class RunResult(TextChoices):
    """Results of one account in a billing run. A dry run has billable accounts in place of invoiced ones."""

    WAITING = "waiting", _("Waiting")
    INVOICED = "invoiced", _("Invoiced")
    NOTHING_TO_BILL = "nothing_to_bill", _("Nothing to bill")
    REFUSED = "refused", _("Refused")
    BILLABLE = "billable", _("Would be invoiced")
    IN_ANOTHER_RUN = "in_another_run", _("In another run")
    CANCELLED = "cancelled", _("Not billed, run cancelled")


class ScheduledAct(TextChoices):
    """What is done for a client each day at an hour of its time zone."""

    BILL = "bill", _("Bill all accounts that are due")
    COLLECT = "collect", _("Collect open invoices")
    RESUME_COLLECTIONS = "resume_collections", _("Resume interrupted collections")
    SEND_STATEMENTS = "send_statements", _("Send statements")
    DISCARD_STALE = "discard_stale", _("Discard stale pending invoices")
    PRUNE_LOGS = "prune_logs", _("Prune the log of API calls")
    AUDIT = "audit", _("Audit")


class SealedRows(TextChoices):
    """The kinds of rows that are sealed."""

    EVENTS = "events", _("Events")
    ENTRIES = "entries", _("Transactions")
    ALLOCATIONS = "allocations", _("Allocations")
    PAYMENTS = "payments", _("Payments")


class Flag(TextChoices):
    """Why an approver should look at a pending document before approving it."""

    FIRST = "first", _("First invoice")
    CHANGED = "changed", _("Total changed")
    NEW_LINES = "new_lines", _("New lines")
    MISSING_LINES = "missing_lines", _("Missing lines")
    NOT_POSITIVE = "not_positive", _("Zero or below")
    NO_PO = "no_po", _("No PO number")
    OUT_OF_DATE = "out_of_date", _("Out of date")
    NO_ADDRESS = "no_address", _("No address")
    NO_RATE = "no_rate", _("No tax rate found")


LASTING_FLAGS = (Flag.NO_ADDRESS, Flag.NO_RATE)
"""Flags that stay on a document after the decision. The others compare a pending document with the last invoice."""


class DataKind(TextChoices):
    """The kinds of data that documents are generated from. A change of them can put a pending document out of date."""

    PLANS = "plans", _("Plans")
    PRICES = "prices", _("Prices")
    USAGE = "usage", _("Usage")
    ORDERS = "orders", _("Orders")
    ACCOUNT = "account", _("Account")
    ADDRESSES = "addresses", _("Addresses")
    SERVICES = "services", _("Services")
    LOCATIONS = "locations", _("Service locations")
    TAX_RATES = "tax_rates", _("Tax rates")
    SURCHARGES = "surcharges", _("Surcharges")
    COUPONS = "coupons", _("Coupons")
    CREDITS = "credits", _("Service credits")
    SETTINGS = "settings", _("Settings")


class VersionAct(TextChoices):
    """What made a version of a pending document."""

    GENERATED = "generated", _("Generated")
    RECALCULATED = "recalculated", _("Recalculated")
    ADJUSTED = "adjusted", _("Adjusted")


class DecisionAct(TextChoices):
    """Decisions of staff on pending documents."""

    APPROVE = "approve", _("Approve")
    DISCARD = "discard", _("Discard")
    RECALCULATE = "recalculate", _("Recalculate")
    REGENERATE = "regenerate", _("Regenerate")
    REMARK = "remark", _("Note")


BULK_COLLECT = "collect"
BULK_SEND = "send"
BULK_ACTS = [*DecisionAct.choices, (BULK_COLLECT, _("Collect")), (BULK_SEND, _("Send statements"))]
"""What staff do with many documents at once, in parts: decide on pending ones, collect open ones, or send statements again."""


class DecisionResult(TextChoices):
    """Refused: a rule forbids it, also next time. Failed: something outside did not work, so it can be retried."""

    WAITING = "waiting", _("Waiting")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")


class EntryKind(TextChoices):
    """Kinds of ledger entries."""

    INVOICE = "invoice", _("Invoice")
    CREDIT_MEMO = "credit_memo", _("Credit memo")
    PAYMENT = "payment", _("Payment")
    ELECTRONIC_PAYMENT = "electronic_payment", _("Electronic payment")
    CASH_CREDIT = "cash_credit", _("Cash credit")
    WRITE_OFF = "write_off", _("Write-off")
    DISPUTE = "dispute", _("Dispute")
    REFUND = "refund", _("Refund")
    ELECTRONIC_REFUND = "electronic_refund", _("Electronic refund")
    VOID = "void", _("Void")


CHARGE_KINDS = (EntryKind.INVOICE, EntryKind.CREDIT_MEMO)
"""Entries of issued documents."""

PAYMENT_KINDS = (EntryKind.PAYMENT, EntryKind.ELECTRONIC_PAYMENT)
REFUND_KINDS = (EntryKind.REFUND, EntryKind.ELECTRONIC_REFUND)
RAISING_KINDS = (EntryKind.INVOICE, *REFUND_KINDS)
"""Entries that raise what the account owes. A void has the opposite effect of what it voids."""
FREE_KINDS = (*PAYMENT_KINDS, EntryKind.CASH_CREDIT)
"""Credits that can pay any invoice of the account. A credit memo, write-off or dispute applies only to its own invoice."""

TRANSACTION_TYPES = {
    EntryKind.INVOICE: 1,
    EntryKind.PAYMENT: 2,
    EntryKind.ELECTRONIC_PAYMENT: 3,
    EntryKind.WRITE_OFF: 6,
    EntryKind.DISPUTE: 6,
    EntryKind.CASH_CREDIT: 10,
    EntryKind.ELECTRONIC_REFUND: 12,
    EntryKind.REFUND: 13,
    EntryKind.CREDIT_MEMO: 24,
}
"""Aria's transaction types (get_acct_trans_history). A void has the negative type of what it voids.

Our choices: a dispute has the type of a write-off, an external payment that of a cheque, a credit memo that of its lines.
"""


class AllocationKind(TextChoices):
    APPLIED = "applied", _("Applied")
    RELEASED = "released", _("Released")
    REFUNDED = "refunded", _("Released by a refund")


class PaymentType(TextChoices):
    CARD = "card", _("Card")
    BANK_TRANSFER = "bank_transfer", _("Bank transfer")
    ELECTRONIC_CHECK = "electronic_check", _("Electronic cheque")
    CHECK = "check", _("Cheque")
    CASH = "cash", _("Cash")
    OTHER = "other", _("Other")


class RefundStatus(TextChoices):
    ASKED = "asked", _("Requested from the gateway")
    DONE = "done", _("Done")
    FAILED = "failed", _("Refused by the gateway")
    WITHDRAWN = "withdrawn", _("Withdrawn before the gateway was asked")


class AttemptStatus(TextChoices):
    """States of an attempt to collect an invoice."""

    REQUESTED = "requested", _("Requested")
    STARTED = "started", _("Started")
    UNKNOWN = "unknown", _("Outcome unknown")
    COLLECTED = "collected", _("Collected")
    DECLINED = "declined", _("Declined")
    NOT_MADE = "not_made", _("Not charged")


OPEN_ATTEMPTS = (AttemptStatus.REQUESTED, AttemptStatus.STARTED, AttemptStatus.UNKNOWN)
ASKED_ATTEMPTS = (AttemptStatus.STARTED, AttemptStatus.UNKNOWN)
"""The gateway was asked, or may have been."""
FAILED_ATTEMPTS = (AttemptStatus.UNKNOWN, AttemptStatus.DECLINED)
"""A person must take care of the amount due."""


class ReasonType(TextChoices):
    CASH_CREDIT = "cash_credit", _("Cash credit")
    CREDIT_MEMO = "credit_memo", _("Credit memo")
    WRITE_OFF = "write_off", _("Write-off")
    DISPUTE = "dispute", _("Dispute")
    REFUND = "refund", _("Refund")
    REBILL = "rebill", _("Rebill")


class StatementStatus(TextChoices):
    """States of the e-mail that sends a document to a contact."""

    REQUESTED = "requested", _("Requested")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    BOUNCED = "bounced", _("Came back")


class MailKind(TextChoices):
    """Kinds of documents whose e-mails can have texts of their own."""

    INVOICE = "invoice", _("Invoice")
    REBILL = "rebill", _("Rebill")
    CREDIT_MEMO = "credit_memo", _("Credit memo")


class FileKind(TextChoices):
    PDF = "pdf", _("PDF")
    E_INVOICE = "e_invoice", _("Electronic invoice")


class FileState(TextChoices):
    """Whether a file of a document is made. A failed one is tried again."""

    OWED = "owed", _("Owed")
    MADE = "made", _("Made")
    FAILED = "failed", _("Failed")


class TaxedAt(TextChoices):
    """The address that a tax depends on. Most taxes depend on the ship-to address, some on the ship-from address."""

    SHIP_TO = "ship_to", _("Ship-to address")
    SHIP_FROM = "ship_from", _("Ship-from address")
    BILL_TO = "bill_to", _("Bill-to address")
    BILL_FROM = "bill_from", _("Bill-from address")


class VoidReason(IntegerChoices):
    """Aria's reasons of void_invoice."""

    DUPLICATE_CHECK = 1, _("Duplicate check posting")
    WRONG_DIRECTION = 2, _("Transfer in wrong direction")
    RETURNED_PAYMENT = 3, _("Returned payment")
    WRONG_ACCOUNT = 4, _("Account responsibility incorrect")
    CREATED_IN_ERROR = 5, _("Invoice created in error")
    PROCESSOR_ERROR = 6, _("Error in processor integration")
    TEST_DATA = 7, _("Test data")
    ERRONEOUS_ENTRY = 8, _("Erroneous entry")
    ORDER_COLLECTION_FAILED = 9, _("Collection on order failed")
    VOIDED_BEFORE_SETTLEMENT = 10, _("Payment voided before settlement")
    VOIDED_BY_THIRD_PARTY = 11, _("Voided by 3rd party")
    COLLECTION_FAILED = 12, _("Collection Failed")


PAYMENT_VOID_REASONS = frozenset(
    {
        VoidReason.DUPLICATE_CHECK,
        VoidReason.WRONG_DIRECTION,
        VoidReason.RETURNED_PAYMENT,
        VoidReason.PROCESSOR_ERROR,
        VoidReason.VOIDED_BEFORE_SETTLEMENT,
        VoidReason.VOIDED_BY_THIRD_PARTY,
    }
)
"""Reasons for voiding a payment. Pages do not offer them for an invoice, but calls may use each of the twelve."""


MARKED_WORDS = (
    gettext_noop("pending"),
    gettext_noop("approved"),
    gettext_noop("discarded"),
    gettext_noop("voided"),
    gettext_noop("withdrawn"),
    gettext_noop("requested"),
    gettext_noop("started"),
    gettext_noop("unknown"),
    gettext_noop("collected"),
    gettext_noop("declined"),
    gettext_noop("write-off"),
    gettext_noop("dispute"),
    gettext_noop("planned"),
    gettext_noop("running"),
    gettext_noop("paused"),
    gettext_noop("being cancelled"),
    gettext_noop("cancelled"),
    gettext_noop("finished"),
    gettext_noop("stopped by a limit"),
    gettext_noop("terms"),
    gettext_noop("parties"),
    gettext_noop("lines"),
    gettext_noop("credits"),
    gettext_noop("taxes"),
    gettext_noop("periods"),
    gettext_noop("correction"),
    gettext_noop("tax basis"),
    gettext_noop("payments"),
    gettext_noop("collection"),
)
"""The words for statuses and parts of documents in the details of refusals, which `word` makes of them."""


class DeliveryState(TextChoices):
    """States of an event that must be sent to an endpoint."""

    WAITING = "waiting", _("Waiting")
    DELIVERED = "delivered", _("Delivered")
    GIVEN_UP = "given_up", _("Given up")
