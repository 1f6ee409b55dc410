"""Check acts that a second person approved: the ledger has what was requested, and the trail says who approved it."""

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from accounts.kinds import GuardedAct
from accounts.models import Event
from invoices.audit.ledger import NEGATED
from invoices.audit.rules import Rule
from invoices.kinds import ActState, InvoiceKind
from invoices.models import Invoice, LedgerEntry, RequestedAct

DONE = Q(state=ActState.APPROVED, result_no__isnull=False)
MADE = LedgerEntry.objects.filter(pk=OuterRef("result_no"), account=OuterRef("account")).filter(
    Q(amount=OuterRef("amount")) | Q(amount=OuterRef("amount") * NEGATED)
)
ISSUED = Invoice.objects.filter(
    pk=OuterRef("result_no"),
    kind=InvoiceKind.CREDIT_MEMO,
    corrects=OuterRef("invoice"),
    total_amount=OuterRef("amount") * NEGATED,
)
REVERSED = Invoice.objects.filter(pk=OuterRef("result_no"), kind=InvoiceKind.REVERSAL, corrects=OuterRef("invoice"))
OF_DOCUMENTS = (GuardedAct.MEMOS, GuardedAct.REBILLS)
NAMED_IN_EVENTS = (
    Event.objects.filter(act="act.approved")
    .annotate(act_no=Cast(KeyTextTransform("id", "after"), BigIntegerField()))
    .values("act_no")
)
NOT_THERE = "request {pk} for {kind} of {amount}: was approved, but its result {result_no} is something else"

RULES = (
    Rule(RequestedAct, "client", ~Exists(MADE), NOT_THERE, checked=DONE & ~Q(kind__in=OF_DOCUMENTS)),
    Rule(RequestedAct, "client", ~Exists(ISSUED), NOT_THERE, checked=DONE & Q(kind=GuardedAct.MEMOS)),
    Rule(RequestedAct, "client", ~Exists(REVERSED), NOT_THERE, checked=DONE & Q(kind=GuardedAct.REBILLS)),
    Rule(
        RequestedAct,
        "client",
        ~Q(pk__in=NAMED_IN_EVENTS),
        "request {pk} for {kind} of {amount}: was approved by {decided_by}, and the trail does not say so",
        checked=Q(state=ActState.APPROVED),
    ),
    Rule(
        RequestedAct,
        "client",
        ~Q(account__client=F("client")) | (Q(invoice__isnull=False) & ~Q(invoice__account=F("account"))),
        "request {pk} for {kind} of {amount}: account {account_id} and invoice {invoice_id} do not belong together",
    ),
)
