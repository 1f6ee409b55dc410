"""manage.py load_usage: a file of usage is loaded chunk by chunk, and every bad row is reported with its line."""

from datetime import UTC, date, datetime
from decimal import Decimal as D
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.kinds import ChargeType
from accounts.models import Client
from invoices.api.serializers import usage_files
from invoices.management.commands import load_usage
from invoices.models import Usage
from tests.support.factories import PlanFactory, a_charge, an_account

HEADER = "record_id,client_acct_id,client_service_id,units,used_at,description"
CALL = "ACME-1,calls,5,2026-01-31T12:00:00Z,to Fresno"


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(datetime(2026, 3, 15, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture(autouse=True)
def account(acme):
    plan = PlanFactory(client=acme)
    a_charge(plan, "calls", "0.10", ChargeType.USAGE)
    return an_account(acme, plan, client_acct_id="ACME-1")


@pytest.fixture
def run(acme, tmp_path):
    """Loads a file of these lines, and gives what was printed, what was reported, and the message it ended with."""

    def load(*lines, header=HEADER, client_no=None, content=None, **options):
        file = tmp_path / "usage.csv"
        file.write_bytes(content if content is not None else "\n".join([header, *lines, ""]).encode())
        out, err, end = StringIO(), StringIO(), None
        try:
            call_command("load_usage", str(file), client=client_no or acme.pk, stdout=out, stderr=err, **options)
        except CommandError as error:
            end = str(error).replace(str(file), "FILE")
        summary = dict(line.rsplit(maxsplit=1) for line in out.getvalue().splitlines() if line[-1:].isdigit())
        return summary, err.getvalue().splitlines(), end

    return load


def test_good_rows_are_loaded_and_counted(acme, account, run):
    summary, faults, end = run(f"R-1,{CALL}", 'R-2,ACME-1,calls,2.5,2026-01-31 23:59:59,"to Fresno, CA"', "", f"R-1,{CALL}")
    assert (faults, end) == ([], None)
    assert summary == {"rows read": "3", "records loaded": "2", "already loaded": "1", "refused": "0"}
    columns = ("record_id", "client", "account", "plan_instance", "units", "used_on", "description")
    instance = account.plan_instances.get()
    assert list(Usage.objects.order_by("pk").values_list(*columns)) == [
        ("R-1", acme.pk, account.pk, instance.pk, D(5), date(2026, 1, 31), "to Fresno"),
        ("R-2", acme.pk, account.pk, instance.pk, D("2.5"), date(2026, 1, 31), "to Fresno, CA"),
    ]


def test_numbers_may_be_used_and_columns_left_out(account, run):
    service = account.plan_instances.get().plan.charges.get().service_id
    header = "used_at,units,acct_no,service,plan_instance,record_id,"
    row = f"2026-01-31T12:00:00Z, 5 ,{account.pk},{service},{account.plan_instances.get().pk}, R-1 ,"
    assert run(row, header=header)[1:] == ([], None)
    assert Usage.objects.get().record_id == "R-1"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("plan_instnace", "Unknown column `plan_instnace`. Did you mean `plan_instance`?"),
        ("Plan_Instance,unit", "Unknown column `unit`. Did you mean `units`?"),
        ("servce,plan_instnace", "Unknown column `servce`. Did you mean `service`? Unknown column `plan_instnace`. Did you "),
    ],
)
def test_a_column_that_no_record_has_is_refused(run, columns, message):
    header = f"record_id,client_acct_id,client_service_id,units,used_at,description,{columns}"
    counts, faults, end = run(f"R-1,{CALL},", header=header)
    assert (counts, faults) == ({}, [])
    assert end.startswith(f"FILE: line 1, the header: {message}")
    assert not Usage.objects.exists()


def test_a_value_in_a_column_without_a_name_refuses_its_row(run):
    header = "record_id,client_acct_id,client_service_id,units,used_at,description,,"
    _, faults, end = run(f"R-1,{CALL},,5", f"R-2,{CALL},,", header=header)
    assert faults == ["line 2: 1012 invalid input format: the line has a value in a column without a name"]
    assert end == "1 of 2 rows were refused."
    assert list(Usage.objects.values_list("record_id", flat=True)) == ["R-2"]


def test_a_file_that_is_loaded_again_loads_nothing_twice(run):
    rows = [f"R-{n},{CALL}" for n in range(5)]
    run(*rows[:3])
    assert run(*rows)[0] == {"rows read": "5", "records loaded": "2", "already loaded": "3", "refused": "0"}
    assert Usage.objects.count() == 5


