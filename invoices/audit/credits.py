"""What coupons, service credits and maximums take off is taken off charges, and no more than these have left."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from invoices.audit.amounts import shown
from invoices.audit.stored_documents import StoredDocument
from invoices.calculation import ZERO
from invoices.document import Line
from invoices.kinds import LineType

# The charges that may have a maximum.
PLAN_TYPES = (LineType.RECURRING, LineType.ACTIVATION, LineType.USAGE, LineType.ARREARS)


def count_credit_lines(document: StoredDocument) -> int:
    return sum(line.is_reduction for line in document.lines)


def count_credits(document: StoredDocument) -> int:
    return len(document.credits)


def credit_lines(document: StoredDocument) -> Iterator[str]:
    """Coupons and credits are below zero, and of charges what is above a maximum; all of it is spread by credit details."""
    spread: dict[int, Decimal] = defaultdict(Decimal)
    for credit in document.credits:
        spread[credit.credit_line_no] += credit.amount
    for line in document.lines:
        if not line.is_reduction:
            continue
        if line.is_credit and line.amount >= ZERO:
            yield f"line {line.line_no} is to take something off, but is {shown(line.amount)}"
        elif not line.is_credit and not (_is_above_maximum(line) or _may_be_given_back(line, document)):
            yield f"line {line.line_no} of type {line.line_type} is {shown(line.amount)}, which no such charge may be"
        if spread[line.line_no] != -line.amount:
            yield (
                f"line {line.line_no} takes off {shown(-line.amount)}, but its credit details add up to "
                f"{shown(spread[line.line_no])}"
            )


def _may_be_given_back(line: Line, document: StoredDocument) -> bool:
    """An order at a rate below zero, and on a rebill any line."""
    is_return = line.line_type == LineType.ORDER and line.rate_per_unit is not None and line.rate_per_unit < ZERO
    return is_return or document.is_rebill


def _is_above_maximum(line: Line) -> bool:
    return line.line_type in PLAN_TYPES and line.rate_per_unit is None


def credit_details(document: StoredDocument) -> Iterator[str]:
    """A credit detail ties a line that takes off to a line that charges, which is credited no more than its amount.

    What is above a maximum is taken off the lines of the same charge.
    """
    lines = {line.line_no: line for line in document.lines}
    for credit in document.credits:
        taking, charging = lines.get(credit.credit_line_no), lines.get(credit.credited_line_no)
        if taking is None or not taking.is_reduction:
            yield f"a credit detail names line {credit.credit_line_no} as taking something off, which does not"
        if charging is None or not charging.is_charge:
            yield f"a credit detail takes something off line {credit.credited_line_no}, which does not charge"
        elif taking is not None and _is_of_another_charge(taking, charging, document):
            yield f"line {taking.line_no} is above a maximum, but takes something off line {charging.line_no} of another charge"
        if credit.amount <= ZERO:
            yield f"line {credit.credit_line_no} takes {shown(credit.amount)} off line {credit.credited_line_no}"
    for line_no, left in left_of_charges(document).items():
        if left < ZERO:
            amount = lines[line_no].amount
            yield f"line {line_no} of {shown(amount)} is credited {shown(amount - left)}"


def _is_of_another_charge(taking: Line, charging: Line, document: StoredDocument) -> bool:
    """A rebill may bill a charge for another service; what is above its maximum is taken off it all the same."""
    return _is_above_maximum(taking) and taking.charge_key != charging.charge_key and not document.is_rebill


def left_of_charges(document: StoredDocument) -> dict[int, Decimal]:
    """What credits leave of each line that charges."""
    left = {line.line_no: line.amount for line in document.charge_lines}
    for credit in document.credits:
        if credit.credited_line_no in left:
            left[credit.credited_line_no] -= credit.amount
    return left
