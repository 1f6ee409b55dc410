"""The trail: every act on a document has its event, and whatever names a document names one that is on file."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from django.db.models import Exists, OuterRef, Q

from accounts.models import Event, Receipt
from invoices.audit.amounts import shown
from invoices.audit.rules import Rule, differ
from invoices.audit.stored_documents import ActSeen, StoredDocument
from invoices.kinds import ENDED_RUNS, InvoiceStatus, RunResult
from invoices.models import Invoice, RunOutcome
from invoices.services.issuing.issuing import ISSUED

GENERATED = "invoice.generated"
APPROVED = "invoice.approved"
DISCARDED = "invoice.discarded"
VOIDED = "invoice.voided"
DECIDED: dict[str, str] = {InvoiceStatus.APPROVED: APPROVED, InvoiceStatus.DISCARDED: DISCARDED}


def acts(document: StoredDocument) -> Iterator[str]:
    """A document was generated once, as approved or as pending; a pending one was approved or discarded once, or still waits;
    one that is voided was voided once. Each one that was issued has one event of that, those aside that were issued before the
    client's first such event.

    The events also say who did it and for how much: what no fingerprint guards while a document is pending.
    """
    standing = document.standing
    seen = [act.name for act in document.acts if act.name != ISSUED]
    generated = next((act for act in document.acts if act.name == GENERATED), None)
    if generated is None:
        yield "has no event of its generation"
        return
    began = generated.after.get("status")
    stood = InvoiceStatus.APPROVED if standing.status == InvoiceStatus.VOIDED else standing.status
    decided = DECIDED.get(stood) if began == InvoiceStatus.PENDING else None
    expected = [GENERATED, *([decided] if decided else []), *([VOIDED] if standing.status == InvoiceStatus.VOIDED else [])]
    if seen != expected or (began != InvoiceStatus.PENDING and stood != began):
        yield f"is {standing.status}, but the trail has generated as {began}, then: {', '.join(seen[1:]) or 'nothing'}"
    if _total(generated) != document.terms.total_amount:
        total = generated.after.get("total_amount")
        yield f"was generated with the total {total}, but has {shown(document.terms.total_amount)}"
    if standing.generated_by != generated.identity:
        yield f"names {standing.generated_by} as who generated it, but it was {generated.identity}"
    issues = sum(act.name == ISSUED for act in document.acts)
    if issues != document.has_event_of_issue:
        yield f"is {standing.status}, but has {issues} events of having been issued"
    approval = next((act for act in document.acts if act.name == APPROVED), generated)
    if stood == InvoiceStatus.APPROVED and standing.approved_by != approval.identity:
        yield f"names {standing.approved_by} as who approved it, but it was {approval.identity}"


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
        # A refusal may name a document that never was.
        checked=Q(invoice_no__isnull=False, error_code=0),
    ),
)

RECEIPTS = (
    Rule(
        Receipt,
        "client",
        ~Exists(Invoice.objects.filter(pk=OuterRef("invoice_no"), client=OuterRef("client"))),
        "receipt {receipt_id} of client {client_id}: names invoice {invoice_no}, which the client does not have",
        checked=Q(invoice_no__isnull=False),
    ),
)

RUNS = (
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
        "billing run {run_id}: account {account_id} was given invoice {invoice_id}, which is of account {invoice__account_id}",
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
