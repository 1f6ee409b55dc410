"""Check that approved documents have not changed since approval."""

from collections.abc import Iterator

from invoices.audit.stored_documents import StoredDocument
from invoices.fingerprints import changed_parts


def count_approved(document: StoredDocument) -> int:
    return int(document.is_issued)


def unchanged(document: StoredDocument) -> Iterator[str]:
    """Compare the fingerprint of approval with that of the stored document, and name the parts that have changed."""
    if document.is_issued:
        moved = changed_parts(document.state.fingerprint, document.content)
        if moved:
            yield f"has changed since it was approved: {', '.join(moved)}"
