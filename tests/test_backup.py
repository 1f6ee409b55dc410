"""Backups: what was there is there again after a restore, on either database; what is not a whole backup is refused."""

import errno
import io
import os
import shutil
import subprocess
import threading
from datetime import date

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from accounts.models import Client, Event, Service, StaffSession
from accounts.models.identities import document_storage
from billing_site.common.backups import BackupError, sealing
from billing_site.common.backups.blocks import HEAD, BlockWriter
from billing_site.common.backups.reading import BackupReader
from billing_site.common.backups.sealing import PIECE, TAG_BYTES, SealedWriter, key_from, opened
from billing_site.common.backups.tables import columns_of, has_rows, models_of, read_rows, write_rows
from billing_site.common.backups.writing import write_backup
from billing_site.common.guards import check_guards
from invoices.audit import run_audits
from invoices.backup import FILE_COLUMNS, WRITTEN_BY_MIGRATIONS
from invoices.models import Invoice, LedgerEntry, MailText, Seal
from invoices.services.printing.files import make_owed_files
from tests import conftest
from tests.support.backups import (
    KEY,
    OTHER_KEY,
    database_address,
    files_in,
    manage,
    restored,
    rows_of_tables,
    sqlite_connection,
    sqlite_copy,
    taken,
)
from tests.support.billing import bill
from tests.support.everything import a_row_of_each_model
from tests.support.factories import ClientFactory, an_account
from tests.support.invoice_pages import administrator
from tests.support.rebilling import rebilled
from tests.support.storages import keep_documents_in

pytestmark = pytest.mark.django_db(transaction=True)
JAN_10 = date(2026, 1, 10)
STRANGE = "tab\t, back\\slash, \\N, line\r\nend, 'quotes', Zoë 😀"


@pytest.fixture
def documents(settings):
    return settings.STORAGES["documents"]["OPTIONS"]["location"]


def emptied(documents):
    """Leave what a new installation has: the tables, and what migrations write."""
    conftest._empty_tables()
    shutil.rmtree(documents, ignore_errors=True)


@pytest.fixture
def books(acme, process):
    """Invoices of acme, of which one was rebilled, with their PDFs. Every audit is clean."""
    for _ in range(3):
        bill(an_account(acme), process, JAN_10)
    rebilled(Invoice.objects.first(), process, 1)
    assert make_owed_files(acme, limit=10).failed == 0
    return acme


def findings():
    return [finding for report in run_audits() for finding in report.findings]


def test_what_was_wiped_is_there_again(books, documents):
    rows, files, totals = rows_of_tables(), files_in(documents), sum(Invoice.objects.values_list("total_amount", flat=True))
    assert len(files) == 5 and all(content.startswith(b"%PDF") for content in files.values())
    backup = taken()
    emptied(documents)
    assert not Invoice.objects.exists() and files_in(documents) == {}
    done = restored(backup)
    assert (done.rows, done.files) == (sum(map(len, rows.values())), 5)
    assert rows_of_tables() == rows
    assert files_in(documents) == files
    assert sum(Invoice.objects.values_list("total_amount", flat=True)) == totals
    assert findings() == []


def test_every_table_and_strange_texts_come_back(acme, process, documents):
    a_row_of_each_model(acme, process)
    MailText.objects.create(client=acme, kind="reminder", language="en", subject="x", opening=STRANGE)
    rows = rows_of_tables()
    backup = taken()
    emptied(documents)
    restored(backup)
    assert rows_of_tables() == rows
    assert MailText.objects.get(kind="reminder").opening == STRANGE


def test_bytes_come_back(acme, documents):
    marks, now = bytes(range(256)), timezone.now()
    figures = {"seal_no": 1, "format": 1, "after_no": 0, "through_no": 1, "rows": 1}
    Seal.objects.create(client=acme, kind="events", marks=marks, sealed_at=now, digest="0", key_id="k", code="0", **figures)
    backup = taken()
    emptied(documents)
    restored(backup)
    assert bytes(Seal.objects.get().marks) == marks


def test_who_is_signed_in_signs_in_again_after_a_restore(acme, documents):
    administrator(acme)
    assert StaffSession.objects.exists()
    backup = taken()
    emptied(documents)
    restored(backup)
    assert not StaffSession.objects.exists() and get_user_model().objects.filter(username="ana").exists()


