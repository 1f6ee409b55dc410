"""Read a CSV file row by row in bounded memory, however large the file or its longest line.

Reads files as spreadsheets write them: columns separated by comma, semicolon, tab or bar, or by what a first line `sep=;` says;
any line ends; line breaks within quotes; empty rows; rows without their empty last fields. An error names its line, and reading
continues with the next line. This module does not know what the columns mean.
"""

import codecs
import csv
import re
import sqlite3
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from billing_site.common.members import unknown_columns

LONGEST_LINE = 64 * 1024
MOST_LINES_OF_A_ROW = 100
"""Limit for a quote that is never closed, which would make one row of the rest of the file."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


class UnreadableFile(Exception):
    """The file as a whole cannot be read as a CSV file with these columns."""


class UnreadableLine(Exception):
    """One line is not a row. Later lines may be."""


class OpenQuote(UnreadableLine):
    """A quote is not closed on its line, so the row may continue on the next one."""

    def __init__(self) -> None:
        super().__init__("is not a CSV row: a quote is opened but not closed")


class Row(NamedTuple):
    """One row by column name, or the error of its line."""

    line: int
    values: dict[str, str]
    fault: str = ""


class _Line(NamedTuple):
    number: int
    text: bytes


def read_rows(file: BinaryIO, required: Collection[str], optional: Collection[str] | None = None) -> Iterator[Row]:
    """Yield the rows of a UTF-8 file whose first line names the columns, in any case.

    Skips empty rows, and columns without a name, which must be empty. Columns are named as in `required` and `optional`. Raises
    UnreadableFile if a required column is missing, or a column is repeated or unknown. If `optional` is None, the caller checks
    the other columns, whose names are in lower case.
    """
    lines = _Lines(file)
    separator, header = _header(lines, required, optional)
    while (line := lines.next()) is not None:
        try:
            fields = _fields_from(line, lines, separator)
            if any(map(str.strip, fields)):
                yield Row(line.number, _by_name(header, fields, separator, required))
        except UnreadableLine as error:
            yield Row(line.number, {}, str(error))


def _by_name(header: list[str], fields: list[str], separator: str, required: Collection[str]) -> dict[str, str]:
    """Return the fields by column. A row may lack empty fields at its end, or have additional empty ones."""
    missing = header[len(fields) :]
    if any(map(str.strip, fields[len(header) :])) or not set(required).isdisjoint(missing):
        between = "" if separator == "," else f" between {SEPARATORS.get(separator, repr(separator))}"
        raise UnreadableLine(f"has {len(fields)} fields{between}, but the header has {len(header)}")
    cells = list(zip(header, fields + [""] * len(missing), strict=False))
    if any(not name and value.strip() for name, value in cells):
        raise UnreadableLine("has a value in a column without a name")
    return {name: value for name, value in cells if name}


class _Lines:
    """The lines of a file with their numbers, from 1. Lines can be put back."""

    def __init__(self, file: BinaryIO) -> None:
        self._rest = enumerate(_lines(file), 1)
        self._back: deque[_Line] = deque()

    def next(self) -> _Line | None:
        if self._back:
            return self._back.popleft()
        found = next(self._rest, None)
        return None if found is None else _Line(*found)

    def put_back(self, lines: list[_Line]) -> None:
        self._back.extendleft(reversed(lines))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines without line ends. A line that is too long is cut one byte after the limit, so that it is noticed."""
    kept = b""
    while chunk := file.readline(LONGEST_LINE + 1):
        while chunk.endswith(b"\r") and (more := file.readline(1)):
            chunk += more
        *ended, begun = re.split(rb"\r\n|\n|\r", chunk)
        for text in ended:
            yield (kept + text)[: LONGEST_LINE + 1]
            kept = b""
        kept = (kept + begun)[: LONGEST_LINE + 1]
    if kept:
        yield kept


