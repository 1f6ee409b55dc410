"""How much one request may ask of the server: the shape of its body."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from billing_site.parsers import json_object


class JSONObjectParser(JSONParser):
    """One JSON object in UTF-8, whatever charset the request names, and no longer than Django lets a form be."""

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
