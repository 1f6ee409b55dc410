"""A parameter that a page does not know is refused with its name and the nearest known one: no list shows all in its place."""

import html

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from accounts.pages.base import StaffPage
from accounts.urls import urlpatterns as accounts_pages
from invoices.urls import urlpatterns as invoices_pages
from rebills.urls import urlpatterns as rebills_pages
from tests.support.billing import JAN_10, bill
from tests.support.factories import an_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(acme, client):
    client.force_login(get_user_model().objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def pages():
    """Each page of ours, by an address of the form that it has. What it is about need not be there."""
    for pattern in (*accounts_pages, *invoices_pages, *rebills_pages):
        view = getattr(pattern.callback, "view_class", None)
        if view is not None and issubclass(view, StaffPage):
            values = {
                name: "approve" if "Slug" in type(one).__name__ else 1 for name, one in pattern.pattern.converters.items()
            }
            yield reverse(pattern.name, kwargs=values)


@pytest.mark.parametrize("address", list(pages()))
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_page_refuses_what_it_does_not_know(signed_in, address, method):
    answer = getattr(signed_in, method)(f"{address}?colour_of_ink=7")
    assert answer.status_code == 400
    assert "Unknown parameter `colour_of_ink`. Known here: " in html.unescape(answer.content.decode())


@pytest.mark.parametrize(
    ("address", "message", "meant"),
    [
        ("/invoices/?stat=pending", "Unknown parameter `stat`. Did you mean `state`?", "/invoices/?state=pending"),
        (
            "/invoices/?kind=rebill&acct=7",
            "Unknown parameter `acct`. Did you mean `acct_no`?",
            "/invoices/?kind=rebill&acct_no=7",
        ),
        ("/accounts/?serach=ab", "Unknown parameter `serach`. Did you mean `search`?", "/accounts/?search=ab"),
        (
            "/invoices/pending/?curency=usd",
            "Unknown parameter `curency`. Did you mean `currency`?",
            "/invoices/pending/?currency=usd",
        ),
        (
            "/rebills/?made_form=2026-01-01",
            "Unknown parameter `made_form`. Did you mean `made_from`?",
            "/rebills/?made_from=2026-01-01",
        ),
    ],
)
def test_the_nearest_name_is_named_and_one_click_away(signed_in, address, message, meant):
    page = html.unescape(signed_in.get(address).content.decode())
    assert message in page and f'href="{meant}"' in page


def test_nothing_of_the_list_is_shown(acme, signed_in, process):
    invoice = bill(an_account(acme), process, JAN_10)
    answer = signed_in.get("/invoices/?stat=pending")
    assert str(invoice) not in answer.content.decode()
    assert signed_in.get("/invoices/?stat=pending&format=csv").status_code == 400
    assert str(invoice) in signed_in.get("/invoices/?state=overdue").content.decode()


def test_a_parameter_that_is_given_twice_is_refused(signed_in):
    answer = signed_in.get("/invoices/?state=pending&state=open")
    assert (answer.status_code, "state: send it only once" in answer.content.decode()) == (400, True)


@pytest.mark.parametrize(
    "query", ["org.htmx.cache-buster=queue", "hx-history=1", "client_no=1", "next=/", "format=html", "state=&kind=&search="]
)
def test_what_htmx_adds_and_what_every_page_knows_is_left_alone(signed_in, query):
    assert signed_in.get(f"/invoices/?{query}").status_code == 200


def test_decisions_on_all_that_match_refuse_a_misspelt_filter(acme, signed_in, process):
    """Else all pending documents would match."""
    sent = {"scope": "all", "act": "approve", "confirmed": "yes", "once": "a" * 32}
    answer = signed_in.post("/invoices/pending/decide/?serach=ab", sent)
    assert (answer.status_code, "Did you mean `search`?" in html.unescape(answer.content.decode())) == (400, True)
