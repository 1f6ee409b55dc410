"""Closing a period while a document is issued, in real threads on PostgreSQL: nothing is dated in it once it is closed."""

import threading
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import connection, connections

from billing_site.errors import BillingError
from invoices import closing
from invoices.audit.kept import audit_and_keep
from invoices.closing import close_period
from invoices.models import ClosedPeriod, Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.issuing import issuing
from tests.support.factories import BY_TEST, ClientFactory, an_account
from tests.support.money_races import at_once, no_findings

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
    pytest.mark.django_db(transaction=True),
]
JAN_31, FEB_10 = date(2026, 1, 31), date(2026, 2, 10)
WAIT = 10
ROUNDS = 5


@pytest.fixture
def client():
    with time_machine.travel(datetime(2026, 2, 10, 12, tzinfo=UTC), tick=True):
        found = ClientFactory()
        audit_and_keep(found, "process:test")
        yield found


def close(client):
    return close_period(client=client, last_day=JAN_31, caller=BY_TEST, today=FEB_10).pk


def bill(client, account):
    request = BillingRequest(JAN_31)
    return generate_invoice(client=client, account_no=account.pk, request=request, caller=BY_TEST)


class Halted:
    """A function that stops where it is called first, until `go` is set."""

    def __init__(self, monkeypatch, module, name):
        self.reached, self.go = threading.Event(), threading.Event()
        self.function = getattr(module, name)
        monkeypatch.setattr(module, name, self)

    def __call__(self, *arguments, **options):
        result = self.function(*arguments, **options)
        if not self.reached.is_set():
            self.reached.set()
            assert self.go.wait(WAIT)
        return result


def begun(work):
    """Begin work in a thread. Returns the thread and a list that gets its answer or the code of its refusal."""
    answers = []

    def run():
        try:
            answers.append(work())
        except BillingError as error:
            answers.append(error.code.number)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, answers


def test_closing_waits_for_what_is_being_issued(client, monkeypatch):
    account = an_account(client)
    halted = Halted(monkeypatch, issuing, "take_numbers")
    issuing_thread, issued = begun(lambda: bill(client, account))
    assert halted.reached.wait(WAIT)
    closing_thread, closed = begun(lambda: close(client))
    closing_thread.join(1)
    assert closing_thread.is_alive() and not ClosedPeriod.objects.exists()
    halted.go.set()
    issuing_thread.join(WAIT)
    closing_thread.join(WAIT)
    assert Invoice.objects.get(pk=issued[0]).invoice_date == JAN_31
    assert ClosedPeriod.objects.get(pk=closed[0]).last_day == JAN_31
    no_findings()


def test_issuing_waits_for_closing_and_is_refused(client, monkeypatch):
    account = an_account(client)
    halted = Halted(monkeypatch, closing, "_record")
    closing_thread, closed = begun(lambda: close(client))
    assert halted.reached.wait(WAIT)
    issuing_thread, issued = begun(lambda: bill(client, account))
    issuing_thread.join(1)
    assert issuing_thread.is_alive()
    halted.go.set()
    closing_thread.join(WAIT)
    issuing_thread.join(WAIT)
    assert issued == [90173]
    assert ClosedPeriod.objects.filter(pk__in=closed).exists() and not Invoice.objects.exists()
    no_findings()


def test_at_the_same_moment_one_comes_first(client):
    """Whichever is first: an invoice that was issued was issued before the period was closed."""
    for _ in range(ROUNDS):
        account = an_account(client)
        closed, issued = at_once(lambda: close(client), lambda account=account: bill(client, account))
        assert closed is not None
        mine = Invoice.objects.filter(account=account)
        assert mine.exists() == (issued != 90173), (closed, issued)
        period = ClosedPeriod.objects.get()
        assert all(one.approved_at <= period.closed_at for one in mine)
        ClosedPeriod.objects.all().delete()
        type(client).objects.filter(pk=client.pk).update(closed_through=None)
    no_findings()
