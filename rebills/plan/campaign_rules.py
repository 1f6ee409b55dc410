"""PURE: what the rules of a campaign change on the lines of one document, as a rebill is requested.

Rules are applied in their order, each to what the earlier ones have left. Changes of single lines from a file come last.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.document import Document, Line
from rebills.kinds import PRICE_CHANGES, RuleChange
from rebills.plan.discounts import calculated_lines, discount_factor, is_calculated, multiplied, shortened
from rebills.plan.requests import RequestedLine, RequestedUsage

USAGE = "usage_units"
"""The field of a file that corrects the total units of a metered charge."""


class Rule(NamedTuple):
    """One change, and the lines that it is made on: those that match each condition which is not empty.

    `value` is the rate, factor, percentage, units or amount; `text` the PO number or text; `number` the contact or location, or
    the service of an added line, whose price is `value` as an amount, or as a rate if `units` are given. `decimals` rounds new
    rates. `charged_from` and `charged_until` are of the days that a line charges; `at_rate` is its rate on the document.
    """

    change: RuleChange
    value: Decimal | None = None
    text: str = ""
    number: int | None = None
    units: Decimal | None = None
    decimals: int | None = None
    comments: str = ""
    services: tuple[int, ...] = ()
    plans: tuple[int, ...] = ()
    line_types: tuple[int, ...] = ()
    charged_from: date | None = None
    charged_until: date | None = None
    at_rate: Decimal | None = None


class LineValue(NamedTuple):
    """A change of one line from a file: `value` has the type of the field."""

    line_no: int
    field: str
    value: Any


PriceOn = Callable[[Line, bool], Decimal | None]
"""The rate of a line's charge on its first day: the customer's price if the second argument is true, else the list price. None
if there is none, or not one for the band of the line."""


class LineFacts(NamedTuple):
    """What rules need beside a document: the plan of each plan instance, and the prices."""

    plans: Mapping[int, int]
    price_on: PriceOn


class Requested(NamedTuple):
    """The lines and usage corrections of a rebill. Both are empty if nothing matches."""

    lines: tuple[RequestedLine, ...] = ()
    usage: tuple[RequestedUsage, ...] = ()
    retax: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.lines or self.usage)


def requested_changes(original: Document, rules: Sequence[Rule], values: Sequence[LineValue], facts: LineFacts) -> Requested:
    """Return what the rules and the values from a file change on a document.

    Refuses (90182) a rule that cannot be applied to a line that it matches, and a value for a line that the document lacks.
    """
    lines = {line.line_no: RequestedLine(line.line_no) for line in original.lines if not line.is_tax}
    untouched = dict(lines)
    calculated = calculated_lines(original)
    for rule in rules:
        if rule.change == RuleChange.ADD:
            number = max([*lines, *(line.line_no for line in original.lines)]) + 1
            lines[number] = _added(rule, number)
            continue
        for line in original.lines:
            if line.line_no in lines and _matches(rule, line, facts) and not _is_left(rule, line, calculated):
                lines[line.line_no] = _changed(lines[line.line_no], line, rule, original, facts)
    usage = []
    for one in values:
        if one.field == USAGE:
            usage.append(RequestedUsage(one.value, f"line {one.line_no}", line_no=one.line_no))
        else:
            lines[one.line_no] = _with_value(lines, one)
    changed = tuple(one for number, one in sorted(lines.items()) if one != untouched.get(number))
    return Requested(changed, tuple(usage))


def _is_left(rule: Rule, line: Line, calculated: frozenset[int]) -> bool:
    """Whether a change of prices leaves a line to be calculated again from the others, or a coupon or credit as it is.

    A rule that names the type of the line means it.
    """
    if rule.change in (RuleChange.LIST_PRICE, RuleChange.VALID_PRICE) and line.plan_instance_id is None:
        return True  # An order has no price in the catalogue.
    if rule.change not in PRICE_CHANGES or line.line_type in rule.line_types:
        return False
    return is_calculated(line, calculated)


def _matches(rule: Rule, line: Line, facts: LineFacts) -> bool:
    first, last = line.period_start, line.period_end
    return (
        (not rule.services or line.service_id in rule.services)
        and (not rule.plans or facts.plans.get(line.plan_instance_id or 0) in rule.plans)
        and (not rule.line_types or line.line_type in rule.line_types)
        and (rule.charged_from is None or (last is not None and last >= rule.charged_from))
        and (rule.charged_until is None or (first is not None and first <= rule.charged_until))
        and (rule.at_rate is None or line.rate_per_unit == rule.at_rate)
    )


def _added(rule: Rule, line_no: int) -> RequestedLine:
    line = RequestedLine(line_no, service_no=rule.number, description=rule.text or None, comments=rule.comments)
    return line._replace(amount=rule.value) if rule.units is None else line._replace(rate_per_unit=rule.value, units=rule.units)


def _changed(one: RequestedLine, line: Line, rule: Rule, original: Document, facts: LineFacts) -> RequestedLine:
    change = rule.change
    if rule.comments:
        one = one._replace(comments=rule.comments)
    if change == RuleChange.DROP:
        return one._replace(exclude=True)
    if change == RuleChange.RETAX:
        return one._replace(retax=True)
    if change in TEXTS:
        return _replaced(one, TEXTS[change], rule.text)
    if change in PLACES:
        return _replaced(one, PLACES[change], rule.number)
    if change == RuleChange.AMOUNT:
        return one._replace(amount=rule.value)
    if change == RuleChange.UNITS:
        if line.tier_no is not None:
            raise _not_applicable(line, Detail("its units are spread over bands; correct its usage by a file"))
        return one._replace(units=rule.value)
    if change in (RuleChange.FACTOR, RuleChange.DISCOUNT):
        return multiplied(one, line, _factor(rule), rule.decimals, original.currency)
    return one._replace(rate_per_unit=_rate(line, rule, facts))


TEXTS: Mapping[RuleChange, str] = {RuleChange.PO_NUM: "po_num", RuleChange.DESCRIPTION: "description"}
PLACES: Mapping[RuleChange, str] = {
    RuleChange.BILL_TO: "bill_to_address_seq",
    RuleChange.SHIP_TO: "ship_to_address_seq",
    RuleChange.BILL_FROM: "bill_from_location_no",
    RuleChange.SHIP_FROM: "ship_from_location_no",
}


def _factor(rule: Rule) -> Decimal:
    value = rule.value or ZERO
    return value if rule.change == RuleChange.FACTOR else discount_factor(value)


def _rate(line: Line, rule: Rule, facts: LineFacts) -> Decimal:
    if line.has_own_tax:
        raise _not_applicable(line, Detail("it gives money back and has only an amount; use a factor"))
    if rule.change == RuleChange.RATE:
        return rule.value or ZERO
    price = facts.price_on(line, rule.change == RuleChange.VALID_PRICE)
    if price is None:
        raise _not_applicable(line, Detail("there is no price for it on {day}", day=line.period_start))
    return price if rule.decimals is None else shortened(price, rule.decimals)


def _with_value(lines: Mapping[int, RequestedLine], one: LineValue) -> RequestedLine:
    if one.line_no not in lines and one.field != "service_no":
        detail = Detail("line {line_no} does not exist on the invoice", line_no=one.line_no)
        raise BillingError(ErrorCode.RULE_NOT_APPLICABLE, detail)
    line = lines.get(one.line_no, RequestedLine(one.line_no))
    return _replaced(line, one.field, one.value)


def _replaced(line: RequestedLine, field: str, value: Any) -> RequestedLine:
    changed: dict[str, Any] = {field: value}
    return line._replace(**changed)


def _not_applicable(line: Line, why: Detail) -> BillingError:
    detail = Detail("line {line_no}: {why}", line_no=line.line_no, why=why)
    return BillingError(ErrorCode.RULE_NOT_APPLICABLE, detail)


def is_any_priced(rules: Iterable[Rule]) -> bool:
    """Return whether one of the rules needs prices."""
    return any(rule.change in (RuleChange.LIST_PRICE, RuleChange.VALID_PRICE) for rule in rules)
