"""Check that each act on a document has its event, and that events, receipts and runs name documents that exist."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from django.db.models import Exists, F, OuterRef, Q

from accounts.models import Event, Receipt
from invoices.audit.amounts import shown
from invoices.audit.rules import Rule, differ
from invoices.audit.stored_documents import ActSeen, StoredDocument
from invoices.kinds import ENDED_RUNS, NOTHING_BILLED, InvoiceStatus, RunResult, SealedRows
from invoices.models import BlankedRow, Invoice, RunOutcome
from invoices.services.issuing.issuing import ISSUED

GENERATED = "invoice.generated"
APPROVED = "invoice.approved"
DISCARDED = "invoice.discarded"
CHANGED = ("invoice.recalculated", "invoice.adjusted")
VOIDED = "invoice.voided"
BLANKED = "document.blanked"
DECIDED: dict[str, str] = {InvoiceStatus.APPROVED: APPROVED, InvoiceStatus.DISCARDED: DISCARDED}


def acts(document: StoredDocument) -> Iterator[str]:
    """Check that each document was generated once, decided on at most once, voided at most once, and issued with one event.

    Each later version has an event. Documents that were issued before the client's first `invoice.issued` event need none of
    that. The events also prove who acted and for which total, because a pending document has no fingerprint.
    """
    state = document.state
    seen = [act.name for act in document.acts if act.name not in (ISSUED, *CHANGED, BLANKED)]
    generated = next((act for act in document.acts if act.name == GENERATED), None)
    if generated is None:
        yield "has no event of its generation"
        return
    began = generated.after.get("status")
    status = InvoiceStatus.APPROVED if state.status == InvoiceStatus.VOIDED else state.status
    decided = DECIDED.get(status) if began == InvoiceStatus.PENDING else None
    expected = [GENERATED, *([decided] if decided else []), *([VOIDED] if state.status == InvoiceStatus.VOIDED else [])]
    if seen != expected or (began != InvoiceStatus.PENDING and status != began):
        yield f"is {state.status}, but the trail has generated as {began}, then: {', '.join(seen[1:]) or 'nothing'}"
    changes = [act for act in document.acts if act.name in CHANGED]
    newest = [generated, *changes][-1]
    if _total(newest) != document.terms.total_amount:
        total = newest.after.get("total_amount")
        yield f"was {newest.name.partition('.')[2]} with the total {total}, but has {shown(document.terms.total_amount)}"
    if len(changes) != state.version - 1:
        yield f"is version {state.version}, but has {len(changes)} events of changes"
    if state.generated_by != generated.identity:
        yield f"names {state.generated_by} as who generated it, but it was {generated.identity}"
    issues = sum(act.name == ISSUED for act in document.acts)
    if issues != document.has_event_of_issue:
        yield f"is {state.status}, but has {issues} events of having been issued"
    yield from _approval(document, generated)
    yield from _reason(document)


def _approval(document: StoredDocument, generated: ActSeen) -> Iterator[str]:
    """Check who approved an issued document, and when."""
    state = document.state
    if not document.is_issued:
        return
    approval = next((act for act in document.acts if act.name == APPROVED), generated)
    if state.approved_by != approval.identity:
        yield f"names {state.approved_by} as who approved it, but it was {approval.identity}"
    if state.approved_at != approval.at:
        yield f"says it was approved at {state.approved_at}, but it was at {approval.at}"


def _reason(document: StoredDocument) -> Iterator[str]:
    """Check the reason of a voided document."""
    void = next((act for act in document.acts if act.name == VOIDED), None)
    if void is not None and void.after.get("reason_code", document.state.void_reason_code) != document.state.void_reason_code:
        yield f"is voided for reason {document.state.void_reason_code}, but it was for {void.after['reason_code']}"


def _total(generated: ActSeen) -> Decimal | None:
    try:
        return Decimal(generated.after["total_amount"])
    except (KeyError, TypeError, InvalidOperation):
        return None


EVENTS = (
    Rule(
        Event,
        "client",
        ~Exists(Invoice.objects.filter(pk=OuterRef("invoice_no"), client=OuterRef("client"), account=OuterRef("account"))),
        "event {pk}: {act} of invoice {invoice_no} of account {account_id}, which does not exist",
        # A refusal may name a document that never existed.
        checked=Q(invoice_no__isnull=False, error_code=0),
    ),
)

EVENTS_OF_CALL = Event.objects.exclude(call_token="").filter(call_token=OuterRef("token"), client=OuterRef("client"))
"""What a receipt's call did. A call that changes nothing has no events."""

