"""Values that a hostile or careless sender might send, as JSON texts, because Python could not write all of them."""

import json
import os
from collections.abc import Iterable, Iterator

SOAKS = "SOAK_EXAMPLES" in os.environ
"""`make soak` tries every value in every field; the test suite only a share of them, a different one for each operation."""

SHARES = 1 if SOAKS else 15

DEEP = 15
"""Deeper than any body may be nested."""

HOSTILE = {
    "nothing": "null",
    "true": "true",
    "a fraction": "1.5",
    "a negative": "-1",
    "the largest long": str(2**63 - 1),
    "above the largest long": str(2**63),
    "below the smallest long": str(-(2**63) - 1),
    "10**400": str(10**400),
    "10**400 as text": f'"{10**400}"',
    "5,000 digits as text": f'"{"9" * 5000}"',
    "a huge exponent": '"1e999999"',
    "an endless exponent": '"1e99999999999999999999"',
    "a tiny exponent": '"1e-999999"',
    "nothing with an exponent": '"0e999999"',
    "a double's largest": "1.7e308",
    "a double's smallest": "5e-324",
    "not a number": '"NaN"',
    "a signalling one": '"sNaN123"',
    "infinity": '"-Infinity"',
    "digits of another script": '"\\u0661\\u0662"',
    "underlined digits": '"1_000"',
    "NUL": '"a\\u0000b"',
    "half of a pair": '"a\\ud800b"',
    "another half": '"\\udfff"',
    "a smile": '"\\ud83d\\ude00"',
    "right to left": '"\\u202e\\u200b"',
    "blanks": '" \\t\\n"',
    "bars": '"||||"',
    "markup": '"<script>&\'\\""',
    "a statement": '"\'; DROP TABLE invoices_invoice; --"',
    "a template": '"{field} %s %(pk)s {{ 7 }}"',
    "100,000 characters": json.dumps("x" * 100_000),
    "an empty list": "[]",
    "an empty object": "{}",
    "a list": "[1]",
    "a list of lists": "[[[1]]]",
    "a list of texts": '["a\\u0000", "\\ud800"]',
    "a list of objects": '[{}, {"line_no": []}, null, 1]',
    "an object": '{"a": 1}',
    "an object of odd names": '{"": {}, "\\u0000": 1, "__class__": {}, "pk": 1}',
    "a deep list": "[" * DEEP + "]" * DEEP,
    "no day": '"0000-00-00"',
    "the first day": '"0001-01-01"',
    "the last day": '"9999-12-31"',
    "no day of February": '"2026-02-30"',
    "the last moment": '"9999-12-31T23:59:59-12:00"',
    "the first moment": '"0001-01-01T00:00:00+14:00"',
}
"""Each is readable by itself. Tests of the parser cover unreadable ones."""


def share_of_values(place: int) -> list[str]:
    """Return the values to try at one of many operations, by its index."""
    return sorted(HOSTILE.values())[place % SHARES :: SHARES]


def hostile_members(names: Iterable[str], place: int) -> Iterator[dict[str, str]]:
    """Yield members that are all hostile in different ways, until each has had every value of the share."""
    values, names = share_of_values(place), list(names)
    for turn in range(len(values)):
        yield {name: values[(turn + column) % len(values)] for column, name in enumerate(names)}


def as_body(members):
    """Return a JSON object of members whose values are JSON texts."""
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"


def written(members):
    return {name: json.dumps(value) for name, value in members.items()}
