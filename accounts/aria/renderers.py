"""PURE: write answers of method calls as JSON, XML or WDDX. Answers consist of objects, lists, texts, numbers and null."""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape, quoteattr

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow."""


def as_json(answer: Mapping[str, Any]) -> str:
    """Return a JSON object. It begins with its brace, because some clients look at the first byte."""
    return json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)


def as_xml(answer: Mapping[str, Any]) -> str:
    """Return our XML format; Aria documents none. `<response>` has one element per field, `<item>` per row, empty elements
    for null. An empty list is null."""
    fields = "".join(_xml(name, value) for name, value in answer.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<response>{fields}</response>'


def _xml(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inner = "".join(_xml(field, each) for field, each in value.items())
    elif isinstance(value, list | tuple):
        inner = "".join(_xml("item", each) for each in value)
    else:
        inner = "" if value is None else _text(value)
    return f"<{name}>{inner}</{name}>"


def as_wddx(answer: Mapping[str, Any]) -> str:
    """Return a WDDX 1.0 packet, the format for clients that name none.

    Lists of rows are arrays of structs. An empty list or a list of plain values is null, because WDDX clients fail on arrays
    without structs.
    """
    return f"<wddxPacket version='1.0'><header/><data>{_wddx(answer)}</data></wddxPacket>"


def _wddx(value: Any) -> str:
    if value is None:
        return "<null/>"
    if isinstance(value, Mapping):
        fields = "".join(f"<var name={quoteattr(name)}>{_wddx(each)}</var>" for name, each in value.items())
        return f"<struct>{fields}</struct>"
    if isinstance(value, list | tuple):
        if not value or not all(isinstance(each, Mapping) for each in value):
            return "<null/>"
        return f"<array length='{len(value)}'>{''.join(map(_wddx, value))}</array>"
    if isinstance(value, bool):
        return f"<boolean value='{str(value).lower()}'/>"
    if isinstance(value, int | float | Decimal):
        return f"<number>{value}</number>"
    return f"<string>{_text(value)}</string>"


def _text(value: Any) -> str:
    return escape(NOT_XML.sub("\ufffd", str(value).lower() if isinstance(value, bool) else str(value)))


FORMATS: Mapping[str, tuple[Callable[[Mapping[str, Any]], str], str]] = {
    "json": (as_json, "application/json"),
    "xml": (as_xml, "application/xml"),
    "wddx": (as_wddx, "text/xml"),
}
"""The writer and content type of each output_format."""
