"""The audit of what has changed since the last whole audit without findings."""

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError

from invoices.models import AuditRun, InvoiceLine
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
