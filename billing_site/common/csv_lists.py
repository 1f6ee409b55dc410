"""Lists as CSV (RFC 4180). All filtered rows are streamed, so the table is never completely in memory."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_type_hints

from django.http import StreamingHttpResponse
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer

ROWS_AT_ONCE = 1000


class CsvRenderer(BaseRenderer):
    """Declares that a list can be requested as CSV. The output is streamed, not rendered here."""

    media_type = "text/csv"
    format = "csv"


class _Echo:
    def write(self, text: str) -> str:
        return text


def csv_response(
    name: str,
    serializer: serializers.Serializer,
    chunks: Iterable[list[Any]],
    rows_of: Callable[[list[Any]], Iterable[Any]],
    columns: Sequence[str] = (),
) -> StreamingHttpResponse:
    """Return a file with a header and these columns of each row, or without columns with its plain members."""
    columns = columns or plain_members(serializer)
    lines = _lines(columns, (row for chunk in chunks for row in rows_of(chunk)))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def plain_members(serializer: serializers.Serializer) -> list[str]:
    """Return the names of members that are neither lists nor objects."""
    return [name for name, field in serializer.fields.items() if not _is_nested(field, serializer)]


def _is_nested(field: serializers.Field, serializer: serializers.Serializer) -> bool:
    if isinstance(field, serializers.SerializerMethodField):
        returned = get_type_hints(getattr(type(serializer), field.method_name or "")).get("return")
        return getattr(returned, "__origin__", returned) in (list, dict, Sequence, Mapping)
    return isinstance(
        field, serializers.BaseSerializer | serializers.ListField | serializers.DictField | serializers.ManyRelatedField
    )


def _lines(columns: Sequence[str], rows: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield str(writer.writerow(columns))
    for row in rows:
        yield str(writer.writerow([marked(row.get(name)) for name in columns]))


FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def marked(value: Any) -> Any:
    """Mark a text that a spreadsheet would take for a formula. Amounts stay numbers."""
    if isinstance(value, str) and value[:1] in FORMULA_SIGNS and not _is_number(value):
        return f"'{value}"
    return value


def unmarked(value: Any) -> Any:
    """Return a cell without the mark of `marked`."""
    return value[1:] if isinstance(value, str) and value[:1] == "'" and value[1:2] in FORMULA_SIGNS else value


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdecimal()
