"""Check that each act on a document has its event, and that events, receipts and runs name documents that exist."""

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
    """Check that each document was generated once, decided on at most once, voided at most once, and issued with one event.

    Documents that were issued before the client's first `invoice.issued` event need none. The events also prove who acted and
    for which total, because a pending document has no fingerprint.
    """
    state = document.state
    seen = [act.name for act in document.acts if act.name != ISSUED]
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
    if _total(generated) != document.terms.total_amount:
        total = generated.after.get("total_amount")
        yield f"was generated with the total {total}, but has {shown(document.terms.total_amount)}"
    if state.generated_by != generated.identity:
        yield f"names {state.generated_by} as who generated it, but it was {generated.identity}"
    issues = sum(act.name == ISSUED for act in document.acts)
    if issues != document.has_event_of_issue:
        yield f"is {state.status}, but has {issues} events of having been issued"
    approval = next((act for act in document.acts if act.name == APPROVED), generated)
    if status == InvoiceStatus.APPROVED and state.approved_by != approval.identity:
        yield f"names {state.approved_by} as who approved it, but it was {approval.identity}"


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
