"""Check that what was blanked of erased customers is what their erasure says, and nothing else."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Client, Event
from invoices.audit.reads import scope_read
from invoices.audit.reports import AuditReport
from invoices.audit.scopes import Scope, of_client
from invoices.audit.stored_documents import StoredDocument
from invoices.fingerprints import changed_parts
from invoices.kinds import SealedRows
from invoices.models import BlankedDocument, BlankedRow, Erasure
from invoices.services.privacy.blanking import without_address, without_addresses
from invoices.services.privacy.documents import BLANKED, MAY_CHANGE, TEXTS_BLANKED
from invoices.services.privacy.erasing import ERASED
from invoices.services.privacy.proven_rows import Blanked, digest_of, hash_of_row
from invoices.services.privacy.retention import EVENTS_BLANKED
from invoices.services.sealing.rows import SEALED

NAME = "What was blanked is as its erasure left it"
ROWS_AT_ONCE = 1000
ACTS = (ERASED, TEXTS_BLANKED, EVENTS_BLANKED)


def changed_beside_blanking(document: StoredDocument) -> list[str]:
    """Return the parts of a document that have changed since it was issued and were not blanked by its erasure.

    A blanked document must be proven twice: by the fingerprint of its issue in the parts that name nobody, and by that of its
    blanking, which its event repeats, in all parts. What was blanked must be empty.
    """
    moved = changed_parts(document.state.fingerprint, document.content)
    blanked = document.blanked
    if blanked is None:
        return moved
    wrong = [part for part in moved if part not in MAY_CHANGE]
    wrong += [part for part in changed_parts(blanked.fingerprint, document.content) if part not in wrong]
    return wrong + _not_as_said(document, blanked)


def _not_as_said(document: StoredDocument, blanked: BlankedDocument) -> list[str]:
    parties, basis = document.content.parties.bill_to, document.content.tax_basis
    stored = None if basis is None else basis.stored
    if dict(parties) != without_address(parties) or stored != without_addresses(stored):
        return ["parties are not blanked"]
    said = [one for one in document.acts if one.name == BLANKED]
    return (
        [] if [one.after.get("fingerprint") for one in said] == [blanked.fingerprint] else ["no event says that it was blanked"]
    )


def blanked_rows(scope: Scope) -> AuditReport:
    """Check that events, transactions and payments that were blanked are as they were left, and that events of the acts
    that blanked prove all of them."""
    rows, findings = 0, [f"account {number}: is erased, but no event says so" for number in _erasures_without_event(scope)]
    if not BlankedRow.objects.exists():
        return AuditReport(NAME, rows, findings)
    for kind, sealed in SEALED.items():
        stored = _of_client(sealed.model, scope.client, sealed.client)
        for left in _left(kind, stored):
            rows += len(left)
            for row in stored.filter(pk__in=left):
                format, hash = left[row.pk]
                if hash_of_row(kind, row, format) != hash:
                    findings.append(f"{kind.label} {row.pk}: has changed since its personal data was blanked")
    findings.extend(_acts(scope.client))
    return AuditReport(NAME, rows, findings)


@scope_read
def _erasures_without_event(scope: Scope) -> QuerySet[Any, Any]:
    said = Event.objects.filter(account=OuterRef("account"), act=ERASED)
    return of_client(Erasure, "client", scope).filter(~Exists(said)).values_list("account_id", flat=True)


def _left(kind: SealedRows, stored: QuerySet[Any]) -> Iterator[dict[int, tuple[int, str]]]:
    """Yield, by their numbers, with which format and hash these rows were left when they were blanked last: 1,000 at a time."""
    later = BlankedRow.objects.filter(kind=kind, row_no=OuterRef("row_no"), pk__gt=OuterRef("pk"))
    newest = BlankedRow.objects.filter(~Exists(later), kind=kind, row_no__in=stored.values("pk")).order_by("row_no")
    columns = newest.values_list("row_no", "format", "hash_after")
    last = 0
    while chunk := list(columns.filter(row_no__gt=last)[:ROWS_AT_ONCE]):
        yield {row_no: (format, hash) for row_no, format, hash in chunk}
        last = chunk[-1][0]


def _of_client(model: Any, client: Client | None, path: str = "client") -> QuerySet[Any]:
    rows: QuerySet[Any] = model._default_manager.all()
    return rows if client is None else rows.filter(**{path: client.pk})


def _acts(client: Client | None) -> Iterator[str]:
    """Check that the rows that one act blanked are those that its event proves."""
    said = set(_of_client(Event, client).filter(act__in=ACTS).values_list("after__digest", flat=True))
    of_kinds = Q()
    for kind, sealed in SEALED.items():
        of_kinds |= Q(kind=kind, row_no__in=_of_client(sealed.model, client, sealed.client).values("pk"))
    blanked = BlankedRow.objects.filter(of_kinds).order_by("digest", "pk").values_list("digest", *Blanked._fields)
    for digest, rows in groupby(blanked.iterator(chunk_size=ROWS_AT_ONCE), key=itemgetter(0)):
        if digest_of(Blanked(*row) for _, *row in rows) != digest or digest not in said:
            yield f"blanked rows {digest[:16]}: are not those that the event of an act proves"
