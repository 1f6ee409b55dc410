"""Preview an invoice: the document, whether it would be pending, and what would be collected."""

from decimal import Decimal
from typing import NamedTuple

from accounts.models import Client, PaymentMethod
from invoices.calculation import ZERO
from invoices.document import Credit, Document, Tax, columns_of
from invoices.fingerprints import fingerprint
from invoices.kinds import WaitReason
from invoices.line_explanations import line_explanation
from invoices.models import Invoice, InvoiceLine
from invoices.plan import InvoicePlan
from invoices.plan.action_facts import PayerFacts
from invoices.plan.allocating import OpenItem, oldest_first
from invoices.plan.facts import BillingRequest
from invoices.plan.tax_answers import exemption_text
from invoices.services.collecting.starting import CollectRequest, methods_of, why_nothing_collected
from invoices.services.documents.approval_rules import reasons_for_pending
from invoices.services.documents.document_storage import content_of
from invoices.services.documents.outcomes import Refused
from invoices.services.issuing.issuing import IssuePolicy
from invoices.services.money.ledger.open_items import open_credits
from invoices.services.planning.previewing import preview_invoices

NOT_WRITTEN = 0
"""Used as the number of the invoice and of its ledger entry, which do not exist yet."""


class LinePreview(NamedTuple):
    """A line with its explanation, the credits that reduce it, and its taxes."""

    line: InvoiceLine
    story: tuple[str, ...]
    credits: tuple[Credit, ...]
    taxes: tuple[Tax, ...]


class MoneyPreview(NamedTuple):
    """What unapplied credits pay of the invoice, the open amount after that, and what is collected of it by which payment
    method, or why nothing is (`why_not`)."""

    from_credit: Decimal
    due: Decimal
    collected: Decimal = ZERO
    method: PaymentMethod | None = None
    why_not: str = ""


class InvoicePreview(NamedTuple):
    """An invoice that would be generated now. Send `fingerprint` with the request to generate exactly this document."""

    plan: InvoicePlan
    fingerprint: str
    lines: list[LinePreview]
    pending_because: tuple[WaitReason, ...]
    collects: bool
    money: MoneyPreview

    @property
    def exemption(self) -> str:
        """Return why the customer is exempt from tax, or an empty text."""
        return exemption_text(self.plan.tax_answer.exemption, self.plan.tax_answer.reason)


def preview_invoice(*, client: Client, account_no: int, request: BillingRequest) -> InvoicePreview:
    """Return the invoice that would be generated now, or raise its refusal. Writes nothing.

    Without lines there is nothing to bill, and generating would only move the account's dates.
    """
    (planned,) = preview_invoices(client=client, account_nos=[account_no], request=request)
    if isinstance(planned, Refused):
        raise planned.error
    plan = planned.plan
    content = content_of(client, plan)
    pending_because = reasons_for_pending(client, plan, forced=request.force_pending)
    collecting = IssuePolicy(client).collects(plan.kind)
    return InvoicePreview(
        plan, fingerprint(content), _lines(plan, content), pending_because, collecting, _money(client, plan, collecting)
    )


def _lines(plan: InvoicePlan, content: Document) -> list[LinePreview]:
    document = Invoice(currency=plan.facts.state.currency.code)
    lines = [InvoiceLine(invoice=document, **columns_of(line)) for line in content.lines]
    return [
        LinePreview(
            line,
            tuple(line_explanation(line)),
            tuple(credit for credit in plan.credits if credit.credited_line_no == line.line_no),
            tuple(tax for tax in plan.taxes if tax.taxed_line_no == line.line_no),
        )
        for line in lines
    ]


def _money(client: Client, plan: InvoicePlan, collecting: bool) -> MoneyPreview:
    """Calculate what issuing would do with the account's money now."""
    state, total = plan.facts.state, plan.total_amount
    credits = open_credits([state.account_no]).get(state.account_no, [])
    from_credit = sum((part.amount for part in oldest_first(credits, [OpenItem(NOT_WRITTEN, total)])), ZERO)
    money = MoneyPreview(from_credit, total - from_credit)
    if not collecting:
        return money
    method = methods_of([state.account_no]).get(state.account_no)
    payer = PayerFacts(state.is_test, state.status, method is not None)
    thresholds = dict(client.collection_thresholds.values_list("currency", "amount"))
    refusal = why_nothing_collected(
        CollectRequest(NOT_WRITTEN, state.account_no), money.due, state.currency.code, thresholds, payer
    )
    if refusal is not None:
        return money._replace(why_not=refusal.shown)
    return money._replace(collected=money.due, method=method)
