"""Export and erasure of a customer at all doors, who has seen personal data, and for how long it is kept."""

import io
import json
import zipfile
from datetime import date, timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiCall, Contact, Event, PersonalDataAccess
from accounts.models.identities import document_storage
from invoices.background import SCHEDULER
from invoices.models import DocumentFile, Erasure, Invoice, Statement
from invoices.services.privacy.documents import blank_old_documents
from invoices.services.privacy.erasing import erase_person
from invoices.services.privacy.retention import keep_as_set
from tests.support.accounts_api import API, with_key
from tests.support.factories import BY_TEST, an_account
from tests.support.invoice_pages import administrator, reader
from tests.support.privacy import FEB_20, PLANTED, planted_customer, planted_in
from tests.support.storages import keep_documents_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(acme, process, settings):
    keep_documents_in(settings)
    return planted_customer(acme, process)


def data_in(content):
    archive = zipfile.ZipFile(io.BytesIO(content))
    return json.loads(archive.read("data.json")), sorted(archive.namelist())


def content_of(answer):
    return b"".join(answer.streaming_content)


def test_the_export_has_all_rows_of_the_customer_and_the_files_of_the_documents(acme, customer):
    account, invoice = customer
    other = an_account(acme)
    call_command("make_files", stdout=io.StringIO())
    browser = administrator(acme)
    answer = browser.post(reverse("personal-data", args=[account.pk]), {"act": "export"})
    assert answer["Content-Disposition"] == f'attachment; filename="customer-{account.pk}.zip"'
    data, names = data_in(content_of(answer))
    assert names[1] == "data.json" and names[0].startswith(f"{invoice.pk}-") and names[0].endswith(".pdf")
    tables = data["tables"]
    assert (data["acct_no"], tables["accounts.contact"][0]["name"]) == (account.pk, f"{PLANTED} Smith")
    assert tables["invoices.invoice"][0]["bill_to"]["name"] == f"{PLANTED} Smith"
    assert {one["name"] for one in tables["accounts.contact (versions)"]} == {f"{PLANTED} Smith", f"{PLANTED} the second"}
    assert "token" not in tables["accounts.paymentmethod"][0]
    assert {one["id"] for one in tables["accounts.account"]} == {account.pk} != {other.pk}
    assert Event.objects.get(act="customer.exported").account == account
    assert [one.kind for one in PersonalDataAccess.objects.all()] == ["exported"]


def test_the_page_erases_once_and_shows_who_did_it(acme, customer):
    account, _ = customer
    browser, address = administrator(acme), reverse("personal-data", args=[account.pk])
    shown = browser.get(address).content.decode()
    assert "accounts.contact" in shown and "Erase customer" in shown and "2036" in shown
    assert browser.post(address, {"act": "erase", "reason": "", "once": "1"}).status_code == 422
    for _again in "12":
        after = browser.post(address, {"act": "erase", "reason": "Request 17", "once": "2"}, follow=True)
    text = after.content.decode()
    assert "Ana erased this customer" in text and "Request 17" in text and "0 of 1 documents" in text
    assert (Erasure.objects.count(), Contact.objects.get().name) == (1, "")
    assert PLANTED not in browser.get(reverse("account", args=[account.pk])).content.decode()


def test_a_page_names_what_stands_in_the_way(acme):
    account = an_account(acme)
    text = administrator(acme).get(reverse("personal-data", args=[account.pk])).content.decode()
    assert "something is still to be billed" in text and "Erase customer" not in text


def test_others_than_administrators_neither_see_the_page_nor_the_link(acme, customer):
    account, _ = customer
    browser = reader(acme, permissions=("view_account", "view_contact", "change_account"))
    assert browser.get(reverse("personal-data", args=[account.pk])).status_code == 403
    assert (
        reverse("personal-data", args=[account.pk]) not in browser.get(reverse("account", args=[account.pk])).content.decode()
    )


def test_programs_export_and_erase_by_the_right_to_settings(acme, umbra, customer):
    account, invoice = customer
    api, weak, foreign = (
        with_key(acme, may_change_settings=True),
        with_key(acme, may_change_settings=False),
        with_key(umbra, may_change_settings=True),
    )
    address = f"{API}/personal-data/{account.pk}/"
    seen = api.get(address).json()
    assert (seen["is_erased"], seen["obstacles"], seen["documents"], seen["kept_until"]) == (False, [], 1, "2036-12-31")
    assert (weak.get(address).status_code, foreign.get(address).status_code) == (403, 404)
    assert (
        weak.get(f"{address}export/").status_code,
        weak.post(f"{address}erase/", {"reason": "x"}, format="json").status_code,
    ) == (403, 403)
    data, _names = data_in(content_of(api.get(f"{address}export/")))
    assert data["tables"]["invoices.payment"][0]["reference"].startswith(PLANTED)
    done = api.post(f"{address}erase/", {"reason": "Request 17"}, format="json", headers={"Idempotency-Key": "1"})
    again = api.post(f"{address}erase/", {"reason": "Request 17"}, format="json", headers={"Idempotency-Key": "1"})
    assert (done.status_code, done.json()["acct_no"], again.json()) == (200, account.pk, done.json())
    refused = api.post(f"{address}erase/", {"reason": "Request 18"}, format="json")
    assert (refused.status_code, refused.json()["error_code"], api.get(address).json()["is_erased"]) == (409, 90325, True)


