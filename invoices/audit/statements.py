"""Statements say of which document they are, when they were sent, and with which result."""

from django.db.models import Exists, F, OuterRef, Q

from accounts.models import Event
from invoices.audit.rules import Rule
from invoices.kinds import ISSUED_STATUSES, StatementStatus
from invoices.models import Statement

TRIED = (StatementStatus.SENT, StatementStatus.FAILED, StatementStatus.BOUNCED)

RULES = (
    Rule(
        Statement,
        "invoice__client",
        ~Q(invoice__status__in=ISSUED_STATUSES),
        "statement {pk} of invoice {invoice_id}: the document is {invoice__status}",
    ),
    Rule(
        Statement,
        "invoice__client",
        Q(settled_at=None) | Q(settled_at__lt=F("requested_at")) | Q(status=StatementStatus.SENT, email=""),
        "statement {pk} of invoice {invoice_id}: is {status} to '{email}' since {settled_at}, requested at {requested_at}",
        checked=Q(status__in=TRIED),
    ),
    Rule(
        Statement,
        "invoice__client",
        (Q(status=StatementStatus.SENT) & ~Q(error_code=0)) | Q(status=StatementStatus.FAILED, error_code=0),
        "statement {pk} of invoice {invoice_id}: is {status} with error {error_code}",
    ),
    Rule(
        Statement,
        "invoice__client",
        ~Exists(Event.objects.filter(invoice_no=OuterRef("invoice_id"), act="statement.bounced")),
        "statement {pk} of invoice {invoice_id}: came back, but no event says so",
        checked=Q(status=StatementStatus.BOUNCED),
    ),
    Rule(
        Statement,
        "invoice__client",
        Q(tries__gt=0, settled_at=None) | Q(status=StatementStatus.SENDING, settled_at=None),
        "statement {pk} of invoice {invoice_id}: was tried, but has no time",
    ),
)
