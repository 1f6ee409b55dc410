"""Seal the rows that were written since the last time: a digest of them, chained with the client's seal before, and its code.

Acts only write their rows; sealing comes after them, so that acts of one client do not wait for one another. On PostgreSQL
numbers are taken before the commit. So rows are sealed up to a number only when each transaction has ended that was open while
that number was the highest. SQLite has one writer, and its rows appear in the order of their numbers.
"""

import hmac
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Max, OuterRef, Subquery
from django.utils import timezone

from accounts.models import Client
from invoices.kinds import SealedRows
from invoices.models import Seal, SealProgress
from invoices.services.sealing.keys import newest_key
from invoices.services.sealing.rows import SEALED, HashedRow, digest_of, hashed_rows, marks_of
from invoices.services.work.registry import KindOfWork

ROWS_AT_ONCE = 10_000
SEALED_EVERY = timedelta(minutes=1)
"""A worker seals new rows once in this time."""


class Sealing(NamedTuple):
    """What one step has sealed. `is_behind`: there are more rows that can be sealed now."""

    rows: int
    is_behind: bool


def code_of(seal: Seal, code_before: str, key: bytes) -> str:
    """Return the code of a seal, which covers all its columns and the code of the client's seal before it."""
    covered = [
        seal.client_id,
        seal.seal_no,
        seal.kind,
        seal.format,
        seal.after_no,
        seal.through_no,
        seal.rows,
        seal.digest,
        sha256(bytes(seal.marks)).hexdigest(),
        seal.sealed_at.astimezone(UTC).isoformat(),
        seal.key_id,
        code_before,
    ]
    return hmac.new(key, json.dumps(covered).encode(), "sha256").hexdigest()


def seal_when_due(now: datetime) -> bool:
    """Seal new rows if the last time was a minute ago, and say whether more can be sealed at once."""
    before = now - SEALED_EVERY
    tried = dict(SealProgress.objects.values_list("kind", "tried_at"))
    # A clock that was set back does not stop it.
    due = [kind for kind in SealedRows if (last := tried.get(kind)) is None or not before < last <= now]
    return sum(_seal_while_behind(kind) for kind in due) > 0


SEALS = KindOfWork("seals", lambda worker: seal_when_due(timezone.now()), can_wait=True)


def _seal_while_behind(kind: SealedRows) -> bool:
    """Seal the next rows of a kind. As long as there are more, it stays due."""
    sealing = seal_next(kind)
    if not sealing.is_behind:
        SealProgress.objects.filter(kind=kind).update(tried_at=timezone.now())
    return sealing.is_behind


def seal_all(wait: timedelta = timedelta()) -> int:
    """Seal all rows, and return how many. Rows of transactions that are still open are waited for, at most for `wait` for each
    kind, and else stay for the next time."""
    return sum(_seal_kind(kind, wait) for kind in SealedRows)


def _seal_kind(kind: SealedRows, wait: timedelta) -> int:
    until = _newest(kind)
    rows, ends = 0, time.monotonic() + wait.total_seconds()
    while True:
        sealing = seal_next(kind)
        rows += sealing.rows
        if sealing.is_behind:
            continue
        if SealProgress.objects.get(kind=kind).through >= until or time.monotonic() >= ends:
            return rows
        time.sleep(0.05)


def seal_next(kind: SealedRows) -> Sealing:
    """Seal at most 10,000 rows of a kind, one seal for each client that has any of them.

    Rows are read and hashed outside the writing transaction. Several processes may do so at once: one of them stores its seals.
    """
    progress, _ = SealProgress.objects.get_or_create(kind=kind)
    until = _decided_until(progress)
    if until <= progress.through:
        return Sealing(0, False)
    rows: list[HashedRow] = []
    format = SEALED[kind].newest
    for row in hashed_rows(kind, progress.through, until, format):
        rows.append(row)
        if len(rows) == ROWS_AT_ONCE:
            break
    is_full = len(rows) == ROWS_AT_ONCE
    last = rows[-1].number if is_full else until
    if not _store(kind, format, progress.through, last, rows):
        return Sealing(0, True)
    return Sealing(len(rows), is_full and last < until)


