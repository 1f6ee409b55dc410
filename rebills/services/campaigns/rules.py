"""Rules of a campaign as they are submitted, checked and stored."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from accounts.models import Client, Plan, Service, ServiceLocation
from billing_site.common.limits import LINE_COMMENTS_LENGTH, PO_NUM_LENGTH
from billing_site.common.members import unknown_name
from billing_site.common.written import day_of, decimal_of
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import LineType
from invoices.services.runs.filters import first_named, numbers_by_text
from rebills.kinds import RuleChange
from rebills.plan.campaign_rules import Rule
from rebills.plan.discounts import MOST_DECIMALS, why_no_percentage
from rebills.services.campaigns.selection import check_in_order

MOST_RULES = 50
NUMBERS = ("value", "units", "at_rate")
NEEDS_VALUE = (
    RuleChange.RATE,
    RuleChange.FACTOR,
    RuleChange.DISCOUNT,
    RuleChange.UNITS,
    RuleChange.AMOUNT,
    RuleChange.ADD,
)
NEEDS_NUMBER = (RuleChange.ADD, RuleChange.BILL_TO, RuleChange.SHIP_TO, RuleChange.BILL_FROM, RuleChange.SHIP_FROM)
MAY_BE_NEGATIVE = (RuleChange.AMOUNT, RuleChange.ADD)
USES_DECIMALS = (RuleChange.FACTOR, RuleChange.DISCOUNT, RuleChange.LIST_PRICE, RuleChange.VALID_PRICE)
DESCRIPTION_LENGTH = 200


def read_rules(client: Client, values: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Check rules as they are submitted, each an object with `change` and the other members of a Rule.

    Services and plans may be given by their numbers or the client's own ids. Refuses (1016) unknown members and values, a
    member that its change does not use, and one that it needs and does not have; the field names the rule from 0.
    """
    if len(values) > MOST_RULES:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("rules: at most {most} rules", most=MOST_RULES), field="rules")
    rules = []
    for place, one in enumerate(values):
        try:
            rules.append(_rule(client, one))
        except BillingError as error:
            raise error.within(f"rules[{place}]") from error
    return tuple(rules)