def _header(lines: _Lines, required: Collection[str], optional: Collection[str] | None) -> tuple[str, list[str]]:
    """Return the separator and the names of the columns."""
    known = {name.casefold(): name for name in (*required, *(optional or ()))}
    line = lines.next()
    if line is None:
        raise UnreadableFile("the file is empty")
    if line.text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableFile("the file is UTF-16; save it as UTF-8")
    line = line._replace(text=line.text.removeprefix(codecs.BOM_UTF8))
    separators = list(SEPARATORS)
    if separator_line := re.fullmatch(rb'"?sep=([^"\r\n]*)"?', line.text.strip(b" "), re.IGNORECASE):
        separators = [_declared_separator(separator_line[1])]
        line = lines.next() or line._replace(text=b"")
    try:
        found = [(one, _names(_fields(line.text, one), known)) for one in separators]
    except UnreadableLine as error:
        raise UnreadableFile(f"line {line.number}, the header, {error}") from error
    separator, header = max(found, key=lambda one: (sum(name in one[1] for name in required), len(one[1])))
    if missing := [column for column in required if column not in header]:
        between = f"its columns are between {SEPARATORS.get(separator, repr(separator))}"
        why = f"has no column {', '.join(missing)}" + (f" ({between})" if separator != "," else "")
        raise UnreadableFile(f"line {line.number}, the header, {why}")
    if repeated := [name for name in dict.fromkeys(header) if name and header.count(name) > 1]:
        raise UnreadableFile(f"line {line.number}, the header, has a column twice: {', '.join(repeated)}")
    if optional is not None and (unknown := unknown_columns(list(filter(None, header)), list(known.values()))):
        raise UnreadableFile(f"line {line.number}, the header: {unknown}")
    return separator, header


def _declared_separator(text: bytes) -> str:
    separator = text.decode(errors="replace")
    if len(separator) != 1 or separator.isalnum() or separator not in SEPARATORS and not separator.isprintable():
        raise UnreadableFile(f"line 1 says sep={separator}, which is not a separator; use sep=; or sep=,")
    return separator


def _names(fields: list[str], known: Mapping[str, str]) -> list[str]:
    return [known.get(name.strip().casefold(), name.strip().lower()) for name in fields]


def _fields_from(line: _Line, lines: _Lines, separator: str) -> list[str]:
    """Return the fields of the row that begins on this line, which may span several lines within quotes.

    If it cannot be read, only its first line is an error, and the others are read as lines of their own.
    """
    row = [line]
    try:
        while True:
            try:
                return _fields(b"\n".join(one.text for one in row), separator)
            except OpenQuote:
                more = lines.next() if len(row) < MOST_LINES_OF_A_ROW else None
                if more is None:
                    raise
                row.append(more)
    except UnreadableLine as error:
        lines.put_back(row[1:])
        raise (OpenQuote() if len(row) > 1 else error) from None


def _fields(text: bytes, separator: str) -> list[str]:
    if len(text) > LONGEST_LINE:
        raise UnreadableLine(f"is longer than {LONGEST_LINE} bytes")
    if b"\0" in text:
        raise UnreadableLine("holds NUL bytes, as a UTF-16 file does; the file must be UTF-8")
    try:
        return next(csv.reader([text.decode()], delimiter=separator, strict=True), [])
    except UnicodeDecodeError as error:
        raise UnreadableLine(f"is not UTF-8: byte 0x{text[error.start]:02x} at position {error.start + 1}") from error
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise OpenQuote from error
        raise UnreadableLine(f"is not a CSV row: {error}") from error


DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")


def with_point(cell: str) -> str:
    """Return a number with decimal comma written with a point. Anything else is unchanged: 1.234,5 is ambiguous, and refused
    later."""
    return cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell.strip()) else cell


class SeenIds:
    """The first line of each id, in a temporary database that SQLite moves to disk as it grows."""

    def __init__(self) -> None:
        self.database = sqlite3.connect("")
        self.database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")

    def earlier_line(self, row_id: str, line: int) -> int | None:
        """Record the id, and return the earlier line that had it, or None."""
        if self.database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (row_id, line)).rowcount:
            return None
        (earlier,) = self.database.execute("SELECT line FROM seen WHERE id = ?", (row_id,)).fetchone()
        return int(earlier)

    def close(self) -> None:
        self.database.close()
