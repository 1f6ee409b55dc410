"""PURE: the format of document numbers, and whether two number series could print the same number."""

from collections.abc import Iterator
from typing import NamedTuple

from invoices.kinds import SeriesKind

DIGITS = 6
"""Shorter numbers are padded with zeros."""


class Format(NamedTuple):
    """What is printed before and after the number of a series."""

    prefix: str = ""
    suffix: str = ""

    def printed(self, number: int) -> str:
        return f"{self.prefix}{number:0{DIGITS}d}{self.suffix}"


DEFAULT_FORMATS = {
    SeriesKind.INVOICE: Format("INV-"),
    SeriesKind.CREDIT_MEMO: Format("CM-"),
    SeriesKind.REBILL: Format("RB-"),
}
"""The formats of series that were never edited."""


class _Place(NamedTuple):
    """How much of a printed number was read: characters of the prefix, digits (7 means 7 or more), characters of the suffix."""

    prefix: int = 0
    digits: int = 0
    suffix: int = 0
    begins_with_zero: bool = False


def could_print_the_same(one: Format, other: Format) -> bool:
    """Whether a number of one series can be printed like a number of the other. Reads all common texts at once."""
    seen = {(_Place(), _Place())}
    open_pairs = list(seen)
    characters = sorted({*"0123456789", *one.prefix, *one.suffix, *other.prefix, *other.suffix})
    while open_pairs:
        place, other_place = open_pairs.pop()
        if _is_end(one, place) and _is_end(other, other_place):
            return True
        found = {
            (after, other_after)
            for character in characters
            for after in _after(one, place, character)
            for other_after in _after(other, other_place, character)
        }
        open_pairs += found - seen
        seen |= found
    return False


def _is_end(format: Format, place: _Place) -> bool:
    return place.digits >= DIGITS and place.suffix == len(format.suffix)


def _after(format: Format, place: _Place, character: str) -> Iterator[_Place]:
    """Yield the places after one more character. A digit may belong to the number or begin the suffix."""
    if place.prefix < len(format.prefix):
        if format.prefix[place.prefix] == character:
            yield place._replace(prefix=place.prefix + 1)
        return
    if place.suffix == 0 and character in "0123456789" and (place.digits < DIGITS or not place.begins_with_zero):
        begins_with_zero = place.begins_with_zero or (place.digits == 0 and character == "0")
        yield place._replace(digits=min(place.digits + 1, DIGITS + 1), begins_with_zero=begins_with_zero)
    if place.digits >= DIGITS and place.suffix < len(format.suffix) and format.suffix[place.suffix] == character:
        yield place._replace(suffix=place.suffix + 1)