def _newest(kind: SealedRows) -> int:
    newest = SEALED[kind].model._default_manager.aggregate(newest=Max("pk"))["newest"]
    return int(newest or 0)


def _decided_until(progress: SealProgress) -> int:
    """Return the number up to which no row can appear any more. Where that is not known yet, note what it depends on."""
    if connection.vendor != "postgresql":
        return _newest(SealedRows(progress.kind))
    if progress.candidate > progress.through:
        return progress.through if _open_transactions() & set(progress.open) else progress.candidate
    candidate = _newest(SealedRows(progress.kind))
    # Read after the number: who has taken a lower one is among them, or has ended.
    still_open = _open_transactions() if candidate > progress.through else set()
    if still_open:
        noted = SealProgress.objects.filter(kind=progress.kind, through=progress.through)
        noted.update(candidate=candidate, open=sorted(still_open))
        return progress.through
    return candidate


_OPEN = """
SELECT pg_locks.virtualtransaction FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
WHERE pg_locks.locktype = 'virtualxid' AND pg_locks.mode = 'ExclusiveLock' AND pg_locks.granted
  AND activity.datname = current_database() AND activity.backend_type <> 'autovacuum worker' AND pid <> pg_backend_pid()
"""
"""Each transaction holds this lock until its rows are visible or dropped, also one that has only taken numbers so far. The
database's own vacuuming, which may take hours, adds no rows."""


def _open_transactions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_OPEN)
        return {name for (name,) in cursor.fetchall()}


class _End(NamedTuple):
    """The end of a client's chain: its last seal, and how far the rows of a kind are sealed."""

    seal_no: int = 0
    code: str = ""
    through: int = 0


@transaction.atomic
def _store(kind: SealedRows, format: int, after: int, last: int, rows: Sequence[HashedRow]) -> bool:
    """Add a seal to the chain of each client that has rows. Return False if another process has sealed them meanwhile.

    All progress rows are locked: the seals of all kinds are one chain.
    """
    locked = {one.kind: one for one in SealProgress.objects.select_for_update(no_key=True).order_by("kind")}
    progress = locked[kind]
    if progress.through != after:
        return False
    hashes: dict[int, list[bytes]] = defaultdict(list)
    for row in rows:
        hashes[row.client_no].append(row.hash)
    ends, now = _ends(kind, sorted(hashes)), timezone.now()
    Seal.objects.bulk_create(
        _sealed(kind, format, client_no, ends[client_no], last, mine, now) for client_no, mine in sorted(hashes.items())
    )
    progress.through, progress.candidate = last, max(progress.candidate, last)
    if progress.candidate == last:
        progress.open = []
    progress.save(update_fields=["through", "candidate", "open"])
    return True


def _sealed(
    kind: SealedRows, format: int, client_no: int, end: _End, through: int, hashes: Sequence[bytes], now: datetime
) -> Seal:
    key_id, key = newest_key()
    seal = Seal(
        client_id=client_no,
        seal_no=end.seal_no + 1,
        kind=kind,
        format=format,
        after_no=end.through,
        through_no=through,
        rows=len(hashes),
        digest=digest_of(hashes),
        marks=marks_of(hashes),
        sealed_at=now,
        key_id=key_id,
    )
    seal.code = code_of(seal, end.code, key)
    return seal


def _ends(kind: SealedRows, client_nos: Sequence[int]) -> Mapping[int, _End]:
    """Return where the chain of each client ends. One query."""
    seals = Seal.objects.filter(client=OuterRef("pk")).order_by("-seal_no")
    rows: Any = Client.objects.filter(pk__in=client_nos).values_list(
        "pk",
        Subquery(seals.values("seal_no")[:1]),
        Subquery(seals.values("code")[:1]),
        Subquery(seals.filter(kind=kind).values("through_no")[:1]),
    )
    return {client_no: _End(seal_no or 0, code or "", through or 0) for client_no, seal_no, code, through in rows}
