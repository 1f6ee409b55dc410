"""PURE: from an issued invoice and what is asked of its lines to the rebill that would be issued, with all that follows.

Knows nothing of the database, of who asks, or of what day it is. This is the preview, and what recording stores.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import ZERO, total
from invoices.fingerprints import TERM_FIELDS, Content, Correction, DocumentLine, document_parts, fingerprint_of, moved_of
from invoices.kinds import InvoiceKind
from invoices.plan import tax_lines
from invoices.plan.drafts import LineDraft
from invoices.plan.tax_answers import TaxAnswer
from invoices.tax_engines.protocol import LineTax
from rebills.plan.differences import Amounts, Difference, Recounted, differences
from rebills.plan.lines import NEW_LINE, PlannedLine, PlannedLines
from rebills.plan.money import MoneyPlan, plan_money
from rebills.plan.requests import MoneyFacts, RebillFacts
from rebills.plan.taxes import rebill_taxes
from rebills.plan.taxing import LineTaxing, TaxedBefore

SEEN_PARTS = ("lines", "credits", "taxes")


class RebillPlan(NamedTuple):
    """A rebill as it will be stored, beside its original. What offsets the original is the exact negative of that."""

    facts: RebillFacts
    content: Content
    differences: tuple[Difference, ...]
    money: MoneyPlan
    tax_answer: TaxAnswer = TaxAnswer()

    @property
    def original(self) -> Amounts:
        return _totals(self.facts.original)

    @property
    def rebill(self) -> Amounts:
        return _totals(self.content)

    @property
    def excluded(self) -> list[Difference]:
        return [row for row in self.differences if row.is_excluded]

    @property
    def recounted(self) -> list[Difference]:
        """The lines that were counted again, as what they were counted from has changed."""
        return [row for row in self.differences if row.is_recounted]

    @property
    def recounted_lines(self) -> list[int]:
        """The numbers that such lines have on the rebill. Of some nothing is left."""
        return [row.rebill_line_no for row in self.recounted if row.rebill_line_no is not None]

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self._parts())

    def moved(self, seen: str) -> list[str]:
        """What of it is not as it was seen: lines, credits, taxes, the payments it takes over, or what is collected."""
        return moved_of(seen, self._parts())

    def _parts(self) -> Mapping[str, str]:
        document, money = document_parts(self.content), self.money
        paid = (money.carried, money.from_credit, money.to_other_invoices, money.left_as_credit)
        return {
            **{name: document[name] for name in SEEN_PARTS},
            "payments": " ".join(str(amount.normalize()) for amount in paid),
            "collection": str(money.collect_now.normalize()),
        }

    def with_money(self, money: MoneyFacts) -> "RebillPlan":
        """The same rebill, where the account's money has moved."""
        return self._replace(money=_money(self.facts._replace(money=money), self.content))


def plan_rebill(
    facts: RebillFacts, planned: PlannedLines, taxed: TaxedBefore, taxing: Mapping[int, LineTaxing], quoted: Iterable[LineTax]
) -> RebillPlan:
    """The rebill of these lines with its taxes. `taxing` says of each line that charges how it is taxed."""
    likes = {number: one.like for number, one in taxing.items()}
    taxes = rebill_taxes(taxed.taxes, planned, likes, quoted)
    shown = tax_lines(taxes, len(planned.lines), facts.currency)
    lines = [*(one.line for one in planned.lines), *(_tax_line(draft) for draft in shown.lines)]
    net = total(one.line.amount for one in planned.lines)
    amounts = {
        "net_amount": net - shown.included,
        "tax_amount": shown.included + shown.added,
        "total_amount": total([net, shown.added]),
    }
    if amounts["total_amount"] < ZERO:
        detail = f"its lines and taxes amount to {amounts['total_amount'].normalize():f}; take less off"
        raise BillingError(ErrorCode.REBILL_BELOW_ZERO, detail, field="lines")
    content = Content(
        terms=_terms(facts.original, lines, amounts),
        parties=(*facts.original.parties[:3], dict(_bill_to(facts, lines))),
        lines=[tuple(line) for line in lines],
        credits=planned.credits,
        taxes=[tuple(detail) for detail in shown.details],
        periods=[],
        correction=_correction(facts, planned.lines, len(shown.lines)),
        basis=planned.basis,
        tax_basis=taxed.basis_of_rebill(planned.lines, asks=None in likes.values()),
    )
    recounted = frozenset(one.line.line_no for one in planned.lines if one.is_recounted)
    again = {number: one.again for number, one in taxing.items()}
    rows = [
        row._replace(taxed_again=again.get(row.rebill_line_no or 0, ()))
        for row in differences(facts.original, content, facts.names, Recounted(recounted, planned.fell_away))
    ]
    return RebillPlan(facts, content, tuple(rows), _money(facts, content))


def _bill_to(facts: RebillFacts, lines: Iterable[DocumentLine]) -> Mapping[str, str]:
    """Who is printed as billed, as the contact is now, which is also where lines are taxed: the bill-to contact of the lines.
    Of several it is the account's billing contact, or else the first. Without any, the original's buyer."""
    named = list(dict.fromkeys(line.bill_to_contact_id for line in lines if line.bill_to_contact_id is not None))
    if not named:
        buyer: Mapping[str, str] = facts.original.parties[3]
        return buyer
    return facts.parties[facts.bill_to_contact if facts.bill_to_contact in named else named[0]]


def _terms(original: Content, lines: Iterable[DocumentLine], amounts: Mapping[str, Any]) -> tuple[Any, ...]:
    """Those of the original, of the days that the rebill's own lines are of. Number and dates are given when it is issued."""
    spans = [(line.period_start, line.period_end) for line in lines if line.period_start and line.period_end]
    terms = {
        **dict(zip(TERM_FIELDS, original.terms, strict=True)),
        "kind": InvoiceKind.REBILL.value,
        "period_start": min((start for start, _ in spans), default=original.term("period_start")),
        "period_end": max((end for _, end in spans), default=original.term("period_end")),
        **amounts,
        **NOT_ISSUED,
    }
    return tuple(terms[name] for name in TERM_FIELDS)


NOT_ISSUED = {"invoice_date": None, "due_date": None, "series": "", "number": None, "document_number": ""}


def _correction(facts: RebillFacts, lines: Iterable[PlannedLine], tax_lines: int) -> Correction:
    """A tax line replaces none: the taxes are counted again."""
    planned = list(lines)
    sources = [one.source.line_no if one.source else None for one in planned]
    return Correction(
        facts.invoice_no,
        facts.reason_code,
        facts.comments,
        (*sources, *[None] * tax_lines),
        (*(one.comments for one in planned), *[""] * tax_lines),
    )


def _tax_line(draft: LineDraft) -> DocumentLine:
    return NEW_LINE._replace(
        line_no=draft.line_no,
        line_type=draft.line_type,
        description=draft.description,
        amount=draft.amount,
        explanation="",
    )


def _money(facts: RebillFacts, content: Content) -> MoneyPlan:
    original, rebill = _totals(facts.original).total, _totals(content).total
    return plan_money(facts.money, original, rebill, collects=facts.collects)


def _totals(content: Content) -> Amounts:
    return Amounts(content.term("net_amount"), content.term("tax_amount"))