def test_numbers_go_on_and_guards_are_on_after_a_restore(books, process, documents):
    doomed = Service.objects.create(client=books, client_service_id="gone", name="Gone")
    highest, event = doomed.pk, Event.objects.latest("pk").pk
    doomed.delete()
    backup = taken()
    emptied(documents)
    restored(backup)
    client = Client.objects.get()
    assert Service.objects.create(client=client, client_service_id="new", name="New").pk > highest
    invoice = bill(an_account(client), process, JAN_10)
    assert invoice.document_number == "INV-000004" and Event.objects.latest("pk").pk > event
    assert check_guards(None, databases=["default"]) == []
    with pytest.raises(Exception, match="rows of invoices_ledgerentry may not be changed"):
        LedgerEntry.objects.update(comments="altered")
    assert findings() == []


def test_a_backup_of_the_other_database(books, process, documents, tmp_path):
    """PostgreSQL to SQLite and back: each reads what the other has written, and nothing is lost on the way."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is the other database")
    a_row_of_each_model(ClientFactory(name="Other"), process)
    rows, files = rows_of_tables(), files_in(documents)
    there = {"url": f"sqlite:///{tmp_path / 'other.sqlite3'}", "folder": tmp_path / "there"}
    result = manage("restore", "-", input=taken(), **there)
    assert result.returncode == 0, result.stderr
    assert files_in(there["folder"]) == files
    result = manage("backup", "-", stdout=subprocess.PIPE, **there)
    assert result.returncode == 0, result.stderr
    emptied(documents)
    restored(result.stdout)
    assert rows_of_tables() == rows and files_in(documents) == files


def refusal(act):
    with pytest.raises(BackupError) as caught:
        act()
    return str(caught.value)


def nothing_is_there(documents):
    return not Client.objects.exists() and files_in(documents) == {}


def test_damage_of_any_kind_is_refused_and_leaves_nothing(books, documents, monkeypatch):
    monkeypatch.setattr(sealing, "PIECE", 4096)  # Several pieces of a small backup.
    backup = taken()
    first, piece = len(sealing.FIRST_LINE) + 32, 4096 + TAG_BYTES
    assert len(backup) > first + 4 * piece
    pieces = [backup[at : at + piece] for at in range(first, len(backup), piece)]
    emptied(documents)
    head, middle = backup[:first], len(backup) // 2
    damaged = {
        "nothing": b"",
        "another file": b"%PDF-1.7" + backup,
        "cut within a piece": backup[:-1],
        "cut after a piece": backup[: first + 2 * piece],
        "only its head": head,
        "one bit": backup[:middle] + bytes([backup[middle] ^ 1]) + backup[middle + 1 :],
        "its end": backup[:-1] + bytes([backup[-1] ^ 1]),
        "two pieces changed places": head + b"".join([pieces[0], pieces[2], pieces[1], *pieces[3:]]),
        "a piece left out": head + b"".join([pieces[0], *pieces[2:]]),
        "a piece twice": head + b"".join([pieces[0], pieces[0], *pieces[1:]]),
        "something after it": backup + b"x",
        "pieces of another backup": head + taken()[first:],
    }
    for name, content in damaged.items():
        said = refusal(lambda content=content: restored(content))
        assert "not a backup" in said or "altered" in said, (name, said)
        assert nothing_is_there(documents), name
    assert restored(backup).files == 5


def test_another_key_is_refused(books, documents):
    backup = taken()
    emptied(documents)
    assert "encrypted with another key" in refusal(lambda: restored(backup, OTHER_KEY))
    assert nothing_is_there(documents)


def test_a_small_backup_with_another_key_is_refused():
    target = io.BytesIO()
    writer = SealedWriter(target, KEY)
    writer.write(b"small")
    writer.finish()
    assert b"".join(opened(io.BytesIO(target.getvalue()), KEY)) == b"small"
    said = refusal(lambda: list(opened(io.BytesIO(target.getvalue()), OTHER_KEY)))
    assert said.startswith("The backup is encrypted with another key, truncated or altered from byte 61 on.")


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_pieces_of_every_size_are_opened(size):
    target = io.BytesIO()
    writer = SealedWriter(target, KEY)
    writer.write(b"x" * size)
    writer.finish()
    assert b"".join(opened(io.BytesIO(target.getvalue()), KEY)) == b"x" * size


def test_keys(tmp_path):
    assert key_from("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n", "") == KEY
    file = tmp_path / "key"
    file.write_text("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n")
    assert key_from("", str(file)) == KEY
    assert "There is no key" in refusal(lambda: key_from("", ""))
    assert "not 32 bytes" in refusal(lambda: key_from("c2hvcnQ=", ""))
    assert "not 32 bytes" in refusal(lambda: key_from("not base64!", ""))
    assert "No such file" in refusal(lambda: key_from("", str(tmp_path / "none")))


def test_a_place_with_rows_or_files_is_refused_and_stays(books, documents):
    backup = taken()
    rows = rows_of_tables()
    assert "The database is not empty: accounts_account, " in refusal(lambda: restored(backup))
    assert rows_of_tables() == rows
    conftest._empty_tables()
    files = files_in(documents)
    assert "The storage of documents is not empty: it has " in refusal(lambda: restored(backup))
    assert files_in(documents) == files and not Client.objects.exists()


def test_migrations_write_into_these_tables_alone():
    conftest._empty_tables()
    filled = {model._meta.db_table for model in models_of(apps) if has_rows(connection, model)}
    assert filled == WRITTEN_BY_MIGRATIONS


def of_migrations(migrations):
    target = io.BytesIO()
    writer = BlockWriter(SealedWriter(target, KEY))
    writer.say(HEAD, taken_at="2026-01-10T00:00:00+00:00", database="sqlite", migrations=sorted(migrations))
    writer.finish()
    return target.getvalue()


def test_another_version_is_refused_by_name():
    ours = BackupReader(io.BytesIO(taken()), KEY).head.migrations
    lacking = of_migrations(ours - {"rebills.0001_tables"})
    assert "The backup lacks migrations of this version: rebills.0001_tables." in refusal(lambda: restored(lacking))
    newer = of_migrations(ours | {"invoices.9999_later"})
    assert "does not have: invoices.9999_later." in refusal(lambda: restored(newer))


def test_a_database_of_another_version_is_not_backed_up():
    recorder = MigrationRecorder(connection)
    recorder.record_applied("invoices", "9999_later")
    try:
        assert "does not have: invoices.9999_later." in refusal(taken)
    finally:
        recorder.record_unapplied("invoices", "9999_later")
    recorder.record_unapplied("rebills", "0003_rights_to_versions")
    try:
        assert "The database lacks migrations of this version: rebills.0003_rights_to_versions." in refusal(taken)
    finally:
        recorder.record_applied("rebills", "0003_rights_to_versions")


def test_a_disk_that_is_full_while_files_are_restored_leaves_nothing(books, documents, settings):
    backup = taken()
    emptied(documents)
    keep_documents_in(settings, "FullStorage")
    with pytest.raises(OSError) as caught:
        restored(backup)
    assert caught.value.errno == errno.ENOSPC and nothing_is_there(documents)


def test_files_that_were_written_are_taken_back_when_the_end_is_missing(books, documents, monkeypatch):
    monkeypatch.setattr(sealing, "PIECE", 1024)
    backup = taken()
    emptied(documents)
    refusal(lambda: restored(backup[:-2000]))
    assert nothing_is_there(documents)


def test_a_missing_file_is_named_and_all_else_is_backed_up(books, documents, tmp_path, settings):
    settings.BACKUP_KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
    (name, *_) = files_in(documents)
    os.remove(os.path.join(documents, name))
    with pytest.raises(CommandError, match=f"1 file is not in the storage of documents: {name}. All else is backed up."):
        call_command("backup", str(tmp_path / "one.backup"))
    emptied(documents)
    call_command("restore", str(tmp_path / "one.backup"))
    assert len(files_in(documents)) == 4 and Invoice.objects.count() == 5


def test_the_commands(books, documents, tmp_path, settings, capsys):
    settings.BACKUP_KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
    file = tmp_path / "one.backup"
    call_command("backup", str(file))
    assert "tables, and 5 files." in capsys.readouterr().err
    assert file.stat().st_mode & 0o777 == 0o600 and not (tmp_path / "one.backup.part").exists()
    with pytest.raises(CommandError, match="exists. A backup is not overwritten"):
        call_command("backup", str(file))
    call_command("restore", "--check", str(file))
    assert "The backup is whole. It has " in capsys.readouterr().out
    with pytest.raises(CommandError, match="The database is not empty"):
        call_command("restore", str(file))
    with pytest.raises(CommandError, match="No such file or directory"):
        call_command("restore", str(tmp_path / "none"))
    with pytest.raises(CommandError, match="No such file or directory"):
        call_command("backup", str(tmp_path / "no" / "folder"))
    settings.BACKUP_KEY = ""
    with pytest.raises(CommandError, match="There is no key"):
        call_command("restore", str(file))


def test_a_reader_that_ended_and_a_full_disk_are_reported(books, documents, tmp_path):
    place = {"url": database_address(tmp_path), "folder": documents}
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as broken:
        result = manage("backup", "-", stdout=broken, **place)
    assert result.returncode == 1
    assert result.stderr.decode().strip() == (
        "CommandError: The program that reads the backup ended too early. What it has is not a backup."
    )
    with open("/dev/full", "wb") as full:
        result = manage("backup", "-", stdout=full, **place)
    assert (result.returncode, result.stderr.decode().strip()) == (
        1,
        "CommandError: The backup was not written: -: No space left on device.",
    )


def test_what_is_written_meanwhile_is_not_in_the_backup_and_nobody_waits(books, tmp_path):
    """The first table that is read is that of accounts. What another connection then writes into later tables stays out."""
    told = []
    target = io.BytesIO()

    def write_meanwhile(name, count):
        if not told:
            thread = threading.Thread(target=in_thread)
            thread.start()
            thread.join(timeout=30)
        told.append(name)

    if connection.vendor == "postgresql":
        before = Service.objects.count()

        def in_thread():
            Service.objects.create(client=books, client_service_id="late", name="Late")
            connection.close()

        backed_up(target, connection, write_meanwhile)
        assert Service.objects.count() == before + 1
    else:
        sqlite_copy(tmp_path / "copy.sqlite3")
        with sqlite_connection(tmp_path / "copy.sqlite3") as reader:
            before = count_services(reader)

            def in_thread():
                with sqlite_connection(tmp_path / "copy.sqlite3") as writer, writer.cursor() as cursor:
                    cursor.execute("CREATE TEMP TABLE one AS SELECT * FROM accounts_service LIMIT 1")
                    cursor.execute("UPDATE one SET id = 999, client_service_id = 'late'")
                    cursor.execute("INSERT INTO accounts_service SELECT * FROM one")

            backed_up(target, reader, write_meanwhile)
            assert count_services(reader) == before + 1
    assert told[0] < "accounts_service"
    assert rows_in(target.getvalue(), "accounts_service") == before


def count_services(database):
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_service")
        return cursor.fetchone()[0]


def backed_up(target, database, progress):
    write_backup(
        target,
        KEY,
        connection=database,
        tables=models_of(apps),
        migrations=[],
        storage=document_storage(),
        file_columns=FILE_COLUMNS,
        progress=progress,
    )


def rows_in(backup, table):
    """Return the number of rows of a table in a backup."""
    blocks = BackupReader(io.BytesIO(backup), KEY)._blocks
    while not (block := blocks.next()).data.startswith(f'{{"name": "{table}"'.encode()):
        pass
    while (block := blocks.next()).kind == ord("R"):
        pass
    return block.says["rows"]


def test_a_table_is_never_in_memory_as_a_whole(acme, monkeypatch):
    """Rows leave in blocks. Of 3,000 events of 2,000 letters, which are six million bytes, no block has a tenth."""
    Event.objects.bulk_create(Event(client=acme, at=timezone.now(), act="test", message="x" * 2000) for _ in range(3_000))
    sizes = []
    monkeypatch.setattr(BlockWriter, "write", lambda self, kind, data: sizes.append(len(data)))
    list(BlockWriter.rows(BlockWriter(io.BytesIO()), read_rows(connection, Event)))
    assert sum(sizes) > 6_000_000 and max(sizes) < 600_000


def test_rows_of_every_column_type_are_read_and_written(acme):
    """Each column of each table has a type that a backup can carry, in both directions."""
    for model in models_of(apps):
        list(read_rows(connection, model))
        assert write_rows(connection, model, columns_of(model), []) == 0
