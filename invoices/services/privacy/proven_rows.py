"""Blank what events, transactions and payments say about a person, so that the audit proves that nothing else was altered.

Each blanked row leaves the hashes of what it was and of what it is, as seals have them. The event of the act has a digest of
all of them.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from django.db.models import Model, QuerySet
from django.utils import timezone

from accounts.models import Event
from billing_site.common.storage import insert_rows
from billing_site.errors import NUMBERED
from invoices.kinds import SealedRows
from invoices.models import BlankedRow, Erasure, LedgerEntry, Payment
from invoices.services.privacy.blanking import OF_EVENTS, TEXTS, without
from invoices.services.sealing.rows import SEALED, hash_of

ROWS_AT_ONCE = 1000
FIELDS = ("kind", "row_no", "format", "hash_before", "hash_after", "erasure_id", "at", "digest")

How = Callable[[Any], dict[str, Any]]
"""Return the columns of a row as they are after blanking."""


class Blanked(NamedTuple):
    """A row that was blanked, and the hashes of what it was and is."""

    kind: str
    row_no: int
    format: int
    hash_before: str
    hash_after: str


def bare_message(error_code: int) -> str:
    """Return the text of an error code alone."""
    return NUMBERED[error_code].message if error_code in NUMBERED else ""


def names_in_event(event: Event) -> dict[str, Any]:
    """Blank who an event names, and the message of a refusal, which quotes what was sent."""
    message = bare_message(event.error_code) if event.message else ""
    return {
        "message": message,
        "detail": "",
        "before": without(event.before, OF_EVENTS),
        "after": without(event.after, OF_EVENTS),
    }


def texts_in_event(event: Event) -> dict[str, Any]:
    """Blank what people wrote about an act."""
    return {"before": without(event.before, TEXTS), "after": without(event.after, TEXTS)}


def texts_in_entry(entry: LedgerEntry) -> dict[str, Any]:
    return {"comments": ""}


def texts_in_payment(payment: Payment) -> dict[str, Any]:
    return {"reference": ""}


def blank_rows(kind: SealedRows, rows: QuerySet[Any], how: How) -> list[Blanked]:
    """Blank rows, and return those that have changed, in the order of their numbers. 1,000 rows at a time are in memory.

    Must be called in a transaction in which the guards are lifted, and which calls `keep_proof` with what it returns.
    """
    found: list[Blanked] = []
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:ROWS_AT_ONCE]):
        found.extend(_blanked(kind, chunk, how))
        last = chunk[-1].pk
    return found


def _blanked(kind: SealedRows, rows: Sequence[Any], how: How) -> list[Blanked]:
    sealed, changed, columns = SEALED[kind], [], list(how(rows[0]))
    for row in rows:
        new = how(row)
        if any(getattr(row, name) != value for name, value in new.items()):
            before = hash_of_row(kind, row)
            for name, value in new.items():
                setattr(row, name, value)
            changed.append((Blanked(kind.value, row.pk, sealed.newest, before, hash_of_row(kind, row)), row))
    sealed.model._default_manager.bulk_update([row for _, row in changed], columns, batch_size=200)
    return [one for one, _ in changed]


def keep_proof(blanked: Sequence[Blanked], erasure: Erasure | None) -> str:
    """Store the hashes of blanked rows. Returns the digest of them, which the event of the act must have."""
    digest, number, at = digest_of(blanked), None if erasure is None else erasure.pk, timezone.now()
    insert_rows(BlankedRow, FIELDS, [(*one, number, at, digest) for one in blanked])
    return digest


def hash_of_row(kind: SealedRows, row: Model, format: int | None = None) -> str:
    """Return the hash of a row as seals have it, in a format (default: the newest)."""
    sealed = SEALED[kind]
    return hash_of([getattr(row, name) for name in sealed.formats[format or sealed.newest]]).hex()


def digest_of(blanked: Iterable[Blanked]) -> str:
    """Return the SHA-256 of the kinds, numbers and hashes of blanked rows."""
    return hashlib.sha256("\n".join(" ".join(map(str, one)) for one in blanked).encode()).hexdigest()
