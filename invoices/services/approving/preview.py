"""Preview a decision on many documents: how many, for how much, which would be refused and why, and what would follow."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Exists, F, OuterRef, QuerySet

from accounts.callers import Caller
from accounts.models import Client
from accounts.services.accounts import electronic_methods
from billing_site.errors import BillingError, shown_message
from invoices.calculation import ZERO
from invoices.kinds import DecisionAct
from invoices.models import Invoice
from invoices.plan.action_facts import PayerFacts
from invoices.plan.actions import Action, why_not_collected
from invoices.services.actions import available_actions, refused_decisions
from invoices.services.document_facts import document_facts
from invoices.services.issuing.issuing import IssuePolicy

AT_ONCE = 1000
"""The number of documents in memory at a time."""


class RefusedDocument(NamedTuple):
    """A document whose decision would be refused."""

    invoice_no: int
    name: str
    error: BillingError


class DecisionPreview(NamedTuple):
    """`totals` has the number of documents and their sum for each currency; for a collection, the sum of open amounts.

    `collected` and `statements` count the documents that would be collected and sent, as the client's settings say. `collected`
    is an upper limit: paid documents and amounts below the client's threshold are included.
    """

    refused: Sequence[RefusedDocument] = ()
    totals: dict[str, tuple[int, Decimal]] = {}
    collected: int = 0
    statements: int = 0

    @property
    def reasons(self) -> dict[str, int]:
        """Return the number of refused documents for each reason, in the active language."""
        return dict(Counter(shown_message(one.error.code.number, one.error.code.message) for one in self.refused))


def preview_decision(
    act: DecisionAct, *, client: Client, invoices: QuerySet[Invoice], caller: Caller, today: date
) -> DecisionPreview:
    """Preview approving, discarding, recalculating or regenerating documents of a client.

    If there are more than `AT_ONCE` documents, recalculations and regenerations are not planned, so
    some of their refusals are missing.
    """
    action, policy = Action(act.value), IssuePolicy(client)
    plans = invoices.count() <= AT_ONCE
    refused: list[RefusedDocument] = []
    totals: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, ZERO))
    collected = statements = 0
    for rows in _chunks(invoices):
        refusals = refused_decisions(action, rows, client=client, caller=caller, today=today, plans=plans)
        for invoice in rows:
            if invoice.pk in refusals:
                name = invoice.document_number or f"invoice {invoice.pk}"
                refused.append(RefusedDocument(invoice.pk, name, refusals[invoice.pk]))
                continue
            count, amount = totals[invoice.currency]
            totals[invoice.currency] = count + 1, amount + invoice.total_amount
            if action is Action.APPROVE:
                collected += _is_collected(invoice, policy)
                statements += policy.sends_statement(invoice.kind, invoice.statement_contact_id)
    return DecisionPreview(refused, dict(totals), collected, statements)


def preview_collecting(*, client: Client, invoice_nos: Collection[int], caller: Caller, today: date) -> DecisionPreview:
    """Preview collecting the open amounts of documents of a client. The number of queries is constant."""
    facts = document_facts(invoice_nos, today)
    allowed = available_actions(client, invoice_nos, caller, today, [Action.COLLECT])
    refused = [
        RefusedDocument(number, facts[number].name, one.error) for number, (one,) in allowed.items() if one.error is not None
    ]
    totals: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, ZERO))
    for number in facts.keys() - {one.invoice_no for one in refused}:
        count, amount = totals[facts[number].currency]
        totals[facts[number].currency] = count + 1, amount + facts[number].due
    return DecisionPreview(refused, dict(totals))


def _chunks(invoices: QuerySet[Invoice]) -> Iterator[list[Any]]:
    methods = electronic_methods().filter(account=OuterRef("account"))
    rows = invoices.select_related("corrects").annotate(
        has_method=Exists(methods), payer_is_test=F("account__is_test"), payer_status=F("account__status")
    )
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        yield chunk
        last = chunk[-1].pk


def _is_collected(invoice: Any, policy: IssuePolicy) -> bool:
    payer = PayerFacts(invoice.payer_is_test, invoice.payer_status, invoice.has_method)
    collects = policy.collects(invoice.kind, invoice.collect_when_issued)
    return collects and invoice.total_amount > ZERO and why_not_collected(payer) is None
