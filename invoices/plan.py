"""PURE: from facts already read to the document that would be written. This is the preview, and what recording stores.

Knows nothing of the database, of who asks, or of what day it is: the request says the day.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.kinds import BILLABLE_STATUSES
from accounts.periods import InstanceDates, Period, cycles_due, next_bill_date
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import ONE, ZERO, line_amount, proration_factor, total
from invoices.kinds import InvoiceKind, LineType
from invoices.tax_engines.protocol import LineTax


class ChargeFacts(NamedTuple):
    """A recurring charge of a plan instance, at the price that holds for it. `list_rate` is set where it is its own."""

    service_no: int
    service_name: str
    gl_code: str
    tax_category: str
    tax_inclusive: bool
    location_no: int | None
    rate: Decimal
    list_rate: Decimal | None


class InstanceFacts(NamedTuple):
    plan_instance_no: int
    dates: InstanceDates
    plan_name: str
    interval: int
    currency: str
    units: Decimal
    po_num: str
    charges: tuple[ChargeFacts, ...]


class BillingState(NamedTuple):
    """The facts of an account that a plan stands on: when one of them has moved, the plan is void."""

    account_no: int
    status: int
    is_test: bool
    currency: str
    bill_day: int | None
    next_bill_date: date | None
    last_bill_date: date | None
    plans_version: int


class AccountFacts(NamedTuple):
    """Everything that is read of an account before it is billed."""

    state: BillingState
    approval_required: bool
    payment_terms_days: int
    instances: tuple[InstanceFacts, ...]
    pending_invoice_no: int | None
    approved_invoice_no: int | None
    advance_bill_date: date | None
    bill_to: dict[str, str]
    bill_to_contact_no: int | None
    taxed_contact_no: int | None


class BillingRequest(NamedTuple):
    """What is asked of a generation, the same for every account of a batch."""

    today: date
    advance: bool = False
    alt_bill_day: int | None = None
    force_pending: bool = False


class LineDraft(NamedTuple):
    """A line that is not stored yet."""

    line_no: int
    line_type: int
    description: str
    amount: Decimal
    service_no: int | None = None
    plan_instance_no: int | None = None
    plan_name: str = ""
    gl_code: str = ""
    tax_category: str = ""
    tax_inclusive: bool = False
    units: Decimal | None = None
    rate_per_unit: Decimal | None = None
    list_rate_per_unit: Decimal | None = None
    proration_factor: Decimal = ONE
    proration_text: str = ""
    period_start: date | None = None
    period_end: date | None = None
    po_num: str = ""
    location_no: int | None = None


class TaxDraft(NamedTuple):
    """What one tax takes from one line, and the tax line that shows it."""

    tax_line_no: int
    taxed_line_no: int
    authority: str
    authority_level: int
    jurisdiction: str
    percent: Decimal
    is_inclusive: bool
    taxable_amount: Decimal
    amount: Decimal


class PeriodDraft(NamedTuple):
    plan_instance_no: int
    start: date
    end: date


class InvoicePlan(NamedTuple):
    """A document to be written, and where its account stands once it is approved. Without lines there is nothing to bill."""

    facts: AccountFacts
    kind: InvoiceKind
    bill_date: date
    bill_day: int
    tax_date: date
    next_bill_date: date | None
    periods: tuple[PeriodDraft, ...]
    lines: tuple[LineDraft, ...]
    taxes: tuple[TaxDraft, ...] = ()
    net_amount: Decimal = ZERO
    tax_amount: Decimal = ZERO
    total_amount: Decimal = ZERO

    @property
    def account_no(self) -> int:
        return self.facts.state.account_no


def check_billable(facts: AccountFacts, request: BillingRequest) -> tuple[date, int]:
    """The bill date and bill day of the cycle that may be billed now, or the refusal that says why none may."""
    state = facts.state
    if state.is_test:
        raise BillingError(ErrorCode.TEST_ACCOUNT)
    if state.status not in BILLABLE_STATUSES:
        raise BillingError(ErrorCode.ACCOUNT_STATUS, f"status {state.status}")
    if facts.pending_invoice_no is not None:
        raise BillingError(ErrorCode.PENDING_INVOICE, f"invoice {facts.pending_invoice_no}")
    bill_day = _bill_day(facts, request)
    if state.next_bill_date is None or bill_day is None:
        raise BillingError(ErrorCode.NO_BILLABLE_PLAN)
    if request.advance and facts.advance_bill_date is not None and facts.advance_bill_date > request.today:
        raise BillingError(
            ErrorCode.BILL_DATE_IN_FUTURE, f"the cycle of {facts.advance_bill_date} has an advance invoice already"
        )
    if not request.advance and state.next_bill_date > request.today:
        raise BillingError(ErrorCode.BILL_DATE_IN_FUTURE, f"{state.next_bill_date}")
    return state.next_bill_date, bill_day


def _bill_day(facts: AccountFacts, request: BillingRequest) -> int | None:
    """The account's bill day, or the alternate one: a day of the month, on the first invoice, in the current cycle only."""
    alternate = request.alt_bill_day
    if alternate is None:
        return facts.state.bill_day
    if not 1 <= alternate <= 31:
        raise BillingError(ErrorCode.ALT_BILL_DAY_RANGE, field="alt_bill_day")
    if request.advance:
        raise BillingError(ErrorCode.ALT_BILL_DAY_NOT_FIRST, "not with invoice_mode 1", field="alt_bill_day")
    if facts.approved_invoice_no is not None:
        raise BillingError(
            ErrorCode.ALT_BILL_DAY_NOT_FIRST, f"the account has invoice {facts.approved_invoice_no}", field="alt_bill_day"
        )
    return alternate


