"""Damage to what is beside documents and money is found: times and reasons, statements, receipts, runs and master data."""

import pytest
from django.db import connection

from accounts.models import Account, Client, Receipt, Service
from invoices.audit import run_audits
from invoices.audit.kept import audit_and_keep
from invoices.models import AuditFinding, Invoice, RunOutcome, Statement, TaxAnswer
from tests.support.audits import names
from tests.support.audits.planting import DOCUMENT, OUTCOME, PLAIN_FEB, findings, findings_of, plant

LATER = "'2027-01-01 00:00:00+00:00'" if connection.vendor == "postgresql" else "'2027-01-01 00:00:00'"
EARLIER = LATER.replace("2027", "2020")

DAMAGES = [
    (
        names.ACTS,
        DOCUMENT.format(f"approved_at = {LATER}", "plain_feb"),
        PLAIN_FEB + ": says it was approved at 2027-01-01 00:00:00+00:00, but it was at ",
    ),
    (
        names.TIMES,
        DOCUMENT.format(f"approved_at = {EARLIER}", "plain_feb"),
        "client {acme}, invoice {plain_feb}: INV-000006 was issued at 2020-01-01 00:00 UTC, but INV-000005 at ",
    ),
    (
        names.RECEIPTS,
        "UPDATE accounts_receipt SET invoice_no = {plain_jan} WHERE receipt_id = 'R-1'",
        "receipt R-1 of client {acme}: names invoice {plain_jan}, but the events of its call name others",
    ),
    (
        names.RUNS,
        OUTCOME.format("error_code = 7002", "barred"),
        "billing run {run}: account {barred} is refused with 7002, but no event says so in these words",
    ),
    (
        names.RUNS,
        OUTCOME.format("message = 'Because'", "barred"),
        "billing run {run}: account {barred} is refused with 7001, but no event says so in these words",
    ),
    (
        names.RUNS,
        OUTCOME.format("result = 'nothing_to_bill', error_code = 0", "barred"),
        "billing run {run}: account {barred} had nothing to bill, but no event says so",
    ),
    (
        names.RUNS,
        f"UPDATE invoices_invoice SET generated_at = {EARLIER} WHERE id = {{plain_jan}}",
        "billing run {run}: account {plain} has invoice {plain_jan}, which was generated before the run began",
    ),
    (
        names.VERSIONS,
        "UPDATE accounts_service SET name = 'Another' WHERE id = {sms_service}",
        "service {sms_service}: differs from its newest version in name",
    ),
    (
        names.VERSIONS,
        "UPDATE accounts_account SET payment_terms_days = 90, status = 2 WHERE id = {plain}",
        "account {plain}: differs from its newest version in status, payment_terms_days",
    ),
    (
        names.VERSIONS,
        "DELETE FROM accounts_servicelocation WHERE id = {umbra_location}",
        "servicelocation {umbra_location}: was deleted, but its newest version does not say so",
    ),
    (
        names.VERSIONS,
        "UPDATE accounts_historicalservice SET history_type = '-' WHERE id = {sms_service}",
        "service {sms_service}: is there, but its newest version says that it was deleted",
    ),
]


@pytest.fixture
def plain_updates():
    """Here, master data is compared with its versions, which other tests do not keep."""


@pytest.fixture
def versioned(world):
    """Rows with a version, which rows that were made in bulk lack."""
    for row in (Service.objects.get(pk=world.sms_service), Account.objects.get(pk=world.plain)):
        row.save()
    assert findings_of(names.VERSIONS) == []


@pytest.mark.parametrize(("audit", "sql", "words"), DAMAGES)
def test_damage_is_found_and_named(world, versioned, audit, sql, words):
    plant(sql, world)
    found = findings_of(audit)
    assert any(finding.startswith(words.format(**vars(world))) for finding in found), found


def test_an_outcome_with_the_invoice_of_another_one_is_found(world):
    other = RunOutcome.objects.get(account=world.plain)
    run = other.run
    run.pk = None
    run.save()
    RunOutcome.objects.create(run=run, account_id=world.plain, result="invoiced", invoice_id=world.plain_jan)
    found = findings_of(names.RUNS)
    told = "billing run {}: account {} has invoice {}, which another outcome has too"
    assert told.format(world.run, world.plain, world.plain_jan) in found


