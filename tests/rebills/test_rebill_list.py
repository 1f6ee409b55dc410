"""The list of rebills: what it finds, page by page, as a file, and what it costs."""

import csv
import re
from io import StringIO

import pytest

from tests.rebills.conftest import RATES
from tests.support.billing import JAN_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.reading_pages import queries, words
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited", "end_of_january")


@pytest.fixture
def two_rebills(acme, process, invoice):
    """One rebill that is pending, and a later one of account Z-9 that is issued."""
    acme.rebill_approval_required = True
    acme.save()
    invoice.client.refresh_from_db()
    held = rebilled(invoice, process, 1, reason_code=2)
    acme.rebill_approval_required = False
    acme.save()
    other = bill(an_account(acme, a_plan(acme, RATES), client_acct_id="Z-9"), process, JAN_10)
    return held, rebilled(other, process, 1, 2)


def listed(page, **asked):
    return [int(number) for number in re.findall(r'href="/rebills/(\d+)/"', page.get("/rebills/", asked).content.decode())]


def test_rebills_are_found_by_status_reason_and_account(page, two_rebills):
    held, issued = two_rebills
    assert listed(page) == [issued.pk, held.pk]
    assert listed(page, state="pending") == listed(page, reason="2") == [held.pk]
    assert listed(page, state="overdue") == listed(page, account="Z-") == [issued.pk]
    assert "No rebills found" in words(page.get("/rebills/", {"state": "discarded"}))
    assert listed(page, state="discarded") == []


def test_rebills_are_found_by_the_day_in_the_clients_time_zone(acme, page, two_rebills):
    held, issued = two_rebills
    assert listed(page, made_from="2026-01-31") == [issued.pk, held.pk]
    assert (listed(page, made_to="2026-01-30"), listed(page, made_from="2026-02-01")) == ([], [])
    acme.time_zone = "Pacific/Auckland"
    acme.save()
    assert listed(page, made_from="2026-02-01") == [issued.pk, held.pk]
    assert listed(page, made_to="2026-01-31") == []


def test_a_wrong_day_in_the_filter_of_rebills_is_refused_at_its_field(acme, page):
    assert "Enter a valid date." in words(page.get("/rebills/", {"made_from": "soon"}))
    for end in ({"made_from": "0001-01-01"}, {"made_to": "9999-12-31"}):
        assert "is not between the years 1900 and 2999." in words(page.get("/rebills/", end))


def test_the_list_shows_the_three_documents_of_a_rebill_its_account_reason_and_totals(page, two_rebills):
    text = words(page.get("/rebills/"))
    assert "INV-000002 CM-000001 RB-000001 Overdue Z-9 Wrong price or quantity" in text
    assert "$55.00 -$55.00" in text


def test_the_list_goes_page_by_page_and_as_csv(acme, page, process, monkeypatch):
    monkeypatch.setattr("rebills.pages.lists.PAGE_SIZE", 2)
    plan = a_plan(acme, {"phone": "30.00"})
    made = [rebilled(bill(an_account(acme, plan), process, JAN_10), process, line(1, units="2")) for _ in range(3)]
    first = page.get("/rebills/", {}).content.decode()
    cursor = re.search(r'cursor=([^"&]+)" rel="next"', first)[1]
    second = page.get("/rebills/", {"cursor": cursor}).content.decode()
    assert [re.findall(r'href="/rebills/(\d+)/"', one) for one in (first, second)] == [
        [str(made[2].pk), str(made[1].pk)],
        [str(made[0].pk)],
    ]
    answer = page.get("/rebills/", {"format": "csv", "state": "overdue"})
    table = list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))
    assert [row["rebill_no"] for row in table] == [str(one.pk) for one in reversed(made)]
    told = ("state", "document_number", "original", "credit_memo", "original_amount", "rebill_amount", "difference", "made_by")
    assert [table[0][name] for name in told] == [
        "overdue",
        "RB-000003",
        "INV-000003",
        "CM-000003",
        "30.00",
        "60.00",
        "30.00",
        "process test",
    ]


def test_a_cursor_that_is_none_of_the_list_is_refused_with_a_message(page, invoice):
    answer = page.get("/rebills/", {"cursor": "nonsense"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/rebills/")


def test_the_list_takes_as_many_queries_for_many(acme, page, process):
    plan = a_plan(acme, {"phone": "30.00"})
    rebilled(bill(an_account(acme, plan), process, JAN_10), process, 1)
    page.get("/rebills/")
    one = queries(lambda: page.get("/rebills/"))
    for _ in range(5):
        rebilled(bill(an_account(acme, plan), process, JAN_10), process, 1)
    assert queries(lambda: page.get("/rebills/")) == one


# The difference between two documents.
