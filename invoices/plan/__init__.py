"""PURE: plan the document that would be written, from facts that were read before. A preview shows the plan, and recording
writes it.

The plan does not know the database, the caller or the clock; the request has the date. Lines are in this order: charges by plan
instance, one-time charges, surcharges, coupons, service credits, returns that are taxed themselves, unused days, taxes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import takewhile
from typing import NamedTuple

from accounts.kinds import BILLABLE_STATUSES
from accounts.periods import InstanceDates, arrears_cycles, arrears_due, cycles_due, ended_through, next_bill_date
from accounts.vat_categories import default_category
from billing_site.common.currencies import Currency
from billing_site.errors import BillingError, Detail, ErrorCode, listed
from invoices.basis import Basis
from invoices.calculation import ZERO, total
from invoices.document import Credit, Line, Period, Tax
from invoices.kinds import CYCLE_KINDS, InvoiceKind, LineType
from invoices.plan.billing_again import arrears_again, instance_before
from invoices.plan.charges import add_advance, add_arrears, add_orders, add_plan_minimum, add_returns, add_surcharges, add_usage
from invoices.plan.credits import add_coupons, add_service_credits
from invoices.plan.drafts import Claims, Lines, UsageClaim, fitted
from invoices.plan.facts import AccountFacts, BillingRequest, BillingState, InstanceFacts, OrderFacts
from invoices.plan.rating import shown
from invoices.plan.tax_answers import TaxAnswer
from invoices.plan.unused import Unused, give_back, unused_of
from invoices.tax_basis import TaxBasis
from invoices.tax_engines.protocol import LineTax


class BilledTo(NamedTuple):
    """How far an account is billed: the bill date of its newest cycle, and that of its newest recurring invoice."""

    last_bill_date: date
    arrears_due_from: date


class InvoicePlan(NamedTuple):
    """A document to be written, and the dates of its account after it is approved. Without lines there is nothing to bill.

    `left` is what credits leave of each charge, by line number; taxes are calculated on it. The prices of `gross_lines` contain
    tax. `instances_after` are the dates of the billed plan instances, by number. `unused` are days to credit or to charge
    again. `left_out` names usage and orders that are too large for an invoice and stay unbilled.
    """

    facts: AccountFacts
    kind: InvoiceKind
    bill_date: date
    bill_day: int
    tax_date: date
    next_bill_date: date | None
    billed_to: BilledTo
    orders_due: date | None
    instances_after: Mapping[int, InstanceDates]
    periods: tuple[Period, ...]
    lines: tuple[Line, ...]
    credits: tuple[Credit, ...]
    claims: Claims
    left: dict[int, Decimal]
    gross_lines: frozenset[int]
    unused: tuple[Unused, ...] = ()
    basis: Basis = Basis()
    left_out: tuple[str, ...] = ()
    taxes: tuple[Tax, ...] = ()
    tax_basis: TaxBasis | None = None
    net_amount: Decimal = ZERO
    tax_amount: Decimal = ZERO
    total_amount: Decimal = ZERO
    tax_answer: TaxAnswer = TaxAnswer()

    @property
    def account_no(self) -> int:
        return self.facts.state.account_no

    @property
    def moves_dates(self) -> bool:
        """Return whether issuing the document moves the account's dates: it bills a cycle for the first time."""
        return self.kind in CYCLE_KINDS and self.facts.again is None

    @property
    def charges(self) -> bool:
        """Return whether there is something to bill: lines, or credited days that are used again."""
        return bool(self.lines) or any(one.amount < ZERO for one in self.unused)


def check_billable(facts: AccountFacts, request: BillingRequest) -> tuple[date, int]:
    """Return the bill date and bill day of the cycle that may be billed now.

    Refuses a test account (7001), its status (7002), a pending invoice (7006), no cycle that is due (7003, 7007), an alternate
    bill day that is not allowed (5020, 7026), a voided invoice with nothing to bill again (90083), and a final invoice while a
    plan runs (90192). One-off charges are billed today, whatever the account's dates and pending invoice are.
    """
    state = facts.state
    if state.is_test:
        raise BillingError(ErrorCode.TEST_ACCOUNT)
    if state.status not in BILLABLE_STATUSES:
        raise BillingError(ErrorCode.ACCOUNT_STATUS, Detail("status {status}", status=state.status))
    if request.one_off is not None:
        return request.today, state.bill_day or request.today.day
    if facts.pending_invoice_no is not None:
        raise BillingError(ErrorCode.PENDING_INVOICE, Detail("invoice {invoice_no}", invoice_no=facts.pending_invoice_no))
    if facts.again is not None:
        if not facts.again.missing:
            raise BillingError(ErrorCode.NOTHING_TO_BILL_AGAIN, field="invoice_no")
        return facts.again.bill_date, facts.again.bill_day
    bill_day = _bill_day(facts, request)
    if state.next_bill_date is None or bill_day is None:
        raise BillingError(ErrorCode.NO_BILLABLE_PLAN)
    if request.advance and facts.advance_bill_date is not None and facts.advance_bill_date > request.today:
        raise BillingError(
            ErrorCode.BILL_DATE_IN_FUTURE,
            Detail("the cycle of {bill_date} already has an advance invoice", bill_date=facts.advance_bill_date),
        )
    if request.final:
        _check_final(facts, request)
        return request.today, bill_day
    if not request.advance and state.next_bill_date > request.today:
        raise BillingError(ErrorCode.BILL_DATE_IN_FUTURE, Detail("{bill_date}", bill_date=state.next_bill_date))
    return state.next_bill_date, bill_day


