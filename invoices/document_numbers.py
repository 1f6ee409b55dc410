"""PURE: the format of document numbers, and whether two number series could print the same number.

A format with the year has a count of its own for each year: INV-2031-000001 is followed by INV-2032-000001.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from invoices.kinds import SeriesKind

DIGITS = 6
"""Shorter numbers are padded with zeros."""
YEAR = "{yyyy}"
"""Stands for the year in a prefix or suffix."""
ANY_DIGIT = "0123456789"


class Format(NamedTuple):
    """What is printed before and after the number of a series."""

    prefix: str = ""
    suffix: str = ""

    @property
    def has_year(self) -> bool:
        return YEAR in self.prefix or YEAR in self.suffix

    def printed(self, number: int, year: int = 0) -> str:
        return f"{self.prefix}{number:0{DIGITS}d}{self.suffix}".replace(YEAR, f"{year:04d}")

    def lengths(self) -> tuple[int, int]:
        """Return how many characters are printed before and after the number."""
        before, after = (len(part.replace(YEAR, "2031")) for part in self)
        return before, after

    def regular_expression(self) -> str:
        """Return what matches the numbers of this format, of any year."""
        before, after = (re.escape(part).replace(re.escape(YEAR), "[0-9]{4}") for part in self)
        return f"^{before}([0-9]{{6}}|[1-9][0-9]{{6,}}){after}$"

    def unknown_parts(self) -> list[str]:
        """Return what is written in braces, or is a single brace, and is not the year."""
        return re.findall(r"\{[^{}]*\}|[{}]", f"{self.prefix} {self.suffix}".replace(YEAR, ""))


DEFAULT_FORMATS = {
    SeriesKind.INVOICE: Format("INV-"),
    SeriesKind.CREDIT_MEMO: Format("CM-"),
    SeriesKind.REBILL: Format("RB-"),
    SeriesKind.REVERSAL: Format("RV-"),
}
"""The formats of series that were never edited."""


class _Pattern(NamedTuple):
    """For each character before and after the number: the characters that it can be."""

    prefix: list[str]
    suffix: list[str]


class _Place(NamedTuple):
    """How much of a printed number was read: characters of the prefix, digits (7 means 7 or more), characters of the suffix."""

    prefix: int = 0
    digits: int = 0
    suffix: int = 0
    begins_with_zero: bool = False


def could_print_the_same(one: Format, other: Format) -> bool:
    """Whether a number of one series can be printed like a number of the other. Reads all common texts at once."""
    mine, others = _pattern(one), _pattern(other)
    seen = {(_Place(), _Place())}
    open_pairs = list(seen)
    characters = sorted({*ANY_DIGIT, *one.prefix, *one.suffix, *other.prefix, *other.suffix})
    while open_pairs:
        place, other_place = open_pairs.pop()
        if _is_end(mine, place) and _is_end(others, other_place):
            return True
        found = {
            (after, other_after)
            for character in characters
            for after in _after(mine, place, character)
            for other_after in _after(others, other_place, character)
        }
        open_pairs += found - seen
        seen |= found
    return False


def _pattern(format: Format) -> _Pattern:
    return _Pattern(*([*_characters(part)] for part in format))


def _characters(part: str) -> Iterator[str]:
    """Yield the characters that each place of a prefix or suffix can have. The year can be any four digits."""
    first, *others = part.split(YEAR)
    yield from first
    for other in others:
        yield from (ANY_DIGIT,) * 4
        yield from other


def _is_end(pattern: _Pattern, place: _Place) -> bool:
    return place.digits >= DIGITS and place.suffix == len(pattern.suffix)


def _after(pattern: _Pattern, place: _Place, character: str) -> Iterator[_Place]:
    """Yield the places after one more character. A digit may belong to the number or begin the suffix."""
    if place.prefix < len(pattern.prefix):
        if character in pattern.prefix[place.prefix]:
            yield place._replace(prefix=place.prefix + 1)
        return
    if place.suffix == 0 and character in ANY_DIGIT and (place.digits < DIGITS or not place.begins_with_zero):
        begins_with_zero = place.begins_with_zero or (place.digits == 0 and character == "0")
        yield place._replace(digits=min(place.digits + 1, DIGITS + 1), begins_with_zero=begins_with_zero)
    if place.digits >= DIGITS and place.suffix < len(pattern.suffix) and character in pattern.suffix[place.suffix]:
        yield place._replace(suffix=place.suffix + 1)
