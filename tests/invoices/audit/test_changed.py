"""The audit of what has changed since the last whole audit without findings."""

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Account
from billing_site.common.guards import lifted
from invoices.kinds import EntryKind
from invoices.models import AuditRun, Invoice, InvoiceLine, LedgerEntry
from tests.support.billing import bill
from tests.support.factories import ClientFactory, an_account

pytestmark = pytest.mark.django_db


def at(hour):
    return time_machine.travel(datetime(2026, 1, 10, hour, tzinfo=UTC), tick=False)


def bill_at(hour, client, caller):
    with at(hour):
        return bill(an_account(client), caller, datetime(2026, 1, 10, tzinfo=UTC).date())


def audit(hour, capsys, *options):
    with at(hour):
        call_command("audit", *options)
    return capsys.readouterr().out


def checked(text):
    """The number of documents that were checked, as the report says it."""
    (line,) = [line for line in text.splitlines() if line.startswith("Totals are the sums")]
    return line.split()[-4]


def raise_amount(invoice):
    InvoiceLine.objects.filter(invoice=invoice, line_no=1).update(amount=D("99.00"))


def test_only_what_changed_since_the_last_clean_audit_is_checked(acme, process, capsys):
    bill_at(8, acme, process)
    bill_at(9, acme, process)
    assert checked(audit(10, capsys)) == "2"
    assert checked(audit(11, capsys, "--changed")) == "0"
    bill_at(12, acme, process)
    assert checked(audit(13, capsys, "--changed")) == "1"
    assert checked(audit(14, capsys, "--changed")) == "1"
    assert checked(audit(15, capsys)) == "3"
    assert AuditRun.objects.count() == 2


def test_what_is_wrong_with_a_new_document_is_found(acme, process, capsys):
    bill_at(8, acme, process)
    audit(10, capsys)
    raise_amount(bill_at(12, acme, process))
    with pytest.raises(CommandError, match="findings"):
        audit(13, capsys, "--changed")
    assert "lines" in capsys.readouterr().out


def test_what_was_changed_without_an_event_is_found_by_the_whole_audit_alone(acme, process, capsys):
    old = bill_at(8, acme, process)
    audit(10, capsys)
    raise_amount(old)
    assert checked(audit(13, capsys, "--changed")) == "0"
    with pytest.raises(CommandError, match="findings"):
        audit(14, capsys)


def test_a_whole_audit_without_findings_must_come_first(acme, process, capsys):
    raise_amount(bill_at(8, acme, process))
    with pytest.raises(CommandError, match="no whole audit"):
        audit(9, capsys, "--changed")
    with pytest.raises(CommandError, match="findings"):
        audit(10, capsys)
    with pytest.raises(CommandError, match="no whole audit"):
        audit(11, capsys, "--changed")


def test_an_audit_of_one_client_says_nothing_of_another(acme, process, capsys):
    bill_at(8, acme, process)
    audit(9, capsys, "--client", str(acme.pk))
    other = ClientFactory(name="Other")
    bill_at(10, other, process)
    assert checked(audit(11, capsys, "--changed", "--client", str(acme.pk))) == "0"
    with pytest.raises(CommandError, match="no whole audit"):
        audit(11, capsys, "--changed", "--client", str(other.pk))
    with pytest.raises(CommandError, match="no whole audit"):
        audit(11, capsys, "--changed")


def rows_of(text, rule):
    """The number of rows that a rule has checked, as the report says it."""
    (line,) = [line for line in text.splitlines() if line.startswith(rule)]
    return int(line.split()[-4])


def test_rules_of_accounts_and_the_ledger_are_tried_for_what_changed(acme, process, capsys):
    """Two accounts are billed before the clean audit, and one after it."""
    bill_at(8, acme, process)
    bill_at(9, acme, process)
    audit(10, capsys)
    bill_at(12, acme, process)
    text = audit(13, capsys, "--changed")
    assert rows_of(text, "Each balance is the one before it") == 1
    assert rows_of(text, "Issued documents are in the ledger") == 2, "the document and its transaction"
    assert rows_of(text, "The next bill date of an account is the earliest") == 1
    assert rows_of(text, "What is open on invoices is what the ledger leaves due") == 1
    assert rows_of(text, "Document numbers run from 1 without a hole") == 2, "the new one and the one before it"
    assert [
        line[:44].strip() for line in text.partition("Only the whole audit tries these rules:")[2].splitlines() if line
    ] == [
        "Check that the counter of each series is",
        "The stored sums of days are those of the",
        "Check that events, transactions and paym",
        "Compare each row that has versions with",
        "Lines, taxes and periods are of document",
    ]
    assert "Master data" not in text.partition("Only the whole audit")[0]


def found(hour, capsys):
    with pytest.raises(CommandError, match="finding"):
        audit(hour, capsys, "--changed")
    return [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]


def test_what_is_wrong_in_an_account_that_changed_is_found(acme, process, capsys):
    bill_at(8, acme, process)
    audit(10, capsys)
    invoice = bill_at(12, acme, process)
    Account.objects.filter(pk=invoice.account_id).update(last_bill_date="2020-01-01")
    assert any(line.startswith(f"account {invoice.account_id} ") for line in found(13, capsys))


def test_a_hole_in_the_new_numbers_is_found(acme, process, capsys):
    bill_at(8, acme, process)
    audit(10, capsys)
    invoice = bill_at(12, acme, process)
    with lifted():
        Invoice.objects.filter(pk=invoice.pk).update(number=5)
    assert any(line.endswith("numbers 2 to 4 are missing before number 5") for line in found(13, capsys))


def test_a_transaction_that_no_event_names_shows_its_account(acme, process, capsys):
    """A payment is written into an old account without an event: the transaction itself shows that it changed."""
    invoice = bill_at(8, acme, process)
    audit(10, capsys)
    (charge,) = LedgerEntry.objects.filter(invoice=invoice)
    LedgerEntry.objects.create(
        account_id=invoice.account_id,
        entry_no=2,
        kind=EntryKind.CASH_CREDIT,
        amount=D("-1.00"),
        balance_after=charge.amount,
        entry_date=charge.entry_date,
        created_at=datetime(2026, 1, 10, 12, tzinfo=UTC),
        created_by="staff:1",
    )
    account = f"account {invoice.account_id}"
    assert [line for line in found(13, capsys) if line.startswith(f"{account}: transaction 2 of ")] == [
        f"{account}: transaction 2 of -1 brings 30 to 30"
    ]