def _check_final(facts: AccountFacts, request: BillingRequest) -> None:
    """Refuse a final invoice while a plan runs, before the day after the last bill date, and of a cycle in advance (90192)."""
    today, last = request.today, facts.state.last_bill_date
    if request.advance or request.alt_bill_day is not None:
        detail = Detail("a final invoice bills what is left; leave invoice_mode and alt_bill_day out")
        raise BillingError(ErrorCode.NOT_FINAL, detail, field="final")
    running = next((one for one in facts.instances if one.dates.end is None or one.dates.end >= today), None)
    if running is not None:
        detail = Detail(
            "plan instance {instance} runs on {today}; end it on an earlier day first",
            instance=running.plan_instance_no,
            today=today,
        )
        raise BillingError(ErrorCode.NOT_FINAL, detail, field="final")
    if last is not None and last >= today:
        detail = Detail("the account is billed up to {last}; generate it on a later day", last=last)
        raise BillingError(ErrorCode.NOT_FINAL, detail, field="final")


def _bill_day(facts: AccountFacts, request: BillingRequest) -> int | None:
    """Return the account's bill day, or the alternate one, which is allowed for the first invoice of the current cycle only."""
    alternate = request.alt_bill_day
    if alternate is None:
        return facts.state.bill_day
    if not 1 <= alternate <= 31:
        raise BillingError(ErrorCode.ALT_BILL_DAY_RANGE, field="alt_bill_day")
    if request.advance:
        raise BillingError(
            ErrorCode.ALT_BILL_DAY_NOT_FIRST, Detail("alt_bill_day is not allowed with invoice_mode 1"), field="alt_bill_day"
        )
    if facts.approved_invoice_no is not None:
        raise BillingError(
            ErrorCode.ALT_BILL_DAY_NOT_FIRST,
            Detail("the account already has invoice {invoice_no}", invoice_no=facts.approved_invoice_no),
            field="alt_bill_day",
        )
    return alternate


def plan_charges(facts: AccountFacts, request: BillingRequest) -> InvoicePlan:
    """Plan the oldest unbilled cycle of an account, before tax: charges, usage, orders, surcharges, coupons and credits.

    An advance invoice has only what is charged in advance; usage, arrears and orders are billed on the bill date. Refuses as
    `check_billable`, a charge without a valid price (90011, 90010), and lines that are too large together (90008).
    """
    bill_date, bill_day = check_billable(facts, request)
    state = facts.state
    kind = InvoiceKind.ADVANCE if bill_date > request.today else InvoiceKind.RECURRING
    if facts.again is not None:
        kind = facts.again.kind
    if request.one_off is not None:
        kind = InvoiceKind.ONE_OFF
    lines = Lines(state.currency, facts.contacts)
    due = [one for one in facts.orders if request.one_off is not None or _is_due(one, kind, request.today)]
    with _naming_largest(state, lines.drafts):
        periods, usage = _add_plan_instances(lines, facts, kind, bill_date, bill_day)
        orders = add_orders(lines, due)
        add_surcharges(lines, facts.surcharges, bill_date)
        coupons = add_coupons(lines, facts.coupons)
        credits = add_service_credits(lines, facts.credits, bill_date)
        orders += add_returns(lines, (one for one in due if one.order_no not in orders))
        amount = total(line.amount for line in lines.drafts)
    if request.one_off is not None and len(orders) < len(due):
        raise BillingError(ErrorCode.NOT_ON_ONE_INVOICE, listed(lines.left_out))
    claims = Claims(tuple(usage), tuple(orders), tuple(coupons), tuple(credits))
    billed_to = billed_to_after(state, kind, bill_date)
    after = _dates_after(facts, kind, periods)
    is_ordered = any(one.charge_date <= bill_date for one in facts.orders)
    orders_due = bill_date if kind is InvoiceKind.ADVANCE and is_ordered else None
    next_due = state.next_bill_date
    if kind in CYCLE_KINDS:
        next_due = _next_after(facts, after, bill_day, billed_to, orders_due)
    return InvoicePlan(
        facts=facts,
        kind=kind,
        bill_date=bill_date,
        bill_day=bill_day,
        tax_date=request.today,
        next_bill_date=next_due,
        billed_to=billed_to,
        orders_due=orders_due,
        instances_after={one.plan_instance_id: after[one.plan_instance_id] for one in periods} if facts.again is None else {},
        periods=tuple(periods),
        lines=tuple(lines.drafts),
        credits=tuple(lines.credits),
        claims=claims,
        left=lines.left,
        gross_lines=frozenset(lines.gross),
        unused=tuple(unused_of(facts.charged_days, state.currency)),
        basis=lines.basis,
        left_out=tuple(lines.left_out),
        net_amount=amount,
        total_amount=amount,
    )


