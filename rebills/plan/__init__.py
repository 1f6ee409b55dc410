"""PURE: plan a rebill from an issued invoice and the requested changes to its lines.

No database, no caller, no clock. The same plan is shown as the preview and stored when the rebill is recorded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from billing_site.common.currencies import named_amount
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO, total
from invoices.document import Correction, Document, Line, Terms, period_of
from invoices.fingerprints import document_parts, fingerprint_of, moved_of
from invoices.kinds import InvoiceKind
from invoices.plan import tax_lines
from invoices.plan.tax_answers import TaxAnswer
from invoices.tax_engines.protocol import LineTax
from rebills.plan.differences import Amounts, Difference, Recounted, differences
from rebills.plan.lines import PlannedLines
from rebills.plan.money import MoneyPlan, plan_money
from rebills.plan.requests import MoneyFacts, RebillFacts
from rebills.plan.taxes import rebill_taxes
from rebills.plan.taxing import LineTaxing, TaxedBefore

SEEN_PARTS = ("lines", "credits", "taxes")


class RebillPlan(NamedTuple):
    """A rebill as it will be stored, and its original. The credit memo is the exact negative of the original."""

    facts: RebillFacts
    content: Document
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
    def credited(self) -> Amounts:
        """The amounts of the credit memo, which are negative."""
        return Amounts().less(self.original)

    @property
    def difference(self) -> Amounts:
        return self.rebill.less(self.original)

    @property
    def excluded_lines(self) -> list[int]:
        """The original line numbers of the lines that are left out."""
        return [row.line_no for row in self.excluded if row.line_no is not None]

    @property
    def recounted(self) -> list[Difference]:
        """The lines that were recalculated because the amounts that they depend on changed."""
        return [row for row in self.differences if row.is_recounted]

    @property
    def recounted_lines(self) -> list[int]:
        """The rebill line numbers of the recalculated lines. A line that fell to zero is not on the rebill and has none."""
        return [row.rebill_line_no for row in self.recounted if row.rebill_line_no is not None]

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self._parts())

    def moved(self, seen: str) -> list[str]:
        """Name the parts that differ from the fingerprint `seen`: lines, credits, taxes, payments, collection."""
        return moved_of(seen, self._parts())

    def _parts(self) -> Mapping[str, str]:
        document, money = document_parts(self.content), self.money
        paid = (money.carried, money.from_credit, money.to_other_invoices, money.left_as_credit, money.refunded)
        return {
            **{name: document[name] for name in SEEN_PARTS},
            "payments": " ".join(str(amount.normalize()) for amount in paid),
            "collection": str(money.collect_now.normalize()),
        }

    def with_answer(self, answer: TaxAnswer) -> "RebillPlan":
        """Return the same rebill with its tax answer, and the exemption in it as a term of the document."""
        terms = replace(self.content.terms, **answer.exemption_columns)
        return self._replace(tax_answer=answer, content=replace(self.content, terms=terms))

    def with_money(self, money: MoneyFacts) -> "RebillPlan":
        """Return the same rebill with its money planned from newer facts of the account."""
        money = money._replace(payments=self.facts.money.payments)
        return self._replace(money=_money(self.facts._replace(money=money), self.content))


def plan_rebill(
    facts: RebillFacts, planned: PlannedLines, taxed: TaxedBefore, taxing: Mapping[int, LineTaxing], quoted: Iterable[LineTax]
) -> RebillPlan:
    """Return the rebill of these lines with taxes, differences and money. `taxing` has each charging line's tax source, by line
    number.

    Refuses with 90058 if lines and taxes together are below 0.
    """
    likes = {number: one.like for number, one in taxing.items()}
    taxes = rebill_taxes(taxed.taxes, planned, likes, quoted)
    shown = tax_lines(taxes, len(planned.lines), facts.currency)
    lines = (*(one.line for one in planned.lines), *shown.lines)
    net = total(one.line.amount for one in planned.lines)
    terms = _terms(facts.original.terms, lines, net - shown.included, shown.included + shown.added, total([net, shown.added]))
    if terms.total_amount < ZERO:
        detail = Detail(
            "its lines and taxes amount to {total_amount}; take less off",
            total_amount=named_amount(terms.total_amount, facts.currency.code),
        )
        raise BillingError(ErrorCode.REBILL_BELOW_ZERO, detail, field="lines")
    content = Document(
        terms=terms,
        parties=replace(facts.original.parties, bill_to=dict(_bill_to(facts, lines))),
        lines=lines,
        credits=planned.credits,
        taxes=shown.details,
        correction=Correction(corrects_id=facts.invoice_no, reason_code=facts.reason_code, comments=facts.comments),
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


def _bill_to(facts: RebillFacts, lines: Iterable[Line]) -> Mapping[str, str]:
    """Return the printed buyer: the current bill-to contact of the lines, whose address is also the one taxed.

    If the lines have several, it is the account's billing contact if among them, else the first. If they have none, the buyer
    printed on the original.
    """
    named = list(dict.fromkeys(line.bill_to_contact_id for line in lines if line.bill_to_contact_id is not None))
    if not named:
        return facts.original.parties.bill_to
    return facts.parties[facts.bill_to_contact if facts.bill_to_contact in named else named[0]]


def _terms(original: Terms, lines: Iterable[Line], net: Decimal, tax: Decimal, both: Decimal) -> Terms:
    """Return the original's terms with the rebill's amounts and the period of its own lines. Number and dates are set at
    issue."""
    period_start, period_end = period_of(lines, (original.period_start, original.period_end))
    return original.unissued(
        kind=InvoiceKind.REBILL.value,
        period_start=period_start,
        period_end=period_end,
        net_amount=net,
        tax_amount=tax,
        total_amount=both,
    )


def _money(facts: RebillFacts, content: Document) -> MoneyPlan:
    original, rebill = _totals(facts.original).total, _totals(content).total
    return plan_money(facts.money, original, rebill, collects=facts.collects, credit_to=facts.credit_to)


def _totals(content: Document) -> Amounts:
    return Amounts(content.terms.net_amount, content.terms.tax_amount)
