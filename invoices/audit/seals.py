"""Compare what is sealed with its seals, and the seals with their heads outside the database."""

import hmac
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from django.db.models import QuerySet

from accounts.models import Client
from invoices.audit.reports import AuditReport
from invoices.kinds import SealedRows
from invoices.models import BlankedRow, Seal, SealHead, SealProgress
from invoices.services.sealing.heads import stored_heads, stored_names
from invoices.services.sealing.keys import keys
from invoices.services.sealing.rows import MARK, SEALED, HashedRow, digest_of, hashed_rows
from invoices.services.sealing.sealing import code_of

ROWS = "Events, transactions and payments are as they were sealed"
HEADS = "Seals are those whose heads are stored outside the database"
SEALS_AT_ONCE = 200
ROW_NAMES = {
    SealedRows.EVENTS: "event",
    SealedRows.ENTRIES: "transaction",
    SealedRows.ALLOCATIONS: "allocation",
    SealedRows.PAYMENTS: "payment",
}


def sealed_rows(client: Client, since: datetime | None = None) -> AuditReport:
    """Check the client's chain of seals, and hash the rows of each seal again: all, or those sealed since a moment.

    Rows that were written after the last seal are not proven by one yet.
    """
    first = _first_since(client, since)
    seals = Seal.objects.filter(client=client, seal_no__gte=first).order_by("seal_no")
    findings = list(_chain_wrong(client, first, seals))
    count = 0
    reached = dict(SealProgress.objects.values_list("kind", "through"))
    for kind in SealedRows:
        rows, wrong = _kind_wrong(client, kind, seals.filter(kind=kind), reached.get(kind, 0))
        count += rows
        findings.extend(wrong)
    return AuditReport(
        ROWS,
        count,
        [f"client {client.pk}: {words}" for words in findings],
    )


def _first_since(client: Client, since: datetime | None) -> int:
    """Return the number of the first seal that is checked."""
    if since is None:
        return 1
    older = Seal.objects.filter(client=client, sealed_at__lt=since).order_by("-seal_no")
    return (older.values_list("seal_no", flat=True).first() or 0) + 1


def _chain_wrong(client: Client, first: int, seals: QuerySet[Seal]) -> Iterator[str]:
    """Check that no seal is missing, and that each has its code."""
    before = Seal.objects.filter(client=client, seal_no=first - 1).first()
    expected, code, known = first, before.code if before else "", keys()
    for seal in seals.iterator(chunk_size=SEALS_AT_ONCE):
        if seal.seal_no != expected:
            yield f"the seals from {expected} to {seal.seal_no - 1} are missing"
        if seal.key_id not in known:
            yield f"seal {seal.seal_no} cannot be checked, because its key {seal.key_id} is not configured"
        elif not hmac.compare_digest(seal.code, code_of(seal, code, known[seal.key_id])):
            yield f"seal {seal.seal_no} has a code that its key did not make"
        expected, code = seal.seal_no + 1, seal.code


def _kind_wrong(client: Client, kind: SealedRows, seals: QuerySet[Seal], reached: int) -> tuple[int, list[str]]:
    """Return how many rows of a kind were hashed, and what is wrong with them. `reached`: all clients' rows are sealed through
    this number."""
    through, count = None, 0
    findings: list[str] = []
    for format, group in groupby(seals.iterator(chunk_size=SEALS_AT_ONCE), lambda seal: seal.format):
        first = next(group)
        last = seals.filter(format=format).order_by("-seal_no").values_list("through_no", flat=True)[0]
        rows = hashed_rows(kind, first.after_no, max(last, first.through_no), format, client.pk)
        waiting = next(rows, None)
        for seal in _again(first, group):
            if through is not None and seal.after_no != through:
                ends = f"the one before ends with {through}"
                findings.append(f"seal {seal.seal_no} begins after {kind} {seal.after_no}, but {ends}")
            through, mine = seal.through_no, []
            while waiting is not None and waiting.number <= seal.through_no:
                mine.append(waiting)
                waiting = next(rows, None)
            count += len(mine)
            if not _is_sealed(seal, mine) and not _is_sealed(seal, mine := as_sealed(kind, seal, mine)):
                findings.append(_damage(kind, seal, mine))
    findings.extend(_unsealed(client, kind, through, reached))
    return count, findings


def _is_sealed(seal: Seal, rows: Sequence[HashedRow]) -> bool:
    return digest_of([row.hash for row in rows]) == seal.digest


