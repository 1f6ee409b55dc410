"""Sums of the ledger by day: what is summed, when, and that months are the same before and after."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.callers import Caller
from billing_site.common.guards import lifted
from invoices.audit import run_audits
from invoices.models import DailySum, LedgerEntry, SummedLedger
from invoices.services.lists.dashboard import months
from invoices.services.money.daily_sums import SUMMED_AFTER, sum_up_ledger, sum_up_when_due
from invoices.services.undoing.voiding import void_invoice
from tests.support.audits import names
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.paying import billed
from tests.support.payments import pay

pytestmark = pytest.mark.django_db
PROCESS = Caller(process="test")


@pytest.fixture
def paid(acme):
    """30.00 billed and paid on 10 January, 30.00 billed on 10 February and voided on the same day."""
    account, _ = billed(acme, PROCESS)
    pay(account, PROCESS, "30.00", today=JAN_10)
    february = bill(account, PROCESS, FEB_10)
    void_invoice(client=acme, invoice_no=february.pk, caller=PROCESS, today=FEB_10, reason_code=1)
    return account


def later():
    return timezone.now() + SUMMED_AFTER + timedelta(seconds=1)


def stored():
    return {(one.kind, one.day): one.amount for one in DailySum.objects.all()}


SUMS = {("invoice", JAN_10): D(30), ("payment", JAN_10): D(-30), ("invoice", FEB_10): D(0)}


def test_transactions_are_summed_by_day_and_a_void_with_what_it_voids(paid):
    last = LedgerEntry.objects.latest("pk").pk
    assert sum_up_ledger(later()) == last
    assert stored() == SUMS


def test_what_is_newer_than_ten_minutes_is_left_for_later(paid):
    with lifted():
        LedgerEntry.objects.filter(entry_date=JAN_10).update(created_at=timezone.now() - timedelta(minutes=11))
    assert sum_up_ledger(timezone.now()) == LedgerEntry.objects.filter(entry_date=JAN_10).latest("pk").pk
    assert stored() == {key: amount for key, amount in SUMS.items() if key[1] == JAN_10}


def test_months_are_the_same_whether_none_some_or_all_is_summed(acme, paid):
    first = months(acme, date(2026, 3, 31))
    assert [(one.invoiced, one.collected) for one in first["usd"][-3:]] == [(D(30), D(30)), (D(0), D(0)), (D(0), D(0))]
    with lifted():
        LedgerEntry.objects.filter(entry_date=JAN_10).update(created_at=timezone.now() - timedelta(minutes=11))
    sum_up_ledger(timezone.now())
    assert months(acme, date(2026, 3, 31)) == first
    sum_up_ledger(later())
    assert months(acme, date(2026, 3, 31)) == first


def test_summing_twice_sums_once(paid):
    sum_up_ledger(later())
    sum_up_ledger(later())
    assert stored() == SUMS


def test_a_later_transaction_of_a_summed_day_is_added(paid):
    sum_up_ledger(later())
    pay(paid, PROCESS, "5.00", received_on=JAN_10)
    sum_up_ledger(later())
    assert stored() == SUMS | {("payment", JAN_10): D(-35)}


def test_summed_months_read_no_old_transaction(acme, paid):
    sum_up_ledger(later())
    with CaptureQueriesContext(
        connection,
    ) as captured:
        months(acme, date(2026, 3, 31))
    assert len(captured) == 3


def test_the_audit_finds_a_sum_that_was_changed(acme, paid):
    sum_up_ledger(later())
    assert found() == []
    DailySum.objects.filter(kind="payment").update(amount=D("-29.99"))
    assert found() == [
        f"client {acme.pk}: -29.99 is stored as payment of 2026-01-10 in usd, but the ledger has -30",
    ]


def found():
    (report,) = [one for one in run_audits() if one.name == names.DAILY_SUMS]
    return list(report.findings)


def test_the_command_sums_again(paid, capsys):
    sum_up_ledger(later())
    DailySum.objects.update(amount=D(7))
    SummedLedger.objects.update(through=99999)
    with lifted():
        LedgerEntry.objects.update(created_at=timezone.now() - timedelta(hours=1))
    call_command("sum_ledger", "--again")
    assert stored() == SUMS
    last = LedgerEntry.objects.latest("pk").pk
    assert capsys.readouterr().out == f"The daily sums reach up to transaction {last}.\n"


def test_a_worker_sums_once_the_oldest_transaction_is_twenty_minutes_old(paid):
    first, last = LedgerEntry.objects.earliest("pk"), LedgerEntry.objects.latest("pk")
    assert not sum_up_when_due(first.created_at + 2 * SUMMED_AFTER - timedelta(seconds=1))
    assert sum_up_when_due(last.created_at + 2 * SUMMED_AFTER)
    assert stored() == SUMS
    assert not sum_up_when_due(last.created_at + 2 * SUMMED_AFTER)
