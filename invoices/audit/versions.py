"""Check that documents which were recalculated or adjusted are what their newest version says."""

from collections.abc import Iterator
from dataclasses import replace

from invoices.audit.stored_documents import StoredDocument
from invoices.document import Document
from invoices.fingerprints import document_parts

PARTS = ("lines", "credits", "taxes", "periods")


def count_versions(document: StoredDocument) -> int:
    return int(document.newest is not None)


def newest_version(document: StoredDocument) -> Iterator[str]:
    """Check that a changed document has the lines, credits, taxes and total of its newest version, and that each line of an
    adjusted one comes from a generated line, or was added."""
    newest = document.newest
    if newest is None:
        if document.state.version > 1:
            yield f"is version {document.state.version}, which is not stored"
        return
    if newest.row.version_no != document.state.version:
        yield f"is version {document.state.version}, but the newest stored version is {newest.row.version_no}"
        return
    now, then = _parts(document.content), _parts(newest.content)
    for part in PARTS:
        if now[part] != then[part]:
            yield f"differs from its version {newest.row.version_no} in its {part}"
    if document.terms.total_amount != newest.row.total_amount:
        yield f"has another total than its version {newest.row.version_no}"
    generated = {line.line_no for line in newest.generated.lines}
    for line in newest.content.lines:
        if document.is_adjusted and line.source_line_no is not None and line.source_line_no not in generated:
            yield f"line {line.line_no} comes from line {line.source_line_no}, which was not generated"


def _parts(content: Document) -> dict[str, str]:
    return document_parts(replace(content, correction=None))
