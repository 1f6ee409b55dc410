"""The search over everything: what is at hand finds its customer or document, of one's own client, and from an index."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Contact, PlanInstance
from invoices.models import Invoice
from invoices.services.lists.search import customers_like, documents_named, search
from tests.support.billing import JAN_10, JAN_31, bill
from tests.support.factories import BY_TEST, ClientFactory, a_plan, an_account
from tests.support.invoice_pages import reader
from tests.support.payments import pay

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(acme):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), client_acct_id="Zebra-7")
    PlanInstance.objects.filter(account=account).update(po_num="PO 4711")
    Contact.objects.filter(account=account).update(name="Ada Byron", company="Ünal & Søn", email="Ada@Example.org")
    Account.objects.filter(pk=account.pk).update(tax_id="DE136695976")
    account.invoice = bill(account, BY_TEST, JAN_10)
    pay(account, BY_TEST, "5", reference="WIRE-0815")
    return account


def found(client, text):
    answer = search(client, text, JAN_31)
    return [one.account.pk for one in answer.accounts], [one.invoice.pk for one in answer.invoices]


@pytest.mark.parametrize(
    "text", ["zebra", "ZEBRA-7", "ada", "Ada By", "Ünal & S", "ada@example", "de1366", "po 47", "wire-08", " Zebra-7 "]
)
def test_a_customer_is_found_by_what_is_at_hand(account, text):
    assert found(account.client, text)[0] == [account.pk]


@pytest.mark.parametrize("text", ["INV-000001", "inv-000001", "1", "30.00", "30,00", "30", "po 4711"])
def test_a_document_is_found_by_number_amount_and_po_number(account, text):
    assert found(account.client, text)[1] == [account.invoice.pk]


@pytest.mark.parametrize("text", ["", "  ", "%", "_", "xyz", "30.01", "9" * 40, "1e999999", "NaN", "-", "\u0000", "'; --"])
def test_odd_texts_find_nothing(account, text):
    assert found(account.client, text) == ([], [])


def test_another_client_is_not_found(account):
    other = ClientFactory()
    assert [found(other, text) for text in ("zebra", "ada", "1", "30.00", "po 4711", "wire")] == [([], [])] * 6
    assert customers_like(other, email="ada@example.org", company="ünal & søn", tax_id="DE136695976") == []


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite's index knows beginnings only")
def test_last_names_are_found_on_postgresql(account):
    assert found(account.client, "byron")[0] == found(account.client, "ünal")[0] == [account.pk]


def test_customers_who_seem_to_be_there_are_found(account):
    alike = customers_like(account.client, email="ADA@example.org", tax_id="DE 136 695 976")
    assert [(one.account.pk, one.what) for one in alike] == [(account.pk, "E-mail")]
    assert customers_like(account.client, email="ad@example.org", company="Ünal") == []


@pytest.mark.parametrize(
    ("text", "is_found"), [("a", True), ("ad", True), ("y", False), ("by", False), ("byr", True), ("PO 4711", True)]
)
def test_a_list_finds_one_or_two_letters_at_the_beginning_of_names(account, text, is_found):
    """No index finds them inside a text: at a million documents it took seconds."""
    named = Invoice.objects.filter(documents_named(account.client, text))
    assert list(named) == ([account.invoice] if is_found else [])


def test_each_query_of_the_search_uses_an_index(account):
    with CaptureQueriesContext(connection) as captured:
        search(account.client, "4711", JAN_31)
        search(account.client, "ada", JAN_31)
    assert len(captured) <= 24
    with connection.cursor() as cursor:
        for query in captured:
            if connection.vendor == "postgresql":
                cursor.execute("SET enable_seqscan = off")
                cursor.execute(f"EXPLAIN {query['sql']}")
                plan = "\n".join(row[0] for row in cursor.fetchall())
                assert "Seq Scan on accounts_contact" not in plan and "Seq Scan on invoices_invoice" not in plan, plan
            else:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plan = [row[3] for row in cursor.fetchall()]
                assert not [step for step in plan if step.startswith("SCAN")], (query["sql"], plan)


def test_the_page_shows_what_the_reader_may_see(account):
    everything = reader(account.client, permissions=("view_account", "view_invoice"))
    shown = everything.get("/search/?q=po 4711").content.decode()
    assert f"/accounts/{account.pk}/" in shown and f"/invoices/{account.invoice.pk}/" in shown
    assert "Approval queue" in everything.get("/search/?q=approv").content.decode()
    accounts = reader(account.client, permissions=("view_account",), name="accounts")
    shown = accounts.get("/search/?q=po 4711").content.decode()
    assert f"/accounts/{account.pk}/" in shown and f"/invoices/{account.invoice.pk}/" not in shown