def test_every_bad_row_is_reported_with_its_line_and_the_good_ones_are_loaded(run):
    summary, faults, end = run(
        f"R-1,{CALL}",
        "R-2,ACME-1,calls,five,2026-01-31T12:00:00Z,",
        "R-3,ACME-2,calls,5,2026-01-31T12:00:00Z,",
        "R-4,ACME-1,calls,5",
        "R-5,ACME-1,calls,5,2026-01-09T12:00:00Z,",
        "R-1,ACME-1,calls,6,2026-01-31T12:00:00Z,to Fresno",
        ",,,,,",
        "R-6,ACME-1,calls,NaN,31.01.2026,",
        f"R-7,{CALL}",
    )
    assert faults == [
        "line 3: 1016 invalid input: units: A valid number is required.",
        "line 4: 1009 account does not exist: client_acct_id ACME-2 does not exist",
        "line 5: 1012 invalid input format: the line has 4 fields, but the header has 6",
        "line 6: 90012 No plan of the account charges for this usage: "
        "2026-01-09 is before the first day of the plan, 2026-01-10",
        "line 7: 90013 This id is already used by another record: record_id R-1 was loaded with other values",
        "line 9: 1016 invalid input: units: A valid number is required.",
        "line 9, used_at: This is not a date and time. Write yyyy-mm-ddThh:mm:ss, with or without an "
        "offset such as Z or +hh:mm.",
    ]
    assert end == "6 of 8 rows were refused."
    assert summary == {"rows read": "8", "records loaded": "2", "already loaded": "0", "refused": "6"}
    assert set(Usage.objects.values_list("record_id", flat=True)) == {"R-1", "R-7"}


def test_lines_that_are_no_rows_are_reported_and_those_after_them_are_loaded(run):
    content = b"\n".join(
        [HEADER.encode(), b"R-1,\xff,calls,5,2026-01-31,", b'R-2,"open', b"x" * 70_000, b"a\0b", f"R-5,{CALL}".encode()]
    )
    _, faults, end = run(content=content)
    assert [fault.split(":")[0] for fault in faults] == ["line 2", "line 3", "line 4", "line 5"]
    assert all(" 1012 " in fault for fault in faults)
    assert end == "4 of 5 rows were refused."
    assert Usage.objects.get().record_id == "R-5"


def test_what_would_steer_a_terminal_is_shown_and_not_sent(run):
    _, (fault,), _ = run("R-1,\x1b[2J\u202e,calls,5,2026-01-31T12:00:00Z,")
    assert fault == r"line 2: 1009 account does not exist: client_acct_id \x1b[2J\u202e does not exist"


def test_a_dry_run_counts_and_reports_the_same_and_writes_nothing(run):
    run(f"OLD,{CALL}")
    rows = [f"OLD,{CALL}", f"NEW,{CALL}", f"NEW,{CALL}", "BAD,ACME-1,calls,0,2026-01-31T12:00:00Z,"]
    with CaptureQueriesContext(connection) as queries:
        summary, faults, end = run(*rows, dry_run=True)
    assert all(query["sql"].startswith("SELECT") for query in queries)
    assert faults == ["line 5: 1016 invalid input: units: The units must be above 0."]
    assert (summary, end) == (
        {"rows read": "4", "records to load": "1", "already loaded": "2", "refused": "1"},
        "1 of 4 rows were refused.",
    )
    assert Usage.objects.count() == 1
    assert run(*rows)[0] == {"rows read": "4", "records loaded": "1", "already loaded": "2", "refused": "1"}


def test_a_dry_run_says_that_an_id_stands_in_an_earlier_chunk_too(run, monkeypatch):
    monkeypatch.setattr(load_usage, "RECORDS_AT_ONCE", 2)
    summary, _, _ = run(*[f"R-{n},{CALL}" for n in (1, 2, 3, 1, 1)], dry_run=True)
    assert summary == {
        "rows read": "5",
        "records to load": "3",
        "already loaded": "0",
        "refused": "0",
        "repeated in the file": "2",
    }


def test_chunks_are_loaded_one_by_one_and_what_was_loaded_stays_if_the_next_one_fails(run, monkeypatch):
    monkeypatch.setattr(load_usage, "RECORDS_AT_ONCE", 2)
    loading, sizes = load_usage.load_usage, []

    def fail_in_the_third(**arguments):
        sizes.append(len(arguments["records"]))
        if len(sizes) == 3:
            raise RuntimeError("the power fails")
        return loading(**arguments)

    monkeypatch.setattr(load_usage, "load_usage", fail_in_the_third)
    with pytest.raises(RuntimeError):
        run(*[f"R-{n},{CALL}" for n in range(5)])
    assert (sizes, Usage.objects.count()) == ([2, 2, 1], 4)
    monkeypatch.setattr(load_usage, "load_usage", loading)
    assert run(*[f"R-{n},{CALL}" for n in range(5)])[0]["already loaded"] == "4"


def test_of_a_large_file_no_more_than_one_chunk_is_read_ahead(run, monkeypatch):
    monkeypatch.setattr(load_usage, "RECORDS_AT_ONCE", 100)
    reading, loading, read, seen = usage_files.read_rows, load_usage.load_usage, [], []

    def counted(*arguments):
        for row in reading(*arguments):
            read.append(row.line)
            yield row

    def at_a_chunk(**arguments):
        seen.append(len(read))
        return loading(**arguments)

    monkeypatch.setattr(usage_files, "read_rows", counted)
    monkeypatch.setattr(load_usage, "load_usage", at_a_chunk)
    run(*[f"R-{n},{CALL}" for n in range(250)])
    assert seen == [100, 200, 250]


