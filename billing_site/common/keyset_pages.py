"""Paginate lists by the position of the last row, not by an offset. The last page of a million rows costs as much as the first,
and rows added meanwhile shift nothing.

A page is requested by `limit` (1 to 500) and by the opaque `cursor` of `next` or `previous`. `ordering` names one of the list's
orders, with `-` in front for descending. Rows with equal values are ordered by number. Missing values count as greatest.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db.models import F, Model, Q, QuerySet
from rest_framework.exceptions import ValidationError as WrongValue
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from billing_site.common.fields import LongField
from billing_site.errors import BillingError, Detail, ErrorCode, storable_message

PAGE_SIZE, LARGEST_PAGE = 50, 500


class Order(NamedTuple):
    """The column that rows are ordered by, before their number."""

    column: str = "pk"
    descending: bool = False

    @property
    def reversed(self) -> "Order":
        return Order(self.column, not self.descending)


class Position(NamedTuple):
    """The row after which a page begins: its value in the order's column, and its number."""

    value: Any
    pk: int


def ordered(rows: QuerySet[Any], order: Order) -> QuerySet[Any]:
    """Return the rows in this order, rows without a value after the greatest. An index on the column serves both directions."""
    if order.column == "pk":
        return rows.order_by("-pk" if order.descending else "pk")
    column = F(order.column)
    nullable = _nullable(rows, order)
    if order.descending:
        return rows.order_by(column.desc(nulls_first=True) if nullable else column.desc(), "-pk")
    return rows.order_by(column.asc(nulls_last=True) if nullable else column.asc(), "pk")


def first_after(rows: QuerySet[Any], order: Order, position: Position | None, count: int) -> list[Any]:
    """Return the first `count` rows after a position, or of all.

    Reads rows with and without a value by separate queries: with one condition for both, the index would not be used.
    """
    if position is None:
        return list(ordered(rows, order)[:count])
    found: list[Any] = []
    for stretch in _after(order, position, nullable=_nullable(rows, order)):
        if len(found) < count:
            found += ordered(rows.filter(stretch), order)[: count - len(found)]
    return found


def _nullable(rows: QuerySet[Any], order: Order) -> bool:
    return order.column != "pk" and rows.model._meta.get_field(order.column).null


def _after(order: Order, position: Position, *, nullable: bool) -> list[Q]:
    """Return conditions whose rows, one condition after the other, are those after the position."""
    compared = "lt" if order.descending else "gt"
    same = Q(**{f"pk__{compared}": position.pk})
    if order.column == "pk":
        return [same]
    empty = Q(**{f"{order.column}__isnull": True})
    if position.value is None:
        return [empty & same, ~empty] if order.descending else [empty & same]
    # The other conditions imply the first one. It is there so that the index on the column is used.
    beyond = Q(**{f"{order.column}__{compared}": position.value})
    reached = Q(**{f"{order.column}__{compared}e": position.value}) & (beyond | same)
    return [reached, empty] if nullable and not order.descending else [reached]


class Page(NamedTuple):
    """A page of rows, with the cursors of the previous and next page."""

    rows: list[Any]
    next: str | None
    previous: str | None


def page_of(rows: QuerySet[Any], order: Order, cursor: str | None = None, size: int = PAGE_SIZE) -> Page:
    """Return the page of a cursor, or the first page."""
    backwards, position = _read_cursor(cursor, rows.model, order)
    way = order.reversed if backwards else order
    found = first_after(rows, way, position, size + 1)
    more, page = len(found) > size, found[:size]
    if backwards:
        page.reverse()
    if not page:
        return Page([], None, None)
    return Page(
        page,
        _cursor(page[-1], order, before=False) if more or backwards else None,
        _cursor(page[0], order, before=True) if (more if backwards else position) else None,
    )


def in_chunks(rows: QuerySet[Any], order: Order, size: int) -> Iterator[list[Any]]:
    """Yield all rows in their order, in lists of `size`."""
    chunk = first_after(rows, order, None, size)
    while chunk:
        yield chunk
        chunk = first_after(rows, order, Position(getattr(chunk[-1], order.column), chunk[-1].pk), size)


class KeysetPagination(BasePagination):
    """Answers `{"next", "previous", "results"}`."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.url = request.build_absolute_uri()
        self.size = _size(request)
        self.order = asked_order(request, getattr(view, "ordering", {}), newest_first=getattr(view, "newest_first", False))
        page = page_of(queryset, self.order, request.query_params.get("cursor"), self.size)
        self.next, self.previous = self._link(page.next), self._link(page.previous)
        return page.rows

    def _link(self, cursor: str | None) -> str | None:
        return None if cursor is None else str(replace_query_param(self.url, "cursor", cursor))

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        schemas = {
            "limit": {
                "type": "integer",
                "default": PAGE_SIZE,
                "minimum": 1,
                "maximum": LARGEST_PAGE,
                "description": f"1 to {LARGEST_PAGE}.",
            },
            "cursor": {"type": "string"},
        }
        if orders := getattr(view, "ordering", {}):
            schemas["ordering"] = {"type": "string", "enum": [sign + name for name in orders for sign in ("", "-")]}
        return [{"name": name, "required": False, "in": "query", "schema": schema} for name, schema in schemas.items()]


def asked_order(request: Request, orders: Mapping[str, str], *, newest_first: bool) -> Order:
    return order_of(request.query_params.get("ordering"), orders, newest_first=newest_first)


def order_of(ordering: str | None, orders: Mapping[str, str], *, newest_first: bool = False) -> Order:
    """Return the requested order if the list has it, else the order by number."""
    if not ordering:
        return Order("pk", newest_first)
    name = ordering.removeprefix("-")
    if name not in orders:
        raise _refused(
            "ordering", Detail("give one of {names}; put - before it for descending order", names=", ".join(orders) or "none")
        )
    return Order(orders[name], ordering.startswith("-"))


def _size(request: Request) -> int:
    limit = request.query_params.get("limit")
    if limit is None:
        return PAGE_SIZE
    try:
        size = LongField().to_internal_value(limit)
    except WrongValue:
        size = 0
    if not 1 <= size <= LARGEST_PAGE:
        raise _refused("limit", Detail("give a number from 1 to {most}", most=LARGEST_PAGE))
    return size


def _cursor(row: Any, order: Order, *, before: bool) -> str:
    value = getattr(row, order.column)
    cursor = json.dumps([before, None if value is None else str(value), row.pk])
    return base64.urlsafe_b64encode(cursor.encode()).decode().rstrip("=")


def _read_cursor(text: str | None, model: type[Model], order: Order) -> tuple[bool, Position | None]:
    if text is None:
        return False, None
    try:
        backwards, value, pk = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        field: Any = model._meta.pk if order.column == "pk" else model._meta.get_field(order.column)
        if value is not None:
            if not isinstance(value, str) or storable_message(value) != value:
                raise ValueError("not what a link says of a row")
            value = field.to_python(value)
            field.run_validators(value)
        return backwards is True, Position(value, LongField().to_internal_value(pk))
    except (ValueError, TypeError, RecursionError, ValidationError, WrongValue) as error:
        raise _refused("cursor", Detail("this cursor does not belong to this list; start again without it")) from error


def _refused(name: str, why: str) -> BillingError:
    return BillingError(ErrorCode.INVALID_INPUT, Detail("{name}: {why}", name=name, why=why), field=name)
