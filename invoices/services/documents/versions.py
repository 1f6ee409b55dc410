"""The versions of pending documents: who changed them, why, and what the document was."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet

from accounts.keys import people_behind
from billing_site.common.storage import insert_rows, update_rows
from invoices.calculation import ZERO
from invoices.document import Document
from invoices.kinds import VersionAct
from invoices.models import DocumentVersion, Invoice
from invoices.plan.tax_answers import TaxAnswer
from invoices.services.documents.document_storage import replace_documents, stored_contents
from invoices.services.documents.tax_answers import stored_tax_answers
from invoices.written_documents import read_document, written

FIELDS = (
    "invoice_id",
    "version_no",
    "act",
    "made_by",
    "made_at",
    "reason_code",
    "comments",
    "total_amount",
    "content",
    "generated",
    "tax_answer",
)


def newest_mark() -> int:
    """Return a mark of this moment: `changed_since` finds the documents that were changed after it."""
    return DocumentVersion.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def changed_since(mark: int, invoices: QuerySet[Invoice]) -> QuerySet[DocumentVersion]:
    """Select the versions that were made after a mark of documents among these."""
    return DocumentVersion.objects.filter(pk__gt=mark, invoice__in=invoices.order_by().values("pk"))


class NewVersion(NamedTuple):
    """A new version of a pending document.

    The lines of `content` name the generated lines that they come from in `source_line_no`, if it has adjustments; then
    `generated` is the document without them. `tax_answer` is that of the document without adjustments.
    """

    invoice: Invoice
    act: VersionAct
    content: Document
    tax_answer: TaxAnswer
    generated: Document | None = None
    reason_code: int | None = None
    comments: str = ""


def write_versions(versions: Sequence[NewVersion], made_by: str, at: datetime) -> None:
    """Replace pending documents by new versions, and keep both. Must be called under the locks of accounts and invoices.

    The number of statements is constant. A document that had no version before gets one for what was generated.
    """
    first = [one.invoice for one in versions if one.invoice.version == 1]
    numbers = [invoice.pk for invoice in first]
    contents, answers = stored_contents(numbers), stored_tax_answers(numbers)
    rows: list[tuple[Any, ...]] = [
        (
            *(invoice.pk, 1, VersionAct.GENERATED.value, invoice.generated_by, invoice.generated_at),
            *(None, "", invoice.total_amount, written(contents[invoice.pk]), None),
            answers.get(invoice.pk, TaxAnswer())._asdict(),
        )
        for invoice in first
    ]
    for one in versions:
        generated = None if one.generated is None else written(one.generated)
        number = one.invoice.version + 1
        why = one.reason_code, one.comments, one.content.terms.total_amount
        rows.append(
            (
                one.invoice.pk,
                number,
                one.act.value,
                made_by,
                at,
                *why,
                written(one.content),
                generated,
                one.tax_answer._asdict(),
            )
        )
    insert_rows(DocumentVersion, FIELDS, rows)
    replace_documents([(one.invoice.pk, _as_stored(one.content)) for one in versions])
    update_rows(Invoice, ("version",), [(one.invoice.pk, one.invoice.version + 1) for one in versions])


def _as_stored(content: Document) -> Document:
    """Return a version as its document is stored: its lines come from no other document."""
    return replace(content, lines=tuple(replace(line, source_line_no=None, comments="") for line in content.lines))


class StoredVersion(NamedTuple):
    """A stored version, with its document and the document before adjustments. Both are the same without adjustments.
    `tax_answer` is of the latter."""

    row: DocumentVersion
    content: Document
    generated: Document
    tax_answer: TaxAnswer

    @property
    def is_adjusted(self) -> bool:
        return self.row.generated is not None


def read_versions(invoice_no: int) -> list[StoredVersion]:
    """Return all versions of a document, oldest first. One that never changed has none."""
    return [_stored(row) for row in DocumentVersion.objects.filter(invoice=invoice_no).order_by("version_no")]


def newest_versions(invoice_nos: Collection[int]) -> dict[int, StoredVersion]:
    """Return the newest version of each document that has any. One query."""
    rows = DocumentVersion.objects.filter(invoice__in=invoice_nos).order_by("version_no")
    return {row.invoice_id: _stored(row) for row in rows}


def _stored(row: DocumentVersion) -> StoredVersion:
    content = read_document(row.content)
    answer = {**row.tax_answer, "unanswered": tuple(row.tax_answer["unanswered"])}
    return StoredVersion(row, content, content if row.generated is None else read_document(row.generated), TaxAnswer(**answer))


class Generated(NamedTuple):
    """A document as it was last generated or recalculated, before adjustments, and the number of its newest version."""

    version: int
    content: Document
    tax_answer: TaxAnswer


def read_generated(invoices: Sequence[Invoice]) -> dict[int, Generated]:
    """Return documents without their adjustments, by number. The number of queries is constant."""
    unchanged = [invoice.pk for invoice in invoices if invoice.version == 1]
    contents, answers = stored_contents(unchanged), stored_tax_answers(unchanged)
    newest = newest_versions([invoice.pk for invoice in invoices if invoice.version > 1])
    return {number: Generated(1, contents[number], answers.get(number, TaxAnswer())) for number in unchanged} | {
        number: Generated(one.row.version_no, one.generated, one.tax_answer) for number, one in newest.items()
    }


class Makers(NamedTuple):
    """The people behind who generated a document or made a later version of it, and the largest total of its versions."""

    generated: frozenset[str]
    changed: frozenset[str] = frozenset()
    largest_total: Decimal = ZERO


def makers_of(invoices: Collection[Invoice]) -> dict[int, Makers]:
    """Return the makers of pending documents, by number. Two queries, or one if none of them was changed."""
    numbers = [invoice.pk for invoice in invoices if invoice.version > 1]
    columns = ("invoice_id", "made_by", "total_amount")
    versions: dict[int, list[tuple[str, Decimal]]] = {}
    for number, made_by, total in DocumentVersion.objects.filter(invoice__in=numbers).values_list(*columns) if numbers else ():
        versions.setdefault(number, []).append((made_by, total))
    identities = {invoice.generated_by for invoice in invoices} | {by for rows in versions.values() for by, _ in rows}
    people = people_behind(identities)
    return {invoice.pk: _makers(invoice, versions.get(invoice.pk, ()), people) for invoice in invoices}


def _makers(invoice: Invoice, versions: Sequence[tuple[str, Decimal]], people: Mapping[str, frozenset[str]]) -> Makers:
    generated = people[invoice.generated_by]
    changed = frozenset(person for made_by, _ in versions for person in people[made_by])
    return Makers(generated, changed - generated, max((total for _, total in versions), default=invoice.total_amount))
