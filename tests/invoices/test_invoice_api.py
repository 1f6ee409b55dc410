"""Invoices as resources: shown, previewed and generated."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Client, Event, RateSchedule
from invoices.models import Invoice
from tests.support.factories import PlanFactory, TaxRateFactory, a_plan, an_account
from tests.support.invoice_api import API, api, billed, pending, post, tenth_of_january

__all__ = ["api", "tenth_of_january"]


NO_REFERENCES = dict.fromkeys(["order_line", "accounting_reference", "object_reference"], "")

# What a line at a plain rate has nothing of.
NO_STORY = {
    **dict.fromkeys(["tier_no", "tier_from", "tier_to", "percent", "base_amount", "order_no", "price_units"]),
    **dict.fromkeys(["explanation", "coupon_code", "unit_code"], ""),
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
        **NO_REFERENCES,
        "is_return": False,
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
        **NO_REFERENCES,
        "is_return": False,
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
            "vat_category": "S",
            "exemption_reason": "",
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


@pytest.mark.parametrize(("method", "status"), [("put", 405), ("patch", 400), ("delete", 405)])
def test_an_issued_invoice_is_never_edited(acme, api, method, status):
    number = billed(an_account(acme))
    before = Invoice.objects.values().get()
    assert getattr(api, method)(f"{API}{number}/", {"total_amount": "1.00"}, format="json").status_code == status
    assert Invoice.objects.values().get() == before


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
