"""How far each client's rows are sealed, what is stored of it outside the database, and what the last audit found of it."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import OuterRef, Q, QuerySet, Subquery

from accounts.models import Client
from invoices.audit.seals import HEADS, ROWS
from invoices.kinds import SealedRows
from invoices.models import AuditFinding, AuditRun, Seal, SealHead


class SealState(NamedTuple):
    """The seals of a client. `ranges` has each kind of rows with the number through which it is sealed. `compared_at` is None
    if no audit has compared the seals yet."""

    client: Client
    seal_no: int
    sealed_at: datetime
    ranges: Sequence[tuple[SealedRows, int]]
    head_no: int | None
    head_stored_at: datetime | None
    compared_at: datetime | None
    findings: int


def seal_states() -> list[SealState]:
    """Return the state of each client that has a seal, by client number. Two queries, which read the newest rows only."""
    mine = Seal.objects.filter(client=OuterRef("pk"))
    heads = SealHead.objects.filter(client=OuterRef("pk"))
    audits = AuditRun.objects.filter(Q(client=OuterRef("pk")) | Q(client=None)).order_by("-pk")
    clients = Client.objects.annotate(
        seal_no=_newest(mine, "seal_no"),
        sealed_at=_newest(mine, "sealed_at"),
        head_no=_newest(heads, "seal_no"),
        head_stored_at=_newest(heads, "stored_at"),
        audit_no=Subquery(audits.values("pk")[:1]),
        compared_at=Subquery(audits.values("started_at")[:1]),
        **{f"through_{kind}": _newest(mine.filter(kind=kind), "through_no") for kind in SealedRows},
    )
    sealed = list(clients.filter(seal_no__isnull=False).order_by("pk"))
    found = _findings([one.audit_no for one in sealed])
    return [
        SealState(
            client=one,
            seal_no=one.seal_no,
            sealed_at=one.sealed_at,
            ranges=[(kind, through) for kind in SealedRows if (through := getattr(one, f"through_{kind}")) is not None],
            head_no=one.head_no,
            head_stored_at=one.head_stored_at,
            compared_at=one.compared_at,
            findings=found[one.audit_no, one.pk] + found[one.audit_no, None],
        )
        for one in sealed
    ]


def _newest(rows: QuerySet[Seal] | QuerySet[SealHead], column: str) -> Subquery:
    return Subquery(rows.order_by("-seal_no").values(column)[:1])


def _findings(audit_nos: Sequence[int | None]) -> Counter[tuple[int | None, int | None]]:
    """Return how many findings of seals each audit has, by audit and client. Without a client: of all."""
    rows = AuditFinding.objects.filter(run__in=[one for one in audit_nos if one is not None], audit__in=(ROWS, HEADS))
    found: Counter[tuple[int | None, int | None]] = Counter()
    for audit_no, words in rows.values_list("run_id", "words"):
        found[audit_no, _client_named(words)] += 1
    return found


def _client_named(words: str) -> int | None:
    """Return the client that a finding begins with. None: a rule that could not be tried, which concerns all."""
    number = words.removeprefix("client ").partition(":")[0]
    return int(number) if number.isdecimal() else None
