"""Which rows are sealed, what of them, and how they are hashed.

A row is hashed as JSON, so that both databases and each version of Python give the same hash. A new column needs a new format:
older seals stay provable with theirs.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from django.db import models

from accounts.models import Event
from invoices.kinds import SealedRows
from invoices.models import Allocation, LedgerEntry, Payment

MARK = 4
"""How many bytes of each row's hash a seal keeps."""


class Sealed(NamedTuple):
    """A kind of rows: their model, the path to their client, and by format the columns that are sealed."""

    model: type[models.Model]
    client: str
    formats: Mapping[int, tuple[str, ...]]

    @property
    def newest(self) -> int:
        return max(self.formats)


SEALED: Mapping[SealedRows, Sealed] = {
    SealedRows.EVENTS: Sealed(
        Event,
        "client_id",
        {
            1: (
                "id",
                "at",
                "act",
                "type",
                "account_id",
                "invoice_no",
                "staff_id",
                "api_key_id",
                "process",
                "caller",
                "request_id",
                "call_token",
                "error_code",
                "message",
                "detail",
                "before",
                "after",
                "written_at",
            )
        },
    ),
    SealedRows.ENTRIES: Sealed(
        LedgerEntry,
        "account__client_id",
        {
            1: (
                "id",
                "account_id",
                "entry_no",
                "kind",
                "amount",
                "balance_after",
                "invoice_id",
                "voids_id",
                "entry_date",
                "created_at",
                "created_by",
                "reason_code",
                "comments",
            )
        },
    ),
    SealedRows.ALLOCATIONS: Sealed(
        Allocation,
        "credit__account__client_id",
        {1: ("id", "credit_id", "debit_id", "kind", "amount", "day", "created_at")},
    ),
    # Whether a payment is voided changes, and its payment method may be deleted.
    SealedRows.PAYMENTS: Sealed(
        Payment,
        "account__client_id",
        {1: ("entry_id", "account_id", "type", "reference", "received_on", "gateway", "gateway_payment_id")},
    ),
}


class HashedRow(NamedTuple):
    client_no: int
    number: int
    hash: bytes


def hashed_rows(kind: SealedRows, after: int, through: int, format: int, client_no: int | None = None) -> Iterator[HashedRow]:
    """Yield the rows of a kind with numbers above `after` and at most `through`, in the order of their numbers: those of one
    client or of all. One query, read in parts."""
    sealed = SEALED[kind]
    rows = sealed.model._default_manager.filter(pk__gt=after, pk__lte=through)
    if client_no is not None:
        rows = rows.filter(**{sealed.client: client_no})
    values = rows.order_by("pk").values_list(sealed.client, *sealed.formats[format])
    for owner, *columns in values.iterator(chunk_size=2000):
        yield HashedRow(owner, columns[0], hash_of(columns))


def hash_of(columns: Sequence[Any]) -> bytes:
    """Return the hash of the values of a row."""
    return sha256(_canonical.encode(columns).encode()).digest()


def digest_of(hashes: Sequence[bytes]) -> str:
    """Return the digest of the hashes of rows, in their order."""
    return sha256(b"".join(hashes)).hexdigest()


def marks_of(hashes: Sequence[bytes]) -> bytes:
    return b"".join(one[:MARK] for one in hashes)


def _plain(value: object) -> str:
    """Return a value that JSON does not know as a text, which is the same on both databases."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be sealed")


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain)
