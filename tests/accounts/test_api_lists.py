"""Lists of resources: their pages, their parameters, and how many queries they take."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from tests.support.accounts_api import API
from tests.support.factories import AccountFactory, a_plan, an_account
from tests.support.resources import api

__all__ = ["api"]


# Pages.


def test_a_page_has_at_most_500_rows_and_50_unless_asked(acme, api):
    Account.objects.bulk_create(Account(client=acme, client_acct_id=f"C-{n}", currency="usd") for n in range(510))
    assert len(api.get(f"{API}/accounts/").json()["results"]) == 50
    assert len(api.get(f"{API}/accounts/?limit=500").json()["results"]) == 500
    assert len(api.get(f"{API}/accounts/?limit=1").json()["results"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "limit=0",
        "limit=-1",
        "limit=501",
        "limit=",
        f"limit={10**30}",
        "ordering=-",
        "ordering=--acct_no",
        "cursor=x",
        "cursor=",
        "ordering=currency",
        "offset=3",
        "page=2",
    ],
)
def test_a_parameter_that_is_wrong_or_unknown_is_refused_by_its_name(acme, api, query):
    AccountFactory(client=acme)
    answer = api.get(f"{API}/accounts/?{query}")
    name = query.partition("=")[0]
    assert (answer.status_code, answer.json()["error_code"], list(answer.json()["errors"])) == (400, 1016, [name])


@pytest.mark.parametrize("resource", ["accounts", "plans", "plan-instances", "contacts", "services"])
def test_a_list_of_many_takes_as_many_queries_as_a_list_of_two(acme, api, resource):
    def queries(rows):
        with CaptureQueriesContext(connection) as captured:
            assert len(api.get(f"{API}/{resource}/").json()["results"]) == rows
        return len(captured)

    def add(numbers):
        for number in numbers:
            an_account(acme, a_plan(acme, {f"service-{number}": "1"}))

    add(range(2))
    api.get(f"{API}/{resource}/")  # notes the use of the key, and who saw whose data
    few = queries(2)
    add(range(2, 20))
    api.get(f"{API}/{resource}/")
    assert queries(20) == few
