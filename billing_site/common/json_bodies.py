"""JSON bodies, checked the same way everywhere: one object, finite numbers, no repeated member, limited size."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from billing_site.errors import BillingError, Detail, ErrorCode

MOST_PIECES = 250_000
"""Limit of members and items of a body, counted before it is read, because whoever sends it need not have a key. 10,000 usage
records with every member have fewer. 8 MB of empty lists would need 30 times their size in memory."""


LONGEST_NAME = 200


MOST_LEVELS = 20
"""Limit of nesting. No call needs more than four levels."""


def unreadable_body() -> BillingError:
    """Return the refusal of a body that is neither a JSON object nor a form."""
    return BillingError(ErrorCode.INVALID_FORMAT, Detail("Unable to parse input json - invalid format."), instead=True)


def too_large_body() -> BillingError:
    """Return the refusal of a body that is longer than a body may be."""
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return BillingError(ErrorCode.INVALID_FORMAT, Detail("the body is too large: send at most {most} bytes", most=most))


def json_object(text: str) -> dict[str, Any]:
    """Return one JSON object (RFC 8259) with finite numbers and limited nesting.

    Raises ValueError for any other text. Refuses (1016) a member that occurs twice in one object, at any level, and (1012) more
    than `MOST_PIECES`.
    """
    if sum(map(text.count, ",[{")) > MOST_PIECES:
        detail = Detail("the body has too many values: send at most {most}", most=MOST_PIECES)
        raise BillingError(ErrorCode.INVALID_FORMAT, detail)
    read = json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_members)
    if not isinstance(read, dict):
        raise ValueError("no object")
    _check_levels(read)
    return read


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = Counter(name for name, _ in pairs)
        name = next(name for name, count in names.items() if count > 1)[:LONGEST_NAME]
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("{name}: send it only once", name=name), field=name)
    return members


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON (RFC 8259)")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number that no double can hold")
    return number


def _check_levels(read: dict[str, Any]) -> None:
    level: list[Any] = [read]
    for _ in range(MOST_LEVELS):
        inner = (value for one in level for value in (one.values() if isinstance(one, dict) else one))
        level = [value for value in inner if isinstance(value, dict | list)]
        if not level:
            return
    raise ValueError("nested too deeply")


class JSONObjectParser(JSONParser):
    """Reads one JSON object in UTF-8, whatever charset the request names, up to Django's size limit of forms."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise RequestDataTooBig
        try:
            return json_object(body.decode())
        except (ValueError, RecursionError) as error:
            raise ParseError from error


class MergePatchParser(JSONObjectParser):
    """Reads the body of a PATCH under the media type of JSON merges (RFC 7396)."""

    media_type = "application/merge-patch+json"