def _is_due(order: OrderFacts, kind: InvoiceKind, today: date) -> bool:
    """Return whether an invoice of a cycle bills a charge: an advance invoice has none, and a later charge waits."""
    return kind is InvoiceKind.RECURRING and order.charge_date <= today


LARGEST_NAMED = 3
"""The number of lines that a refusal of their sum names."""


@contextmanager
def _naming_largest(state: BillingState, lines: Sequence[Line]) -> Iterator[None]:
    """Add the account and its largest lines to a refusal of amounts that are too large together (90008).

    Recurring lines are not left out one by one, as usage and orders are, because their cycle would count as billed.
    """
    try:
        yield
    except BillingError as error:
        if error.code is not ErrorCode.AMOUNT_TOO_LARGE:
            raise
        largest = sorted(lines, key=lambda line: line.amount, reverse=True)[:LARGEST_NAMED]
        named = ", ".join(f"{line.description} {shown(line.amount, state.currency)}" for line in largest)
        advice = Detail("lower their units or prices, or end a plan")
        detail = Detail(
            "account {account_no}: {detail}; the largest lines in {currency} are {named}; {advice}",
            account_no=state.account_no,
            detail=error.detail,
            currency=str(state.currency),
            named=named,
            advice=advice,
        )
        if not largest:
            detail = Detail(
                "account {account_no}: {detail}; {advice}", account_no=state.account_no, detail=error.detail, advice=advice
            )
        raise BillingError(error.code, detail) from error


def _add_plan_instances(
    lines: Lines, facts: AccountFacts, kind: InvoiceKind, bill_date: date, bill_day: int
) -> tuple[list[Period], list[UsageClaim]]:
    """Add the lines of all plan instances. Returns the periods that they bill in advance, and the usage that they bill."""
    periods: list[Period] = []
    usage: list[UsageClaim] = []
    for instance in facts.instances:
        again = facts.again
        due = arrears_due(instance.dates, bill_date, bill_day, facts.state.arrears_due_from)
        in_arrears = list(due if again is None else arrears_again(instance, again))
        in_advance = instance if again is None else instance_before(instance, again.missing)
        periods += _bill_in_advance(lines, in_advance, bill_date, bill_day)
        if kind is InvoiceKind.RECURRING and instance.dates.in_arrears:
            add_arrears(lines, instance, in_arrears, bill_day)
            usage += add_usage(
                lines, instance, in_arrears, bill_day, partial(ended_through, instance.dates, bill_date, bill_day)
            )
            add_plan_minimum(lines, instance, in_arrears, bill_day)
    return periods, usage


def _next_after(
    facts: AccountFacts, after: Mapping[int, InstanceDates], bill_day: int, billed_to: BilledTo, orders_due: date | None
) -> date | None:
    """Return the account's next bill date. Billing a voided invoice's periods again does not change it."""
    if facts.again is not None:
        return facts.state.next_bill_date
    return next_bill_date(after.values(), bill_day, *billed_to, orders_due)


def billed_to_after(state: BillingState, kind: str, bill_date: date) -> BilledTo:
    """Return how far an account is billed after a cycle. An advance invoice does not change which arrears are open."""
    arrears_due_from = None if kind == InvoiceKind.RECURRING else state.arrears_due_from
    return BilledTo(max(bill_date, state.last_bill_date or bill_date), arrears_due_from or bill_date)


def instance_after(dates: InstanceDates, kind: str, end: date, arrears_due_from: date | None) -> InstanceDates:
    """Return the dates of a plan instance after a document bills it to `end`.

    If an advance invoice is the first to bill it, its arrears are due from its start. To know this later, `ahead_since` stores
    the account's `arrears_due_from`.
    """
    is_first_ahead = kind == InvoiceKind.ADVANCE and dates.billed_through is None
    return dates._replace(billed_through=end, ahead_since=arrears_due_from if is_first_ahead else dates.ahead_since)


