"""Keyset pages: every row exactly once, in any order, forwards and backwards, while rows are added."""

import base64
import json
from datetime import date

import pytest
from hypothesis import strategies as st
from rest_framework.test import APIClient

from accounts.models import Account
from tests.support.factories import AccountFactory
from tests.support.money_api import with_key
from tests.support.random_examples import given

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(acme):
    return with_key(acme)


def page(api, url):
    answer = APIClient().get(url, HTTP_AUTHORIZATION=api._credentials["HTTP_AUTHORIZATION"])
    assert answer.status_code == 200, answer.content
    return answer.json()


def walk(api, url, link="next"):
    """The rows of all pages from one on, following its links."""
    found = []
    while url:
        answer = page(api, url)
        rows = [row["acct_no"] for row in answer["results"]]
        found = found + rows if link == "next" else rows + found
        url = answer[link]
    return found


def last_page(api, url):
    while (answer := page(api, url))["next"]:
        url = answer["next"]
    return url


@pytest.mark.parametrize("ordering", ["acct_no", "-acct_no", "next_bill_date", "-next_bill_date", "client_acct_id"])
@pytest.mark.parametrize("limit", [1, 3, 50])
def test_every_row_comes_once_forwards_and_backwards(acme, api, ordering, limit):
    """Eleven accounts: many of one date, some without any."""
    dates = [
        None,
        "2026-02-01",
        "2026-01-01",
        "2026-01-01",
        None,
        "2026-01-01",
        "2026-03-01",
        "2026-01-01",
        None,
        None,
        "2026-01-01",
    ]
    made = [
        AccountFactory(client=acme, client_acct_id=f"A{place % 7}{place}", next_bill_date=day)
        for place, day in enumerate(dates)
    ]
    column = {"acct_no": "pk"}.get(ordering.lstrip("-"), ordering.lstrip("-"))
    down = ordering.startswith("-")

    def key(account):
        value = getattr(account, column)
        return (value, account.pk)

    valued = [one for one in made if getattr(one, column) is not None]
    empty = [one for one in made if getattr(one, column) is None]
    expected = sorted(valued, key=key) + sorted(empty, key=lambda one: one.pk)
    expected = expected[::-1] if down else expected
    url = f"http://testserver/api/v1/accounts/?ordering={ordering}&limit={limit}"
    assert walk(api, url) == [one.pk for one in expected]
    assert walk(api, last_page(api, url), "previous") == [one.pk for one in expected]


def test_rows_that_are_added_move_no_page(acme, api):
    first = [AccountFactory(client=acme) for _ in range(4)]
    answer = page(api, "http://testserver/api/v1/accounts/?limit=2&ordering=-acct_no")
    AccountFactory(client=acme)
    rest = page(api, answer["next"])["results"]
    assert [row["acct_no"] for row in rest] == [first[1].pk, first[0].pk]


def test_links_keep_the_filters(acme, api):
    for _ in range(3):
        AccountFactory(client=acme, status=1)
    answer = page(api, "http://testserver/api/v1/accounts/?limit=1&status=1&fields=acct_no")
    assert "status=1" in answer["next"] and "fields=acct_no" in answer["next"]
    assert page(api, answer["next"])["results"] == [{"acct_no": Account.objects.order_by("pk")[1].pk}]


def cursor(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!",
        "eA",
        cursor(1),
        cursor([1]),
        cursor([False, "x", 1]),
        cursor([False, None, "x"]),
        cursor([False, {}, 1]),
        cursor([]),
    ],
)
def test_a_cursor_that_is_none_is_refused(acme, api, text):
    answer = api.get("/api/v1/accounts/", {"cursor": text, "ordering": "next_bill_date"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["cursor"])


@given(st.text(max_size=60))
def test_no_cursor_fails(text):
    from billing_site.common.keyset_pages import Order, _read_cursor

    class Request:
        query_params = {"cursor": text}

    try:
        _read_cursor(Request(), Account, Order("next_bill_date"))
    except Exception as error:
        assert error.code.number == 1016


def test_days_are_read_from_cursors(acme, api):
    AccountFactory(client=acme, next_bill_date=date(2026, 1, 2))
    answer = api.get("/api/v1/accounts/", {"cursor": cursor([False, "2026-01-01", 1]), "ordering": "next_bill_date"})
    assert len(answer.json()["results"]) == 1
