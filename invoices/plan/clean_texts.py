"""PURE: texts as XML can have them."""

import re
from collections.abc import Mapping
from dataclasses import replace

from invoices.document import Document

NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Return a text without characters that XML cannot have."""
    return NOT_IN_XML.sub("", text).strip()


def with_clean_parties(document: Document) -> Document:
    """Return a document with parties as XML can have them. What is empty then is left out."""
    parties = document.parties
    return replace(document, parties=replace(parties, seller=_clean(parties.seller), bill_to=_clean(parties.bill_to)))


def _clean(party: Mapping[str, str]) -> dict[str, str]:
    cleaned = {name: clean(text) for name, text in party.items()}
    return {name: text for name, text in cleaned.items() if text}
