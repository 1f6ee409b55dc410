"""Sealing misses no row, whatever is committed meanwhile, and workers and the nightly audit do it."""

import threading
import time
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections, transaction

from accounts.models import Client, Event
from accounts.trail import Act, record_acts
from billing_site.common.storage import reserve_ids
from invoices.audit import run_audits
from invoices.background import _audit
from invoices.checks import check_seal_keys
from invoices.kinds import SealedRows
from invoices.models import LedgerEntry, Seal, SealHead, SealProgress
from invoices.services.sealing import sealing
from invoices.services.sealing.heads import store_head
from invoices.services.sealing.sealing import seal_all, seal_next, seal_when_due
from tests.support.billing import bill
from tests.support.factories import ClientFactory, an_account
from tests.support.races import at_once

JAN_10 = date(2026, 1, 10)
ONLY_POSTGRESQL = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")


def found():
    return [finding for report in run_audits() for finding in report.findings]


def some_events(client, caller, count=1):
    record_acts(client, caller, [Act("account.noted", after={"number": number}) for number in range(count)])


def sealed_events(client):
    """Return after, through and number of rows of each seal of the client's events."""
    seals = Seal.objects.filter(client=client, kind=SealedRows.EVENTS).order_by("seal_no")
    return list(seals.values_list("after_no", "through_no", "rows"))


def test_each_client_has_a_chain_of_its_own_whose_ranges_follow_one_another(acme, umbra, process):
    some_events(acme, process, 2)
    some_events(umbra, process, 3)
    assert seal_all() == 5
    first = Event.objects.latest("pk").pk
    some_events(acme, process, 1)
    assert (seal_all(), seal_all()) == (1, 0)
    assert sealed_events(acme) == [(0, first, 2), (first, first + 1, 1)]
    assert sealed_events(umbra) == [(0, first, 3)]
    assert found() == []


def test_many_rows_are_sealed_in_parts(acme, umbra, process, monkeypatch):
    monkeypatch.setattr(sealing, "ROWS_AT_ONCE", 4)
    some_events(acme, process, 6)
    some_events(umbra, process, 3)
    assert seal_all() == 9
    assert [rows for _, _, rows in sealed_events(acme)] == [4, 2]
    assert [rows for _, _, rows in sealed_events(umbra)] == [2, 1]
    assert found() == []


def test_seals_of_several_kinds_are_one_chain(acme, process):
    bill(an_account(acme), process, JAN_10)
    seal_all()
    assert list(Seal.objects.filter(client=acme).order_by("seal_no").values_list("seal_no", "kind")) == [
        (1, "events"),
        (2, "entries"),
    ]


def test_a_worker_seals_once_a_minute(acme, process):
    some_events(acme, process)
    with time_machine.travel(datetime(2026, 1, 10, 12, 0, tzinfo=UTC), tick=False) as clock:
        assert not seal_when_due(datetime(2026, 1, 10, 12, 0, tzinfo=UTC))
        some_events(acme, process)
        clock.shift(timedelta(seconds=59))
        seal_when_due(datetime(2026, 1, 10, 12, 0, 59, tzinfo=UTC))
        assert len(sealed_events(acme)) == 1
        clock.shift(timedelta(seconds=2))
        seal_when_due(datetime(2026, 1, 10, 12, 1, 1, tzinfo=UTC))
        assert len(sealed_events(acme)) == 2


def test_seals_of_an_old_key_are_proven_after_another_one_replaced_it(acme, process, settings):
    settings.SEAL_KEYS = ["2025:" + "a" * 40]
    some_events(acme, process)
    seal_all()
    settings.SEAL_KEYS = ["2026:" + "b" * 40, "2025:" + "a" * 40]
    some_events(acme, process)
    seal_all()
    assert list(Seal.objects.order_by("seal_no").values_list("key_id", flat=True)) == ["2025", "2026"]
    assert found() == []
    settings.SEAL_KEYS = ["2026:" + "b" * 40]
    assert found() == [f"client {acme.pk}: seal 1 cannot be checked, because its key 2025 is not configured"]
    settings.SEAL_KEYS = ["2026:" + "b" * 40, "2025:" + "c" * 40]
    assert found() == [f"client {acme.pk}: seal 1 has a code that its key did not make"]


def test_the_check_names_wrong_keys_and_warns_without_any(settings):
    settings.SEAL_KEYS = []
    assert [one.id for one in check_seal_keys(None)] == ["invoices.W003"]
    settings.SEAL_KEYS = ["2026:short", "a:" + "a" * 32, "a:" + "b" * 32]
    (error,) = check_seal_keys(None)
    assert (error.id, error.msg.split(". ")[0]) == ("invoices.E005", "SEAL_KEYS: 2026, a, a")
    settings.SEAL_KEYS = ["2026:" + "a" * 32]
    assert check_seal_keys(None) == []


# Heads outside the database


@pytest.fixture
def sealed(acme, process):
    """A client with two seals, the newest of which is stored outside."""
    for _ in range(2):
        some_events(acme, process)
        seal_all()
    return store_head(acme)


def test_the_newest_seal_is_stored_outside_once(acme, sealed):
    assert (sealed.seal_no, sealed.name) == (2, f"{acme.pk}/000000000002.json")
    assert storages["seals"].listdir(str(acme.pk)) == ([], ["000000000002.json"])
    assert store_head(acme) is None
    assert found() == []


