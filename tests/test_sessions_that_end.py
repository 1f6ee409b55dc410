"""A session that ends while a page is open: the sign-in page takes the place of the whole page, and leads back to it."""

import pytest
from django.test import Client as Session

from tests.support.billing import JAN_10, bill
from tests.support.factories import an_account

pytestmark = pytest.mark.django_db
HERE = "http://testserver"


def asked_by_htmx(path, page, method="get"):
    return getattr(Session(), method)(path, headers={"HX-Request": "true", "HX-Current-URL": HERE + page})


def test_counting_a_rebill_leads_to_the_sign_in_page_and_back_to_the_builder(acme, process):
    number = bill(an_account(acme), process, JAN_10).pk
    answer = asked_by_htmx(f"/invoices/{number}/rebill/", f"/invoices/{number}/rebill/", "post")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["HX-Redirect"] == f"/login/?next=/invoices/{number}/rebill/"


@pytest.mark.parametrize(
    ("path", "page", "back"),
    [
        ("/accounts/1/generate/?mode=pending", "/accounts/1/generate/", "/accounts/1/generate/"),
        ("/invoices/pending/7/", "/invoices/pending/?tab=all", "/invoices/pending/%3Ftab%3Dall"),
        ("/invoices/pending/?tab=all", "/invoices/pending/", "/invoices/pending/"),
        ("/accounts/1/?ledger=x", "/accounts/1/", "/accounts/1/"),
    ],
)
def test_a_part_of_a_page_is_never_the_sign_in_page(path, page, back):
    answer = asked_by_htmx(path, page)
    assert (answer.status_code, answer["HX-Redirect"]) == (200, f"/login/?next={back}")
    assert b"password" not in answer.content


def test_a_page_of_another_site_is_not_led_back_to():
    answer = Session().get("/invoices/", headers={"HX-Request": "true", "HX-Current-URL": "https://other.example/x/"})
    assert answer["HX-Redirect"] == "/login/?next=/"


@pytest.mark.parametrize(
    ("path", "page", "back"),
    [
        ("/invoices/7/rebill/", "/invoices/7/rebill/", "/invoices/7/rebill/"),
        ("/invoices/pending/acts/3/approve/", "/invoices/pending/", "/invoices/pending/"),
        ("/invoices/7/act/void/", None, "/"),
    ],
)
def test_a_form_that_is_sent_too_late_leads_back_to_its_page(path, page, back):
    answer = Session().post(path, headers={} if page is None else {"Referer": HERE + page})
    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={back}")
