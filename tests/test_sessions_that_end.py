"""A session that ends while a page is open: a part of a page is never the sign-in page, and a form that was sent is kept."""

import pytest
from django.test import Client as Session

from tests.support.billing import JAN_10, bill
from tests.support.factories import an_account

pytestmark = pytest.mark.django_db
HERE = "http://testserver"


def asked_by_htmx(path, page, method="get"):
    return getattr(Session(), method)(path, headers={"HX-Request": "true", "HX-Current-URL": HERE + page})


def test_counting_a_rebill_is_answered_with_401_so_that_the_builder_stays(acme, process):
    number = bill(an_account(acme), process, JAN_10).pk
    answer = asked_by_htmx(f"/invoices/{number}/rebill/", f"/invoices/{number}/rebill/", "post")
    assert (answer.status_code, answer.content) == (401, b"")


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/accounts/1/generate/?mode=pending", "/accounts/1/generate/"),
        ("/invoices/pending/7/", "/invoices/pending/?tab=all"),
        ("/invoices/pending/?tab=all", "/invoices/pending/"),
        ("/accounts/1/?ledger=x", "/accounts/1/"),
    ],
)
def test_a_part_of_a_page_is_never_the_sign_in_page(path, page):
    answer = asked_by_htmx(path, page)
    assert (answer.status_code, answer.content) == (401, b"")


@pytest.mark.parametrize("path", ["/invoices/7/rebill/", "/invoices/pending/acts/3/approve/", "/invoices/7/act/void/"])
def test_a_form_that_is_sent_too_late_is_kept_by_the_sign_in_page(path):
    answer = Session().post(path, {"reason": "Duplicate"}, headers={"Referer": HERE + path})
    page = answer.content.decode()
    assert (answer.status_code, "Nothing was done yet. What you typed is kept" in page) == (401, True)
    assert path in page and "Duplicate" in page
