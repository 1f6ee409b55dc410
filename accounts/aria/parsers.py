"""PURE: what Aria's clients send, in every spelling that is known of them, as one nested dict.

Parameters come as JSON, as a form, in the query string, or split between these. Rows of an array come as a JSON list; as
columns under the names of their fields (`line_no[0]=..&line_no[1]=..`, `line_no[]=..`, `line_no=..&line_no=..`,
`line_no=1|2`); or nested (`rb_line_items[0][line_no]=..`, `rb_line_items[][line_no]=..`). Where a name comes twice in a query
or a form, the last one counts, as in PHP; within one JSON object it is refused.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from billing_site.common.json_bodies import LONGEST_NAME, MOST_PIECES, json_object, unreadable_body
from billing_site.errors import BillingError, ErrorCode

Parameters = list[tuple[str, Any]]

MOST_FIELDS = 200_000
"""In a form: 10,000 line items with all their columns are fewer."""


MOST_ROWS = 10_000
"""Of an array: a text of millions of bars is refused before rows are made of it."""


NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
KEY = re.compile(r"\[([^\[\]]*)\]")


def parameters(query: str, body: bytes) -> Parameters:
    """Names and values in the order in which they count: the body's after the query's. A body that begins with a brace is JSON,
    whatever its content type says."""
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
    if "\0" in text or text.count("%") > MOST_PIECES:
        raise ValueError("no text, or too much of it")
    return list(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS))


def scalar(pairs: Parameters, name: str) -> Any:
    """The last value of a plain name; None where it was not given."""
    return next((value for key, value in reversed(pairs) if key == name), None)


def nested(pairs: Iterable[tuple[str, Any]], arrays: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """One dict of the parameters, with each array as a list of rows. `arrays` holds the arrays of the call, each with the
    names of its rows' fields.

    A list under the array's own name counts before its columns. Indexes may begin at 1 and leave holes; rows come in their
    order. An index behind a field's name is refused (1016), as Aria refuses it. An array may share its name with
    the one field of its rows (`invoice_no`): then a number is a cell of a column.
    """
    array_of = {field: array for array, fields in arrays.items() for field in fields}
    plain: dict[str, Any] = {}
    rows: dict[str, _Rows] = {array: _Rows(array) for array in arrays}
    for name, value in pairs:
        base, keys = _split(name)
        if base in arrays and keys and not (base in array_of and len(keys) == 1):
            rows[base].add_nested(name, keys, value)
        elif base in array_of and not _is_rows(value):
            rows[array_of[base]].add_column(name, base, keys, value)
        else:
            plain[name] = value
    return {**{array: found.in_order() for array, found in rows.items() if found.is_given}, **plain}


def _is_rows(value: Any) -> bool:
    """A list of objects, as an array comes in JSON: under its own name, which its rows' field may have too."""
    return isinstance(value, list) and any(isinstance(row, dict) for row in value)


def _split(name: str) -> tuple[str, list[str]]:
    if len(name) > LONGEST_NAME:
        raise _misplaced(name)
    match = NAME.fullmatch(name)
    return (match[1], KEY.findall(match[2])) if match else (name, [])


def _misplaced(name: str) -> BillingError:
    return BillingError(ErrorCode.INVALID_INPUT, f"{name[:100]} is not a valid string.", field=name[:100], instead=True)


class _Rows:
    """The rows of one array, as they come in. Rows without an index follow one another."""

    def __init__(self, array: str) -> None:
        self.array = array
        self.by_index: dict[int, dict[str, Any]] = {}
        self.columns: dict[str, list[Any]] = {}
        self.open_row = -1

    @property
    def is_given(self) -> bool:
        return bool(self.by_index or self.columns)

    def add_nested(self, name: str, keys: list[str], value: Any) -> None:
        """`[0][line_no]`; or `[][line_no]`, where a field that comes again begins a new row, as in Rack."""
        if len(keys) != 2 or not re.fullmatch(r"[0-9]{0,9}", keys[0]):
            raise _misplaced(name)
        index, field = keys
        if not index and field in self.by_index.get(self.open_row, {field: None}):
            self.open_row += 1
        self._row(int(index) if index else self.open_row)[field] = value

    def add_column(self, name: str, field: str, keys: list[str], value: Any) -> None:
        """`line_no[0]`, `line_no[]`, `line_no` once for each row, a JSON list of the column's cells, or cells between bars."""
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
        """The rows by their indexes; those in which nothing stands are none."""
        for field, cells in self.columns.items():
            if len(cells) == 1 and isinstance(cells[0], str):
                cells = cells[0].split("|", MOST_ROWS)
            for index, cell in enumerate(cells):
                self._row(index)[field] = cell
        rows = [self.by_index[index] for index in sorted(self.by_index)]
        return [row for row in rows if any(value not in (None, "") for value in row.values())]
