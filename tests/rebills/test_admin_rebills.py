"""Rebills and statements in the admin: what an invoice's page says can be done, a rebill's page, and sending again."""

from decimal import Decimal as D

import pytest
from django.contrib.auth.models import Permission
from django.core import mail

from accounts.models import Contact
from invoices.models import Invoice, Statement
from rebills.models import Rebill
from tests.support.admin_pages import act, change_url, decide, list_url, results, texts
from tests.support.billing import JAN_10, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def invoice(acme, process):
    TaxRateFactory(client=acme)
    invoice = bill(an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"})), process, JAN_10)
    pay(invoice.account, process, "55.00")
    return invoice


def shown(browser, row):
    response = browser.get(change_url(row))
    assert response.status_code == 200
    return response.content.decode()


def test_an_invoices_page_says_what_can_be_done_and_why_not(admin_client, invoice, process):
    page = shown(admin_client, invoice)
    assert "INV-000001 has no open amount" in page
    assert f'href="/invoices/{invoice.pk}/credit/"' in page
    rebill = rebilled(invoice, process, 1)
    page = shown(admin_client, invoice)
    assert "INV-000001 was replaced by RB-000001; rebill RB-000001 again" in page
    assert change_url(Invoice.objects.get(pk=rebill.pk)) in page
    assert f'href="/invoices/{invoice.pk}/credit/"' not in page


def test_an_invoice_says_that_a_rebill_waits(acme, admin_client, invoice, process):
    acme.rebill_approval_required = True
    acme.save()
    invoice.client.refresh_from_db()
    rebill = rebilled(invoice, process, 1)
    assert f"rebill {rebill.pk} of INV-000001; approve or discard that first" in shown(admin_client, invoice)


def test_what_a_person_may_not_do_is_said(acme, client, django_user_model, invoice):
    user = django_user_model.objects.create_user("reader", is_staff=True)
    acme.staff.add(user)
    user.user_permissions.set(Permission.objects.filter(codename="view_invoice"))
    client.force_login(user)
    assert "You have no permission to rebill invoices. Ask an administrator for it" in shown(client, invoice)


def test_a_rebills_page_lays_it_beside_its_original_and_shows_the_chain(admin_client, invoice, process):
    first = rebilled(invoice, process, line(1, units="3", comments="three of them"), comments="as told")
    second = rebilled(first, process, line(1, amount="5.00"))
    page = shown(admin_client, Rebill.objects.get(pk=first.pk))
    for text in ("units 1 -&gt; 3", "amount 30 -&gt; 90", "three of them", "left out", "Wrong price or quantity", "44.00"):
        assert text in page, text
    for document in (invoice, first, first.memo, second, second.memo):
        assert document.document_number in page
    listed = admin_client.get(list_url(Rebill)).content.decode()
    assert ("RB-000001" in listed, "RB-000002" in listed) == (True, True)
    for text in (page, listed):
        assert (process.identity.replace(":", " ") in text, process.identity in text) == (True, False)


def test_a_rebill_that_waits_is_approved_in_the_list_of_invoices(acme, admin_client, invoice, process):
    acme.rebill_approval_required = True
    acme.save()
    invoice.client.refresh_from_db()
    rebill = rebilled(invoice, process, 1)
    assert results(decide(admin_client, Invoice, "approve_selected", rebill.pk)) == ["approved"]
    rebill.refresh_from_db()
    assert (rebill.status, rebill.total_amount) == ("approved", D(33))


def test_a_rebill_that_waits_is_decided_on_in_its_own_list(acme, admin_client, invoice, process):
    acme.rebill_approval_required = True
    acme.save()
    invoice.client.refresh_from_db()
    rebill = rebilled(invoice, process, 1)
    assert results(decide(admin_client, Rebill, "discard_selected", rebill.pk)) == ["discarded"]
    rebill.refresh_from_db()
    assert rebill.status == "discarded"


def test_a_statement_that_failed_is_sent_again(acme, admin_client, invoice, process):
    acme.statement_on_issue = True
    acme.save()
    invoice.client.refresh_from_db()
    rebilled(invoice, process, 1)
    statement = Statement.objects.get()
    assert (statement.status, mail.outbox) == ("failed", [])
    assert texts(act(admin_client, Statement, "send_again", statement.pk)) == [
        "RB-000001: No contact of the account has an e-mail address for statements. Add one"
    ]
    Contact.objects.filter(account=invoice.account).update(email="ada@example.com")
    assert texts(act(admin_client, Statement, "send_again", statement.pk)) == ["RB-000001: sent to ada@example.com"]
    assert [one.to for one in mail.outbox] == [["ada@example.com"]]
