"""Usage from a file on a page: errors by row are seen first, then the good rows are loaded, each once."""

import re
import secrets

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile

from invoices.models import Usage
from tests.support.billing import metered
from tests.support.calling import rows_stored
from tests.support.factories import ClientFactory
from tests.support.invoice_pages import reader

MAY = ("view_account", "add_usage")
ADDRESS = "/usage/load/"


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    account, _instance = metered(acme, "0.10")
    return account


@pytest.fixture
def staff(acme):
    return reader(acme, permissions=MAY)


def a_file(account, *rows):
    service = account.plan_instances.get().plan.charges.get().service_id
    lines = [f"{record},{units},{day},{account.pk},{service}" for record, units, day in rows]
    return "\n".join(["Record_ID,units,used_at,acct_no,service", *lines])


def field(page, name):
    return re.search(rf'name="{name}" value="(\w+)"', page).group(1)


def test_a_file_is_checked_row_by_row_and_its_good_rows_are_loaded_once(account, staff):
    text = a_file(
        account,
        ("a", "10", "2026-01-15T10:00:00"),
        ("b", "x", "2026-01-15T10:00:00"),
        ("c", "2", "2026-03-01T10:00:00"),
        ("d", "5", "2026-01-16T10:00:00"),
    )
    before = rows_stored()
    page = staff.post(ADDRESS, {"file": SimpleUploadedFile("u.csv", b"\xef\xbb\xbf" + text.encode()), "act": "preview"}).text
    assert rows_stored() == before
    assert "Load 2 records" in page
    assert re.findall(r'<td class="num">(\d+)</td><td class="text-break">(\w)', page) == [("3", "b"), ("4", "c")]
    assert "is in the future" in page and "Record_ID" in page
    sent = {"text": text, "act": "load", "seen": field(page, "seen"), "once": secrets.token_hex(16)}
    done = staff.post(ADDRESS, sent, follow=True).text
    assert "2 records are loaded." in done and "2 rows were refused." in done
    assert dict(Usage.objects.values_list("record_id", "units")) == {"a": 10, "d": 5}
    again = staff.post(ADDRESS, {"text": text, "act": "preview"}).text
    assert "Loaded already</dt><dd>2<" in again and "Load 2 records" not in again
    assert Usage.objects.count() == 2


def test_what_was_not_seen_is_not_loaded(account, staff):
    seen = field(
        staff.post(ADDRESS, {"text": a_file(account, ("a", "1", "2026-01-15T10:00:00")), "act": "preview"}).text, "seen"
    )
    other = a_file(account, ("a", "9", "2026-01-15T10:00:00"))
    answer = staff.post(ADDRESS, {"text": other, "act": "load", "seen": seen, "once": secrets.token_hex(16)})
    assert "Nothing was written yet." in answer.text
    assert not Usage.objects.exists()


def test_units_with_a_decimal_comma(account, staff):
    text = a_file(account, ("a", '"1,5"', "2026-01-15T10:00:00"))
    page = staff.post(ADDRESS, {"text": text, "decimal_comma": "on", "act": "preview"}).text
    sent = {"text": text, "decimal_comma": "on", "act": "load", "seen": field(page, "seen"), "once": secrets.token_hex(16)}
    staff.post(ADDRESS, sent)
    assert Usage.objects.get().units == 1.5


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Choose a file, or paste its text."),
        ({"text": "record_id,units\na,1"}, "used_at"),
        ({"text": "record_id,units,used_at,colour\na,1,2026-01-01T10:00:00,red"}, "colour"),
        ({"file": SimpleUploadedFile("u.csv", b"\xff\xfe\x00")}, "This is not a CSV file in UTF-8."),
        ({"text": "record_id,units,used_at\n" + "a,1,2026-01-01T10:00:00\n" * 10_001}, "more than 10,000 rows"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_why(account, staff, fields, words):
    answer = staff.post(ADDRESS, {**fields, "act": "preview"})
    assert (answer.status_code, words in answer.text) == (422, True)
    assert not Usage.objects.exists()


def test_it_needs_its_right_and_finds_ones_own_accounts(account, staff):
    viewer = reader(account.client, permissions=MAY[:1], name="viewer")
    assert (viewer.get(ADDRESS).status_code, viewer.post(ADDRESS).status_code) == (403, 403)
    stranger = reader(ClientFactory(), permissions=MAY, name="stranger")
    page = stranger.post(ADDRESS, {"text": a_file(account, ("a", "1", "2026-01-15T10:00:00")), "act": "preview"}).text
    assert 'Records to load</dt><dd class="fw-bold">0<' in page
