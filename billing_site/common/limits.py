"""How much one request may ask of the server, the same at every door: rows, lengths of texts, the shape of its body."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from accounts.aria.parsers import json_object

LINES_AT_ONCE = 2000
"""Of a rebill or a credit memo. The builder of rebills shows as many, and sends what was changed."""

COMMENTS_LENGTH = 1000
"""Of payments, credits, write-offs, disputes, refunds and voids."""

DOCUMENT_COMMENTS_LENGTH = 3000
"""Of credit memos and rebills."""

LINE_COMMENTS_LENGTH = 200
REMARK_LENGTH = 1000
"""Of reasons for decisions, and notes on documents."""

PO_NUM_LENGTH = 1000


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
