"""The builder of pending documents, the versions of a document, and what the approver sees of adjustments."""

import re
from decimal import Decimal as D

import pytest
from django.contrib.auth.models import Permission

from invoices.models import Adjustment, Invoice
from tests.support.adjusting import a_line, adjusted, recalculated
from tests.support.billing import JAN_10, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.pending import a_pending
from tests.support.reading_pages import words

pytestmark = pytest.mark.usefixtures("audited", "end_of_january")
RATES = {"phone": "30.00", "tv": "20.00", "net": "50.00"}


@pytest.fixture
def pending(acme, process):
    """Phone 30.00, tv 20.00, net 50.00 and 10.00 of tax."""
    TaxRateFactory(client=acme)
    return a_pending(acme, process, an_account(acme, a_plan(acme, RATES)))


def sent(page, invoice, act="recalculate", **fields):
    return page.post(f"/invoices/{invoice.pk}/adjust/", {**fields, "act": act})


def hidden(answer, name):
    return re.search(f'name="{name}" value="([^"]*)"', answer.content.decode())[1]


def results(answer):
    found = re.findall(r'id="result-(\d+)".*?<strong class="plain">(.*?)</strong>', answer.content.decode(), re.S)
    return {int(number): amount for number, amount in found}


CHANGE = {"line-1-rate_per_unit": "27", "line-2-include": "no"}


def test_what_is_entered_is_calculated_and_nothing_is_written(page, pending):
    assert results(page.get(f"/invoices/{pending.pk}/adjust/")) == {1: "$30.00", 2: "$20.00", 3: "$50.00"}
    answer = sent(page, pending, **CHANGE)
    assert results(answer) == {1: "$27.00", 2: "$0.00", 3: "$50.00"}
    assert "Total $110.00 $84.70 -$25.30" in words(answer)
    assert not Adjustment.objects.exists()


def test_what_is_reviewed_is_adjusted_and_shown_to_the_approver(page, carol, pending):
    assert "Choose a reason for the adjustment." in words(sent(page, pending, "review", **CHANGE))
    review = sent(page, pending, "review", reason_code="1", comments="as agreed", **CHANGE)
    assert "Line 2 is left out" in words(review)
    answer = sent(
        *(page, pending, "commit"),
        **{"reason_code": "1", "comments": "as agreed", **CHANGE},
        fingerprint=hidden(review, "fingerprint"),
        once=hidden(review, "once"),
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/invoices/{pending.pk}/")
    assert Invoice.objects.get().total_amount == D("84.70")
    for address in (f"/invoices/{pending.pk}/", f"/invoices/pending/{pending.pk}/"):
        text = words(page.get(address))
        assert "Phone rate 30 → 27 , $30.00 → $27.00" in text
        assert "“as agreed”" in text and "carol" in text
    again = page.get(f"/invoices/{pending.pk}/adjust/").content.decode()
    assert re.search(r'id="line-1-rate_per_unit"[^>]*value="27"', again)
    assert 'name="line-2-include" value="yes" checked' not in again


def test_a_change_by_another_is_told_and_the_entries_are_kept(page, process, pending):
    review = sent(page, pending, "review", reason_code="1", **CHANGE)
    adjusted(pending, process, a_line(3, amount="40"))
    fields = {"reason_code": "1", **CHANGE, "fingerprint": hidden(review, "fingerprint"), "once": hidden(review, "once")}
    answer = sent(page, pending, "commit", **fields)
    assert "Nothing was adjusted, because the preview has changed." in words(answer)
    assert "Adjustments that are withdrawn: Net" in words(answer)
    assert Invoice.objects.get().total_amount == 99
    assert hidden(answer, "fingerprint").startswith("2-")


def test_versions_show_each_difference(page, process, pending):
    invoice = adjusted(pending, process, a_line(1, rate_per_unit="27"))
    recalculated(invoice, process, JAN_10, "checked again")
    text = words(page.get(f"/invoices/{pending.pk}/versions/"))
    assert "Version 3 · Recalculated · $106.70" in text
    assert "No line is different." in text
    assert "1 Phone rate 30 → 27 , $30.00 → $27.00 $33.00 $29.70 -$3.30" in text
    assert "Version 1 · Generated · $110.00" in text


def test_a_document_that_never_changed_has_no_versions(page, pending):
    assert "The document was never changed" in words(page.get(f"/invoices/{pending.pk}/versions/"))


def test_an_issued_document_is_not_adjusted(page, process, acme):
    issued = bill(an_account(acme), process, JAN_10)
    assert f"invoice {issued.pk} is approved" in words(page.get(f"/invoices/{issued.pk}/adjust/"))


def test_who_may_not_rebill_may_look(client, carol, pending):
    carol.user_permissions.set(Permission.objects.filter(codename="view_invoice"))
    client.force_login(carol)
    assert "You can preview adjustments, but not make them" in words(client.get(f"/invoices/{pending.pk}/adjust/"))


def test_an_out_of_date_document_offers_to_be_recalculated(client, bob, acme, pending):
    acme.staff.add(bob.staff)
    bob.staff.user_permissions.add(Permission.objects.get(codename="view_invoice"))
    client.force_login(bob.staff)
    contact = pending.account.contacts.get()
    contact.city = "Oakland"
    contact.save()
    shown = client.get(f"/invoices/{pending.pk}/")
    assert f'action="/invoices/{pending.pk}/act/recalculate/"' in shown.content.decode()
    answer = client.post(f"/invoices/{pending.pk}/act/recalculate/", {"once": "r"})
    assert answer.headers["Location"] == f"/invoices/{pending.pk}/"
    invoice = Invoice.objects.get()
    assert (invoice.version, invoice.bill_to["city"]) == (2, "Oakland")
    assert "Out of date" not in words(client.get(f"/invoices/{pending.pk}/"))


def test_discounts_of_a_line_and_of_all_lines(page, pending):
    discounts = {"line-1-discount_percent": "50", "discount_percent": "10", "reason_code": "1"}
    assert results(sent(page, pending, **discounts)) == {1: "$15.00", 2: "$18.00", 3: "$45.00"}
    wrong = sent(page, pending, "review", **{**discounts, "discount_percent": "120"})
    assert "120 is more than 100 %" in words(wrong)
    wrong = sent(page, pending, "review", **{**discounts, "line-1-discount_percent": "-1"})
    assert "-1 is below 0" in words(wrong)
    review = sent(page, pending, "review", **discounts)
    seen = {"fingerprint": hidden(review, "fingerprint"), "once": hidden(review, "once")}
    assert sent(page, pending, "commit", **discounts, **seen).status_code == 302
    assert Invoice.objects.get().total_amount == D("85.80")
    text = words(page.get(f"/invoices/{pending.pk}/"))
    assert "Phone discount in percent none → 50 , rate 30 → 15 , $30.00 → $15.00" in text
    assert "All lines discount in percent none → 10" in text
    again = page.get(f"/invoices/{pending.pk}/adjust/")
    assert re.search(r'id="discount_percent"[^>]*value="10"', again.content.decode())
    assert re.search(r'id="line-1-discount_percent"[^>]*value="50"', again.content.decode())
    assert results(again) == {1: "$15.00", 2: "$18.00", 3: "$45.00"}
    without = sent(page, pending, "review", **{**discounts, "discount_percent": ""})
    assert "Adjustments that are withdrawn: All lines" in words(without)