def stored_rules(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Return rules as a campaign stores them: only the members that are not empty."""
    return [{name: _storable(value) for name, value in rule._asdict().items() if value not in (None, "", ())} for rule in rules]


def rules_of(stored: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Return the rules that a campaign stores."""
    return tuple(_of_stored(one) for one in stored)


def _storable(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, RuleChange):
        return value.value
    return str(value) if isinstance(value, Decimal | date) else value


def _of_stored(stored: Mapping[str, Any]) -> Rule:
    parts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    parts["change"] = RuleChange(parts["change"])
    for name in NUMBERS:
        if name in parts:
            parts[name] = Decimal(parts[name])
    for name in ("charged_from", "charged_until"):
        if name in parts:
            parts[name] = date.fromisoformat(parts[name])
    return Rule(**parts)


def _rule(client: Client, given: Mapping[str, Any]) -> Rule:
    for name in given:
        if name not in Rule._fields:
            raise BillingError(
                ErrorCode.INVALID_INPUT, unknown_name(name, Rule._fields, what="Unknown member"), field=name, instead=True
            )
    if given.get("change") not in RuleChange.values:
        raise _wrong("change", Detail("{value} is no change", value=str(given.get("change"))))
    change = RuleChange(given["change"])
    rule = Rule(
        change,
        value=_number("value", given.get("value")),
        text=_text("text", given.get("text"), PO_NUM_LENGTH if change == RuleChange.PO_NUM else DESCRIPTION_LENGTH),
        number=_whole("number", given.get("number")),
        units=_number("units", given.get("units")),
        decimals=_whole("decimals", given.get("decimals"), most=MOST_DECIMALS),
        comments=_text("comments", given.get("comments"), LINE_COMMENTS_LENGTH),
        services=_named(client, Service, "client_service_id", given, "services"),
        plans=_named(client, Plan, "client_plan_id", given, "plans"),
        line_types=_line_types(given),
        charged_from=_day("charged_from", given.get("charged_from")),
        charged_until=_day("charged_until", given.get("charged_until")),
        at_rate=_number("at_rate", given.get("at_rate")),
    )
    check_in_order("charged_from", rule.charged_from, rule.charged_until)
    _check_members(rule)
    _check_numbers(client, rule)
    return rule


def _check_members(rule: Rule) -> None:
    """Refuse a member that the change needs and lacks, or has and does not use: nothing is ignored."""
    change = rule.change
    uses_text = change in (RuleChange.PO_NUM, RuleChange.DESCRIPTION, RuleChange.ADD)
    used = {
        "value": change in NEEDS_VALUE,
        "number": change in NEEDS_NUMBER,
        "text": uses_text,
        "units": change == RuleChange.ADD,
        "decimals": change in USES_DECIMALS,
    }
    needed = {"value": change in NEEDS_VALUE, "number": change in NEEDS_NUMBER, "text": change == RuleChange.DESCRIPTION}
    for name, is_used in used.items():
        is_given = getattr(rule, name) not in (None, "")
        if is_given and not is_used:
            raise _wrong(name, Detail("the change {change} does not use it; leave it out", change=change.value))
        if needed.get(name) and not is_given:
            raise _wrong(name, Detail("the change {change} needs it", change=change.value))
    conditions = ("services", "plans", "line_types", "charged_from", "charged_until", "at_rate")
    for name in conditions if change == RuleChange.ADD else ():
        if getattr(rule, name) not in (None, ()):
            raise _wrong(name, Detail("a line is added to each invoice; leave conditions on lines out"))


def _check_numbers(client: Client, rule: Rule) -> None:
    change, value = rule.change, rule.value
    if value is not None and value < 0 and change not in MAY_BE_NEGATIVE:
        raise _wrong("value", Detail("{value} is below 0", value=f"{value.normalize():f}"))
    why = why_no_percentage(value) if change == RuleChange.DISCOUNT and value is not None else None
    if why is not None:
        raise _wrong("value", why)
    rows: dict[RuleChange, Any] = {
        RuleChange.ADD: Service,
        RuleChange.BILL_FROM: ServiceLocation,
        RuleChange.SHIP_FROM: ServiceLocation,
    }
    if change in rows and not rows[change].objects.filter(client=client, pk=rule.number).exists():
        raise _wrong("number", Detail("{number} does not exist", number=rule.number))


def _named(client: Client, model: Any, own_id: str, given: Mapping[str, Any], name: str) -> tuple[int, ...]:
    texts = _texts(given, name)
    found = numbers_by_text(model.objects.filter(client=client), own_id, texts)
    unknown = [text for text in texts if text not in found]
    if unknown:
        raise _wrong(name, Detail("{listed} not valid", listed=first_named(unknown)))
    return tuple(sorted(set(found.values())))


def _line_types(given: Mapping[str, Any]) -> tuple[int, ...]:
    texts = _texts(given, "line_types")
    known = {str(number) for number in LineType.values if number != LineType.TAX}
    unknown = [text for text in texts if text not in known]
    if unknown:
        raise _wrong("line_types", Detail("{listed} not valid", listed=first_named(unknown)))
    return tuple(sorted(int(text) for text in texts))


def _texts(given: Mapping[str, Any], name: str) -> list[str]:
    values = given.get(name) or []
    if isinstance(values, str | Mapping) or not isinstance(values, Collection):
        raise _wrong(name, Detail("it must be a list"))
    return list(dict.fromkeys(str(value).strip() for value in values))


def _number(name: str, value: Any) -> Decimal | None:
    if value in (None, ""):
        return None
    why = Detail("{value} is not a number with at most 10 digits and 10 decimals", value=str(value)[:40])
    try:
        number = decimal_of(value)
    except ValueError:
        raise _wrong(name, why) from None
    exponent = number.as_tuple().exponent
    if abs(number) >= 10**10 or (isinstance(exponent, int) and exponent < -MOST_DECIMALS):
        raise _wrong(name, why)
    return number


def _whole(name: str, value: Any, *, most: int = 10**18) -> int | None:
    if value in (None, ""):
        return None
    text = str(value).strip()
    if not text.isdecimal() or int(text) > most:
        raise _wrong(name, Detail("{value} is not a whole number from 0 to {most}", value=text[:40], most=most))
    return int(text)


def _text(name: str, value: Any, longest: int) -> str:
    text = str(value or "").strip()
    if len(text) > longest:
        raise _wrong(name, Detail("it has more than {longest} characters", longest=longest))
    return text


def _day(name: str, value: Any) -> date | None:
    if not value or isinstance(value, date):
        return value or None
    try:
        return day_of(str(value))
    except ValueError:
        raise BillingError(ErrorCode.INVALID_DATE, Detail("{name}: {value}", name=name, value=str(value)), field=name) from None


def _wrong(name: str, why: Detail) -> BillingError:
    return BillingError(ErrorCode.INVALID_INPUT, Detail("{name}: {why}", name=name, why=why), field=name)
