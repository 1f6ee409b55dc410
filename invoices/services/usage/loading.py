"""Load usage records. Each gets a result: good records are stored, and a bad one is refused without affecting the others.

A record_id is stored once. The same record again is "already loaded"; another record with the same id is refused. This holds
within one call, over time, and for calls at the same moment.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import check_may_change
from billing_site.common.storage import insert_new_rows, reserve_ids
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.models import Usage
from invoices.services.usage.targets import Targets, UsageRecord, read_targets

RECORDS_AT_ONCE = 10_000
ENTRY_FIELDS = ("record_id", "account_id", "plan_instance_id", "service_id", "units", "used_at", "description")
"""The columns of a UsageEntry, in the same order."""


class LoadResult(StrEnum):
    CREATED = "created"
    ALREADY_THERE = "already_there"
    REFUSED = "refused"


class UsageResult(NamedTuple):
    """The result of one record. A refused record has its error, and messages by field."""

    record_id: str | None
    result: LoadResult
    usage_no: int | None = None
    error: BillingError | None = None
    messages: Mapping[str, list[str]] = {}


class UsageEntry(NamedTuple):
    """A record whose account and service are known. `plan_instance_no` is None if it was not given and not yet found."""

    record_id: str
    account_no: int
    plan_instance_no: int | None
    service_no: int
    units: Decimal
    used_at: datetime
    description: str

    def is_repeated_by(self, other: "UsageEntry") -> bool:
        """Return whether another entry has the same values. It may leave out the plan instance that was found for this one."""
        return other in (self, self._replace(plan_instance_no=None))


class StoredEntry(NamedTuple):
    """The stored entry of a record_id. `usage_no` is None in a dry run."""

    usage_no: int | None
    entry: UsageEntry
    is_new: bool = False


def refused(record_id: str | None, error: BillingError, messages: Mapping[str, list[str]] | None = None) -> UsageResult:
    if messages is None:
        messages = {error.field: [error.at_field]} if error.field else {}
    return UsageResult(record_id, LoadResult.REFUSED, error=error, messages=messages)


def load_usage(
    *,
    client: Client,
    records: Sequence[UsageRecord | UsageResult],
    now: datetime,
    caller: Caller,
    dry_run: bool = False,
) -> list[UsageResult]:
    """Store at most 10,000 usage records, and return one result per record, in the order given.

    The number of queries does not depend on the number of records. `now` is the client's time; usage of the future is refused.
    A record that could not be parsed is passed as its refused UsageResult, to keep the order. Refuses a caller who may not load
    usage (90009), and too many records (1012).
    """
    check_may_change(caller, "add", "invoices.usage")
    if len(records) > RECORDS_AT_ONCE:
        raise BillingError(
            ErrorCode.INVALID_FORMAT,
            Detail("give at most {most} records in one request", most=RECORDS_AT_ONCE),
            field="records",
        )
    read = [record for record in records if isinstance(record, UsageRecord)]
    stored = _stored(client, {record.record_id for record in read})
    targets = read_targets(client, read)
    checked, new = _checked(client, records, targets, stored, now)
    if dry_run:
        stored |= {record_id: StoredEntry(None, entry, is_new=True) for record_id, entry in new.items()}
    else:
        stored |= _insert(client, new, targets)
    return list(_results(checked, stored))


class PlannedUsage(NamedTuple):
    """Usage of a day as its plan instance counts it."""

    plan_instance_no: int
    service_no: int
    used_on: date
    units: Decimal


def planned_usage(*, client: Client, record: UsageRecord, now: datetime) -> PlannedUsage | None:
    """Return a record as `load_usage` would store it, or None if it is loaded already. Writes nothing. Refuses the same, rights
    aside."""
    targets, stored = read_targets(client, [record]), _stored(client, [record.record_id])
    (checked,), new = _checked(client, [record], targets, stored, now)
    if isinstance(checked, UsageResult):
        assert checked.error is not None
        raise checked.error
    entry = new.get(record.record_id)
    if entry is None or entry.plan_instance_no is None:
        return None
    charged = targets.charged_units(entry.account_no, entry.service_no, entry.plan_instance_no, entry.units)
    used_on = entry.used_at.astimezone(ZoneInfo(client.time_zone)).date()
    return PlannedUsage(entry.plan_instance_no, entry.service_no, used_on, entry.units if charged is None else charged)


def _checked(
    client: Client,
    records: Iterable[UsageRecord | UsageResult],
    targets: Targets,
    stored: Mapping[str, StoredEntry],
    now: datetime,
) -> tuple[list[UsageEntry | UsageResult], dict[str, UsageEntry]]:
    """Return each record as an entry or a refusal, and the new entries by record_id.

    A record that is already stored is not matched with a plan instance again: it stays valid even if its plan has ended since.
    """
    new: dict[str, UsageEntry] = {}
    checked: list[UsageEntry | UsageResult] = []
    zone, now = ZoneInfo(client.time_zone), now.astimezone(UTC)
    for record in records:
        if isinstance(record, UsageResult):
            checked.append(record)
            continue
        try:
            entry = _entry(record, targets, now)
            if record.record_id not in stored and record.record_id not in new:
                used_on = entry.used_at.astimezone(zone).date()
                number = targets.plan_instance_no(record, entry.account_no, entry.service_no, used_on)
                new[record.record_id] = entry._replace(plan_instance_no=number)
            checked.append(entry)
        except BillingError as error:
            checked.append(refused(record.record_id, error))
    return checked, new


def _entry(record: UsageRecord, targets: Targets, now: datetime) -> UsageEntry:
    # Compared in UTC: Python compares two times of one zone by local time, which is wrong in an hour that occurs twice.
    used_at = record.used_at.astimezone(UTC)
    if used_at > now:
        raise BillingError(
            ErrorCode.INVALID_INPUT,
            Detail("used_at: {used_at} is in the future", used_at=record.used_at.isoformat()),
            field="used_at",
        )
    return UsageEntry(
        record.record_id,
        targets.accounts.find(record.acct_no, record.client_acct_id),
        record.plan_instance,
        targets.services.find(record.service, record.client_service_id),
        record.units,
        used_at,
        record.description,
    )


def _insert(client: Client, new: Mapping[str, UsageEntry], targets: Targets) -> dict[str, StoredEntry]:
    """Store entries, and return what is stored under their ids. Another call may have stored a record first."""
    if not new:
        return {}
    zone, loaded_at = ZoneInfo(client.time_zone), timezone.now()
    with transaction.atomic():
        numbers = dict(zip(new, reserve_ids(Usage, len(new)), strict=True))
        insert_new_rows(
            Usage,
            ("id", "client_id", *ENTRY_FIELDS, "charged_units", "used_on", "loaded_at"),
            [
                (
                    numbers[record_id],
                    client.pk,
                    *entry,
                    targets.charged_units(entry.account_no, entry.service_no, entry.plan_instance_no, entry.units),
                    entry.used_at.astimezone(zone).date(),
                    loaded_at,
                )
                for record_id, entry in new.items()
            ],
            unique=("client_id", "record_id"),
        )
        stored = {
            record_id: one._replace(is_new=one.usage_no == numbers[record_id])
            for record_id, one in _stored(client, new).items()
        }
    # Another record that blocked the insert may have been removed since. Try again.
    missing = {record_id: entry for record_id, entry in new.items() if record_id not in stored}
    return stored | _insert(client, missing, targets)


def _stored(client: Client, record_ids: Collection[str]) -> dict[str, StoredEntry]:
    rows = Usage.objects.filter(client=client, record_id__in=record_ids).order_by().values_list("pk", *ENTRY_FIELDS)
    entries = ((number, UsageEntry._make(entry)) for number, *entry in rows)
    return {entry.record_id: StoredEntry(number, entry) for number, entry in entries}


def _results(checked: Iterable[UsageEntry | UsageResult], stored: Mapping[str, StoredEntry]) -> Iterator[UsageResult]:
    """Yield the result of each record. Of equal records in one call, the first one is the created one."""
    created: set[str] = set()
    for one in checked:
        if isinstance(one, UsageResult):
            yield one
            continue
        record_id, (usage_no, entry, is_new) = one.record_id, stored[one.record_id]
        if not entry.is_repeated_by(one):
            yield refused(
                record_id,
                BillingError(
                    ErrorCode.RECORD_ID_USED,
                    Detail("record_id {record_id} was loaded with other values", record_id=record_id),
                    field="record_id",
                ),
            )
        elif is_new and record_id not in created:
            created.add(record_id)
            yield UsageResult(record_id, LoadResult.CREATED, usage_no)
        else:
            yield UsageResult(record_id, LoadResult.ALREADY_THERE, usage_no)
