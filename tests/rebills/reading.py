"""What is read on a page, and what a page costs."""

import re

from django.db import connection
from django.test.utils import CaptureQueriesContext


def words(answer):
    """What is read on a page, in one line."""
    text = re.sub(r"<(script|style|select)\b.*?</\1>", " ", answer.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def queries(work):
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)
