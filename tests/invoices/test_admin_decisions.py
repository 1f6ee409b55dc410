"""Decisions on selected documents: what will happen is shown first, and the result of each afterwards."""

from datetime import date

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import PaymentMethod
from invoices.models import Invoice, LedgerEntry
from tests.support.admin_pages import act, decide, list_url, results, say_yes
from tests.support.billing import bill
from tests.support.factories import a_plan, an_account

JAN_10 = date(2026, 1, 10)


@pytest.fixture(autouse=True)
def on_the_tenth_of_january():
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        yield


@pytest.fixture
def pending(process):
    def generate(client, **account):
        return bill(an_account(client, **account), process, JAN_10, force_pending=True).pk

    return generate


def statuses():
    return list(Invoice.objects.order_by("pk").values_list("status", flat=True))


def test_nothing_is_done_before_it_is_agreed_to(admin_client, acme, pending):
    number = pending(acme)
    for action in ("approve_selected", "discard_selected", "regenerate_selected", "collect_selected"):
        assert act(admin_client, Invoice, action, number).status_code == 200
        assert statuses() == ["pending"]


def test_the_page_says_how_many_and_how_much_of_each_currency(admin_client, acme, pending):
    euros = a_plan(acme, {"line": "7.00"}, currency="eur")
    numbers = [pending(acme), pending(acme), pending(acme, plan=euros, currency="eur")]
    page = act(admin_client, Invoice, "approve_selected", *numbers)
    assert [(currency, count) for currency, count, _ in page.context["totals"]] == [("eur", 1), ("usd", 2)]
    text = page.content.decode()
    assert "Approve these documents?</h1>" in text and "3 documents" in text and ">60.00<" in text and ">7.00<" in text
    assert "They get the next numbers of their series" in text
    assert "collected at once" not in text and "sent" not in text


def test_the_page_says_what_the_settings_make_of_it(admin_client, acme, umbra, pending):
    acme.collect_on_approval = acme.statement_on_issue = True
    acme.save()
    payable = pending(acme)
    PaymentMethod.objects.create(account=Invoice.objects.get(pk=payable).account, type="card", token="sandbox_approved")
    numbers = [payable, pending(acme), pending(umbra)]
    page = act(admin_client, Invoice, "approve_selected", *numbers).content.decode()
    assert "The open amount of 1 document is collected at once." in page
    assert "2 statements are sent." in page


def test_what_cannot_be_decided_is_named_with_its_reason_and_left_out(admin_client, acme, pending):
    approved, waiting = pending(acme), pending(acme)
    decide(admin_client, Invoice, "approve_selected", approved)
    page = act(admin_client, Invoice, "discard_selected", approved, waiting)
    assert page.context["numbers"] == str(waiting)
    assert f"invoice {approved} is approved" in page.content.decode()
    assert results(say_yes(admin_client, Invoice, page)) == ["discarded"]
    assert statuses() == ["approved", "discarded"]


def test_invoices_of_two_clients_are_approved_by_the_user(admin_client, admin_user, acme, umbra, pending):
    numbers = [pending(acme), pending(umbra)]
    page = decide(admin_client, Invoice, "approve_selected", *numbers)
    assert results(page) == ["approved", "approved"]
    assert "Done: 2. Not done: 0." in page.content.decode()
    approved = Invoice.objects.filter(status="approved").order_by("pk")
    assert [invoice.pk for invoice in approved] == numbers
    assert all(invoice.document_number in page.content.decode() for invoice in approved)
    assert {invoice.approved_by for invoice in approved} == {f"staff:{admin_user.pk}"}


def test_what_was_decided_meanwhile_is_refused_and_harms_no_other(admin_client, acme, pending):
    first, second = pending(acme), pending(acme)
    page = act(admin_client, Invoice, "approve_selected", first, second)
    decide(admin_client, Invoice, "approve_selected", first)
    done = say_yes(admin_client, Invoice, page)
    assert results(done) == [f"3015 The document is not pending: invoice {first} is approved", "approved"]
    assert "Done: 1. Not done: 1." in done.content.decode()


def test_all_pages_of_a_list_are_decided_on_as_they_were_shown(admin_client, acme, pending):
    shown = [pending(acme), pending(acme)]
    page = act(admin_client, Invoice, "approve_selected", shown[0], select_across=1)
    later = pending(acme)
    assert results(say_yes(admin_client, Invoice, page)) == ["approved", "approved"]
    assert Invoice.objects.get(pk=later).status == "pending"


def test_documents_are_discarded_and_regenerated(admin_client, acme, pending):
    discarded, regenerated = pending(acme), pending(acme)
    assert results(decide(admin_client, Invoice, "discard_selected", discarded)) == ["discarded"]
    assert results(decide(admin_client, Invoice, "regenerate_selected", regenerated)) == ["regenerated"]
    assert statuses() == ["discarded", "discarded", "pending"]


def test_what_is_due_is_what_is_collected(admin_client, acme, pending):
    number = pending(acme)
    decide(admin_client, Invoice, "approve_selected", number)
    page = act(admin_client, Invoice, "collect_selected", number)
    assert "7025" in page.content.decode()
    Invoice.objects.get().account.payment_methods.create(type="card", token="sandbox_approved")
    assert results(decide(admin_client, Invoice, "collect_selected", number)) == ["collected"]
    assert LedgerEntry.objects.count() == 2


def test_the_page_asks_the_same_queries_however_many_are_ticked(admin_client, acme, pending):
    counts = []
    for more in (1, 5):
        numbers = [pending(acme) for _ in range(more)]
        with CaptureQueriesContext(connection) as counted:
            act(admin_client, Invoice, "approve_selected", *numbers)
        counts.append(len(counted))
    assert counts[0] == counts[1]


def test_numbers_of_another_client_that_are_posted_are_left_alone(client, acme, umbra, pending):
    own, theirs = pending(umbra), pending(acme)
    user = get_user_model().objects.create(username="biller", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    umbra.staff.add(user)
    client.force_login(user)
    posted = {"action": "approve_selected", "_selected_action": own, "numbers": f"{own},{theirs}"}
    assert results(client.post(list_url(Invoice), posted)) == ["approved"]
    assert Invoice.objects.get(pk=theirs).status == "pending"
