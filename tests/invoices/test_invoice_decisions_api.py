"""Invoices as resources: decided on while they are pending, one or many at once."""

from datetime import date

import pytest

from accounts.models import Account, Client, Event, RateSchedule
from invoices.models import Invoice
from tests.support.factories import a_plan, an_account
from tests.support.invoice_api import API, api, pending, post, signed_in, tenth_of_january

__all__ = ["api", "tenth_of_january"]


# Deciding on one.


def test_a_pending_invoice_is_approved_with_remarks(acme, api):
    account = an_account(acme)
    number = pending(account)
    seen = api.get(f"{API}{number}/").json()["fingerprint"]
    remarks = {"client_notes": "Checked.", "custom_status_label": "OK", "reason": "monthly round"}
    shown = post(api, f"{number}/approve/", {"fingerprint": seen, **remarks})
    assert (shown["status"], shown["document_number"]) == ("approved", "INV-000001")
    assert (shown["client_notes"], shown["custom_status_label"]) == ("Checked.", "OK")
    assert shown["approved_by"].startswith("key:")
    assert Event.objects.get(act="invoice.approved").after["reason"] == "monthly round"
    account.refresh_from_db()
    assert account.next_bill_date == date(2026, 2, 10)


def test_an_invoice_that_moved_since_it_was_seen_is_not_approved(acme, api):
    number = pending(an_account(acme))
    seen = api.get(f"{API}{number}/").json()["fingerprint"]
    Invoice.objects.get().lines.update(amount=1)
    answer = post(api, f"{number}/approve/", {"fingerprint": seen}, 409)
    assert answer["error_code"] == 90003
    assert "lines" in answer["error_msg"]
    assert Invoice.objects.get().status == "pending"


def test_a_pending_invoice_is_discarded(acme, api):
    number = pending(an_account(acme))
    shown = post(api, f"{number}/discard/", {"reason": "typing error", "client_notes": "No."})
    assert (shown["invoice_no"], shown["status"], shown["client_notes"]) == (number, "discarded", "No.")
    assert Event.objects.get(act="invoice.discarded").after["reason"] == "typing error"
    assert post(api, f"{number}/approve/", status=409)["error_code"] == 3015


def test_an_empty_note_leaves_what_stands_there(acme, api):
    number = pending(an_account(acme))
    Invoice.objects.update(client_notes="Ask sales.", custom_status_label="Late")
    shown = post(api, f"{number}/approve/", {"client_notes": "", "custom_status_label": ""})
    assert (shown["client_notes"], shown["custom_status_label"]) == ("Ask sales.", "Late")


def test_a_pending_invoice_is_regenerated_as_a_new_one(acme, api):
    account = an_account(acme)
    number = pending(account)
    RateSchedule.objects.update(rate_per_unit=20)
    shown = post(api, f"{number}/regenerate/", {"custom_status_label": "new price"})
    assert shown["invoice_no"] != number
    assert (shown["status"], shown["total_amount"], shown["custom_status_label"]) == ("pending", "20.00", "new price")
    assert Invoice.objects.get(pk=number).status == "discarded"


def test_regenerating_into_nothing_says_so(acme, api):
    account = an_account(acme)
    number = pending(account)
    account.plan_instances.get().plan.charges.all().delete()
    assert post(api, f"{number}/regenerate/") == {"invoice_no": None}


@pytest.mark.parametrize("verb", ["approve", "discard", "regenerate"])
def test_a_key_without_the_right_decides_nothing(acme, verb):
    number = pending(an_account(acme))
    answer = post(signed_in(acme), f"{number}/{verb}/", status=403)
    assert answer["error_code"] == 90001
    assert Invoice.objects.get().status == "pending"
    assert Event.objects.filter(error_code=90001).count() == 1


def test_who_made_an_invoice_may_not_approve_it_where_four_eyes_apply(acme, api):
    Client.objects.update(four_eyes="another_person")
    number = post(api, "", {"acct_no": an_account(acme).pk}, 201)["invoice_no"]
    assert post(api, f"{number}/approve/", status=403)["error_code"] == 90002
    assert post(signed_in(acme, may_approve=True), f"{number}/approve/")["status"] == "approved"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"client_notes": "x" * 1001}, 3044),
        ({"custom_status_label": "x" * 101}, 1012),
        ({"reason": "x" * 1001}, 1012),
        ({"fingerprint": "x" * 301}, 1012),
        ({"fingerprint": ["x"]}, 1016),
    ],
)
def test_remarks_that_are_too_long_are_refused(acme, api, given, code):
    number = pending(an_account(acme))
    answer = post(api, f"{number}/approve/", given, 400)
    assert (answer["error_code"], list(answer["errors"])) == (code, list(given))
    assert Invoice.objects.get().status == "pending"


def test_notes_of_a_thousand_characters_are_kept(acme, api):
    number = pending(an_account(acme))
    notes = {"client_notes": "n" * 1000, "custom_status_label": "l" * 100}
    shown = post(api, f"{number}/approve/", notes)
    assert {name: shown[name] for name in notes} == notes


# Deciding on many.


