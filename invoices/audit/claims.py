"""Check that a document holds exactly what it bills and uses, and nothing once it is discarded."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from invoices.audit.amounts import shown
from invoices.audit.holdings import HeldOrder
from invoices.audit.stored_documents import StoredDocument
from invoices.calculation import ONE, ZERO
from invoices.document import Line
from invoices.kinds import LineType

UsageKey = tuple[int | None, int | None]
"""A plan instance and a service."""


def count_usage(document: StoredDocument) -> int:
    return sum(held.records for held in document.holdings.usage)


def count_orders(document: StoredDocument) -> int:
    return len(document.holdings.orders)


def count_uses(document: StoredDocument) -> int:
    return len(document.holdings.coupons) + len(document.holdings.credits)


def usage(document: StoredDocument) -> Iterator[str]:
    """Check that usage lines bill as many units as the document holds. A discarded or voided document must hold none."""
    held: dict[UsageKey, Decimal] = {(one.plan_instance_no, one.service_no): one.units for one in document.holdings.usage}
    if not document.is_live:
        for key, units in held.items():
            yield f"is {document.state.status}, but holds {shown(units)} units of {_usage_of(*key)}"
        return
    billed: dict[UsageKey, list[Line]] = defaultdict(list)
    for line in document.lines:
        # Lines that raise a charge to its minimum or reduce it to its maximum have no units.
        if line.line_type == LineType.USAGE and line.units is not None:
            billed[line.plan_instance_id, line.service_id].append(line)
    for key in dict.fromkeys((*billed, *held)):
        units = sum((line.units or ZERO for line in billed[key]), ZERO)
        if held.get(key, ZERO) != units and not _may_be_flat(billed[key], held.get(key, ZERO)):
            yield f"bills {shown(units)} units of {_usage_of(*key)}, but holds {shown(held.get(key, ZERO))}"


def _usage_of(instance_no: int | None, service_no: int | None) -> str:
    return f"service {service_no} of plan instance {instance_no}"


def _may_be_flat(lines: list[Line], held: Decimal) -> bool:
    """Return whether these lines may be a flat fee, which has 1 unit whatever the usage, or 0 if it was charged before.

    A line does not store that its price is flat. So any line without a band that has 1 or 0 units may be a flat fee.
    """
    others = [line.units for line in lines if line.tier_no is not None or line.units not in (ZERO, ONE)]
    return len(others) < len(lines) and held > sum((units or ZERO for units in others), ZERO)


def orders(document: StoredDocument) -> Iterator[str]:
    """Check that each order line has its order with the same units and rate, held by this document, and each order its line."""
    held = {order.order_no: order for order in document.holdings.orders}
    lines = Counter(line.order_no for line in document.lines)
    for line in document.lines:
        if (line.line_type == LineType.ORDER) != (line.order_no is not None):
            yield f"line {line.line_no} is of type {line.line_type}, and names {_order(line.order_no)}"
    if not document.is_live:
        for order_no in held:
            yield f"is {document.state.status}, but holds order {order_no}"
        return
    for line in document.lines:
        if line.order_no is not None:
            yield from _differing(line, held.get(line.order_no))
    for order_no in held:
        if lines[order_no] != 1:
            yield f"holds order {order_no}, but has {lines[order_no]} lines of it"


def _order(order_no: int | None) -> str:
    return "no order" if order_no is None else f"order {order_no}"


def _differing(line: Line, order: HeldOrder | None) -> Iterator[str]:
    if order is None:
        yield f"line {line.line_no} bills order {line.order_no}, which the document does not hold"
    elif (line.units, line.rate_per_unit) != (order.units, order.rate_per_unit):
        yield (
            f"line {line.line_no} bills {_at(line.units, line.rate_per_unit)}, but order {order.order_no} is of "
            f"{_at(order.units, order.rate_per_unit)}"
        )


def _at(units: Decimal | None, rate: Decimal | None) -> str:
    one, other = ("none" if value is None else shown(value) for value in (units, rate))
    return f"{one} units at {other}"


def uses(document: StoredDocument) -> Iterator[str]:
    """Check that each coupon line has its use, each service credit line a use of the same amount, and each use its line.

    While a document with adjustments is pending, it uses what was generated. If a document is not live or was rebilled, its
    coupon may have been withdrawn; then the use is gone. A rebill uses coupons and service credits only when it is issued.
    """
    document = _using(document)
    lines = {line.line_no: line for line in document.lines}
    for coupon in document.holdings.coupons:
        if not _is_of_type(lines.get(coupon.line_no), LineType.COUPON):
            yield f"uses coupon redemption {coupon.redemption_no} on line {coupon.line_no}, which is not a coupon"
    for credit in document.holdings.credits:
        line = lines.get(credit.line_no)
        if line is None or line.line_type != LineType.SERVICE_CREDIT or line.gives_days_back:
            yield f"uses service credit {credit.credit_no} on line {credit.line_no}, which is not a service credit"
        elif credit.amount != -line.amount:
            yield (
                f"uses {shown(credit.amount)} of service credit {credit.credit_no} on line {line.line_no}, "
                f"which credits {shown(-line.amount)}"
            )
    used = Counter([one.line_no for one in document.holdings.coupons] + [one.line_no for one in document.holdings.credits])
    for line in document.lines:
        if line.gives_days_back:
            continue
        unused_coupon = line.line_type == LineType.COUPON and (document.is_rebilled or not document.is_live)
        may_be_unused = unused_coupon or (document.is_rebill and not document.is_issued)
        if line.is_credit and used[line.line_no] != 1 and not (may_be_unused and not used[line.line_no]):
            yield f"line {line.line_no} shows {used[line.line_no]} uses of a coupon or credit"


def _using(document: StoredDocument) -> StoredDocument:
    """Return the document whose lines use coupons and credits: until it is issued, as it was generated."""
    return document if document.is_issued else document.as_generated


def count_unused_days(document: StoredDocument) -> int:
    return len(document.holdings.unused_days)


def unused_days(document: StoredDocument) -> Iterator[str]:
    """Check that each line that credits unused days names the line that charged them, and credits that amount.

    A credit memo may credit unused days too, for an account that gets no further invoice.
    """
    document = _using(document)
    lines = {line.line_no: line for line in document.lines}
    known = {one.line_no: one for one in document.holdings.unused_days}
    for line_no, one in known.items():
        line = lines.get(line_no)
        if line is None or not (line.gives_days_back or document.is_memo):
            yield f"credits unused days of plan instance {one.plan_instance_no} on line {line_no}, which is no such credit"
        elif (line.amount, line.plan_instance_id) != (-one.amount, one.plan_instance_no):
            yield (
                f"credits {shown(one.amount)} of plan instance {one.plan_instance_no} on line {line_no}, which is "
                f"{shown(line.amount)} of plan instance {line.plan_instance_id}"
            )
        elif line.gives_days_back and (line.period_start, line.period_end) != (one.first_day, one.last_day):
            yield f"line {line_no} is for {line.period_start} to {line.period_end}, not {one.first_day} to {one.last_day}"
    may_be_unknown = document.is_memo or (document.is_rebill and not document.is_issued)
    for line in document.lines:
        if line.gives_days_back and line.line_no not in known and not may_be_unknown:
            yield f"line {line.line_no} credits {shown(-line.amount)} for unused days, but not of which line"


def _is_of_type(line: Line | None, line_type: LineType) -> bool:
    return line is not None and line.line_type == line_type
