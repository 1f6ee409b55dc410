"""How much one request may ask of the server: the shape of its body, and the rows of its answer."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import JSONParser
from rest_framework.request import Request


class JSONObjectParser(JSONParser):
    """One JSON object in UTF-8 (RFC 8259), whatever charset the request names, and not nested without end."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            body = super().parse(stream, media_type, {**(parser_context or {}), "encoding": "utf-8"})
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error
        if not isinstance(body, dict):
            raise ParseError("The body is not a JSON object.")
        return body


class BoundedPagination(LimitOffsetPagination):
    """Pages by `limit`, at most 500 rows, and `offset`; an offset beyond the last row that a database can count is the end."""

    max_limit = 500
    largest_offset = 2**31

    def get_offset(self, request: Request) -> int:
        return min(super().get_offset(request), self.largest_offset)
