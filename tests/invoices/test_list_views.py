"""Lists: columns to choose from, their order, saved views of a person and of all, and the file of what is shown."""

import csv
import io
from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import SavedView
from accounts.pages.saved_views import list_page
from billing_site.common import keyset_pages
from billing_site.common.limits import SAVED_VIEWS_OF_A_LIST
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, ClientFactory, an_account
from tests.support.invoice_lists import World
from tests.support.invoice_pages import reader
from tests.support.reading_pages import words

pytestmark = pytest.mark.django_db

LISTS = ("invoices", "accounts", "rebills", "runs", "campaigns")


@pytest.fixture(autouse=True)
def end_of_march():
    with time_machine.travel(datetime(2026, 3, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def signed_in(acme):
    return reader(acme, permissions=("view_invoice", "view_account"))


@pytest.fixture
def world(acme):
    return World(acme)


def headings(answer):
    return [str(one.column.label) for one in answer.context["headings"]]


def file_of(answer):
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


def orders():
    for name in LISTS:
        page = list_page(name)
        for column in page.columns:
            if column.order:
                yield name, column.name
                yield name, f"-{column.name}"


@pytest.mark.parametrize(("name", "ordering"), list(orders()))
def test_every_order_says_how_it_sorts(signed_in, world, name, ordering):
    answer = signed_in.get(reverse(name), {"ordering": ordering})
    assert answer.status_code == 200
    sorted_as = {str(one.sorted) for one in answer.context["headings"]} - {""}
    is_shown = ordering.removeprefix("-") in answer.context["shown_names"]
    assert sorted_as == ({"descending" if ordering.startswith("-") else "ascending"} if is_shown else set())
    if sorted_as and answer.context["pages"].rows:
        assert f'aria-sort="{sorted_as.pop()}"' in answer.content.decode()


@pytest.mark.parametrize("ordering", ["amount_due", "-amount_due", "invoice_date", "-invoice_date"])
def test_pages_of_an_order_have_each_document_once(signed_in, world, monkeypatch, ordering):
    monkeypatch.setattr(keyset_pages.page_of, "__defaults__", (None, 2))
    found, cursor = [], None
    while True:
        answer = signed_in.get("/invoices/", {"ordering": ordering} | ({"cursor": cursor} if cursor else {}))
        rows = answer.context["pages"].rows
        found += rows
        cursor = answer.context["pages"].next
        if cursor is None:
            break
    assert len(found) == len({one.pk for one in found}) == 6
    values = [one.open_amount if "amount" in ordering else one.invoice_date for one in found]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=ordering.startswith("-"))
    if ordering == "-amount_due":
        assert str(found[0].open_amount) == "55.0000"


def test_columns_are_chosen_in_the_order_of_the_address(signed_in, world):
    answer = signed_in.get("/invoices/", {"columns": "total_amount,customer,invoice_no"})
    assert headings(answer) == ["Total", "Customer", "Number"]
    assert "Emma Meier" in answer.content.decode()
    assert "corrects" not in words(answer).split("Columns")[0]


@pytest.mark.parametrize(("name", "wrong"), [("invoices", "totl_amount"), ("accounts", "blance"), ("runs", "x")])
def test_a_column_that_is_not_there_is_refused_by_name(signed_in, name, wrong):
    answer = signed_in.get(reverse(name), {"columns": wrong}, follow=True)
    assert f"`{wrong}`" in words(answer)


def test_the_file_has_what_is_shown_in_its_order(signed_in, world):
    query = {"format": "csv", "columns": "total_amount,account", "ordering": "-total_amount", "kind": "recurring"}
    rows = file_of(signed_in.get("/invoices/", query))
    assert rows[0] == ["total_amount", "currency", "client_acct_id", "acct_no"]
    assert [row[0] for row in rows[1:]] == ["55.00", "55.00", "55.00", "55.00"]
    assert {row[2] for row in rows[1:]} == {"AB-1", "CD-2"}


def test_without_columns_the_file_has_all_there_are(signed_in, world):
    header = file_of(signed_in.get("/invoices/", {"format": "csv"}))[0]
    assert {"approved_by_name", "tax_exemption", "client_acct_id", "customer"} <= set(header)


@pytest.mark.parametrize("name", LISTS)
def test_each_list_has_a_file_of_each_of_its_columns(signed_in, world, name):
    page = list_page(name)
    every = ",".join(column.name for column in page.columns)
    rows = file_of(signed_in.get(reverse(name), {"format": "csv", "columns": every}))
    assert rows[0] == [member for column in page.columns for member in column.members]
    assert set(rows[0]) <= set(file_of(signed_in.get(reverse(name), {"format": "csv"}))[0])


def post(signed_in, act, query="", list_name="invoices", **fields):
    return signed_in.post("/views/", {"act": act, "query": query, "list_name": list_name, **fields})


def test_columns_are_chosen_without_scripts(signed_in, world):
    answer = post(signed_in, "columns", "kind=recurring&cursor=abc", column=["total_amount", "invoice_no"])
    assert answer.headers["Location"] == "/invoices/?kind=recurring&columns=invoice_no%2Ctotal_amount"
    usual = [one.name for one in list_page("invoices").columns if one.is_usual]
    assert post(signed_in, "columns", "columns=kind", column=usual).headers["Location"] == "/invoices/"


def test_a_view_is_saved_shown_changed_and_removed(signed_in, world):
    query = "state=overdue&ordering=-amount_due&columns=invoice_no%2Camount_due"
    assert post(signed_in, "save", query, name="Overdue").headers["Location"] == f"/invoices/?{query}"
    page = signed_in.get(f"/invoices/?{query}")
    assert [(one.name, one.is_shown, one.owner) for one in page.context["views"]] == [("Overdue", True, "")]
    assert headings(page) == ["Number", "Due"]
    post(signed_in, "save", "state=open", name="Overdue", is_shared="on")
    assert SavedView.objects.get().query == "state=open"
    post(signed_in, "remove", "state=open", name="Overdue")
    assert not SavedView.objects.exists()


def test_others_see_a_view_only_if_it_is_shared_and_cannot_remove_it(acme, signed_in, world):
    post(signed_in, "save", "state=open", name="Mine")
    post(signed_in, "save", "state=overdue", name="Ours", is_shared="on")
    colleague = get_user_model().objects.create(username="eve", is_staff=True, is_superuser=True)
    browser = type(signed_in)()
    browser.force_login(colleague)
    views = browser.get("/invoices/").context["views"]
    assert [one.name for one in views] == ["Ours"] and views[0].owner
    assert "You have no saved view with this name." in words(
        browser.post("/views/", {"act": "remove", "list_name": "invoices", "name": "Ours"}, follow=True)
    )
    assert SavedView.objects.count() == 2


def test_views_of_other_clients_and_lists_are_not_shown(signed_in, acme, world):
    user = get_user_model().objects.create(username="other", is_staff=True)
    SavedView.objects.create(client=ClientFactory(), staff=user, list_name="invoices", name="Theirs", is_shared=True)
    SavedView.objects.create(client=acme, staff=user, list_name="accounts", name="Of accounts", is_shared=True)
    assert signed_in.get("/invoices/").context["views"] == []


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"query": "colour=red"}, "Unknown parameter `colour`"),
        ({"list_name": "dashboard"}, "there is no such list"),
        ({"list_name": "invoice"}, "there is no such list"),
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"act": "rename"}, "rename"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_nothing_is_stored(signed_in, sent, message):
    sent = {"act": "save", "list_name": "invoices", "query": "", "name": "Mine", **sent}
    answer = signed_in.post("/views/", sent, follow=True)
    assert message in words(answer)
    assert not SavedView.objects.exists()


