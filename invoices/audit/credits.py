"""Check that coupons, service credits and maximums are spread over charges, and credit no charge beyond its amount."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from invoices.audit.amounts import shown
from invoices.audit.stored_documents import StoredDocument
from invoices.calculation import ZERO
from invoices.document import Line
from invoices.kinds import PLAN_TYPES, LineType

# Only these charges can have a maximum.


def count_credit_lines(document: StoredDocument) -> int:
    return sum(line.is_reduction for line in document.lines)


def count_credits(document: StoredDocument) -> int:
    return len(document.credits)


def credit_lines(document: StoredDocument) -> Iterator[str]:
    """Check that credit lines are below zero, and that credit details spread each completely."""
    spread: dict[int, Decimal] = defaultdict(Decimal)
    for credit in document.credits:
        spread[credit.credit_line_no] += credit.amount
    for line in document.lines:
        if not line.is_reduction:
            continue
        if line.is_credit and line.amount >= ZERO:
            yield f"line {line.line_no} is a credit, but is {shown(line.amount)}"
        elif not line.is_credit and not (_is_above_maximum(line) or _may_be_given_back(line, document)):
            yield f"line {line.line_no} of type {line.line_type} is {shown(line.amount)}, but cannot be below zero"
        if spread[line.line_no] != -line.amount:
            yield (
                f"line {line.line_no} credits {shown(-line.amount)}, but its credit details add up to "
                f"{shown(spread[line.line_no])}"
            )


def _may_be_given_back(line: Line, document: StoredDocument) -> bool:
    """Return whether a charge may be below zero: an order with a negative rate, or any line that a person may have changed."""
    is_return = line.line_type == LineType.ORDER and line.rate_per_unit is not None and line.rate_per_unit < ZERO
    return is_return or document.is_changed_by_hand


def _is_above_maximum(line: Line) -> bool:
    return line.line_type in PLAN_TYPES and line.rate_per_unit is None


def credit_details(document: StoredDocument) -> Iterator[str]:
    """Check that each credit detail connects a credit line with a charge, which is not credited beyond its amount.

    An amount above a maximum must be spread over lines of the same charge.
    """
    lines = {line.line_no: line for line in document.lines}
    for credit in document.credits:
        taking, charging = lines.get(credit.credit_line_no), lines.get(credit.credited_line_no)
        if taking is None or not taking.is_reduction:
            yield f"a credit detail names line {credit.credit_line_no} as a credit, but it is not a credit"
        if charging is None or not charging.is_charge:
            yield f"a credit detail credits line {credit.credited_line_no}, which is not a charge"
        elif taking is not None and _is_of_another_charge(taking, charging, document):
            yield f"line {taking.line_no} applies a maximum, but credits line {charging.line_no} of another charge"
        if credit.amount <= ZERO:
            yield f"line {credit.credit_line_no} credits {shown(credit.amount)} of line {credit.credited_line_no}"
    for line_no, left in left_of_charges(document).items():
        if left < ZERO:
            amount = lines[line_no].amount
            yield f"line {line_no} of {shown(amount)} is credited {shown(amount - left)}"


def _is_of_another_charge(taking: Line, charging: Line, document: StoredDocument) -> bool:
    """If a person has changed them, the lines of a charge may have another service than the line that reduces it to its
    maximum. The line of a plan's minimum reduces every line that counts towards it."""
    minimum = next((one for one in document.content.basis.minimums if one.line_no == taking.line_no), None)
    if minimum is not None:
        return not minimum.counts(charging)
    return _is_above_maximum(taking) and taking.charge_key != charging.charge_key and not document.is_changed_by_hand


def left_of_charges(document: StoredDocument) -> dict[int, Decimal]:
    """Return what credits leave of each charge, by line number."""
    left = {line.line_no: line.amount for line in document.charge_lines}
    for credit in document.credits:
        if credit.credited_line_no in left:
            left[credit.credited_line_no] -= credit.amount
    return left