def plan_charges(facts: AccountFacts, request: BillingRequest) -> InvoicePlan:
    """The oldest unbilled cycle of an account, before tax: one line per charge and period, plan instance by plan instance."""
    bill_date, bill_day = check_billable(facts, request)
    state = facts.state
    lines: list[LineDraft] = []
    periods: list[PeriodDraft] = []
    for instance in facts.instances:
        if instance.currency != state.currency:
            raise BillingError(ErrorCode.CURRENCY_MISMATCH, f"{instance.plan_name}: {instance.currency}")
        cycles = list(cycles_due(instance.dates, bill_date, bill_day, instance.interval))
        if cycles:
            periods.append(PeriodDraft(instance.plan_instance_no, cycles[0].start, cycles[-1].end))
            lines.extend(_lines(instance, cycles, state.currency, len(lines) + 1))
    billed_through = {period.plan_instance_no: period.end for period in periods}
    after = [
        one.dates._replace(billed_through=billed_through.get(one.plan_instance_no, one.dates.billed_through))
        for one in facts.instances
    ]
    amount = total(line.amount for line in lines)
    return InvoicePlan(
        facts=facts,
        kind=InvoiceKind.ADVANCE if bill_date > request.today else InvoiceKind.RECURRING,
        bill_date=bill_date,
        bill_day=bill_day,
        tax_date=request.today,
        next_bill_date=next_bill_date(after, bill_day, bill_date),
        periods=tuple(periods),
        lines=tuple(lines),
        net_amount=amount,
        total_amount=amount,
    )


def _lines(instance: InstanceFacts, cycles: Sequence[Period], currency: str, line_no: int) -> list[LineDraft]:
    lines: list[LineDraft] = []
    for period in cycles:
        factor = proration_factor(period.days, period.full_days)
        text = "" if period.is_whole else f"{period.days} of {period.full_days} days"
        for charge in instance.charges:
            lines.append(
                LineDraft(
                    line_no + len(lines),
                    LineType.RECURRING.value,
                    charge.service_name,
                    line_amount(charge.rate, instance.units, factor, currency),
                    charge.service_no,
                    instance.plan_instance_no,
                    instance.plan_name,
                    charge.gl_code,
                    charge.tax_category,
                    charge.tax_inclusive,
                    instance.units,
                    charge.rate,
                    charge.list_rate,
                    factor,
                    text,
                    period.start,
                    period.end,
                    instance.po_num,
                    charge.location_no,
                )
            )
    return lines


def with_taxes(plan: InvoicePlan, quoted: Iterable[LineTax]) -> InvoicePlan:
    """The plan with one tax line per tax, last on the document, and a detail per taxed line.

    A tax that prices contain adds nothing: its line shows 0 and its details say how much of the total it is.
    """
    groups: dict[tuple[object, ...], list[LineTax]] = {}
    for tax in quoted:
        groups.setdefault((tax.authority, tax.authority_level, tax.jurisdiction, tax.percent, tax.is_inclusive), []).append(tax)
    lines = list(plan.lines)
    details: list[TaxDraft] = []
    included = added = ZERO
    for taxes in groups.values():
        first = taxes[0]
        amount = total(tax.amount for tax in taxes)
        line_no = len(lines) + 1
        lines.append(LineDraft(line_no, LineType.TAX.value, _tax_text(first, amount), ZERO if first.is_inclusive else amount))
        # In the order in which they are read back: a fingerprint does not depend on the order of an engine's answer.
        details.extend(TaxDraft(line_no, *tax) for tax in sorted(taxes, key=lambda tax: tax.line_no))
        if first.is_inclusive:
            included += amount
        else:
            added += amount
    return plan._replace(
        lines=tuple(lines),
        taxes=tuple(details),
        net_amount=plan.net_amount - included,
        tax_amount=included + added,
        total_amount=total([plan.net_amount, added]),
    )


def _tax_text(tax: LineTax, amount: Decimal) -> str:
    text = f"{tax.authority} {tax.percent.normalize():f} % ({tax.jurisdiction})"
    return f"{text}, {amount} included in prices" if tax.is_inclusive else text
