"""Approved documents are what was approved."""

from collections.abc import Iterator

from invoices.audit.stored_documents import StoredDocument
from invoices.fingerprints import moved_parts


def count_approved(document: StoredDocument) -> int:
    return int(document.is_issued)


def unmoved(document: StoredDocument) -> Iterator[str]:
    """The fingerprint taken at approval is that of what is stored now; where not, this says which parts have moved."""
    if document.is_issued:
        moved = moved_parts(document.standing.fingerprint, document.content)
        if moved:
            yield f"is not as it was when it was approved, moved: {', '.join(moved)}"
