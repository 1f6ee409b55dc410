"""PURE: adjustments of pending documents. The calculation is that of rebills; a pending document keeps its kind and number.

An adjustment names a generated line by what it charges, not by its number, so that it can be applied again to newly generated
lines.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import NoneType
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

from invoices.basis import ChargeBasis
from invoices.document import Document, Line
from rebills.plan import RebillPlan
from rebills.plan.differences import KINDS, Difference, Names
from rebills.plan.discounts import FIELD
from rebills.plan.lines import ADDED, AMOUNT_GIVEN
from rebills.plan.requests import RequestedLine, RequestedUsage

T = TypeVar("T", RequestedLine, RequestedUsage)

EXPLANATIONS = {AMOUNT_GIVEN: "amount set before approval", ADDED: "added before approval"}
ON_ORIGINAL = " on the original"
NOT_STORED = ("line_no", "path", "prefix")
NAMES_OF_CHARGES = ("plan_instance_no", "service_no", "period_start")


ALL_LINES = 0
"""Stands for the line number of an adjustment of the whole document."""

OF_DOCUMENT = {"document": True}


class Wanted(NamedTuple):
    """An adjustment as it is stored: the line, charge or document that it changes, or None if it adds a line, and the
    change."""

    line: dict[str, Any] | None
    change: dict[str, Any]

    @property
    def is_of_usage(self) -> bool:
        return self.line is not None and "charge" in self.line

    @property
    def is_of_document(self) -> bool:
        return self.line == OF_DOCUMENT


def line_keys(lines: Iterable[Line]) -> dict[int, dict[str, Any]]:
    """Return what each line but taxes charges, by line number: its type, service, plan instance, days, band, order and coupon.

    Lines that are the same in all of this are counted, in their order.
    """
    seen: Counter[str] = Counter()
    keys = {}
    for line in lines:
        if line.is_tax:
            continue
        key = {
            "line_type": line.line_type,
            "service_no": line.service_id,
            "plan_instance_no": line.plan_instance_id,
            "period_start": _text(line.period_start),
            "period_end": _text(line.period_end),
            "tier_no": line.tier_no,
            "order_no": line.order_no,
            "coupon_code": line.coupon_code,
        }
        seen[str(key)] += 1
        keys[line.line_no] = {**key, "nth": seen[str(key)]}
    return keys


def charge_key(charge: ChargeBasis) -> dict[str, Any]:
    """Return what a metered charge is: its plan instance, service and first day."""
    return {
        "charge": {
            "plan_instance_no": charge.plan_instance_no,
            "service_no": charge.service_no,
            "period_start": _text(charge.period_start),
        }
    }


def stored_change(requested: RequestedLine | RequestedUsage) -> dict[str, Any]:
    """Return a requested change as JSON values, without the line that it names."""
    blank = requested._field_defaults
    left_out = (*NOT_STORED, *(NAMES_OF_CHARGES if isinstance(requested, RequestedUsage) else ()), "client_service_id")
    values = {name: value for name, value in requested._asdict().items() if name not in left_out}
    if isinstance(requested, RequestedLine) and requested.client_service_id is not None:
        values["client_service_id"] = requested.client_service_id
    return {name: _text(value) for name, value in values.items() if name not in blank or value != blank[name]}


def stored_discount(percent: Decimal) -> dict[str, Any]:
    """Return a discount on all lines as JSON values."""
    return {FIELD: _text(percent)}


def requested_discount(change: Mapping[str, Any]) -> Decimal:
    """Return a stored discount on all lines as it was requested."""
    return Decimal(change[FIELD])


def discount_change(change: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the discount of an adjustment as a changed column, if it has one."""
    return [{"column": FIELD, "before": None, "after": change[FIELD]}] if FIELD in change else []


def requested_line(change: Mapping[str, Any], line_no: int, path: str) -> RequestedLine:
    """Return a stored change as it was requested, of this line."""
    return RequestedLine(line_no=line_no, path=path, **_read(RequestedLine, change))


def requested_usage(line: Mapping[str, Any], change: Mapping[str, Any], path: str) -> RequestedUsage:
    """Return stored units of a metered charge as they were requested."""
    return RequestedUsage(path=path, **_read(RequestedUsage, {**line["charge"], **change}))


def _read(shape: type[T], values: Mapping[str, Any]) -> dict[str, Any]:
    kinds = get_type_hints(shape)
    return {name: _value(kinds[name], value) for name, value in values.items()}


def _value(kind: Any, value: Any) -> Any:
    kinds = {one for one in get_args(kind) or (kind,) if one is not NoneType}
    if value is None or not kinds & {Decimal, date}:
        return value
    return Decimal(value) if Decimal in kinds else date.fromisoformat(value)


def _text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value.isoformat() if isinstance(value, date) else value


def adjusted_document(generated: Document, plan: RebillPlan) -> Document:
    """Return a generated document with its adjustments, planned as if it were rebilled.

    Kind, period of the plans and printed buyer stay. Its lines name the generated lines that they come from in
    `source_line_no`.
    """
    content = plan.content
    same_buyer = _buyers(generated) == _buyers(content)
    return replace(
        content,
        terms=replace(content.terms, kind=generated.terms.kind),
        parties=generated.parties if same_buyer else content.parties,
        lines=tuple(replace(line, explanation=_explained(line.explanation)) for line in content.lines),
        periods=generated.periods,
        correction=None,
    )


def _buyers(content: Document) -> set[int | None]:
    return {line.bill_to_contact_id for line in content.lines if not line.is_tax}


def _explained(explanation: str) -> str:
    if explanation.endswith(ON_ORIGINAL):
        return f"{explanation.removesuffix(ON_ORIGINAL)} as generated"
    return EXPLANATIONS.get(explanation, explanation)


def as_generated(generated: Document) -> Document:
    """Return a generated document as a version without adjustments: each line comes from itself."""
    return replace(
        generated, lines=tuple(line if line.is_tax else replace(line, source_line_no=line.line_no) for line in generated.lines)
    )


def changes_of(row: Difference, names: Names) -> list[dict[str, Any]]:
    """Return what an adjustment changed of a line, by column, with the values before and after as texts. The amount of a line
    that is left out is empty afterwards, and that of an added one before."""
    if row.is_excluded:
        return [{"column": "amount", "before": _text(row.original.net), "after": None}]
    if row.line_no is None:
        return [{"column": "amount", "before": None, "after": _text(row.rebill.net)}]
    return [
        {
            "column": one.column,
            "before": _named(one.column, one.before, names),
            "after": _named(one.column, one.after, names),
        }
        for one in row.changed
    ]


def _named(column: str, value: Any, names: Names) -> Any:
    return names.get((KINDS.get(column, ""), value), _text(value))
