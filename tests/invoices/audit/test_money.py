"""The ledger, what pays what, collection attempts and credit memos: damage is found and named."""

import pytest
from django.db import connection
from django.test import override_settings

from invoices.audit import run_audits
from tests.support.audits import names
from tests.support.audits.money_world import build_money_world
from tests.support.audits.planting import findings, findings_of
from tests.support.worlds import world_for_a_while

ENTRY = "UPDATE invoices_ledgerentry SET {} WHERE id = {{{}}}"
TAKEN = "UPDATE invoices_allocation SET {} WHERE credit_id = {{{}}}"


def build_clean_world():
    numbers = build_money_world()
    assert findings() == {}
    return numbers


@pytest.fixture(scope="module")
def built(django_db_setup, django_db_blocker, tmp_path_factory):
    books = override_settings(SANDBOX_GATEWAY_FILE=str(tmp_path_factory.mktemp("books") / "sandbox.sqlite3"))
    with django_db_blocker.unblock(), books, world_for_a_while(build_clean_world) as numbers:
        yield numbers


@pytest.fixture
def world(built, db):
    return built


def test_every_row_of_money_is_counted(world):
    rows = {report.name: report.rows for report in run_audits()}
    assert {name: rows[getattr(names, name)] for name in COUNTED} == COUNTED


COUNTED = {
    "MEMO_LINES": 2,
    "LINES_CREDITED": 1,
    "TAXES_CREDITED": 1,
    "TAKEN_OFF": 3,
    "MEMOS": 1,
    "IN_LEDGER": 14,
    "BALANCES": 16,
    "CONSERVATION": 16,
    "ALLOCATIONS": 14,
    "OPEN_AMOUNTS": 6,
    "VOIDS": 9,
    "PAYS": 14,
    "PAYMENTS": 4,
    "ATTEMPTS": 2,
    "REASONS": 8,
    "TOLD": 7,
}

