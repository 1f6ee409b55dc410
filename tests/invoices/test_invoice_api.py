"""Invoices and billing runs as resources: shown, previewed, generated, and decided on while they are pending."""

from base64 import b64encode
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.callers import Caller
from accounts.clock import today
from accounts.keys import create_key
from accounts.models import Account, Client, Event, RateSchedule
from invoices.models import Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.runs.runs import continue_run, start_run
from tests.support.calling import DAILY
from tests.support.factories import BY_TEST, PlanFactory, TaxRateFactory, a_plan, an_account

API = "/api/v1/invoices/"


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 12, tzinfo=UTC), tick=False):
        yield


def signed_in(client, **rights):
    _, auth_key = create_key(client, name="integrator", **{**DAILY, **rights}, caller=BY_TEST)
    api = APIClient(raise_request_exception=False)
    api.credentials(HTTP_AUTHORIZATION=f"Basic {b64encode(f'{client.pk}:{auth_key}'.encode()).decode()}")
    return api


@pytest.fixture
def api(acme):
    return signed_in(acme, may_approve=True)


def post(api, address, body=None, status=200):
    response = api.post(f"{API}{address}", body or {}, format="json")
    assert response.status_code == status, response.json()
    return response.json()


def billed(account, caller=None, **request):
    """The number of an invoice that another caller has generated."""
    return generate_invoice(
        client=account.client,
        account_no=account.pk,
        request=BillingRequest(today(account.client), **request),
        caller=caller or Caller(process="test"),
    )


def pending(account, **request):
    return billed(account, force_pending=True, **request)


# What a line at a plain rate has nothing of.
NO_STORY = {
    **dict.fromkeys(["tier_no", "tier_from", "tier_to", "percent", "base_amount", "order_no"]),
    "explanation": "",
    "coupon_code": "",
}
LINES = [
    {
        "line_no": 1,
        "line_type": 1,
        "description": "Phone",
        "plan_name": "Basic",
        "gl_code": "4000",
        "tax_category": "standard",
        "units": "1",
        "rate_per_unit": "30",
        "list_rate_per_unit": None,
        **NO_STORY,
        "proration_factor": "1",
        "proration_text": "",
        "period_total_days": 31,
        "proration_remaining_days": 31,
        "amount": "30.00",
        "period_start": "2026-01-10",
        "period_end": "2026-02-09",
        "po_num": "",
        "bill_from_location": None,
        "ship_from_location": None,
    },
    {
        "line_no": 2,
        "line_type": 2,
        "description": "Sales tax 10 % (US-CA)",
        "plan_name": "",
        "gl_code": "",
        "tax_category": "",
        "units": None,
        "rate_per_unit": None,
        "list_rate_per_unit": None,
        **NO_STORY,
        "proration_factor": "1",
        "proration_text": "",
        "period_total_days": None,
        "proration_remaining_days": None,
        "amount": "3.00",
        "period_start": None,
        "period_end": None,
        "po_num": "",
        "bill_from_location": None,
        "ship_from_location": None,
    },
]
KEYS = ("service", "plan_instance", "rate_schedule_no", "bill_to_contact", "ship_to_contact")


def check_document(shown, account):
    contact = account.contacts.get()
    instance = account.plan_instances.get()
    lines = [dict(line) for line in shown["lines"]]
    of_rebills = [(line.pop("source_line_no"), line.pop("rb_excluded"), line.pop("rb_line_comments")) for line in lines]
    assert of_rebills == [(None, None, "")] * len(lines)
    keys = [[line.pop(name) for name in KEYS] for line in lines]
    assert lines == LINES
    charge = instance.plan.charges.get()
    assert keys == [[charge.service_id, instance.pk, charge.rates.get().pk, contact.pk, contact.pk], [None] * 5]
    assert shown["credit_details"] == []
    assert shown["tax_details"] == [
        {
            "tax_line_no": 2,
            "taxed_line_no": 1,
            "authority": "Sales tax",
            "authority_level": 1,
            "jurisdiction": "US-CA",
            "percent": "10",
            "is_inclusive": False,
            "taxable_amount": "30.00",
            "amount": "3.00",
        }
    ]
    assert (shown["net_amount"], shown["tax_amount"], shown["total_amount"]) == ("30.00", "3.00", "33.00")
    assert (shown["acct_no"], shown["currency"], shown["kind"]) == (account.pk, "usd", "recurring")
    assert (shown["bill_date"], shown["period_start"], shown["period_end"]) == ("2026-01-10", "2026-01-10", "2026-02-09")
    assert (shown["seller"]["name"], shown["bill_to"]["name"]) == ("Acme Telecom", "Ada Byron")