def as_sealed(kind: SealedRows, seal: Seal, rows: Sequence[HashedRow]) -> list[HashedRow]:
    """Return the rows of a seal with the hashes that they had before their personal data was blanked.

    Only for rows that are as their blanking left them: an altered one keeps its hash. The marks of the seal say whether a row
    was sealed before its blanking.
    """
    numbers = [row.number for row in rows]
    left: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
    blanked = (
        BlankedRow.objects.filter(kind=kind, format=seal.format, row_no__range=(numbers[0], numbers[-1])) if numbers else []
    )
    for one in blanked:
        left[one.row_no].append((bytes.fromhex(one.hash_before), bytes.fromhex(one.hash_after)))
    marks = bytes(seal.marks)
    return [_before(row, left[row.number], marks[place * MARK :][:MARK]) for place, row in enumerate(rows)]


def _before(row: HashedRow, blanked: Sequence[tuple[bytes, bytes]], mark: bytes) -> HashedRow:
    if not blanked or blanked[-1][1] != row.hash or row.hash[:MARK] == mark:
        return row
    return row._replace(hash=next((before for before, _ in blanked if before[:MARK] == mark), row.hash))


def _again(first: Seal, rest: Iterator[Seal]) -> Iterator[Seal]:
    yield first
    yield from rest


def _damage(kind: SealedRows, seal: Seal, rows: Sequence[HashedRow]) -> str:
    """Say which row is the first that is not as it was sealed."""
    name = ROW_NAMES[kind]
    marks = bytes(seal.marks)
    sealed = [marks[place : place + MARK] for place in range(0, len(marks), MARK)]
    found = [row.hash[:MARK] for row in rows]
    where = f"seal {seal.seal_no}, {seal.rows:,} {kind} up to {seal.through_no}"
    place = next((place for place, (one, other) in enumerate(zip(sealed, found, strict=False)) if one != other), None)
    if place is None:
        if len(found) > len(sealed):
            return f"{where}: {name} {rows[len(sealed)].number} was added after it was sealed"
        if len(found) < len(sealed):
            return f"{where}: a row is missing {_after(name, rows, len(found))}"
        return f"{where}: the rows are not those that were sealed"
    if found[place] in sealed[place + 1 :]:
        return f"{where}: a row is missing {_after(name, rows, place)}"
    if sealed[place] in found[place + 1 :]:
        return f"{where}: {name} {rows[place].number} was added after it was sealed"
    return f"{where}: {name} {rows[place].number} is the first that was altered"


def _after(name: str, rows: Sequence[HashedRow], place: int) -> str:
    return f"after {name} {rows[place - 1].number}" if place else "at its beginning"


def _unsealed(client: Client, kind: SealedRows, through: int | None, reached: int) -> Iterator[str]:
    """Find a row that no seal covers, although rows with higher numbers were sealed."""
    if through is None and reached:
        last = Seal.objects.filter(client=client, kind=kind).order_by("-seal_no").values_list("through_no", flat=True).first()
        through = last or 0
    if through is None or reached <= through:
        return
    sealed = SEALED[kind]
    rows = sealed.model._default_manager.filter(pk__gt=through, pk__lte=reached, **{sealed.client: client.pk})
    number = rows.order_by("pk").values_list("pk", flat=True).first()
    if number is not None:
        yield f"{ROW_NAMES[kind]} {number} was added after its time: {kind} are sealed through {reached}, but not this one"


def heads(client: Client, since: datetime | None = None) -> AuditReport:
    """Check that the seals are those whose heads were stored outside the database. With `since`, only the newest head."""
    try:
        names = stored_names(client)
        kept = SealHead.objects.filter(client=client)
        checked = names if since is None else names[-1:]
        findings = [*_gone(kept, names), *_heads_wrong(client, checked)]
        rows = len(checked)
    except Exception as error:  # Storages raise what their libraries raise.
        rows, findings = 0, [f"the storage of heads cannot be read: {type(error).__name__}: {error}"]
    return AuditReport(
        HEADS,
        rows,
        [f"client {client.pk}: {words}" for words in findings],
    )


def _gone(kept: QuerySet[SealHead], names: Sequence[str]) -> Iterator[str]:
    there = set(names)
    for head in kept.order_by("seal_no").iterator():
        if head.name not in there:
            yield f"the head of seal {head.seal_no}, stored on {head.stored_at:%Y-%m-%d %H:%M} UTC, is gone from the storage"


def _heads_wrong(client: Client, names: list[str]) -> Iterator[str]:
    for name, head in stored_heads(names):
        if head is None:
            yield f"{name} in the storage is no head of a seal"
            continue
        code = Seal.objects.filter(client=client, seal_no=head.seal_no).values_list("code", flat=True).first()
        if code is None:
            yield f"seal {head.seal_no} of {head.day} is stored outside, but is not in the database any more"
        elif code != head.code or head.client_no != client.pk:
            yield f"seal {head.seal_no} of {head.day} is not the one that is stored outside"