DAMAGES = [
    (names.BALANCES, ENTRY.format("balance_after = 1", "void"), "brings 27 to 1"),
    (names.BALANCES, ENTRY.format("entry_no = 9", "void"), "transaction 9 comes after transaction 3"),
    (names.CONSERVATION, ENTRY.format("balance_after = 1", "void"), "add up to 28, but the balance is 1"),
    (names.CONSERVATION, ENTRY.format("balance_after = 1", "void"), "client {bank} in usd: "),
    (names.CONSERVATION, ENTRY.format("amount = -6", "credit"), "account {other}: charges 33, credits 6"),
    (names.ALLOCATIONS, TAKEN.format("amount = 6", "credit"), "account {other}: 6 is used of credit {credit} of 5"),
    (
        names.ALLOCATIONS,
        "UPDATE invoices_allocation SET amount = 3 WHERE credit_id = {off}",
        "account {payer}: 3 is used of credit {off} of 2",
    ),
    (
        names.ALLOCATIONS,
        "UPDATE invoices_allocation SET amount = 1 WHERE credit_id = {off}",
        "account {payer}: credit {off} of 2 is used for 1 only",
    ),
    (
        names.ALLOCATIONS,
        "UPDATE invoices_allocation SET amount = 9 WHERE debit_id = {refund}",
        "account {payer}: debit {refund} of 10 is paid with 9 only",
    ),
    (
        names.ALLOCATIONS,
        "UPDATE invoices_allocation SET amount = -40 WHERE credit_id = {wrong} AND amount < 0",
        "releases more of credit {wrong} than was allocated to it",
    ),
    (
        names.OPEN_AMOUNTS,
        "UPDATE invoices_invoice SET open_amount = 0.0001 WHERE id = {january}",
        "invoice {january} of account {payer}: has 0.0001 open, but of 33 30 is paid",
    ),
    (
        names.OPEN_AMOUNTS,
        "UPDATE invoices_allocation SET amount = 1 WHERE credit_id = {off}",
        "invoice {march} of account {payer}: has 17 open, but of 33 15 is paid",
    ),
    (
        names.IN_LEDGER,
        "UPDATE invoices_ledgerentry SET amount = 12 WHERE invoice_id = {january}",
        "invoice {january} of account {payer}: of 33",
    ),
    (
        names.IN_LEDGER,
        "UPDATE invoices_invoice SET status = 'pending', number = NULL, open_amount = 0 WHERE id = {january}",
        "is a invoice of invoice {january}, a recurring that is pending and of account {payer}",
    ),
    (names.VOIDS, ENTRY.format("amount = 2", "void"), "voids {wrong}, a cash_credit of -1"),
    (
        names.VOIDS,
        "UPDATE invoices_invoice SET status = 'approved', void_reason_code = NULL WHERE id = {may}",
        "invoice {may} of account {payer}: is approved, but the ledger says otherwise",
    ),
    (
        names.PAYS,
        "UPDATE invoices_allocation SET credit_id = {cheque} WHERE credit_id = {credit}",
        "is paid by credit {cheque} of account {payer}",
    ),
    (
        names.PAYS,
        "UPDATE invoices_ledgerentry SET invoice_id = {april} WHERE id = {off}",
        "write_off {off} of invoice {april} pays invoice {march}",
    ),
    (
        names.PAYS,
        "UPDATE invoices_invoice SET corrects_id = {april} WHERE id = {memo}",
        "credit memo {memo} pays invoice {march}, which it does not correct",
    ),
    (
        names.PAYMENTS,
        "UPDATE invoices_payment SET gateway_payment_id = '' WHERE entry_id = {collected}",
        "payment {collected} of account {payer}: is in the ledger as electronic_payment",
    ),
    (
        names.PAYMENTS,
        "UPDATE invoices_payment SET received_on = '2026-01-01' WHERE entry_id = {cheque}",
        "payment {cheque} of account {payer}: says received on 2026-01-01, voided False",
    ),
    (
        names.PAYMENTS,
        "UPDATE invoices_payment SET is_voided = true WHERE entry_id = {cheque}",
        "voided True; its ledger entry of",
    ),
    (
        names.PAYMENTS,
        "DELETE FROM invoices_refund WHERE entry_id = {refund}",
        "transaction {refund} is a refund of no payment of the account",
    ),
    (
        names.PAYMENTS,
        "UPDATE invoices_refund SET status = 'failed' WHERE entry_id = {refund}",
        "refund {refund} of payment {cheque}: is failed, but the ledger says otherwise",
    ),
    (
        names.PAYMENTS,
        "DELETE FROM invoices_collectionattempt WHERE id = {attempt}",
        "payment {collected} of account {payer}: came by sandbox, but no attempt has collected it",
    ),
    (
        names.ACTS,
        "UPDATE invoices_invoice SET void_reason_code = 1 WHERE id = {may}",
        "is voided for reason 1, but it was for 5",
    ),
    (
        names.ATTEMPTS,
        "UPDATE invoices_collectionattempt SET amount = 1 WHERE id = {attempt}",
        "invoice {february}: attempt 1 has collected 1",
    ),
    (
        names.ATTEMPTS,
        "UPDATE invoices_collectionattempt SET invoice_id = {may}, status = 'unknown' WHERE id = {declined}",
        "invoice {may}: is voided, but attempt 1 is unknown",
    ),
    (names.REASONS, ENTRY.format("reason_code = NULL", "credit"), "transaction {credit}, a cash_credit, has no reason"),
    (names.TOLD, "DELETE FROM accounts_event WHERE act = 'payment.recorded'", "transaction {cheque}, a payment, has no event"),
    (
        names.MEMO_LINES,
        "UPDATE invoices_invoiceline SET source_line_no = NULL WHERE invoice_id = {memo} AND line_no = 1",
        "line 1 credits no line of invoice {march}",
    ),
    (
        names.MEMO_LINES,
        "UPDATE invoices_invoiceline SET amount = 1 WHERE invoice_id = {memo} AND line_no = 1",
        "line 1 credits -1",
    ),
    (
        names.LINES_CREDITED,
        "UPDATE invoices_invoiceline SET amount = -31 WHERE invoice_id = {memo} AND line_no = 1",
        "invoice {march}: of line 1, which charges 30, 31 is credited",
    ),
    (
        names.LINES_CREDITED,
        "UPDATE invoices_invoiceline SET source_line_no = 2 WHERE invoice_id = {memo} AND line_no = 1",
        "invoice {march}: line 2 is credited 10, but charges nothing",
    ),
    (
        names.TAXES_CREDITED,
        "UPDATE invoices_taxdetail SET amount = -4 WHERE invoice_id = {memo}",
        "invoice {march}: of the tax of line 2 on line 1, 3, 4 is credited",
    ),
    (names.TAKEN_OFF, ENTRY.format("amount = -30", "off"), "invoice {march} of 33: 44 is credited, written off and disputed"),
    (
        names.MEMOS,
        "UPDATE invoices_invoice SET corrects_id = {other_january} WHERE id = {memo}",
        "corrects invoice {other_january} of account {other}",
    ),
    (names.ACTS, "DELETE FROM accounts_event WHERE act = 'invoice.voided'", "is voided, but the trail has"),
    (
        names.UNMOVED,
        "UPDATE invoices_invoice SET comments = 'another' WHERE id = {memo}",
        "has changed since it was approved: correction",
    ),
    (
        names.UNMOVED,
        "UPDATE invoices_invoice SET net_amount = 1 WHERE id = {may}",
        "has changed since it was approved: terms",
    ),
]


@pytest.mark.parametrize(("audit", "sql", "words"), DAMAGES)
def test_damage_to_money_is_found_and_named(world, without_checks, audit, sql, words):
    for table, check in (
        ("invoices_invoice", "a_number_from_approval_on"),
        ("invoices_ledgerentry", "entry_raises_or_lowers_the_balance"),
    ):
        without_checks(table, check)
    with connection.cursor() as cursor:
        cursor.execute(sql.format(**vars(world)))
        assert cursor.rowcount > 0
    found = findings_of(audit)
    assert any(words.format(**vars(world)) in finding for finding in found), found
