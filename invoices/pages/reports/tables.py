"""A report as a table: the same columns on the page and in its CSV file."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.http import StreamingHttpResponse
from rest_framework import serializers

from billing_site.common.csv_lists import csv_response
from invoices.api.serializers.money import amount_text


class Column(NamedTuple):
    """A column: its name in the file, its heading on the page, and what it holds: text, day, number, percent or money."""

    name: str
    heading: Any
    holds: str = "text"

    @property
    def is_number(self) -> bool:
        return self.holds in ("number", "percent", "money")


class Cell(NamedTuple):
    """A value with its column. `address` is the list behind it, if there is one."""

    column: Column
    value: Any
    currency: str
    address: str = ""


class Line(NamedTuple):
    """A row of a report. `values` are by the names of the columns, `links` the addresses behind some of them."""

    currency: str
    values: Mapping[str, Any]
    links: Mapping[str, str] = {}

    def cells(self, columns: Sequence[Column]) -> list[Cell]:
        return [Cell(one, self.values.get(one.name), self.currency, self.links.get(one.name, "")) for one in columns]


class Table(NamedTuple):
    """A table of a page. `more` says that rows are left out, which the file has."""

    columns: Sequence[Column]
    lines: Sequence[Line]
    totals: Sequence[Line] = ()
    more: bool = False

    @property
    def rows(self) -> list[list[Cell]]:
        return [line.cells(self.columns) for line in self.lines]

    @property
    def total_rows(self) -> list[list[Cell]]:
        return [line.cells(self.columns) for line in self.totals]


class _Row(serializers.Serializer):
    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        super().__init__()

    def get_fields(self) -> dict[str, Any]:
        return {name: serializers.ReadOnlyField() for name in ("currency", *(one.name for one in self.columns))}


def csv_of(name: str, columns: Sequence[Column], chunks: Iterable[list[Line]]) -> StreamingHttpResponse:
    """Return a file with the currency and these columns. Amounts have the decimals of their currency."""
    return csv_response(name, _Row(columns), chunks, lambda lines: [_plain(line, columns) for line in lines])


def _plain(line: Line, columns: Sequence[Column]) -> dict[str, Any]:
    plain: dict[str, Any] = {"currency": line.currency}
    for one in columns:
        value = line.values.get(one.name)
        if one.holds == "money" and value is not None:
            value = amount_text(value, line.currency)
        elif isinstance(value, Decimal):
            value = f"{value.normalize():f}"
        plain[one.name] = value
    return plain