# Showing.


def test_an_invoice_is_shown_with_all_that_stands_on_it(acme, api):
    TaxRateFactory(client=acme)
    account = an_account(acme)
    number = billed(account)
    shown = api.get(f"{API}{number}/").json()
    check_document(shown, account)
    assert (shown["invoice_no"], shown["status"], shown["document_number"]) == (number, "approved", "INV-000001")
    assert (shown["invoice_date"], shown["due_date"]) == ("2026-01-10", "2026-01-24")
    assert (shown["generated_by"], shown["approved_by"]) == ("process:test", "process:test")
    assert shown["fingerprint"] == Invoice.objects.get().fingerprint


@pytest.mark.parametrize(("currency", "amount"), [("jpy", "31"), ("usd", "30.57"), ("kwd", "30.568")])
def test_amounts_have_the_precision_of_their_currency(acme, api, currency, amount):
    plan = a_plan(acme, {"phone": "30.5678"}, currency=currency)
    number = billed(an_account(acme, plan, currency=currency))
    shown = api.get(f"{API}{number}/").json()
    assert (shown["total_amount"], shown["lines"][0]["amount"], shown["lines"][0]["rate_per_unit"]) == (
        amount,
        amount,
        "30.5678",
    )
    assert api.get(API).json()["results"][0]["total_amount"] == amount


def test_a_list_shows_headers_newest_first_and_filters_them(acme, api):
    first, second = an_account(acme), an_account(acme, start=date(2026, 1, 5))
    one, two = billed(first), pending(second)
    advance = billed(an_account(acme, start=date(2026, 1, 20)), advance=True)

    def found(query=""):
        return [row["invoice_no"] for row in api.get(f"{API}?{query}").json()["results"]]

    assert found() == [advance, two, one]
    assert found(f"acct_no={second.pk}") == [two]
    assert found("status=pending") == [two]
    assert found("kind=advance") == [advance]
    assert found("bill_date_from=2026-01-10") == [advance, one]
    assert found("bill_date_to=2026-01-10") == [two, one]
    assert found("bill_date_from=2026-01-06&bill_date_to=2026-01-19") == [one]


@pytest.mark.parametrize(("query", "code"), [("bill_date_from=x", 1024), ("status=open", 1016), ("acct_no=x", 1016)])
def test_a_filter_that_makes_no_sense_is_refused(api, query, code):
    response = api.get(f"{API}?{query}")
    assert (response.status_code, response.json()["error_code"]) == (400, code)
    assert list(response.json()["errors"]) == [query.partition("=")[0]]


def test_a_list_of_20_takes_as_many_queries_as_a_list_of_2(acme, api):
    def queries(rows):
        with CaptureQueriesContext(connection) as captured:
            assert len(api.get(API).json()["results"]) == rows
        return len(captured)

    plan = a_plan(acme)
    for _ in range(2):
        billed(an_account(acme, plan))
    queries(2)  # notes the use of the key
    few = queries(2)
    for _ in range(18):
        billed(an_account(acme, plan))
    assert queries(20) == few <= 4


def test_an_invoice_takes_as_many_queries_whatever_its_lines(acme, api):
    def queries(number):
        with CaptureQueriesContext(connection) as captured:
            api.get(f"{API}{number}/")
        return len(captured)

    short = billed(an_account(acme))
    long = billed(an_account(acme, a_plan(acme, {f"s{n}": "1" for n in range(30)})))
    queries(short)  # notes the use of the key
    assert queries(long) == queries(short)


def test_another_clients_invoice_does_not_exist(umbra, api):
    number = billed(an_account(umbra))
    assert api.get(API).json()["results"] == []
    for response in (
        api.get(f"{API}{number}/"),
        *(api.post(f"{API}{number}/{verb}/", {}, format="json") for verb in ("approve", "discard", "regenerate")),
    ):
        assert (response.status_code, response.json()["error_code"]) == (404, 3004)
    assert Invoice.objects.get().status == "pending"


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_an_invoice_is_never_edited(acme, api, method):
    number = billed(an_account(acme))
    assert getattr(api, method)(f"{API}{number}/", {}, format="json").status_code == 405


