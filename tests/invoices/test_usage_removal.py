"""Removing usage that no invoice holds, and usage from its loading to the invoice and back."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from django.db import OperationalError

from accounts.kinds import ChargeType
from accounts.models import Account, Event
from billing_site.errors import BillingError
from invoices.models import Invoice, Usage
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices, discard_invoices
from invoices.services.billing.generating import generate_invoice
from invoices.services.documents import batches
from invoices.services.planning.previewing import rate_unbilled_usage
from invoices.services.usage.removal import remove_usage
from tests.support.factories import ClientFactory, PlanFactory, a_charge, an_account
from tests.support.races import PROCESS
from tests.support.usage_records import CREATED, FEB_10, JAN_10, MAR_10, NOON, a_metered_plan, a_record, account, load

__all__ = ["account"]


# Removing.


def bill(account, caller, day, **request):
    number = generate_invoice(
        client=account.client, account_no=account.pk, request=BillingRequest(day, **request), caller=caller
    )
    return Invoice.objects.filter(pk=number).first()


def removal_refused(client, usage_no, caller):
    with pytest.raises(BillingError) as error:
        remove_usage(client=client, usage_no=usage_no, caller=caller)
    return error.value.code.number


def test_a_record_that_no_invoice_holds_is_removed_and_its_id_is_free(acme, account, key_caller):
    load(acme, a_record(), a_record("R-2"))
    usage = Usage.objects.get(record_id="R-1")
    version = Account.objects.get(pk=account.pk).billing_version
    remove_usage(client=acme, usage_no=usage.pk, caller=key_caller)
    assert list(Usage.objects.values_list("record_id", flat=True)) == ["R-2"]
    assert Account.objects.get(pk=account.pk).billing_version == version + 1
    event = Event.objects.get()
    assert (event.act, event.account, event.api_key, event.error_code) == ("usage.removed", account, key_caller.api_key, 0)
    assert event.before == {
        "record_id": "R-1",
        "plan_instance_id": usage.plan_instance_id,
        "service_id": usage.service_id,
        "units": "5.0000",
        "used_at": "2026-01-31T12:00:00Z",
        "used_on": "2026-01-31",
        "description": "",
    }
    assert load(acme, a_record(units=D(6))) == [CREATED]


def test_a_record_on_a_pending_or_approved_invoice_is_not_removed(acme, account, process):
    bill(account, process, JAN_10)
    load(acme, a_record())
    usage = Usage.objects.get()
    pending = bill(account, process, FEB_10, force_pending=True)
    assert removal_refused(acme, usage.pk, process) == 90016
    event = Event.objects.latest("pk")
    assert (event.act, event.account, event.invoice_no) == ("usage.removal_refused", account, pending.pk)
    assert (event.error_code, event.message) == (
        90016,
        f"Already billed on an invoice; it can no longer be changed: record R-1 is on invoice {pending.pk}",
    )
    approve_invoices(client=acme, invoice_nos=[pending.pk], caller=process, today=FEB_10)
    assert removal_refused(acme, usage.pk, process) == 90016
    assert Usage.objects.get() == usage


def test_a_record_that_a_discarded_invoice_held_may_be_removed(acme, account, process):
    bill(account, process, JAN_10)
    load(acme, a_record())
    pending = bill(account, process, FEB_10, force_pending=True)
    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=process)
    remove_usage(client=acme, usage_no=Usage.objects.get().pk, caller=process)
    assert not Usage.objects.exists()


def test_a_record_of_another_client_or_none_does_not_exist(acme, umbra, account, process):
    load(acme, a_record())
    usage_no = Usage.objects.get().pk
    assert removal_refused(umbra, usage_no, process) == removal_refused(acme, usage_no + 1, process) == 1002
    assert Usage.objects.exists() and not Event.objects.exists()


def test_a_record_that_another_removes_first_does_not_exist_any_more(acme, account, process, monkeypatch):
    load(acme, a_record())
    usage = Usage.objects.get()

    def removed_first(account_no):
        Usage.objects.all().delete()
        return Account.objects.get(pk=account_no)

    monkeypatch.setattr("invoices.services.documents.account_acts.lock_account", removed_first)
    assert removal_refused(acme, usage.pk, process) == 1002


def test_an_account_that_stays_locked_is_reported_as_in_progress(acme, account, process, monkeypatch):
    load(acme, a_record())

    def locked(account_no):
        raise OperationalError("database is locked")

    monkeypatch.setattr("invoices.services.documents.account_acts.lock_account", locked)
    assert removal_refused(acme, Usage.objects.get().pk, process) == 3108
    assert Usage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_invoice_that_was_planned_with_a_record_that_is_removed_meanwhile_is_not_recorded(monkeypatch):
    client = ClientFactory()
    account = an_account(client, a_metered_plan(client), client_acct_id="ACME-1")
    bill(account, PROCESS, JAN_10)
    load(client, a_record())
    waiting = batches.limit_lock_wait

    def remove_first(seconds):
        monkeypatch.setattr(batches, "limit_lock_wait", waiting)
        remove_usage(client=client, usage_no=Usage.objects.get().pk, caller=PROCESS)
        waiting(seconds)

    monkeypatch.setattr(batches, "limit_lock_wait", remove_first)
    with pytest.raises(BillingError) as error:
        bill(account, PROCESS, FEB_10)
    assert error.value.code.number == 3108
    assert not Usage.objects.exists() and not Invoice.objects.exists()
    assert bill(account, PROCESS, FEB_10) is None


# From loading to the invoice and back.


def lines_of(invoice):
    lines = invoice.lines.filter(line_type=6).order_by("line_no")
    return [(one.period_start, one.period_end, one.units, one.rate_per_unit, one.amount, one.explanation) for one in lines]


def unbilled(account, day):
    rated = rate_unbilled_usage(client=account.client, account_no=account.pk, today=day)
    assert sum(line.amount for line in rated.lines) == rated.amount
    return [
        (one.period_start, one.period_end, one.units, one.rate_per_unit, one.amount, one.explanation) for one in rated.lines
    ]


@pytest.fixture
def banded(acme, process):
    """Bill day 10, its first bill made. Calls at 0.10, above 100 in a cycle at 0.05."""
    plan = PlanFactory(client=acme)
    a_charge(plan, "calls", None, ChargeType.USAGE, tiers={"0": "0.10", "100": "0.05"})
    account = an_account(acme, plan, client_acct_id="ACME-1")
    bill(account, process, JAN_10)
    return account


def test_loaded_usage_is_rated_as_the_invoice_will_charge_it_held_by_it_and_freed_when_it_is_discarded(acme, banded, process):
    load(acme, a_record("R-1", units=D("120")), a_record("R-2", units=D("40.5"), used_at=NOON + timedelta(days=9)))
    expected = [
        (JAN_10, date(2026, 2, 9), D(100), D("0.10"), D("10.00"), ""),
        (JAN_10, date(2026, 2, 9), D("60.5"), D("0.05"), D("3.03"), ""),
    ]
    assert unbilled(banded, date(2026, 2, 9)) == expected

    pending = bill(banded, process, FEB_10, force_pending=True)
    assert lines_of(pending) == expected
    assert set(Usage.objects.values_list("invoice", flat=True)) == {pending.pk}
    assert unbilled(banded, FEB_10) == []

    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=process)
    assert set(Usage.objects.values_list("invoice", flat=True)) == {None}
    assert unbilled(banded, FEB_10) == expected

    issued = bill(banded, process, FEB_10)
    assert lines_of(issued) == expected
    assert set(Usage.objects.values_list("invoice", flat=True)) == {issued.pk}
    assert unbilled(banded, FEB_10) == []


def test_usage_that_comes_late_is_charged_on_the_next_invoice_and_says_which_period_it_belongs_to(acme, banded, process):
    load(acme, a_record("R-1", units=D(90)))
    bill(banded, process, FEB_10)
    load(acme, a_record("LATE", units=D(20)), a_record("R-2", units=D(3), used_at=datetime(2026, 2, 11, tzinfo=UTC)))
    late = "late usage, 90 units were billed before"
    expected = [
        (JAN_10, date(2026, 2, 9), D(10), D("0.10"), D("1.00"), late),
        (JAN_10, date(2026, 2, 9), D(10), D("0.05"), D("0.50"), late),
        (FEB_10, date(2026, 3, 9), D(3), D("0.10"), D("0.30"), ""),
    ]
    assert unbilled(banded, date(2026, 3, 1)) == expected
    assert lines_of(bill(banded, process, MAR_10)) == expected


def test_usage_of_the_days_to_come_is_not_in_what_is_unbilled_so_far_of_a_cycle_that_ended(acme, banded):
    """Two unbilled cycles: each has its own bands."""
    load(acme, a_record("R-1", units=D(100)), a_record("R-2", units=D(100), used_at=datetime(2026, 2, 10, tzinfo=UTC)))
    assert [(start, amount) for start, _, _, _, amount, _ in unbilled(banded, date(2026, 2, 15))] == [
        (JAN_10, D("10.00")),
        (FEB_10, D("10.00")),
    ]


def test_the_usage_of_an_account_that_is_not_the_clients_is_not_shown(acme, umbra, account):
    with pytest.raises(BillingError) as error:
        rate_unbilled_usage(client=umbra, account_no=account.pk, today=FEB_10)
    assert (error.value.code.number, error.value.field) == (1009, "acct_no")
