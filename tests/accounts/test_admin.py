"""Customers and catalogue in the admin: what may be changed, and that changes keep the services' rules."""

from datetime import date

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.keys import find_key
from accounts.models import Account, ApiKey, Client, Contact, PlanInstance, Service, ServiceLocation
from invoices.models import Invoice
from tests.support.admin_pages import act, add_url, change_url, delete_url, errors, list_url, no_rows, texts
from tests.support.factories import AccountFactory, ClientFactory, an_account

JAN_10 = date(2026, 1, 10)
NO_PRICES = no_rows("own_rates")


@pytest.fixture
def phone(acme):
    return an_account(acme)


def instance_data(account, plan, **fields):
    return {"account": account.pk, "plan": plan.pk, "units": "1", "start_date": "2026-01-10", "po_num": "", **fields}


# Accounts


def account_data(client, **fields):
    parts = no_rows("plan_instances", "pauses", "contacts", "payment_methods")
    return {"client": client.pk, "client_acct_id": "A-77", "status": 1, "currency": "usd", **parts, **fields}


def test_a_new_account_inherits_the_clients_approval_setting(admin_client, umbra):
    response = admin_client.post(add_url(Account), account_data(umbra))
    assert response.status_code == 302
    assert Account.objects.get(client_acct_id="A-77").invoice_approval_required


def test_a_link_without_a_scheme_becomes_one_of_https(admin_client, umbra):
    fields = {"supporting_reference": "TS-7", "supporting_link": "example.com/timesheet"}
    assert admin_client.post(add_url(Account), account_data(umbra, **fields)).status_code == 302
    assert Account.objects.get(client_acct_id="A-77").supporting_link == "https://example.com/timesheet"


def test_an_account_keeps_its_client_currency_and_bill_day(admin_client, phone):
    other = ClientFactory(name="Other")
    admin_client.post(change_url(phone), account_data(other, currency="eur", bill_day=3, client_acct_id="A-78"))
    stored = Account.objects.get(pk=phone.pk)
    assert (stored.client_id, stored.currency, stored.bill_day) == (phone.client_id, "usd", 10)
    assert stored.client_acct_id == "A-78"


def test_an_account_id_that_is_taken_is_an_error_on_the_form(admin_client, phone):
    AccountFactory(client=phone.client, client_acct_id="taken")
    response = admin_client.post(change_url(phone), account_data(phone.client, client_acct_id="taken"))
    assert response.status_code == 200
    assert "__all__" in errors(response)


def test_a_change_writes_no_column_that_billing_moves(admin_client, phone, monkeypatch):
    """Billing moves the account between the moment that the page reads it and the moment that it is saved."""

    def save_after_billing(account, **options):
        Account.objects.filter(pk=account.pk).update(next_bill_date=date(2026, 2, 10), last_bill_date=JAN_10)
        super(Account, account).save(**options)

    monkeypatch.setattr(Account, "save", save_after_billing)
    admin_client.post(change_url(phone), account_data(phone.client, status=-1))
    stored = Account.objects.get(pk=phone.pk)
    assert (stored.status, stored.next_bill_date, stored.last_bill_date) == (-1, date(2026, 2, 10), JAN_10)


def test_the_account_list_asks_the_same_queries_however_long_it_is(admin_client, acme):
    queries = []
    for more in (2, 18):
        for _ in range(more):
            an_account(acme)
        with CaptureQueriesContext(connection) as counted:
            assert admin_client.get(list_url(Account)).status_code == 200
        queries.append(len(counted))
    assert queries[0] == queries[1]


def test_a_plan_instance_is_read_here_and_changed_on_pages(admin_client, phone):
    instance = phone.plan_instances.get()
    assert reverse("account", args=[phone.pk]) in admin_client.get(change_url(instance)).content.decode()
    for address in (add_url(PlanInstance), change_url(instance), delete_url(instance)):
        assert admin_client.post(address, {"post": "yes"}).status_code == 403
    act(admin_client, PlanInstance, "delete_selected", instance.pk, post="yes")
    assert PlanInstance.objects.get() == instance


# Catalogue


def test_a_service_stands_only_at_its_own_clients_locations(admin_client, acme):
    strange = ServiceLocation.objects.create(client=ClientFactory(name="Other"), client_service_location_id="L")
    data = {"client": acme.pk, "client_service_id": "s", "name": "S", "gl_code": "1", "tax_category": "standard"}
    response = admin_client.post(add_url(Service), data | {"location": strange.pk})
    assert response.status_code == 200
    assert "Not found" in errors(response)["location"][0]
    assert not Service.objects.exists()


# Clients and keys


def test_an_api_key_is_shown_once_and_stored_as_a_hash(admin_client, acme):
    response = admin_client.post(add_url(ApiKey), {"client": acme.pk, "name": "importer", "may_approve": "on"}, follow=True)
    key = ApiKey.objects.get()
    (told,) = [text for text in texts(response) if "auth_key" in text]
    auth_key = told.split("auth_key ")[1]
    assert find_key(acme.pk, auth_key) == key
    assert (key.name, key.may_approve) == ("importer", True)
    for page in (list_url(ApiKey), change_url(key)):
        shown = admin_client.get(page).content.decode()
        assert auth_key not in shown
        assert key.secret_hash not in shown


def test_a_new_client_gets_its_first_key(admin_client, acme):
    fields = {
        "name": "Northwind",
        "time_zone": "Europe/Oslo",
        "four_eyes": "off",
        "e_invoice": "none",
        "e_invoice_profile": "en16931",
        "four_eyes_amount": 0,
        "payment_terms_days": 30,
        "keep_documents_years": 10,
        "keep_calls_days": 90,
        "keep_mails_days": 365,
        "keep_event_data_days": 730,
        "keep_accesses_days": 365,
        "taxable_address_order": "account",
        "tax_rounding": "document",
        "tax_engine": "table",
        "gateway": "sandbox",
        "language": "en",
    }
    response = admin_client.post(add_url(Client), fields, follow=True)
    client = Client.objects.get(name="Northwind")
    assert client.api_keys.count() == 1
    assert any(f"client_no {client.pk}, auth_key" in text for text in texts(response))


def test_a_client_chooses_among_the_tax_engines_there_are(admin_client, acme):
    response = admin_client.post(change_url(acme), {"name": "Acme", "tax_engine": "abacus"})
    assert "tax_engine" in errors(response)


def test_a_revoked_key_is_not_found_any_more(admin_client, acme, key_caller):
    act(admin_client, ApiKey, "revoke", key_caller.api_key.pk)
    assert ApiKey.objects.get().revoked_at is not None


def test_a_key_cannot_be_deleted(admin_client, key_caller):
    assert admin_client.post(delete_url(key_caller.api_key), {"post": "yes"}).status_code == 403


# Permissions


def test_staff_without_the_permission_cannot_add_an_account(client, acme):
    user = get_user_model().objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_account"))
    client.force_login(user)
    assert client.get(list_url(Account)).status_code == 200
    assert client.post(add_url(Account), account_data(acme)).status_code == 403
    assert not Account.objects.exists()


def test_the_sidebar_shows_what_the_user_may_see(client, acme):
    user = get_user_model().objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_account"))
    client.force_login(user)
    page = client.get(reverse("admin:index")).content.decode()
    assert list_url(Account) in page
    assert list_url(Contact) not in page
    assert list_url(Invoice) not in page
