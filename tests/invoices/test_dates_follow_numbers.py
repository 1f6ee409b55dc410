"""A day is earlier than that of the last document, or the clock is set back: dates follow the numbers, or nothing is issued."""

import base64
from datetime import date, timedelta

import pytest
import time_machine
from django.test import Client as Browser

from accounts.clock import offset_to
from accounts.keys import create_key
from accounts.models import Event
from accounts.rights import KEY_RIGHTS
from invoices.models import Invoice, NumberSeries
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoices
from invoices.services.runs.runs import continue_run, start_run
from tests.support.admin_pages import page_url
from tests.support.factories import BY_TEST, a_plan, an_account
from tests.support.outcomes import error_of
from tests.support.rebilling import rebilled

MARCH_15, FEBRUARY_3 = date(2031, 3, 15), date(2031, 2, 3)

pytestmark = pytest.mark.usefixtures("audited")


def new_account(client, start=date(2029, 1, 10)):
    return an_account(client, a_plan(client, {"phone": "30.00"}), start=start, payment_terms_days=14)


@pytest.fixture
def program(acme, settings):
    """Calls REST with a key, on a day of the client's virtual clock. The server's clock only goes forward."""
    settings.VIRTUAL_CLOCK = True
    auth_key = create_key(acme, name="integrator", **dict.fromkeys(KEY_RIGHTS, True), caller=BY_TEST)[1]
    pair = base64.b64encode(f"{acme.pk}:{auth_key}".encode()).decode()

    def post(path, day, **body):
        type(acme).objects.filter(pk=acme.pk).update(clock_offset=offset_to(day, acme.time_zone))
        headers = {"Authorization": f"Basic {pair}"}
        return Browser().post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)

    return post


def generate(program, account, day, **given):
    return program("invoices/", day, acct_no=account.pk, **given)


def dated():
    """The documents' numbers with their dates, in the order of the numbers."""
    rows = Invoice.objects.exclude(number=None).order_by("series", "number")
    return [(number, str(day)) for number, day in rows.values_list("document_number", "invoice_date")]


def test_a_document_is_dated_as_the_one_with_the_number_before_it(acme, program):
    first, second, third = (new_account(acme) for _ in range(3))
    generate(program, first, MARCH_15)
    answer = generate(program, second, FEBRUARY_3).json()
    assert (answer["invoice_date"], answer["due_date"]) == ("2031-03-15", "2031-03-29")
    generate(program, third, date(2031, 3, 16))
    assert dated() == [("INV-000001", "2031-03-15"), ("INV-000002", "2031-03-15"), ("INV-000003", "2031-03-16")]


def test_so_is_one_that_is_approved_and_so_are_memo_and_rebill(acme, program, process):
    first, second = new_account(acme), new_account(acme)
    generate(program, first, MARCH_15)
    pending = generate(program, second, FEBRUARY_3, force_pending=True).json()["invoice_no"]
    assert program(f"invoices/{pending}/approve/", FEBRUARY_3).status_code == 200
    rebilled(Invoice.objects.get(account=first), process, 1, today=MARCH_15)
    rebilled(Invoice.objects.get(pk=pending), process, 1, today=FEBRUARY_3)
    assert [day for _, day in dated()] == ["2031-03-15"] * 6


def test_a_day_that_is_earlier_by_more_than_a_year_is_refused_and_names_both(acme, program):
    first, second = new_account(acme), new_account(acme)
    generate(program, first, MARCH_15)
    refused = generate(program, second, date(2030, 3, 13))
    assert (refused.status_code, refused.json()["error_code"]) == (409, 90094)
    for told in ("2030-03-13", "INV-000001 is dated 2031-03-15", "another prefix"):
        assert told in refused.json()["error_msg"]
    assert (Invoice.objects.count(), NumberSeries.objects.get().last_number) == (1, 1)
    assert Event.objects.filter(account=second, error_code=90094).count() == 1
    assert generate(program, second, date(2030, 3, 14)).status_code == 201


def test_with_another_prefix_the_dates_begin_again_as_the_refusal_says(acme, program, admin_client):
    first, second = new_account(acme), new_account(acme)
    generate(program, first, MARCH_15)
    series = NumberSeries.objects.get()
    admin_client.post(page_url(NumberSeries, "change", series.pk), {"prefix": "A-", "suffix": ""})
    assert generate(program, second, date(2030, 1, 10)).json()["document_number"] == "A-000002"
    assert dated() == [("INV-000001", "2031-03-15"), ("A-000002", "2030-01-10")]


def test_of_a_batch_only_what_takes_a_number_is_refused(acme, program, process):
    generate(program, new_account(acme), MARCH_15)
    waiting, idle = new_account(acme), new_account(acme)
    request = BillingRequest(date(2029, 6, 10))
    outcomes = generate_invoices(client=acme, account_nos=[waiting.pk, idle.pk], request=request, caller=process)
    assert [error_of(one).code.number for one in outcomes] == [90094, 90094]
    held = generate_invoices(
        client=acme, account_nos=[waiting.pk], request=request._replace(force_pending=True), caller=process
    )
    assert [error_of(one) for one in held] == [None]
    assert dated() == [("INV-000001", "2031-03-15")]


def test_a_run_that_began_before_midnight_goes_on_after_another_has_issued(acme, program, process):
    early, late = new_account(acme, date(2031, 3, 10)), new_account(acme, date(2031, 3, 10))
    run = start_run(client=acme, today=MARCH_15, caller=process)
    generate(program, late, MARCH_15 + timedelta(days=1))
    continue_run(run, caller=process)
    assert dated() == [("INV-000001", "2031-03-16"), ("INV-000002", "2031-03-16")]
    assert Invoice.objects.get(number=2).account_id == early.pk


def at(moment):
    return time_machine.travel(moment, tick=False)


def test_nothing_is_issued_while_the_clock_is_behind_the_last_document(acme, process):
    first, second, third = (an_account(acme) for _ in range(3))
    request = BillingRequest(date(2026, 1, 10))
    with at("2026-11-30T12:00:00Z"):
        generate_invoices(client=acme, account_nos=[first.pk], request=request, caller=process)
    with at("2026-11-30T11:54:00Z"):
        (refused,) = generate_invoices(client=acme, account_nos=[second.pk], request=request, caller=process)
        pending = request._replace(force_pending=True)
        (held,) = generate_invoices(client=acme, account_nos=[third.pk], request=pending, caller=process)
    error = error_of(refused)
    assert error.code.number == 90300
    told = "it is 2026-11-30 11:54 UTC, but INV-000001 was issued at 2026-11-30 12:00 UTC. Correct the clock."
    assert told in error.message
    assert error_of(held) is None
    assert (Invoice.objects.exclude(number=None).count(), NumberSeries.objects.get().last_number) == (1, 1)
    with at("2026-11-30T11:55:00Z"):
        (issued,) = generate_invoices(client=acme, account_nos=[second.pk], request=request, caller=process)
    assert error_of(issued) is None


def test_with_another_prefix_the_times_begin_again_as_the_refusal_says(acme, process):
    request = BillingRequest(date(2026, 1, 10))
    first, second = an_account(acme), an_account(acme)
    with at("2027-11-30T12:00:00Z"):
        generate_invoices(client=acme, account_nos=[first.pk], request=request, caller=process)
    NumberSeries.objects.update(prefix="A-")
    with at("2026-11-30T12:00:00Z"):
        (issued,) = generate_invoices(client=acme, account_nos=[second.pk], request=request, caller=process)
    assert error_of(issued) is None
    assert [number for number, _ in dated()] == ["INV-000001", "A-000002"]
