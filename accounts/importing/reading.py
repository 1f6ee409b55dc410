"""Reading a CSV file row by row in bounded memory, however large the file or its longest line.

Files as spreadsheets write them are read: columns between commas, semicolons, tabs or bars, or as a first line `sep=;` says;
any line ends; line breaks within quotes; empty rows; rows without their empty ends. A fault names its line, and the next line
is read as if nothing had happened. Knows nothing of what the columns mean.
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
"""A quote that is never closed would take the rest of the file for one row."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


class UnreadableFile(Exception):
    """The file as a whole cannot be read as a CSV file with these columns."""


class UnreadableLine(Exception):
    """One line is no row; those after it may be."""


class OpenQuote(UnreadableLine):
    """A quote is not closed on the line: the row may go on on the next one."""

    def __init__(self) -> None:
        super().__init__("is not a CSV row: a quote is opened but not closed")


class Row(NamedTuple):
    """One row by column name, or why there is none on this line."""

    line: int
    values: dict[str, str]
    fault: str = ""


class _Line(NamedTuple):
    number: int
    text: bytes


def read_rows(file: BinaryIO, required: Collection[str], optional: Collection[str] | None = None) -> Iterator[Row]:
    """The rows of a UTF-8 file whose first line names the columns, in any case. Empty rows are passed over, and so are columns
    without a name, which must be empty.

    Columns are named as in `required` and `optional`. UnreadableFile where a required one is missing, and where one is named
    twice or is none of these. Where `optional` is None the caller looks at the other columns: they are named in small letters.
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
    """The fields by their columns. A row may lack its empty ends, or have more of them than the header."""
    missing = header[len(fields) :]
    if any(map(str.strip, fields[len(header) :])) or not set(required).isdisjoint(missing):
        between = "" if separator == "," else f" between {SEPARATORS.get(separator, repr(separator))}"
        raise UnreadableLine(f"has {len(fields)} fields{between}, but the header has {len(header)}")
    cells = list(zip(header, fields + [""] * len(missing), strict=False))
    if any(not name and value.strip() for name, value in cells):
        raise UnreadableLine("has a value in a column without a name")
    return {name: value for name, value in cells if name}


class _Lines:
    """The lines of a file with their numbers, from 1, of which some may be put back."""

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
    """The lines without their ends. Of a line that is too long only the beginning is kept, one byte more than is allowed."""
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
    """What separates the columns, and their names."""
    known = {name.casefold(): name for name in (*required, *(optional or ()))}
    line = lines.next()
    if line is None:
        raise UnreadableFile("the file is empty")
    if line.text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableFile("the file is UTF-16; save it as UTF-8")
    line = line._replace(text=line.text.removeprefix(codecs.BOM_UTF8))
    separators = list(SEPARATORS)
    if said := re.fullmatch(rb'"?sep=([^"\r\n]*)"?', line.text.strip(b" "), re.IGNORECASE):
        separators = [_said_separator(said[1])]
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


def _said_separator(text: bytes) -> str:
    separator = text.decode(errors="replace")
    if len(separator) != 1 or separator.isalnum() or separator not in SEPARATORS and not separator.isprintable():
        raise UnreadableFile(f"line 1 says sep={separator}, which is not a separator; use sep=; or sep=,")
    return separator


def _names(fields: list[str], known: Mapping[str, str]) -> list[str]:
    return [known.get(name.strip().casefold(), name.strip().lower()) for name in fields]


def _fields_from(line: _Line, lines: _Lines, separator: str) -> list[str]:
    """The fields of the row that begins on a line. A row of several lines ends with its quotes; else its first line alone is at
    fault, and the others are read as lines of their own."""
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
    """A number that is written with a decimal comma, with a point. Anything else is left for its reader to refuse: 1.234,5
    could mean two things."""
    return cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell.strip()) else cell


class SeenIds:
    """On which line each id was met first. Kept in a temporary database, which SQLite moves to disk as it grows."""

    def __init__(self) -> None:
        self.database = sqlite3.connect("")
        self.database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")

    def earlier_line(self, row_id: str, line: int) -> int | None:
        """The line that had this id before; None where this one is the first."""
        if self.database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (row_id, line)).rowcount:
            return None
        (earlier,) = self.database.execute("SELECT line FROM seen WHERE id = ?", (row_id,)).fetchone()
        return int(earlier)

    def close(self) -> None:
        self.database.close()
