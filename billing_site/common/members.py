"""Refuse unknown members of a body, query parameters and file columns, with their path and the name that was probably meant.

The same code checks all serializers, including nested rows.
"""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from billing_site.errors import BillingError, Detail, ErrorCode

UNKNOWN, READ_ONLY = "unknown_member", "read_only_member"

MOST_NAMED = 100
"""Maximum number of wrong names in one refusal, so that a body of a million wrong members does not get a million messages."""

LONGEST_NAME = 100
"""Maximum length of a wrong name that is compared and quoted. The time to compare grows with the square of the length."""


LIKE = 0.65
"""How similar a known name must be to be suggested, from 0 to 1: `interval` suggests `billing_interval`."""


class NoArguments(serializers.Serializer):
    """The body of an act without arguments."""


def check_members(serializer: serializers.BaseSerializer[Any], data: Any, *, empty_is_absent: bool = False) -> None:
    """Refuse (1016) members of `data` that the serializer does not know or that are read-only.

    With `empty_is_absent`, null or an empty text counts as not sent, as in method calls. The serializer itself refuses values
    of the wrong shape.
    """
    wrong = dict(islice(_wrong_members(serializer, data, "", empty_is_absent), MOST_NAMED))
    if wrong:
        raise ValidationError(wrong)


def check_parameters(query: QueryDict, known: Collection[str]) -> None:
    """Refuse (1016) query parameters that are unknown or repeated."""
    for name in query:
        if name not in known:
            raise BillingError(
                ErrorCode.INVALID_INPUT, unknown_name(name, known, what=_("Unknown parameter")), field=name, instead=True
            )
        if len(query.getlist(name)) > 1:
            raise BillingError(ErrorCode.INVALID_INPUT, Detail("{name}: send it only once", name=name), field=name)


def unknown_columns(header: Collection[str], known: Collection[str]) -> str:
    """Return sentences about unknown columns of a file, or an empty text if there are none."""
    unknown = islice((name for name in header if name not in known), MOST_NAMED)
    return " ".join(unknown_name(name, known, what=_("Unknown column")) for name in unknown)


def unknown_name(name: str, known: Collection[str], path: str = "", *, what: str = "") -> str:
    """Return a sentence about an unknown name, with the most similar known name, or all known names if none is similar."""
    quoted = name[:LONGEST_NAME]
    what = what or _("Unknown field")
    near = nearest(name, known)
    if near:
        return _("%(what)s `%(name)s`. Did you mean `%(near)s`?") % {"what": what, "name": path + quoted, "near": path + near}
    names = ", ".join(sorted(known)) or _("none")
    return _("%(what)s `%(name)s`. Known here: %(names)s.") % {"what": what, "name": path + quoted, "names": names}


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that is most similar to a wrong one, or the only one that ends with it as a word, or None.

    `amount` suggests `payment_amount`.
    """
    found = get_close_matches(name[:LONGEST_NAME], sorted(known), n=1, cutoff=LIKE)
    if found:
        return found[0]
    longer = [one for one in known if name and one.endswith(f"_{name}")]
    return longer[0] if len(longer) == 1 else None


def _wrong_members(
    field: serializers.Field | None, data: Any, path: str, empty_is_absent: bool
) -> Iterator[tuple[str, list[ErrorDetail]]]:
    """Yield the path and error of each wrong member, in the order in which they were sent."""
    if isinstance(field, serializers.Serializer) and isinstance(data, Mapping):
        below = f"{path}." if path else ""
        writable = [name for name, one in field.fields.items() if not one.read_only]
        for name, value in data.items():
            if empty_is_absent and value in (None, ""):
                continue
            if name in writable:
                yield from _wrong_members(field.fields[name], value, below + name, empty_is_absent)
            elif name in field.fields:
                yield below + name, [ErrorDetail(_not_writable(below + name), READ_ONLY)]
            else:
                place = below + str(name)[:LONGEST_NAME]
                yield place, [ErrorDetail(unknown_name(str(name), writable, below), UNKNOWN)]
    elif isinstance(field, serializers.ListSerializer | serializers.ListField) and isinstance(data, list):
        for position, row in enumerate(data if _has_room(field, data) else ()):
            yield from _wrong_members(field.child, row, f"{path}[{position}]", empty_is_absent)


def _has_room(field: Any, rows: list[Any]) -> bool:
    """Whether a list is short enough to be read row by row. A longer one is refused by its length."""
    return field.max_length is None or len(rows) <= field.max_length


def _not_writable(path: str) -> str:
    return _("Field `%(name)s` is read-only: answers have it, requests do not. Leave it out.") % {"name": path}