# Generating and previewing.


def test_a_preview_is_the_invoice_to_the_cent_and_writes_nothing(acme, api):
    TaxRateFactory(client=acme)
    account = an_account(acme)
    before = Account.objects.values().get()
    preview = post(api, "preview/", {"acct_no": account.pk})
    check_document(preview, account)
    assert not Invoice.objects.exists()
    assert not Event.objects.exists()
    assert Account.objects.values().get() == before
    shown = post(api, "", {"acct_no": account.pk, "force_pending": True}, 201)
    assert shown["status"] == "pending"
    # A preview has the flags of missing tax data only: what it is compared with is read when the invoice is made.
    assert {name: shown[name] for name in preview} == preview | {"flags": ["first"]}


def test_a_preview_takes_the_same_choices_as_the_invoice(acme, api):
    account = an_account(acme)
    assert post(api, "preview/", {"acct_no": account.pk, "alt_bill_day": 15})["period_end"] == "2026-01-14"
    coming = an_account(acme, start=date(2026, 1, 20))
    assert post(api, "preview/", {"acct_no": coming.pk, "invoice_mode": 1})["kind"] == "advance"


def test_a_preview_of_nothing_has_no_lines(acme, api):
    account = an_account(acme, PlanFactory(client=acme))
    assert post(api, "preview/", {"acct_no": account.pk}) == {
        "acct_no": account.pk,
        "bill_date": "2026-01-10",
        "lines": [],
    }


def test_a_preview_says_why_there_would_be_no_invoice(acme, umbra, api):
    assert post(api, "preview/", {"acct_no": an_account(acme, is_test=True).pk}, 409)["error_code"] == 7001
    assert post(api, "preview/", {"acct_no": an_account(umbra).pk}, 404)["error_code"] == 1009
    assert post(api, "preview/", {}, 400)["errors"] == {"acct_no": ["This field is required."]}
    assert not Event.objects.exists()


def test_an_invoice_is_generated_as_a_resource(acme, api):
    account = an_account(acme)
    shown = post(api, "", {"acct_no": account.pk, "alt_bill_day": 15}, 201)
    assert shown == api.get(f"{API}{shown['invoice_no']}/").json()
    assert (shown["status"], shown["bill_day"], shown["total_amount"]) == ("approved", 15, "4.84")
    coming = an_account(acme, start=date(2026, 1, 20))
    assert post(api, "", {"acct_no": coming.pk, "invoice_mode": 1}, 201)["kind"] == "advance"


def test_generating_where_there_is_nothing_to_bill(acme, api):
    account = an_account(acme, PlanFactory(client=acme))
    assert post(api, "", {"acct_no": account.pk}) == {"invoice_no": None}


def test_a_refused_generation_answers_with_its_status_and_leaves_an_event(acme, api):
    account = an_account(acme, start=date(2026, 1, 11))
    answer = post(api, "", {"acct_no": account.pk}, 409)
    assert answer["error_code"] == 7007
    assert Event.objects.get().error_code == 7007
    assert post(api, "", {"acct_no": account.pk, "alt_bill_day": 32}, 400)["errors"] == {
        "alt_bill_day": ["alternate billing day must be between 1 and 31"]
    }


def test_a_failed_tax_engine_answers_502_with_its_own_words(acme, api):
    Client.objects.update(tax_engine="failing")
    answer = post(api, "", {"acct_no": an_account(acme).pk}, 502)
    assert answer["error_code"] == 90004
    assert answer["third_party_errors"][0]["error_msg"] == "the tax engine is not available"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"acct_no": "x"}, 1016),
        ({"acct_no": 10**22}, 1012),
        ({"acct_no": 1, "invoice_mode": 3}, 1059),
        ({"acct_no": 1, "force_pending": "yes"}, 1033),
        ({"acct_no": 1, "alt_bill_day": "first"}, 1016),
    ],
)
def test_a_wrong_value_is_refused_with_its_code(api, given, code):
    answer = post(api, "", given, 400)
    assert (answer["error_code"], list(answer["errors"])) == (code, [list(given)[-1]])