@pytest.fixture
def statement(world):
    moment = Invoice.objects.get(pk=world.plain_jan).approved_at
    sent = Statement.objects.create(
        invoice_id=world.plain_jan,
        email="ida@example.com",
        status="sent",
        requested_by="process:test",
        requested_at=moment,
        settled_at=moment,
        tries=1,
    )
    assert findings_of(names.STATEMENTS) == []
    return sent


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (f"settled_at = {EARLIER}", "is sent to 'ida@example.com' since 2020-01-01 00:00:00+00:00, requested at "),
        ("settled_at = NULL", "is sent to 'ida@example.com' since None, requested at "),
        ("email = ''", "is sent to '' since "),
        ("status = 'failed'", "is failed with error 0"),
        ("error_code = 90090", "is sent with error 90090"),
        ("status = 'bounced'", "came back, but no event says so"),
        ("status = 'sending', settled_at = NULL", "was tried, but has no time"),
        ("invoice_id = {pending}", "the document is pending"),
    ],
)
def test_damage_to_a_statement_is_found(world, statement, change, words):
    plant(f"UPDATE invoices_statement SET {change} WHERE id = {statement.pk}", world)
    found = findings_of(names.STATEMENTS)
    assert any(finding.split(": ", 1)[1].startswith(words) for finding in found), found


def test_a_call_without_events_has_changed_nothing_and_is_no_finding(world):
    """A note that is set again, for example. Events that were deleted are found by their seals."""
    token = Receipt.objects.get(receipt_id="R-1").token
    plant(f"UPDATE accounts_event SET call_token = '' WHERE call_token = '{token}'", world)
    assert findings_of(names.RECEIPTS) == []


# The audit ends, whatever it finds


def test_a_rule_that_fails_for_a_document_is_a_finding_and_the_others_go_on(world):
    plant("UPDATE accounts_event SET after = '[]' WHERE act = 'invoice.generated' AND invoice_no = {plain_jan}", world)
    found = findings()
    (finding,) = found[names.ACTS]
    assert finding.startswith(f"invoice {world.plain_jan} (INV-000001) of account {world.plain}: the rule could not be tried: ")
    assert len(run_audits()) == len({report.name for report in run_audits()})


def test_a_document_that_cannot_be_read_is_a_finding_and_its_neighbours_are_audited(world):
    TaxAnswer.objects.create(invoice_id=world.plain_jan, unanswered=7)
    plant(DOCUMENT.format("net_amount = 1", "pending"), world)
    found = findings()
    (finding,) = found[names.DOCUMENTS_READ]
    assert (
        finding
        == f"invoice {world.plain_jan} of account {world.plain}: cannot be read: TypeError: 'int' object is not iterable"
    )
    assert any(f"invoice {world.pending}" in one for one in found[names.TOTALS])


def test_an_account_that_cannot_be_read_is_a_finding_and_the_others_are_audited(world):
    sql = "UPDATE accounts_event SET after = '{{}}' WHERE act = 'account.nothing_to_bill'"
    plant(sql, world)
    found = findings_of(names.ACCOUNTS_READ)
    assert f"account {world.paused} (A-paused): cannot be read: KeyError: 'bill_date'" in found
    assert {report.name: report.rows for report in run_audits()}[names.ACCOUNTS_READ] == 15


@pytest.mark.parametrize(
    "place", ["invoices.audit.parts.parts_without_document", "invoices.audit.ledger.balances", "invoices.audit.rules._count"]
)
def test_a_query_that_fails_is_a_finding_and_the_others_go_on(world, monkeypatch, place):
    def fails(*given):
        with connection.cursor() as cursor:
            cursor.execute("SELECT nonsense FROM nowhere")

    fails.__module__, fails.__name__ = place.rpartition(".")[0], place.rpartition(".")[2]
    monkeypatch.setattr(place, fails)
    found = {one for words in findings().values() for one in words}
    assert len(found) == 1
    assert found.pop().startswith("the rule could not be tried: ")


def test_findings_of_rules_that_failed_are_kept(world):
    plant("UPDATE accounts_event SET after = '[]' WHERE act = 'invoice.generated' AND invoice_no = {plain_jan}", world)
    run, _reports = audit_and_keep(Client.objects.get(pk=world.acme), "test")
    assert AuditFinding.objects.filter(run=run, words__contains="could not be tried").exists()