def test_times_without_an_offset_are_of_the_clients_clock(run):
    Client.objects.update(time_zone="America/New_York")
    run("R-1,ACME-1,calls,5,2026-01-31T23:30:00,")
    usage = Usage.objects.get()
    assert (usage.used_on, usage.used_at) == (date(2026, 1, 31), datetime(2026, 2, 1, 4, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "FILE: the file is empty"),
        (b"record_id,units\n", "FILE: line 1, the header, has no column used_at"),
        (b"record_id,units,used_at,units\n", "FILE: line 1, the header, has a column twice: units"),
        (HEADER.encode("utf-16"), "FILE: the file is UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_file_of_usage_is_refused(run, content, message):
    assert run(content=content) == ({}, [], message)


def test_a_file_or_a_client_that_is_not_there_is_said(acme, run, tmp_path):
    assert run(client_no=acme.pk + 1)[2] == f"Client {acme.pk + 1} does not exist."
    with pytest.raises(CommandError, match="No such file or directory"):
        call_command("load_usage", str(tmp_path / "nothing.csv"), client=acme.pk)


def test_an_empty_file_loads_nothing(run):
    assert run() == ({"rows read": "0", "records loaded": "0", "already loaded": "0", "refused": "0"}, [], None)


# Files as spreadsheets write them.

ROW = "R-1,ACME-1,calls,1.5,2026-01-31T12:00:00Z,"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{ROW}\n".replace(",", ";"),
        f"{HEADER}\n{ROW}\n".replace(",", "\t"),
        f"{HEADER}\n{ROW}\n".replace(",", "|"),
        f"sep=,\n{HEADER}\n{ROW}\n",
        f"\ufeffsep=;\r\n{HEADER}\r\n{ROW}\r\n".replace(",", ";"),
        f'"sep=^"\n{HEADER}\n{ROW}\n'.replace(",", "^"),
        f"{HEADER}\n{ROW}\n,,,,,\n,,,,,\n",
        f"{HEADER}\n{ROW}\n \n\n",
        f"{HEADER}\n{ROW[:-1]}\n",
        f"{HEADER},,\n{ROW},,\n",
        f"{HEADER}\n{ROW},,,\n",
        f"{HEADER}\n{ROW}\n".replace("\n", "\r"),
        f"{HEADER}\n{ROW}\n".replace("\n", "\r\n"),
        f"{HEADER.title()}\n{ROW}",
        f"{HEADER}\n{ROW}\n".replace(",", " , "),
        f'{HEADER}\n{ROW}"one\nline, two\r\nand ""three"""\n',
    ],
)
def test_files_of_spreadsheets_are_read(run, text):
    assert run(content=text.encode())[1:] == ([], None)
    record = Usage.objects.get()
    assert (record.record_id, record.units) == ("R-1", D("1.5"))


def test_a_line_break_in_quotes_is_part_of_its_text(run):
    run(f'R-1,{CALL.rpartition(",")[0]},"line one\nline two"', f"R-2,{CALL}")
    assert list(Usage.objects.order_by("pk").values_list("record_id", "description"))[0] == ("R-1", "line one\nline two")
    assert Usage.objects.count() == 2


def test_a_quote_that_is_never_closed_takes_no_other_rows_with_it(run):
    _, faults, _ = run(f'R-1,{CALL.rpartition(",")[0]},"open', f"R-2,{CALL}", *[f"R-{n},{CALL}" for n in range(3, 203)])
    assert faults == ["line 2: 1012 invalid input format: the line is not a CSV row: a quote is opened but not closed"]
    assert Usage.objects.count() == 201


def test_decimal_commas_are_read_when_asked_for_and_named_when_not(run):
    rows = [ROW.replace("1.5", '"1,5"'), ROW.replace("R-1", "R-2").replace("1.5", '"1.234,5"'), ROW.replace("R-1", "R-3")]
    _, faults, _ = run(rows[0])
    assert faults == ["line 2: 1016 invalid input: units: This is not a number. Write decimals with a point: 1.5."]
    _, faults, _ = run(*rows, decimal_comma=True)
    assert faults == ["line 3: 1016 invalid input: units: A valid number is required."]
    assert list(Usage.objects.values_list("record_id", "units")) == [("R-1", D("1.5")), ("R-3", D("1.5"))]


def test_a_file_with_semicolons_and_decimal_commas_is_read(run):
    text = f"{HEADER}\n{ROW}\n".replace(",", ";").replace("1.5", "1,5")
    assert run(content=text.encode(), decimal_comma=True)[1:] == ([], None)
    assert Usage.objects.get().units == D("1.5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a;b;c\n1;2;3\n",
            "FILE: line 1, the header, has no column record_id, units, used_at (its columns are between semicolons)",
        ),
        ("sep=\n", "FILE: line 1 says sep=, which is not a separator; use sep=; or sep=,"),
        ("sep=;\n", "FILE: line 1, the header, has no column record_id, units, used_at (its columns are between semicolons)"),
        (f"{HEADER},description\n", "FILE: line 1, the header, has a column twice: description"),
    ],
)
def test_a_header_that_cannot_be_read_says_what_was_seen(run, text, message):
    assert run(content=text.encode())[2] == message
