"""The versions of a document, each compared line by line with the one before."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from invoices.document import Document
from invoices.models import DocumentVersion, Invoice
from invoices.services.documents.versions import StoredVersion, read_versions
from rebills.plan.adjusting import line_keys
from rebills.plan.differences import Difference, Names, compared, source_lines
from rebills.services.facts import read_names


class ShownVersion(NamedTuple):
    """A version with its differences from the version before. The first has none. `names` are those of services and
    contacts."""

    row: DocumentVersion
    content: Document
    before: Document | None
    differences: Sequence[Difference]
    names: Names


def shown_versions(invoice: Invoice) -> list[ShownVersion]:
    """Return the versions of a document, oldest first. One that never changed has none. Three queries."""
    versions = read_versions(invoice.pk)
    names = read_names([one.content for one in versions])
    befores: list[StoredVersion | None] = [None, *versions][: len(versions)]
    return [
        ShownVersion(
            one.row,
            one.content,
            None if before is None else before.content,
            () if before is None else compared(before.content, one.content, _sources(before, one), names),
            names,
        )
        for before, one in zip(befores, versions, strict=True)
    ]


def _sources(before: StoredVersion, after: StoredVersion) -> dict[int, int | None]:
    """Return, for each line of a version, the line of the version before that it replaces, or None.

    Lines are followed to what was generated, which is matched by what it charges. Added lines are matched in their order.
    """
    same = _same_lines(before.generated, after.generated)
    was, now = _generated_lines(before), _generated_lines(after)
    replaced = {generated: number for number, generated in was.items() if generated is not None}
    added = iter([number for number, generated in was.items() if generated is None])
    return {
        number: next(added, None) if generated is None else replaced.get(same.get(generated, 0))
        for number, generated in now.items()
    }


def _generated_lines(version: StoredVersion) -> Mapping[int, int | None]:
    """Return the generated line that each line comes from, or None for an added one."""
    if version.is_adjusted:
        return source_lines(version.content)
    return {line.line_no: line.line_no for line in version.content.lines if not line.is_tax}


def _same_lines(before: Document, after: Document) -> dict[int, int]:
    """Return the line of an earlier document that charges the same, by line number of the later one."""
    keys: dict[str, Any] = {str(key): number for number, key in line_keys(before.lines).items()}
    return {number: keys[str(key)] for number, key in line_keys(after.lines).items() if str(key) in keys}