def test_a_person_has_so_many_views_of_a_list(signed_in):
    for number in range(SAVED_VIEWS_OF_A_LIST):
        post(signed_in, "save", "state=open", name=f"View {number}")
    answer = signed_in.post("/views/", {"act": "save", "list_name": "invoices", "name": "One more"}, follow=True)
    assert "You have as many saved views of this list as are allowed" in words(answer)
    assert SavedView.objects.count() == SAVED_VIEWS_OF_A_LIST
    post(signed_in, "save", "state=paid", name="View 3")
    assert SavedView.objects.get(name="View 3").query == "state=paid"


@pytest.mark.parametrize("name", LISTS)
def test_a_list_takes_as_many_queries_for_many_rows_and_views_as_for_few(acme, signed_in, world, name):
    signed_in.get(reverse(name))
    with CaptureQueriesContext(
        connection,
    ) as few:
        signed_in.get(reverse(name))
    for number in range(3):
        bill(an_account(acme), BY_TEST, JAN_10)
        post(signed_in, "save", "", list_name=name, name=f"View {number}")
    signed_in.get(reverse(name))  # the message is shown
    with CaptureQueriesContext(connection) as many:
        signed_in.get(reverse(name))
    assert len(many) == len(few)


# Numbers of filters, typed in the reader's language.


def test_a_filter_reads_a_number_as_the_language_of_the_reader_writes_it(acme):
    german = reader(acme)
    german.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    for typed, read in (("1.234,50", "1234.50"), ("99,5", "99.5"), ("99.5", "99.5"), ("12", "12")):
        answer = german.get("/invoices/", {"total_amount_min": typed})
        assert str(answer.context["form"].cleaned_data["total_amount_min"]) == read
    refused = german.get("/invoices/", {"total_amount_min": "1.500"})
    assert list(refused.context["form"].errors) == ["total_amount_min"]
    assert "1.500 kann auf zwei Arten gelesen werden. Schreiben Sie 1500 oder 1,500." in refused.text


def test_a_saved_view_keeps_a_number_that_readers_of_each_language_open(acme):
    german = reader(acme)
    german.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    typed = {"total_amount_min": "99,5", "total_amount_max": "1.234,567"}
    shown = german.get("/invoices/", typed)
    assert shown.context["list_query"] == "total_amount_min=99.5&total_amount_max=1234.5670"
    for language in ("de", "en"):
        form = german.get(f"/invoices/?{shown.context['list_query']}", headers={"accept-language": language}).context["form"]
        assert str(form.cleaned_data["total_amount_max"]) == "1234.5670"
