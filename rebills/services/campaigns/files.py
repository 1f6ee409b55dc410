"""Changes of single lines as a CSV file: `invoice,line,field,value`, one change in a row."""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.models import Client
from billing_site.common.limits import LINE_COMMENTS_LENGTH, PO_NUM_LENGTH
from billing_site.common.written import day_of, decimal_of
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.models import Invoice
from invoices.services.runs.filters import numbers_by_text
from rebills.plan.campaign_rules import USAGE, LineValue

COLUMNS = ("invoice", "line", "field", "value")
MOST_ROWS = 200_000
MOST_SHOWN = 20
"""Wrong rows that the message of one refusal names."""


class WrongRow(NamedTuple):
    """A row that cannot be used: its number from 1, the header included, and why."""

    row: int
    why: Detail


class LineValues(NamedTuple):
    """The changes of a file, by invoice number, each line, field and text; and the rows that cannot be used."""

    changes: Mapping[int, Sequence[tuple[int, str, str]]]
    wrong: Sequence[WrongRow]

    def check(self) -> None:
        """Refuse (90186) a file with wrong rows, and name the first of them."""
        if not self.wrong:
            return
        parts = [f"row {one.row}: {one.why}" for one in self.wrong[:MOST_SHOWN]]
        rest = len(self.wrong) - MOST_SHOWN
        named = "; ".join([*parts, *([f"and {rest} more"] if rest > 0 else [])])
        raise BillingError(ErrorCode.WRONG_ROWS, Detail("{rows}", rows=named), field="file")


def _whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise ValueError(text)
    return int(text)


def _yes(text: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    return known[text.lower()]


def _short(longest: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > longest:
            raise ValueError(text)
        return text

    return read


FIELDS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "rate": ("rate_per_unit", Decimal),
    "units": ("units", Decimal),
    "amount": ("amount", Decimal),
    "drop": ("exclude", _yes),
    "retax": ("retax", _yes),
    "service_no": ("service_no", _whole),
    "description": ("description", _short(200)),
    "comments": ("comments", _short(LINE_COMMENTS_LENGTH)),
    "po_num": ("po_num", _short(PO_NUM_LENGTH)),
    "period_start": ("period_start", date.fromisoformat),
    "period_end": ("period_end", date.fromisoformat),
    "bill_to": ("bill_to_address_seq", _whole),
    "ship_to": ("ship_to_address_seq", _whole),
    "bill_from": ("bill_from_location_no", _whole),
    "ship_from": ("ship_from_location_no", _whole),
    "usage_units": (USAGE, Decimal),
}
"""The fields of a file: the member of a requested line that each sets, and how its text is read."""

IN_FILES: Mapping[Callable[[str], Any], Callable[[str], Any]] = {Decimal: decimal_of, date.fromisoformat: day_of}
"""How a file's text is read if its field is stored as one of these. What was stored from older files stays readable."""

MAY_BE_EMPTY = ("po_num", "description", "comments")


def line_values(changes: Iterable[Sequence[Any]]) -> list[LineValue]:
    """Return the stored changes of one document, with values of the type of their field."""
    return [LineValue(line_no, FIELDS[field][0], FIELDS[field][1](text)) for line_no, field, text in changes]


Row = Mapping[str, str]


def read_line_values(client: Client, rows: Sequence[tuple[int, Row]]) -> LineValues:
    """Read changes, each with the number of its row and the texts of COLUMNS. Invoices are named by document number or invoice
    number. Refuses (1016) more than 200,000 rows, and none."""
    if not 1 <= len(rows) <= MOST_ROWS:
        raise _unreadable(Detail("the file must have 1 to {most} rows", most=MOST_ROWS))
    texts = list(dict.fromkeys(row["invoice"] for _, row in rows))
    found = numbers_by_text(Invoice.objects.filter(client=client), "document_number", texts)
    changes: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    wrong = []
    seen: set[tuple[int, int, str]] = set()
    for number, row in rows:
        why = _wrong(row, found, seen)
        if why is not None:
            wrong.append(WrongRow(number, why))
            continue
        key = found[row["invoice"]], int(row["line"]), row["field"]
        seen.add(key)
        changes[key[0]].append((key[1], key[2], row["value"]))
    return LineValues(changes, wrong)


def rows_of_csv(text: str) -> list[tuple[int, Row]]:
    """Return the rows of a CSV file with their numbers; the header is row 1. Empty rows are left out.

    Refuses (1016) what is no CSV file with the columns of COLUMNS.
    """
    lines = text.lstrip("\ufeff").splitlines(keepends=True)
    separator = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    try:
        read = list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error as error:
        raise _unreadable(Detail("the file cannot be read: {error}", error=str(error))) from error
    header = [cell.strip().lower() for cell in read[0]] if read else []
    if sorted(header) != sorted(COLUMNS):
        raise _unreadable(Detail("the first row must name the columns {columns}", columns=", ".join(COLUMNS)))
    rows = [(number, cells) for number, cells in enumerate(read[1:], 2) if any(cell.strip() for cell in cells)]
    filled = [(number, [*(cell.strip() for cell in cells), "", "", "", ""][: len(COLUMNS)]) for number, cells in rows]
    return [(number, dict(zip(header, cells, strict=True))) for number, cells in filled]


def _unreadable(why: Detail) -> BillingError:
    return BillingError(ErrorCode.INVALID_INPUT, Detail("file: {why}", why=why), field="file")


def _wrong(row: Mapping[str, str], found: Mapping[str, int], seen: set[tuple[int, int, str]]) -> Detail | None:
    """Return why a row cannot be used, or None."""
    if row["invoice"] not in found:
        return Detail("invoice {invoice} does not exist", invoice=row["invoice"])
    if not row["line"].isdecimal() or len(row["line"]) > 9 or int(row["line"]) < 1:
        return Detail("{line} is no line number", line=row["line"])
    if row["field"] not in FIELDS:
        return Detail("{field} is no field; use one of {known}", field=row["field"], known=", ".join(FIELDS))
    if not row["value"] and row["field"] not in MAY_BE_EMPTY:
        return Detail("the value is empty")
    try:
        read = FIELDS[row["field"]][1]
        IN_FILES.get(read, read)(row["value"])
    except (ValueError, KeyError):
        return Detail("{value} is no value for {field}", value=row["value"][:60], field=row["field"])
    if (found[row["invoice"]], int(row["line"]), row["field"]) in seen:
        return Detail("this field of the line is in the file twice")
    return None