def outcomes(api, verb, body):
    return [
        (row["invoice_no"], row["new_invoice_no"], row["acct_no"], row["error_code"])
        for row in post(api, f"{verb}/", body)["outcomes"]
    ]


def test_many_are_approved_with_an_outcome_each_in_the_order_asked(acme, umbra, api):
    plan = a_plan(acme)
    accounts = [an_account(acme, plan) for _ in range(3)]
    numbers = [pending(account) for account in accounts]
    theirs = pending(an_account(umbra))
    post(api, f"{numbers[1]}/discard/")
    asked = [numbers[2], theirs, numbers[1], numbers[0], 999]
    body = {"invoice_nos": asked, "fingerprints": {str(numbers[0]): "another"}, "client_notes": "all of them"}
    assert outcomes(api, "approve", body) == [
        (numbers[2], None, accounts[2].pk, 0),
        (theirs, None, None, 3015),
        (numbers[1], None, accounts[1].pk, 3015),
        (numbers[0], None, accounts[0].pk, 90003),
        (999, None, None, 3015),
    ]
    assert list(Invoice.objects.filter(status="approved").values_list("pk", "client_notes")) == [(numbers[2], "all of them")]
    assert Invoice.objects.get(pk=theirs).status == "pending"


def test_outcomes_have_messages(acme, api):
    number = pending(an_account(acme))
    done = {"new_invoice_no": None, "acct_no": Account.objects.get().pk, "error_code": 0, "error_msg": "OK"}
    done |= {"collection": None, "approvals_missing": 0}
    assert post(api, "approve/", {"invoice_nos": [number]}) == {"outcomes": [{"invoice_no": number, **done}]}
    (row,) = post(api, "approve/", {"invoice_nos": [number]})["outcomes"]
    assert row["error_msg"] == f"invalid pending invoice number: invoice {number} is approved"


def test_the_right_fingerprints_let_many_pass(acme, api):
    numbers = [pending(an_account(acme)) for _ in range(2)]
    seen = {str(number): api.get(f"{API}{number}/").json()["fingerprint"] for number in numbers}
    assert [row[3] for row in outcomes(api, "approve", {"invoice_nos": numbers, "fingerprints": seen})] == [0, 0]


def test_many_are_discarded(acme, api):
    accounts = [an_account(acme) for _ in range(2)]
    numbers = [pending(account) for account in accounts]
    rows = outcomes(api, "discard", {"invoice_nos": numbers[::-1]})
    assert rows == [(numbers[1], None, accounts[1].pk, 0), (numbers[0], None, accounts[0].pk, 0)]
    assert set(Invoice.objects.values_list("status", flat=True)) == {"discarded"}


def test_many_are_regenerated_and_the_new_ones_are_named(acme, api):
    account, other = an_account(acme), an_account(acme)
    discarded, number, last = pending(account), None, pending(other)
    post(api, f"{discarded}/discard/")
    number = pending(account)
    rows = outcomes(api, "regenerate", {"invoice_nos": [discarded, last, number]})
    new = {invoice.account_id: invoice.pk for invoice in Invoice.objects.filter(status="pending")}
    assert rows == [
        (discarded, None, account.pk, 3015),
        (last, new[other.pk], other.pk, 0),
        (number, new[account.pk], account.pk, 0),
    ]


@pytest.mark.parametrize("verb", ["approve", "discard", "regenerate"])
def test_a_key_without_the_right_gets_an_outcome_for_each_and_learns_nothing(acme, umbra, verb):
    number = pending(an_account(acme))
    theirs = pending(an_account(umbra))
    rows = outcomes(signed_in(acme), verb, {"invoice_nos": [999, number, theirs]})
    assert [(row[0], row[3]) for row in rows] == [(999, 90001), (number, 90001), (theirs, 90001)]
    assert set(Invoice.objects.values_list("status", flat=True)) == {"pending"}


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, 1010, "invoice_nos"),
        ({"invoice_nos": None}, 1010, "invoice_nos"),
        ({"invoice_nos": []}, 1010, "invoice_nos"),
        ({"invoice_nos": 7}, 1016, "invoice_nos"),
        ({"invoice_nos": ["x"]}, 1016, "invoice_nos[0]"),
        ({"invoice_nos": [1, 10**22]}, 1012, "invoice_nos[1]"),
        ({"invoice_nos": list(range(1, 1002))}, 1012, "invoice_nos"),
        ({"invoice_nos": [1], "fingerprints": {"x": "y"}}, 1016, "fingerprints"),
        ({"invoice_nos": [1], "fingerprints": ["y"]}, 1016, "fingerprints"),
        ({"invoice_nos": [1], "client_notes": "x" * 1001}, 3044, "client_notes"),
    ],
)
def test_a_wrong_list_is_refused_whole(acme, api, body, code, field):
    answer = post(api, "approve/", body, 400)
    assert (answer["error_code"], list(answer["errors"])) == (code, [field]), answer


def test_a_thousand_may_be_asked_for(api):
    assert len(post(api, "discard/", {"invoice_nos": list(range(1, 1001))})["outcomes"]) == 1000