RECEIPTS = (
    Rule(
        Receipt,
        "client",
        Exists(Invoice.objects.filter(pk=OuterRef("invoice_no"), client=OuterRef("client")))
        & Exists(EVENTS_OF_CALL.filter(invoice_no__isnull=False))
        & ~Exists(EVENTS_OF_CALL.filter(invoice_no=OuterRef("invoice_no"))),
        "receipt {receipt_id} of client {client_id}: names invoice {invoice_no}, but the events of its call name others",
        checked=Q(invoice_no__isnull=False, succeeded=True) & ~Q(token=""),
    ),
    Rule(
        Receipt,
        "client",
        ~Exists(Invoice.objects.filter(pk=OuterRef("invoice_no"), client=OuterRef("client"))),
        "receipt {receipt_id} of client {client_id}: names invoice {invoice_no}, which the client does not have",
        checked=Q(invoice_no__isnull=False),
    ),
)

SINCE_THE_RUN = Event.objects.filter(account=OuterRef("account"), at__gte=OuterRef("run__started_at"))
BLANKED_EVENTS = BlankedRow.objects.filter(kind=SealedRows.EVENTS).values("row_no")
"""Events whose words were blanked."""
BILLS = {"run__is_dry_run": False, "is_dry_run": False}

RUNS = (
    Rule(
        RunOutcome,
        "run__client",
        Q(account__client=F("run__client"))
        & ~Exists(SINCE_THE_RUN.filter(error_code=OuterRef("error_code"), message=OuterRef("message")))
        & ~Exists(SINCE_THE_RUN.filter(error_code=OuterRef("error_code"), pk__in=BLANKED_EVENTS)),
        "billing run {run_id}: account {account_id} is refused with {error_code}, but no event says so in these words",
        checked=Q(result=RunResult.REFUSED, error_code__gt=0, **BILLS),
    ),
    Rule(
        RunOutcome,
        "run__client",
        ~Exists(SINCE_THE_RUN.filter(act=NOTHING_BILLED)),
        "billing run {run_id}: account {account_id} had nothing to bill, but no event says so",
        checked=Q(result=RunResult.NOTHING_TO_BILL, **BILLS),
    ),
    Rule(
        RunOutcome,
        "run__client",
        Q(invoice__account=F("account")) & Q(invoice__generated_at__lt=F("run__started_at")),
        "billing run {run_id}: account {account_id} has invoice {invoice_id}, which was generated before the run began",
        checked=Q(result=RunResult.INVOICED),
    ),
    Rule(
        RunOutcome,
        "run__client",
        Q(invoice__account=F("account"))
        & Exists(RunOutcome.objects.filter(invoice=OuterRef("invoice")).exclude(pk=OuterRef("pk"))),
        "billing run {run_id}: account {account_id} has invoice {invoice_id}, which another outcome has too",
        checked=Q(result=RunResult.INVOICED),
    ),
    Rule(
        RunOutcome,
        "run__client",
        differ("account__client", "run__client"),
        "billing run {run_id}: account {account_id} is of client {account__client_id}",
    ),
    Rule(
        RunOutcome,
        "run__client",
        differ("invoice__account", "account"),
        "billing run {run_id}: account {account_id} has invoice {invoice_id}, which is of account {invoice__account_id}",
    ),
    Rule(
        RunOutcome,
        "run__client",
        Q(result=RunResult.INVOICED, invoice=None)
        | (~Q(result=RunResult.INVOICED) & Q(invoice__isnull=False))
        | Q(result=RunResult.REFUSED, error_code=0)
        | (~Q(result=RunResult.REFUSED) & ~Q(error_code=0)),
        "billing run {run_id}: account {account_id} is {result}, with invoice {invoice_id} and error {error_code}",
    ),
    Rule(
        RunOutcome,
        "run__client",
        Q(result=RunResult.WAITING, run__state__in=ENDED_RUNS),
        "billing run {run_id}: has ended, but account {account_id} is not billed yet",
    ),
)
