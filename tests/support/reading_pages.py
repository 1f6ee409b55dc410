"""The text of a page, and the cost of a page."""

import re
from html.parser import HTMLParser

from django.db import connection
from django.test.utils import CaptureQueriesContext


def words(answer):
    """Return the text of a page on one line."""
    text = re.sub(r"<(script|style|select)\b.*?</\1>", " ", answer.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def queries(work):
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def fields_of(answer):
    """Return name and value of each builder field that a browser without scripts sends."""
    return _Builder(answer.content.decode()).fields


class _Builder(HTMLParser):
    """Reads the fields of the form `builder` from a page."""

    def __init__(self, html):
        super().__init__()
        self.fields, self.select, self.within = [], None, False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self.within = given.get("id") == "builder"
        if not self.within:
            return
        if tag == "input" and given.get("name") and (given.get("type") != "checkbox" or "checked" in given):
            self.fields.append((given["name"], given.get("value", "")))
        elif tag == "select":
            self.select = given.get("name")
            self.fields.append((self.select, ""))
        elif tag == "option" and self.select and "selected" in given:
            self.fields[-1] = (self.select, given.get("value", ""))
