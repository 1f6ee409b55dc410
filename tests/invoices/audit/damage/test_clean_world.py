"""The audit has no findings on data written by the services, counts every row, and can be run by command."""

from io import StringIO

from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Client
from invoices.audit import run_audits
from tests.support.audits import names
from tests.support.audits.planting import DOCUMENT, findings, plant

ROWS = {
    names.NUMBERS: 18,
    names.PRINTED: 18,
    names.DATES: 18,
    names.TIMES: 18,
    names.DOCUMENTS_READ: 24,
    names.APPROVED: 24,
    names.TOTALS: 24,
    names.LINE_NUMBERS: 175,
    names.LINE_AMOUNTS: 175,
    names.BANDS: 27,
    names.PERCENTS: 13,
    names.BASES: 62,
    names.CREDIT_LINES: 23,
    names.CREDIT_DETAILS: 131,
    names.TAX_LINES: 47,
    names.TAX_DETAILS: 194,
    names.TAXABLE: 194,
    names.TAX_BASIS: 24,
    names.TAX_ANSWERS: 0,
    names.TAX_PERCENTS: 194,
    names.WHOLE_UNITS: 779,
    names.WITHIN: 175,
    names.AHEAD: 24,
    names.HELD_USAGE: 13,
    names.HELD_ORDERS: 2,
    names.USES: 18,
    names.UNUSED_LINES: 0,
    names.DUE_DATES: 24,
    names.UNMOVED: 18,
    names.CHANGED: 0,
    names.MEMO_LINES: 0,
    names.ACTS: 24,
    names.ACCOUNTS_READ: 15,
    names.ONE_DOCUMENT: 21,
    names.CONSECUTIVE: 26,
    names.ARREARS: 5,
    names.VOIDED: 0,
    names.BILLED_THROUGH: 18,
    names.NEWEST: 15,
    names.DUE_FROM: 15,
    names.NEXT: 15,
    names.CREDIT_AMOUNTS: 5,
    names.COUPON_CYCLES: 5,
    names.LINES_CREDITED: 0,
    names.TAXES_CREDITED: 0,
    names.TAKEN_OFF: 0,
    names.UNUSED_ONCE: 0,
    names.PAID_ORIGINALS: 0,
    names.LATE_USAGE: 1,
    names.ALLOCATIONS: 0,
    names.OPEN_AMOUNTS: 18,
    names.BALANCES: 18,
    names.CONSERVATION: 18,
    names.BELONGING: 231,
    names.WAITING: 17,
    names.CREDITS: 26,
    names.CATALOGUE: 48,
    names.PRICES: 26,
    names.CURRENCIES: 26,
    names.PLANS_TAKEN_OFF: 0,
    names.UNUSED_SOURCES: 0,
    names.MEMOS: 0,
    names.REBILLS: 0,
    names.REBILLED: 18,
    names.IN_LEDGER: 36,
    names.VOIDS: 18,
    names.PAYS: 0,
    names.PAYMENTS: 0,
    names.ATTEMPTS: 0,
    names.REASONS: 0,
    names.TOLD: 0,
    names.REQUESTED_ACTS: 0,
    names.FILES: 18,
    names.EVENTS: 48,
    names.RECEIPTS: 1,
    names.RUNS: 6,
    names.STATEMENTS: 0,
    names.REDEMPTIONS: 4,
    names.FILE_HASHES: 0,
    names.SERIES: 3,
    names.DAILY_SUMS: 0,
    names.BLANKED: 0,
    names.VERSIONS: 0,
    names.SEALS: 0,
    names.HEADS: 0,
    names.PARTS: 594,
}


def test_a_clean_world_has_no_findings_and_every_row_is_counted(world):
    assert findings() == {}
    assert {report.name: report.rows for report in run_audits()} == ROWS


def test_one_client_is_audited_without_the_others(world):
    acme, umbra = (Client.objects.get(pk=number) for number in (world.acme, world.umbra))
    plant([DOCUMENT.format("total_amount = 1", "umbra_pending")], world)
    assert findings(acme) == {}
    assert findings(umbra)[names.TOTALS] == [
        f"invoice {world.umbra_pending} of account {world.waiting}: its lines add up to 33, but its total is 1",
        f"invoice {world.umbra_pending} of account {world.waiting}: net 30 and tax 3 do not add up to the total 1",
    ]
    assert {report.name: report.rows for report in run_audits(umbra)}[names.APPROVED] == 2


def test_the_rows_of_the_clients_are_those_of_all(world):
    clients = [{report.name: report.rows for report in run_audits(client)} for client in Client.objects.all()]
    assert {name: sum(rows[name] for rows in clients) for name in ROWS} == ROWS


def audit_command(**options):
    """What the command prints, and what it says when it exits with 1."""
    out = StringIO()
    try:
        call_command("audit", stdout=out, **options)
    except CommandError as error:
        assert error.returncode == 1
        return out.getvalue().splitlines(), str(error)
    return out.getvalue().splitlines(), None


def test_the_command_prints_rows_and_no_findings_and_succeeds(world):
    lines, error = audit_command()
    assert error is None
    assert [line.split("  ")[0] for line in lines[:-1]] == [report.name for report in run_audits()] == list(ROWS)
    assert lines[0].split() == [*names.NUMBERS.split(), str(ROWS[names.NUMBERS]), "rows", "0", "findings"]
    assert lines[-1].split() == [str(len(ROWS)), "audits", f"{sum(ROWS.values()):,}", "rows", "0", "findings"]


def test_the_command_prints_each_finding_below_its_audit_and_fails(world):
    plant([DOCUMENT.format("net_amount = 1", "umbra_pending")], world)
    lines, error = audit_command()
    place = next(place for place, line in enumerate(lines) if line.startswith(names.TOTALS))
    assert lines[place].split()[-4:] == [str(ROWS[names.TOTALS]), "rows", "1", "findings"]
    assert lines[place + 1] == (
        f"    invoice {world.umbra_pending} of account {world.waiting}: net 1 and tax 3 do not add up to the total 33"
    )
    assert lines[-1].split()[-2:] == ["1", "findings"]
    assert error == "The audit has 1 finding."
    assert audit_command(client=world.acme)[1] is None


def test_the_command_refuses_a_client_that_does_not_exist(db):
    assert audit_command(client=77) == ([], "Client 77 does not exist.")
