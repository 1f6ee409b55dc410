"""PURE: parse the parameters of Aria's clients, in every known spelling, into one nested dict.

Parameters come as JSON, form, query string, or a mix of these. Rows of an array come as a JSON list; as columns named by field
(`line_no[0]=..&line_no[1]=..`, `line_no[]=..`, `line_no=..&line_no=..`, `line_no=1|2`); or nested
(`rb_line_items[0][line_no]=..`, `rb_line_items[][line_no]=..`), as rows of rows are, too
(`acct[0][payment_method][0][pay_method_type]=..`). If a name repeats in a query or form, the last value counts, as in PHP.
Within one JSON object a repeated name is refused.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from billing_site.common.json_bodies import LONGEST_NAME, json_object, unreadable_body
from billing_site.errors import BillingError, Detail, ErrorCode

Parameters = list[tuple[str, Any]]

MOST_FIELDS = 200_000
"""Limit for forms. 10,000 line items with all columns have fewer fields."""


MOST_ENCODED = 1_000_000
"""Limit for the encoded bytes of a form: the brackets of 10,000 line items with all columns are 400,000."""


MOST_ROWS = 10_000
"""Limit for arrays. A text of millions of bars is refused before it is split into rows."""


NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
KEY = re.compile(r"\[([^\[\]]*)\]")


def parameters(query: str, body: bytes) -> Parameters:
    """Return names and values, first of the query, then of the body. A body that begins with a brace is JSON, whatever its
    content type."""
    try:
        text = body.decode("utf-8-sig").strip()
        pairs = _form(query)
        if text.startswith("{"):
            return [*pairs, *json_object(text).items()]
        if text and "=" not in text:
            raise ValueError("the body is neither a form nor a JSON object")
        return [*pairs, *_form(text)]
    except (ValueError, RecursionError) as error:
        raise unreadable_body() from error


def _form(text: str) -> Parameters:
    if "\0" in text or text.count("%") > MOST_ENCODED:
        raise ValueError("no text, or too much of it")
    return list(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS))


def scalar(pairs: Parameters, name: str) -> Any:
    """Return the last value of a plain name, or None if it was not sent."""
    return next((value for key, value in reversed(pairs) if key == name), None)


def nested(pairs: Iterable[tuple[str, Any]], arrays: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Return the parameters as one dict, with each array as a list of rows. `arrays` has the field names of each array's rows.

    Indexes may begin at 1 and have gaps; the order counts. An index after the field name of a nested row is refused (1016), as
    in Aria, and so are columns beside a list of rows, which would be ignored. If an array has the same name as its only field
    (`invoice_no`), a number under that name is a cell of the column.
    """
    array_of = {field: array for array, fields in arrays.items() for field in fields}
    plain: dict[str, Any] = {}
    rows: dict[str, _Rows] = {array: _Rows(array) for array in arrays}
    for name, value in pairs:
        base, keys = _split(name)
        if base in arrays and keys and not (base in array_of and len(keys) == 1):
            rows[base].note(name, value)
            rows[base].add_nested(name, keys, value)
        elif base in array_of and not _is_rows(value):
            rows[array_of[base]].note(name, value)
            rows[array_of[base]].add_column(name, base, keys, value)
        else:
            plain[name] = value
    for array, found in rows.items():
        if found.first_name and plain.get(array) not in (None, ""):
            detail = Detail("{name}: the rows are in {array}; send them in one way only", name=found.first_name, array=array)
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field=found.first_name)
    return {**{array: found.in_order() for array, found in rows.items() if found.is_given}, **plain}


def _is_rows(value: Any) -> bool:
    """Whether the value is a JSON list of objects: an array under its own name."""
    return isinstance(value, list) and any(isinstance(row, dict) for row in value)


def _split(name: str) -> tuple[str, list[str]]:
    if len(name) > LONGEST_NAME:
        raise _misplaced(name)
    match = NAME.fullmatch(name)
    return (match[1], KEY.findall(match[2])) if match else (name, [])


def _misplaced(name: str) -> BillingError:
    return BillingError(ErrorCode.INVALID_INPUT, f"{name[:100]} is not a valid string.", field=name[:100], instead=True)


class _Rows:
    """The rows of one array while they are parsed. Rows without index are appended."""

    def __init__(self, array: str) -> None:
        self.array = array
        self.by_index: dict[int, dict[str, Any]] = {}
        self.columns: dict[str, list[Any]] = {}
        self.open_row = -1
        self.first_name = ""
        """The name of the first cell that is not empty."""

    @property
    def is_given(self) -> bool:
        return bool(self.by_index or self.columns)

    def note(self, name: str, value: Any) -> None:
        """Note the name of a cell, for a refusal."""
        if not self.first_name and value not in (None, ""):
            self.first_name = name[:LONGEST_NAME]

    def add_nested(self, name: str, keys: list[str], value: Any) -> None:
        """Add a nested cell: `[0][line_no]`, or `[][line_no]`, where a repeated field begins a new row, as in Rack.

        A row may have rows of its own: `[0][payment_method][0][pay_method_type]`.
        """
        if len(keys) not in (2, 4) or not re.fullmatch(r"[0-9]{0,9}", keys[0]):
            raise _misplaced(name)
        index, field, *rest = keys
        if not index and not rest and field in self.by_index.get(self.open_row, {field: None}):
            self.open_row += 1
        row = self._row(int(index) if index else max(self.open_row, 0))
        if not rest:
            row[field] = value
            return
        inner = row.setdefault(field, _Rows(field))
        if not isinstance(inner, _Rows):
            raise _misplaced(name)
        inner.add_nested(name, rest, value)

    def add_column(self, name: str, field: str, keys: list[str], value: Any) -> None:
        """Add cells of a column: `line_no[0]`, `line_no[]`, repeated `line_no`, a JSON list, or cells separated by bars."""
        if not keys and isinstance(value, list):
            self.columns.setdefault(field, []).extend(value)
        elif keys in ([], [""]):
            self.columns.setdefault(field, []).append(value)
        elif len(keys) == 1 and re.fullmatch(r"[0-9]{1,9}", keys[0]):
            self._row(int(keys[0]))[field] = value
        else:
            raise _misplaced(name)

    def _row(self, index: int) -> dict[str, Any]:
        if index not in self.by_index and len(self.by_index) >= MOST_ROWS:
            raise BillingError(ErrorCode.INVALID_FORMAT, f"{self.array}: give at most {MOST_ROWS} rows", field=self.array)
        return self.by_index.setdefault(index, {})

    def in_order(self) -> list[dict[str, Any]]:
        """Return the rows in the order of their indexes, without empty ones."""
        for field, cells in self.columns.items():
            if len(cells) == 1 and isinstance(cells[0], str):
                cells = cells[0].split("|", MOST_ROWS)
            for index, cell in enumerate(cells):
                self._row(index)[field] = cell
        rows = [
            {name: cell.in_order() if isinstance(cell, _Rows) else cell for name, cell in self.by_index[index].items()}
            for index in sorted(self.by_index)
        ]
        return [row for row in rows if any(value not in (None, "") for value in row.values())]