def test_the_command_shows_exports_and_erases(customer, tmp_path):
    account, _ = customer
    out, path = io.StringIO(), tmp_path / "out.zip"
    call_command("personal_data", account.pk, stdout=out)
    assert "accounts.contact" in out.getvalue() and "documents kept by law" in out.getvalue()
    call_command("personal_data", account.pk, export=path, stdout=out)
    assert data_in(path.read_bytes())[0]["acct_no"] == account.pk
    call_command("personal_data", account.pk, erase="Request 17", stdout=out)
    assert Erasure.objects.get().erased_by == "process:personal_data"
    with pytest.raises(CommandError, match="already erased"):
        call_command("personal_data", account.pk, erase="Request 17", stdout=out)


def test_files_of_a_document_go_when_it_is_blanked(acme, process, customer):
    account, invoice = customer
    call_command("make_files", stdout=io.StringIO())
    file = DocumentFile.objects.get()
    assert document_storage().exists(file.name)
    erase_person(client=acme, account_no=account.pk, reason="x", caller=BY_TEST, today=FEB_20)
    blank_old_documents(acme, date(2037, 1, 1), process)
    assert not DocumentFile.objects.exists() and not document_storage().exists(file.name)


def test_who_opens_a_customer_is_noted_once_an_hour(acme, customer):
    account, _ = customer
    browser = administrator(acme)
    for _again in "12":
        browser.get(reverse("account", args=[account.pk]))
        browser.get(reverse("account-history", args=[account.pk]))
    row = PersonalDataAccess.objects.get()
    assert (row.account, row.client, row.kind, row.hour.minute) == (account, acme, "opened", 0)
    PersonalDataAccess.objects.update(hour=row.hour - timedelta(hours=1))
    browser.get(reverse("account", args=[account.pk]))
    assert PersonalDataAccess.objects.count() == 2
    text = browser.get(reverse("personal-data", args=[account.pk])).content.decode()
    assert "Who has seen the data" in text and text.count("Opened") == 2


def test_programs_that_read_contacts_are_noted(acme, customer):
    account, _ = customer
    other = an_account(acme)
    api = with_key(acme, may_change_settings=True)
    api.get(f"{API}/contacts/")
    assert sorted(PersonalDataAccess.objects.values_list("account", "kind")) == [(account.pk, "opened"), (other.pk, "opened")]
    content_of(api.get(f"{API}/contacts/", headers={"Accept": "text/csv"}))
    assert PersonalDataAccess.objects.filter(kind="exported").count() == 2
    api.get(f"{API}/contacts/{Contact.objects.filter(account=other).get().pk}/")
    assert PersonalDataAccess.objects.count() == 4
    found = api.get(f"{API}/personal-data-accesses/?acct_no={account.pk}&kind=opened").json()["results"]
    assert [(one["acct_no"], one["by"]) for one in found] == [(account.pk, PersonalDataAccess.objects.first().by)]
    assert with_key(acme, may_change_settings=False).get(f"{API}/personal-data-accesses/").status_code == 403


def test_logs_are_kept_as_long_as_the_client_says(acme, customer, audited):
    account, invoice = customer
    now = timezone.now()
    PersonalDataAccess.objects.create(client=acme, account=account, by="staff:1", kind="opened", hour=now - timedelta(days=10))
    ApiCall.objects.update(at=now - timedelta(days=3))
    Statement.objects.update(settled_at=now - timedelta(days=5), requested_at=now - timedelta(days=5))
    keep_as_set(acme, now.date(), SCHEDULER)
    assert (PersonalDataAccess.objects.count(), ApiCall.objects.count()) == (1, 1)
    assert Statement.objects.get().email == "zephyrine@example.com"
    acme.keep_accesses_days, acme.keep_calls_days, acme.keep_mails_days = 9, 2, 4
    acme.save()
    keep_as_set(acme, now.date(), SCHEDULER)
    assert (PersonalDataAccess.objects.count(), ApiCall.objects.count()) == (0, 0)
    assert (Statement.objects.get().email, Invoice.objects.get().bill_to["name"]) == ("erased@invalid", f"{PLANTED} Smith")


def test_events_name_nobody_after_their_days(acme, customer, audited):
    assert "accounts.event.message" in planted_in()
    acme.keep_event_data_days = 30
    keep_as_set(acme, FEB_20, SCHEDULER)
    assert "accounts.event.message" in planted_in()
    with time_machine.travel(timezone.now() + timedelta(days=31), tick=True):
        keep_as_set(acme, FEB_20, SCHEDULER)
        assert "accounts.event.message" not in planted_in()
        assert Event.objects.get(act="statement.failed").after == {"email": "", "message": ""}
        done = Event.objects.get(act="events.personal_data_blanked")
        keep_as_set(acme, FEB_20, SCHEDULER)
        assert Event.objects.get(act="events.personal_data_blanked") == done