def test_who_has_the_key_and_seals_anew_is_found_by_the_head_outside(acme, process, sealed, unguarded):
    Event.objects.filter(pk=Event.objects.earliest("pk").pk).update(message="Nothing was done")
    SealHead.objects.all().delete()
    Seal.objects.all().delete()
    SealProgress.objects.all().delete()
    seal_all()
    day = sealed.stored_at.strftime("%Y-%m-%d")
    (finding,) = found()
    assert finding.startswith(f"client {acme.pk}: seal 2 of {day}")
    assert finding.endswith("is stored outside, but is not in the database any more")
    some_events(acme, process)
    seal_all()
    (finding,) = found()
    assert finding.endswith("is not the one that is stored outside")


def test_a_head_that_is_gone_or_unreadable_is_found(acme, sealed):
    storages["seals"].delete(sealed.name)
    (finding,) = found()
    assert finding.startswith(f"client {acme.pk}: the head of seal 2, stored on ")
    storages["seals"].save(sealed.name, ContentFile(b"[]"))
    assert found() == [f"client {acme.pk}: {sealed.name} in the storage is no head of a seal"]


def test_the_command_seals_and_stores_heads_and_fails_where_it_cannot(acme, umbra, process, capsys):
    some_events(acme, process, 3)
    call_command("seal")
    assert capsys.readouterr().out.splitlines() == [
        "3 rows are sealed now.",
        f"Client {acme.pk}: seal 1 is stored as {acme.pk}/000000000001.json.",
    ]
    some_events(umbra, process)
    another = ContentFile(b'{"client_no": 1, "seal_no": 1, "code": "another", "sealed_at": ""}')
    storages["seals"].save(f"{umbra.pk}/000000000001.json", another)
    with pytest.raises(CommandError, match="is there already and names another seal"):
        call_command("seal")
    assert not SealHead.objects.filter(client=umbra).exists()


def test_the_nightly_audit_seals_and_stores_the_head(acme, process):
    some_events(acme, process)
    assert _audit(acme, JAN_10) == ""
    assert (Seal.objects.count(), SealHead.objects.count()) == (1, 1)


# Transactions at the same time


@ONLY_POSTGRESQL
@pytest.mark.django_db(transaction=True)
def test_rows_wait_for_a_transaction_that_has_a_lower_number(process):
    client = ClientFactory()
    written, go_on = threading.Event(), threading.Event()

    def write_slowly():
        try:
            with transaction.atomic():
                some_events(client, process)
                written.set()
                assert go_on.wait(30)
        finally:
            connections.close_all()

    slow = threading.Thread(target=write_slowly)
    slow.start()
    assert written.wait(30)
    some_events(client, process)
    assert seal_all() == 0
    assert SealProgress.objects.get(kind="events").candidate == Event.objects.latest("pk").pk
    some_events(client, process)
    assert seal_next(SealedRows.EVENTS).rows == 0
    go_on.set()
    slow.join()
    assert [seal_next(SealedRows.EVENTS).rows, seal_next(SealedRows.EVENTS).rows] == [2, 1]
    assert [rows for _, _, rows in sealed_events(client)] == [2, 1]
    assert found() == []


@ONLY_POSTGRESQL
@pytest.mark.django_db(transaction=True)
def test_a_number_that_was_only_reserved_is_waited_for(process):
    client = ClientFactory()
    account = an_account(client)
    bill(account, process, JAN_10)
    seal_all()
    reserved, go_on = threading.Event(), threading.Event()
    numbers = []

    def reserve_and_write_later():
        try:
            with transaction.atomic():
                numbers.extend(reserve_ids(LedgerEntry, 1))
                reserved.set()
                assert go_on.wait(30)
                entry = LedgerEntry.objects.earliest("pk")
                entry.pk, entry.entry_no, entry.kind, entry.amount = numbers[0], 77, "cash_credit", -1
                entry.save(force_insert=True)
        finally:
            connections.close_all()

    slow = threading.Thread(target=reserve_and_write_later)
    slow.start()
    assert reserved.wait(30)
    bill(an_account(client), process, JAN_10)
    assert seal_next(SealedRows.ENTRIES).rows == 0
    go_on.set()
    slow.join()
    seal_all()
    assert list(LedgerEntry.objects.order_by("pk").values_list("pk", flat=True))[1] == numbers[0]
    assert [rows for _, _, rows in _ranges("entries")] == [1, 2]


def _ranges(kind):
    return list(Seal.objects.filter(kind=kind).order_by("seal_no").values_list("after_no", "through_no", "rows"))


@ONLY_POSTGRESQL
@pytest.mark.django_db(transaction=True)
def test_rows_that_are_written_while_several_processes_seal_are_each_sealed_once(process):
    clients = [ClientFactory(name=f"Client {number}") for number in range(3)]
    accounts = [an_account(client) for client in clients for _ in range(4)]
    ended = threading.Event()

    def work(number):
        if number < 12:
            for _ in range(3):
                some_events(accounts[number].client, process, 20)
            bill(accounts[number], process, JAN_10)
            return None
        sealed = 0
        while not ended.is_set():
            sealed += seal_all()
            time.sleep(0.01)
        return sealed

    results = []
    run = threading.Thread(target=lambda: results.extend(at_once(work, 14)))
    run.start()
    deadline = time.monotonic() + 60
    while LedgerEntry.objects.count() < 12 and time.monotonic() < deadline:
        time.sleep(0.05)
    ended.set()
    run.join()
    assert [one for one in results if isinstance(one, Exception)] == []
    seal_all(wait=timedelta(seconds=10))
    sealed = Seal.objects.values_list("kind", "rows")
    assert sum(rows for kind, rows in sealed if kind == "events") == Event.objects.count()
    assert sum(rows for kind, rows in sealed if kind == "entries") == 12
    assert found() == []
    for client in Client.objects.all():
        numbers = list(Seal.objects.filter(client=client).order_by("seal_no").values_list("seal_no", flat=True))
        assert numbers == list(range(1, len(numbers) + 1))
