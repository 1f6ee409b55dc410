"""Generating invoices: batches and previews, and the day that it is for each client."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.clock import offset_to, today
from accounts.models import Account, Event, PlanInstance
from billing_site.errors import ErrorCode
from invoices.models import Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoices
from invoices.services.planning.previewing import preview_invoices
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.generated import JAN_10, bill, refused
from tests.support.outcomes import error_of

# Batches and previews


def test_a_preview_has_the_figures_of_the_invoice_and_writes_nothing(acme, process):
    TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"phone": "19.99", "tv": "10.01"}), bill_day=15)
    (previewed,) = preview_invoices(client=acme, account_nos=[account.pk], request=BillingRequest(JAN_10))
    assert not Invoice.objects.exists() and not Event.objects.exists()
    invoice = bill(account, process)
    plan = previewed.plan
    assert (plan.net_amount, plan.tax_amount, plan.total_amount) == (D("4.83"), D("0.35"), D("5.18"))
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D("4.83"), D("0.35"), D("5.18"))
    assert [(line.line_no, line.amount) for line in plan.lines] == [(line.line_no, line.amount) for line in invoice.lines.all()]


def test_one_bad_account_in_a_batch_of_200_leaves_199_invoices(acme, process):
    accounts = [an_account(acme, contact=False) for _ in range(200)]
    Account.objects.filter(pk=accounts[77].pk).update(status=-2)
    outcomes = generate_invoices(
        client=acme,
        account_nos=[account.pk for account in accounts],
        request=BillingRequest(JAN_10),
        caller=process,
    )
    assert Invoice.objects.count() == 199
    assert [outcome.account_no for outcome in outcomes if error_of(outcome)] == [accounts[77].pk]
    assert sorted(Invoice.objects.values_list("number", flat=True)) == list(range(1, 200))


def test_an_account_that_the_database_refuses_harms_no_other(acme, process):
    """A live document of the same bill date, planted behind the services' back, is caught by the unique key alone."""
    accounts = [an_account(acme) for _ in range(5)]
    planted = bill(accounts[2], process)
    Account.objects.filter(pk=accounts[2].pk).update(next_bill_date=JAN_10, last_bill_date=None)
    PlanInstance.objects.filter(account=accounts[2]).update(billed_through=None)
    outcomes = generate_invoices(
        client=acme, account_nos=[one.pk for one in accounts], request=BillingRequest(JAN_10), caller=process
    )
    assert [error_of(outcome).code if error_of(outcome) else None for outcome in outcomes] == [
        None,
        None,
        ErrorCode.IN_PROGRESS,
        None,
        None,
    ]
    assert Invoice.objects.filter(account=accounts[2]).get() == planted
    assert sorted(Invoice.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5]


# Time zones


@pytest.mark.parametrize(
    ("zone", "expected"), [("Pacific/Kiritimati", date(2026, 1, 10)), ("Pacific/Pago_Pago", date(2026, 1, 9))]
)
def test_a_client_is_due_when_its_own_day_begins(acme, process, time_machine, zone, expected):
    time_machine.move_to("2026-01-09T12:30:00+00:00")
    acme.time_zone = zone
    acme.save()
    assert today(acme) == expected
    account = an_account(acme)
    if expected == JAN_10:
        assert bill(account, process, today(acme)).bill_date == JAN_10
    else:
        assert refused(account, process, today(acme)).code is ErrorCode.BILL_DATE_IN_FUTURE


@pytest.mark.parametrize(
    ("moment", "expected"), [("2026-01-10T04:59:59+00:00", date(2026, 1, 9)), ("2026-01-10T05:00:00+00:00", JAN_10)]
)
def test_midnight_is_the_clients_own(acme, time_machine, moment, expected):
    time_machine.move_to(moment, tick=False)
    acme.time_zone = "America/New_York"
    assert today(acme) == expected


def test_a_clients_clock_may_run_ahead_of_the_real_one(acme, settings, time_machine):
    time_machine.move_to("2026-01-01T00:00:00+00:00", tick=False)
    acme.clock_offset = offset_to(date(2026, 3, 1), "UTC")
    settings.VIRTUAL_CLOCK = True
    assert today(acme) == date(2026, 3, 1)
    settings.VIRTUAL_CLOCK = False
    assert today(acme) == date(2026, 1, 1)
