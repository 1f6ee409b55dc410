"""PURE: values without what they say about a person."""

from collections.abc import Mapping
from typing import Any

KEPT_OF_ADDRESSES = ("region", "country", "e_invoice_profile")
"""What taxes depend on. It is too coarse to name a person."""

PAYER = ("mandate_reference", "debited_account", "card_digits", "card_holder")
OF_EVENTS = frozenset({"email", "message", "label", "name", "description", "po_num", "note", "tags", *PAYER})
"""Members of events that can name a person."""

TEXTS = frozenset({"comments", "reason", "client_notes", "custom_status_label", "reference"})
"""What staff and programs wrote about an act on money. It is kept as long as the documents."""

PARTIES, ADDRESSES = "bill_to", "contacts"


def without(value: Any, names: frozenset[str]) -> Any:
    """Return JSON values in which the members of these names are empty, at any depth."""
    if isinstance(value, Mapping):
        return {name: emptied(inner) if name in names else without(inner, names) for name, inner in value.items()}
    return [without(inner, names) for inner in value] if isinstance(value, list) else value


def emptied(value: Any) -> Any:
    """Return texts as empty ones, and what is in lists and objects too. Numbers and truth values stay."""
    if isinstance(value, Mapping):
        return {name: emptied(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [emptied(inner) for inner in value]
    return "" if isinstance(value, str) else value


def without_address(party: Mapping[str, Any]) -> dict[str, Any]:
    """Return a party or address with its country and region alone."""
    return {name: value if name in KEPT_OF_ADDRESSES else "" for name, value in party.items()}


def without_addresses(basis: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what taxes were calculated from, without the addresses of contacts."""
    if basis is None:
        return None
    contacts = {number: without_address(address) for number, address in basis[ADDRESSES].items()}
    return {**basis, ADDRESSES: contacts}


def without_person(document: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a written document (`written_documents`) without its buyer and without comments."""
    if document is None:
        return None
    parties = {**document["parties"], PARTIES: without_address(document["parties"].get(PARTIES, {}))}
    changed = {**document, "parties": parties, "tax_basis": without_addresses(document["tax_basis"])}
    found: dict[str, Any] = without(changed, TEXTS)
    return found
