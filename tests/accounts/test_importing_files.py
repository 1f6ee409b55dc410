"""Import the customer file: how a file may be written, bad lines, and the command."""

import io
import tracemalloc
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from accounts.importing.customers import import_customers
from accounts.models import Account
from tests.support.importing import ROW, a_file, a_line, acme, refused, run, with_catalogue

__all__ = ["acme", "with_catalogue"]


# Bad lines and bad files


def test_columns_may_stand_in_any_order_and_unused_ones_are_passed_over(acme):
    header = ["gender", *reversed(ROW)]
    line = ",".join(["Female", *reversed(ROW.values())])
    summary, _ = run(acme, a_file(line, header=header))
    assert summary.created == 1


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_are_taken(acme):
    text = a_file(a_line(), "\n", a_line(customerID="OTHER"), "\n").getvalue()
    summary, _ = run(acme, io.BytesIO(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")))
    assert summary.created == 2


def test_total_charges_may_be_missing(acme):
    row = {column: value for column, value in ROW.items() if column != "TotalCharges"}
    summary, _ = run(acme, a_file(",".join(row.values()), header=row))
    assert summary.created == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"customerID,tenure\n", "line 1, the header, has no column PhoneService, MultipleLines, InternetService"),
        (b"\n", "line 1, the header, has no column customerID, tenure"),
        (a_file(header=[*ROW, "tenure"]).getvalue(), "line 1, the header, has a column twice: tenure"),
        (a_file(a_line()).getvalue().decode().encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        (a_file(a_line()).getvalue().decode().encode("utf-16-be"), "line 1, the header, holds NUL bytes, as a UTF-16 file"),
        (b"customerID,t\xe9nure\n", "line 1, the header, is not UTF-8: byte 0xe9 at position 13"),
        (a_file(header=[*ROW, "genders"]).getvalue(), "line 1, the header: Unknown column `genders`. Did you mean `gender`?"),
        (
            a_file(header=[*ROW, "zip", "Partnr"]).getvalue(),
            "line 1, the header: Unknown column `zip`. Known here: Churn, Contract, ",
        ),
        (b"x" * 70000, "line 1, the header, is longer than 65536 bytes"),
        (b'customerID,"tenure\n', "line 1, the header, is not a CSV row"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_that_is_no_customer_file_is_refused(acme, content, message, dry_run):
    found, faults = refused(acme, io.BytesIO(content), dry_run=dry_run)
    assert found.startswith(message)
    assert found.endswith("; nothing was imported")
    assert faults == []


def test_lines_that_are_no_rows_are_refused_one_by_one(acme):
    file = a_file(a_line(customerID="GOOD"))
    file.seek(0, io.SEEK_END)
    file.write(b"too,few\n")
    file.write(a_line().strip().encode() + b",one more\n")
    file.write(b"caf\xe9\n")
    file.write(b"nul\0\n")
    file.write(b'"open quote,' + b"\n")
    file.write(b"a" * 300000 + b"\n")
    file.write(a_line(customerID="LATER", Churn="?").encode())
    file.seek(0)
    message, faults = refused(acme, file)
    assert faults == [
        "line 3 has 2 fields, but the header has 16",
        "line 4 has 17 fields, but the header has 16",
        "line 5 is not UTF-8: byte 0xe9 at position 4",
        "line 6 holds NUL bytes, as a UTF-16 file does; the file must be UTF-8",
        "line 7 is not a CSV row: a quote is opened but not closed",
        "line 8 is longer than 65536 bytes",
        "line 9, Churn: '?' is not one of Yes, No",
    ]
    assert message == "7 bad rows; nothing was imported"


def test_a_row_cut_short_by_the_longest_line_is_not_taken_for_the_whole(acme):
    padding = "x" * (65537 - len(a_line()) + 1)
    _, faults = refused(acme, a_file(a_line().strip() + padding + "rest\n"))
    assert faults == ["line 2 is longer than 65536 bytes"]


class EndlessLine(io.RawIOBase):
    """A good header, then a line of many bytes that are never completely in memory or on disk."""

    def __init__(self, length):
        self.header, self.left = a_file().getvalue(), length

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.header:
            part, self.header = self.header, b""
        else:
            part = b"a" * min(len(buffer), self.left)
            self.left -= len(part)
        buffer[: len(part)] = part
        return len(part)


def test_a_line_of_fifty_megabytes_is_refused_in_little_memory(acme):
    file = io.BufferedReader(EndlessLine(50_000_000))
    tracemalloc.start()
    try:
        _, faults = refused(acme, file, dry_run=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert faults == ["line 2 is longer than 65536 bytes"]
    assert peak < 5_000_000


# The command


@pytest.fixture
def on_disk(tmp_path):
    def write(*lines):
        path = tmp_path / "customers.csv"
        path.write_bytes(a_file(*lines).getvalue())
        return str(path)

    return write


def test_the_command_prints_a_summary(acme, on_disk, capsys):
    call_command("import_customers", on_disk(a_line(MonthlyCharges="54.80")), client=acme.pk)
    assert capsys.readouterr().out.splitlines() == [
        "customers read                   1",
        "accounts created                 1",
        "already imported                 0",
        "plan instances                   3",
        "customer prices                  1",
        "sum of MonthlyCharges        54.80",
    ]
    assert Account.objects.count() == 1


def test_the_command_says_what_a_dry_run_would_create(acme, on_disk, capsys):
    call_command("import_customers", on_disk(a_line()), "--dry-run", client=acme.pk)
    out = capsys.readouterr().out
    assert "accounts to create               1" in out
    assert out.endswith("Dry run: nothing was written.\n")
    assert not Account.objects.exists()


def test_the_command_includes_those_who_left_on_request(acme, on_disk):
    call_command("import_customers", on_disk(a_line(Churn="Yes")), "--left-as-billable", client=acme.pk)
    assert Account.objects.get().status == 1


def test_a_file_with_only_a_header_has_no_customers(acme, on_disk, capsys):
    call_command("import_customers", on_disk(), client=acme.pk)
    assert "customers read                   0" in capsys.readouterr().out


def test_the_command_reports_bad_rows_and_fails(acme, on_disk, capsys):
    path = on_disk(a_line(tenure="x"), a_line(customerID="B", Churn="?"))
    with pytest.raises(CommandError, match="customers.csv: 2 bad rows; nothing was imported"):
        call_command("import_customers", path, client=acme.pk)
    assert capsys.readouterr().err.splitlines() == [
        "line 2, tenure: 'x' is not a whole number of months",
        "line 3, Churn: '?' is not one of Yes, No",
    ]


def test_the_command_refuses_a_file_that_is_not_there_and_a_client_that_is_not_there(acme, on_disk):
    with pytest.raises(CommandError, match="no/such.csv: No such file or directory"):
        call_command("import_customers", "no/such.csv", client=acme.pk)
    with pytest.raises(CommandError, match="Client 999999 does not exist"):
        call_command("import_customers", on_disk(a_line()), client=999999)


def test_a_file_with_semicolons_and_decimal_commas_is_imported_when_asked_for(acme):
    plain = a_file(a_line(customerID="A", MonthlyCharges="29.85")).getvalue()
    content = plain.replace(b",", b";").replace(b"29.85", b"29,85") + b";;;\n;;;\n"
    _, faults = refused(acme, io.BytesIO(content))
    assert len(faults) == 1 and "MonthlyCharges" in faults[0]
    summary = import_customers(acme, io.BytesIO(content), report=print, decimal_comma=True)
    assert (summary.created, summary.monthly_amount) == (1, Decimal("29.85"))
