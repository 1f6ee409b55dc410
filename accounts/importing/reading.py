"""Reading a CSV file row by row in bounded memory, however large the file or its longest line.

A row is one line of the file, so a fault can name its line and the next line is read as if nothing had happened. Knows nothing
of what the columns mean.
"""

import codecs
import csv
import sqlite3
from collections.abc import Collection, Iterator
from typing import BinaryIO, NamedTuple

LONGEST_LINE = 64 * 1024


class UnreadableFile(Exception):
    """The file as a whole cannot be read as a CSV file with these columns."""


class UnreadableLine(Exception):
    """One line is no row; those after it may be."""


class Row(NamedTuple):
    """One row by column name, or why there is none on this line."""

    line: int
    values: dict[str, str]
    fault: str = ""


def read_rows(file: BinaryIO, required: Collection[str]) -> Iterator[Row]:
    """The rows of a UTF-8 file whose first line names the columns. Blank lines are passed over."""
    lines = _lines(file)
    header = _header(next(lines, None), required)
    for number, line in enumerate(lines, start=2):
        try:
            fields = _fields(line)
            if not fields:
                continue
            if len(fields) != len(header):
                raise UnreadableLine(f"has {len(fields)} fields where the header has {len(header)}")
        except UnreadableLine as error:
            yield Row(number, {}, str(error))
        else:
            yield Row(number, dict(zip(header, fields, strict=True)))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines without their ends. Of a line that is too long only the beginning is kept, one byte more than is allowed."""
    while line := file.readline(LONGEST_LINE + 1):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE)
        yield line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")


def _header(line: bytes | None, required: Collection[str]) -> list[str]:
    if line is None:
        raise UnreadableFile("the file is empty")
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableFile("the file is UTF-16; save it as UTF-8")
    try:
        header = _fields(line.removeprefix(codecs.BOM_UTF8))
    except UnreadableLine as error:
        raise UnreadableFile(f"line 1, the header, {error}") from error
    if missing := [column for column in required if column not in header]:
        raise UnreadableFile(f"line 1, the header, has no column {', '.join(missing)}")
    if repeated := [column for column in required if header.count(column) > 1]:
        raise UnreadableFile(f"line 1, the header, names a column twice: {', '.join(repeated)}")
    return header


def _fields(line: bytes) -> list[str]:
    if len(line) > LONGEST_LINE:
        raise UnreadableLine(f"is longer than {LONGEST_LINE} bytes")
    if b"\0" in line:
        raise UnreadableLine("holds NUL bytes, as a UTF-16 file does; the file must be UTF-8")
    try:
        return next(csv.reader([line.decode()], strict=True))
    except UnicodeDecodeError as error:
        raise UnreadableLine(f"is not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}") from error
    except csv.Error as error:
        raise UnreadableLine(f"is not a CSV row: {error}") from error


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