def _bill_in_advance(lines: Lines, instance: InstanceFacts, bill_date: date, bill_day: int) -> list[Period]:
    cycles = list(cycles_due(instance.dates, bill_date, bill_day))
    if not cycles:
        return []
    add_advance(lines, instance, cycles, bill_day)
    return [Period(plan_instance_id=instance.plan_instance_no, start_date=cycles[0].start, end_date=cycles[-1].end)]


def _dates_after(facts: AccountFacts, kind: InvoiceKind, periods: Iterable[Period]) -> dict[int, InstanceDates]:
    """Return the dates of all plan instances after the document bills these periods, by number."""
    after = {one.plan_instance_no: one.dates for one in facts.instances}
    for one in periods:
        number = one.plan_instance_id
        after[number] = instance_after(after[number], kind, one.end_date, facts.state.arrears_due_from)
    return after


def unbilled_usage(facts: AccountFacts, today: date) -> tuple[Line, ...]:
    """Return the usage lines of an account as if every cycle ended today."""
    lines = Lines(facts.state.currency)
    bill_day = facts.state.bill_day
    for instance in facts.instances:
        if bill_day is not None:
            cycles = arrears_cycles(instance.dates, bill_day, facts.state.arrears_due_from)
            running = list(takewhile(lambda cycle: cycle.start <= today, cycles))
            add_usage(lines, instance, running, bill_day, lambda interval: today, is_running=True)
    return tuple(lines.drafts)


def with_taxes(plan: InvoicePlan, quoted: Iterable[LineTax], basis: TaxBasis) -> InvoicePlan:
    """Return the plan with credits of unused days, tax lines, and the data that taxes were calculated from.

    Unused days are credited up to the amount of the charges and their taxes. Tax lines come last, one per tax.
    """
    with _naming_largest(plan.facts.state, plan.lines):
        return _with_taxes(plan, list(quoted), basis)


def _with_taxes(plan: InvoicePlan, quoted: list[LineTax], basis: TaxBasis) -> InvoicePlan:
    currency = plan.facts.state.currency
    room = total([plan.net_amount, *(tax.amount for tax in quoted if not tax.is_inclusive)])
    back = give_back(plan.unused, room, len(plan.lines), plan.facts.contacts, currency)
    lines = (*plan.lines, *back.lines)
    taxes = tax_lines([*quoted, *back.taxes], len(lines), currency)
    amount = total(line.amount for line in lines)
    return plan._replace(
        lines=(*lines, *taxes.lines),
        claims=plan.claims._replace(unused=back.claims),
        taxes=taxes.details,
        tax_basis=basis,
        net_amount=amount - taxes.included,
        tax_amount=taxes.included + taxes.added,
        total_amount=total([amount, taxes.added]),
    )


class TaxLines(NamedTuple):
    """Tax lines and their details. `included` is the tax that prices contain, `added` the tax that is added to them."""

    lines: tuple[Line, ...]
    details: tuple[Tax, ...]
    included: Decimal
    added: Decimal


def tax_lines(quoted: Iterable[LineTax], after: int, currency: Currency) -> TaxLines:
    """Return one line per tax, numbered from `after` + 1, and one detail per taxed line.

    The line of a tax that prices contain shows 0, because it adds nothing.
    """
    groups: dict[tuple[object, ...], list[LineTax]] = {}
    for tax in quoted:
        groups.setdefault((*tax[1:6], *tax[-2:]), []).append(tax)
    lines: list[Line] = []
    details: list[Tax] = []
    included = added = ZERO
    for taxes in groups.values():
        first = taxes[0]
        amount = total(tax.amount for tax in taxes)
        line_no = after + len(lines) + 1
        text = _tax_text(first, shown(amount, currency))
        shown_amount = ZERO if first.is_inclusive else amount
        lines.append(Line(line_no=line_no, line_type=LineType.TAX.value, description=text, amount=shown_amount))
        # In the order in which they are read back, so that a fingerprint does not depend on the engine's order.
        details.extend(_detail(line_no, tax) for tax in sorted(taxes, key=lambda tax: tax.line_no))
        if first.is_inclusive:
            included += amount
        else:
            added += amount
    return TaxLines(tuple(lines), tuple(details), included, added)


def _detail(tax_line_no: int, tax: LineTax) -> Tax:
    return Tax(
        tax_line_no=tax_line_no,
        taxed_line_no=tax.line_no,
        authority=tax.authority,
        authority_level=tax.authority_level,
        jurisdiction=tax.jurisdiction,
        percent=tax.percent,
        is_inclusive=tax.is_inclusive,
        taxable_amount=tax.taxable_amount,
        amount=tax.amount,
        vat_category=tax.vat_category or default_category(tax.percent),
        exemption_reason=tax.exemption_reason,
    )


def _tax_text(tax: LineTax, amount: str) -> str:
    text = f"{tax.authority} {tax.percent.normalize():f} % ({tax.jurisdiction})"
    return fitted(f"{text}, {amount} included in prices" if tax.is_inclusive else text)