@pytest.mark.parametrize(
    ("move", "moved"),
    [
        (lambda account: RateSchedule.objects.update(rate_per_unit=20), "terms, lines"),
        (lambda account: account.contacts.update(name="Ada Lovelace"), "parties"),
        (lambda account: TaxRateFactory(client=account.client), "terms, lines, taxes"),
        (lambda account: account.client.services.update(tax_inclusive=True), "tax basis"),
    ],
)
def test_a_preview_that_does_not_hold_any_more_is_refused_with_what_moved(acme, api, move, moved):
    account = an_account(acme)
    seen = post(api, "preview/", {"acct_no": account.pk})
    move(account)
    answer = post(api, "", {"acct_no": account.pk, "fingerprint": seen["fingerprint"]}, 409)
    assert (answer["error_code"], list(answer["errors"]), Invoice.objects.count()) == (90003, ["fingerprint"], 0)
    assert answer["error_msg"].endswith(
        f"invoice of account {account.pk}, moved: {moved}. Read it again, then repeat the request"
    )
    refused = Event.objects.get()
    assert (refused.act, refused.error_code, refused.account_id) == ("invoice.refused", 90003, account.pk)
    account.refresh_from_db()
    assert account.next_bill_date == date(2026, 1, 10)


def test_a_preview_of_another_day_or_way_is_not_what_is_generated(acme, api):
    account = an_account(acme, start=date(2026, 1, 10))
    seen = post(api, "preview/", {"acct_no": account.pk, "alt_bill_day": 20})["fingerprint"]
    answer = post(api, "", {"acct_no": account.pk, "fingerprint": seen}, 409)
    assert answer["error_msg"].endswith("moved: terms, lines, periods. Read it again, then repeat the request")
    assert post(api, "", {"acct_no": account.pk, "alt_bill_day": 20, "fingerprint": seen}, 201)["bill_day"] == 20


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
    done["collection"] = None
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


# Billing runs.


@pytest.fixture
def run(acme):
    TaxRateFactory(client=acme)
    plan = a_plan(acme)
    an_account(acme, plan)
    an_account(acme, plan, contact=False)
    an_account(acme, plan, status=-1)
    an_account(acme, PlanFactory(client=acme))
    an_account(acme, plan, start=date(2026, 1, 11))
    run = start_run(client=acme, today=date(2026, 1, 10), caller=Caller(process="bill"))
    continue_run(run, caller=Caller(process="bill"))
    return run


def test_a_run_is_shown_with_its_counts_and_totals(api, run):
    shown = api.get(f"/api/v1/billing-runs/{run.pk}/").json()
    assert (shown["id"], shown["bill_date"], shown["started_by"]) == (run.pk, "2026-01-10", "process:bill")
    assert shown["finished_at"] is not None
    assert shown["counts"] == {"invoiced": 2, "nothing_to_bill": 1, "refused": 1}
    assert shown["refused"] == [
        {
            "error_code": 7002,
            "message": "Recurring billing not allowed because account status prevents it",
            "accounts": 1,
        }
    ]
    assert shown["totals"] == [
        {"currency": "usd", "invoices": 2, "net_amount": "60.00", "tax_amount": "3.00", "total_amount": "63.00"}
    ]
    assert [row["id"] for row in api.get("/api/v1/billing-runs/").json()["results"]] == [run.pk]


def test_the_outcomes_of_a_run_are_listed_and_found_by_result(api, run):
    address = f"/api/v1/billing-runs/{run.pk}/outcomes/"
    invoices = {invoice.account_id: invoice.pk for invoice in Invoice.objects.all()}
    everything = api.get(address).json()
    assert len(everything["results"]) == 4
    assert [row["invoice_no"] for row in everything["results"] if row["result"] == "invoiced"] == list(invoices.values())[::-1]
    (refused,) = api.get(f"{address}?result=refused").json()["results"]
    assert (refused["error_code"], refused["error_msg"]) == (
        7002,
        "Recurring billing not allowed because account status prevents it: status -1",
    )
    assert api.get(f"{address}?result=lost").json()["error_code"] == 1016
    assert len(api.get(f"{address}?limit=1").json()["results"]) == 1


def test_a_run_of_another_client_does_not_exist(umbra, run):
    api = signed_in(umbra)
    assert api.get("/api/v1/billing-runs/").json()["results"] == []
    for address in ("", "outcomes/"):
        response = api.get(f"/api/v1/billing-runs/{run.pk}/{address}")
        assert (response.status_code, response.json()["error_code"]) == (404, 1002)


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_run_is_changed_by_its_acts_alone(api, run, method):
    assert getattr(api, method)(f"/api/v1/billing-runs/{run.pk}/", {}, format="json").status_code == 405
