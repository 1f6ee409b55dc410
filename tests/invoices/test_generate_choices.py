"""Generating invoices: pending ones, refusals by their codes, alternate bill days, advance invoices, and nothing to bill."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.models import Account, Event, PlanInstance
from accounts.services.plans import assign_plan
from billing_site.errors import BillingError, ErrorCode
from invoices.models import NumberSeries
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices
from invoices.services.billing.generating import generate_invoice
from tests.support.factories import BY_TEST, ClientFactory, a_plan, an_account
from tests.support.generated import FEB_10, JAN_10, bill, lines_of, refused

# Why an invoice is pending


@pytest.mark.parametrize(
    ("client_requires", "account_requires", "forced", "status"),
    [
        (False, False, False, "approved"),
        (True, False, False, "pending"),
        (False, True, False, "pending"),
        (False, False, True, "pending"),
    ],
)
def test_an_invoice_waits_where_client_account_or_call_ask_for_it(process, client_requires, account_requires, forced, status):
    client = ClientFactory(invoice_approval_required=client_requires)
    account = an_account(client, invoice_approval_required=account_requires)
    invoice = bill(account, process, force_pending=forced)
    assert invoice.status == status
    assert (invoice.number is None) == (status == "pending")


def test_a_pending_invoice_moves_no_date_and_takes_no_number(acme, process):
    account = an_account(acme)
    invoice = bill(account, process, force_pending=True)
    assert (account.next_bill_date, account.last_bill_date) == (JAN_10, None)
    assert account.plan_instances.get().billed_through is None
    assert (invoice.document_number, invoice.invoice_date, invoice.due_date, invoice.fingerprint) == ("", None, None, "")
    assert not NumberSeries.objects.exists()


# Refusals


def test_a_bill_date_in_the_future_is_refused(acme, process):
    assert refused(an_account(acme, start=date(2026, 1, 11)), process).code is ErrorCode.BILL_DATE_IN_FUTURE


def test_a_pending_invoice_blocks_the_next_and_is_named(acme, process):
    account = an_account(acme)
    invoice = bill(account, process, force_pending=True)
    error = refused(account, process)
    assert error.code is ErrorCode.PENDING_INVOICE
    assert f"invoice {invoice.pk}" in error.message


def test_test_accounts_are_refused(acme, process):
    assert refused(an_account(acme, is_test=True), process).code is ErrorCode.TEST_ACCOUNT


@pytest.mark.parametrize("status", [-99, -15, -4, -3, -2, -1, 0, 31, 32, 41, 61, 99])
def test_statuses_that_prevent_billing(acme, process, status):
    assert refused(an_account(acme, status=status), process).code is ErrorCode.ACCOUNT_STATUS


@pytest.mark.parametrize("status", [1, 2, 3, 10, 11, 18, 21, 22, 51])
def test_statuses_that_are_billed(acme, process, status):
    assert bill(an_account(acme, status=status), process).total_amount == D(30)


def test_an_account_without_a_plan_is_refused(acme, process):
    account = an_account(acme)
    account.plan_instances.all().delete()
    Account.objects.update(next_bill_date=None)
    assert refused(account, process).code is ErrorCode.NO_BILLABLE_PLAN


def test_another_clients_account_does_not_exist(acme, umbra, process):
    account = an_account(umbra)
    with pytest.raises(BillingError) as error:
        generate_invoice(client=acme, account_no=account.pk, request=BillingRequest(JAN_10), caller=process)
    assert error.value.code is ErrorCode.ACCOUNT_NOT_FOUND
    event = Event.objects.get()
    assert (event.client, event.account, event.error_code) == (acme, None, 1009)


def test_a_plan_in_another_currency_is_refused(acme, process):
    account = an_account(acme)
    with pytest.raises(BillingError) as error:
        assign_plan(account=account, plan=a_plan(acme, {"tv": "1"}, currency="eur"), start_date=JAN_10, caller=BY_TEST)
    assert error.value.code is ErrorCode.CURRENCY_MISMATCH


def test_an_amount_that_cannot_be_stored_is_refused(acme, process):
    plan = a_plan(acme, {"phone": "9999999999.99"})
    account = an_account(acme, plan)
    PlanInstance.objects.update(units=D(1000))
    assert refused(account, process).code is ErrorCode.AMOUNT_TOO_LARGE


# Alternate bill day


def test_an_alternate_bill_day_makes_a_stub_and_a_new_anniversary(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "31.00"}))
    assert lines_of(bill(account, process, alt_bill_day=15)) == [(JAN_10, date(2026, 1, 14), D(5), "5 of 31 days")]
    assert (account.bill_day, account.next_bill_date) == (15, date(2026, 1, 15))


def test_an_alternate_bill_day_before_the_start_runs_into_the_next_month(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "31.00"}))
    assert lines_of(bill(account, process, alt_bill_day=5)) == [(JAN_10, date(2026, 2, 4), D(26), "26 of 31 days")]


def test_the_same_day_as_alternate_bill_day_bills_a_whole_cycle(acme, process):
    account = an_account(acme)
    assert lines_of(bill(account, process, alt_bill_day=10)) == [(JAN_10, date(2026, 2, 9), D(30), "")]


@pytest.mark.parametrize("day", [0, 32, -1, 10**13])
def test_an_alternate_bill_day_outside_the_month_is_refused(acme, process, day):
    error = refused(an_account(acme), process, alt_bill_day=day)
    assert (error.code, error.field) == (ErrorCode.ALT_BILL_DAY_RANGE, "alt_bill_day")


def test_an_alternate_bill_day_is_for_the_first_invoice_only(acme, process):
    account = an_account(acme)
    bill(account, process)
    assert refused(account, process, FEB_10, alt_bill_day=15).code is ErrorCode.ALT_BILL_DAY_NOT_FIRST


def test_an_alternate_bill_day_waits_for_approval(acme, process, alice):
    account = an_account(acme)
    invoice = bill(account, process, alt_bill_day=15, force_pending=True)
    assert account.bill_day == 10
    approve_invoices(client=acme, invoice_nos=[invoice.pk], caller=alice, today=JAN_10)
    account.refresh_from_db()
    assert (account.bill_day, account.next_bill_date) == (15, date(2026, 1, 15))


# Advance invoices


def test_an_advance_invoice_bills_the_coming_cycle_once(acme, process):
    account = an_account(acme)
    bill(account, process)
    advance = bill(account, process, date(2026, 1, 20), advance=True)
    assert (advance.kind, advance.bill_date, advance.period_end) == ("advance", FEB_10, date(2026, 3, 9))
    assert (account.next_bill_date, account.last_bill_date) == (date(2026, 3, 10), FEB_10)
    error = refused(account, process, date(2026, 2, 9), advance=True)
    assert error.code is ErrorCode.BILL_DATE_IN_FUTURE
    assert "2026-02-10 already has an advance invoice" in error.message
    assert bill(account, process, FEB_10, advance=True).bill_date == date(2026, 3, 10)


def test_an_advance_invoice_may_wait_and_blocks_meanwhile(umbra, process):
    account = an_account(umbra, start=date(2026, 2, 1))
    assert bill(account, process, JAN_10, advance=True).status == "pending"
    assert refused(account, process, JAN_10, advance=True).code is ErrorCode.PENDING_INVOICE


def test_a_cycle_that_is_due_is_billed_as_recurring_even_in_advance_mode(acme, process):
    assert bill(an_account(acme), process, advance=True).kind == "recurring"


def test_an_alternate_bill_day_is_refused_in_advance_mode(acme, process):
    account = an_account(acme, start=date(2026, 2, 1))
    assert refused(account, process, advance=True, alt_bill_day=5).code is ErrorCode.ALT_BILL_DAY_NOT_FIRST


# Nothing to bill, and zero


def test_a_cycle_without_charges_moves_the_dates_and_makes_no_invoice(acme, process):
    plan = a_plan(acme)
    plan.charges.all().delete()
    account = an_account(acme, plan)
    assert bill(account, process) is None
    assert (account.next_bill_date, account.last_bill_date) == (FEB_10, JAN_10)
    assert Event.objects.get().act == "account.nothing_to_bill"


def test_lines_that_sum_to_zero_make_a_numbered_invoice(acme, process):
    invoice = bill(an_account(acme, a_plan(acme, {"phone": "0"})), process)
    assert (invoice.total_amount, invoice.document_number) == (0, "INV-000001")
