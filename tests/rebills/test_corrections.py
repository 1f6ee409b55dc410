"""Through API and builder: total units of metered charges, negative lines, and the printed text of a line."""

import re
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
import time_machine

from accounts.models import RateSchedule
from invoices.models import Invoice
from tests.support.billing import FEB_10, JAN_10, JAN_31, USAGE, bill
from tests.support.factories import PlanFactory, TaxRateFactory, a_charge, a_plan, an_account, some_usage
from tests.support.money_api import post, with_key
from tests.support.payments import rows
from tests.support.reading_pages import words
from tests.support.rebilling import amounts_of
from tests.support.recounting import BANDS, MAR_10, a_usage_bill, first_usage_line, usage_lines

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def in_march():
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True, may_rebill=True, may_collect=True)


def body(invoice, *corrections, lines=(), **more):
    named = {"invoice_no": invoice.pk, "reason_code": 1, "unlisted_lines": "carry", "lines": list(lines), **more}
    return {**named, "usage_corrections": list(corrections)} if corrections else named


def made(api, invoice, *corrections, **more):
    answer = post(api, "rebills", body(invoice, *corrections, **more), 201)
    return Invoice.objects.get(pk=answer["invoice_no"])


@pytest.mark.parametrize(
    ("price", "units", "expected"),
    [
        ({"rate": None, "tiers": BANDS}, "50", [(D(50), D(5))]),
        ({"rate": None, "tiers": BANDS}, "600", [(D(100), D(10)), (D(500), D(25))]),
        ({"rate": None, "tiers": BANDS, "model": "volume"}, "50", [(D(50), D(5))]),
        ({"rate": "0.10", "maximum_amount": D(30)}, "250", [(D(250), D(25))]),
        ({"rate": "0.10", "maximum_amount": D(30)}, "900.5", [(D("900.5"), D("90.05")), (None, D("-60.05"))]),
        ({"rate": "0.10", "minimum_amount": D(20)}, "50", [(D(50), D(5)), (None, D(15))]),
        ({"rate": "0.10", "minimum_amount": D(20)}, "0", [(None, D(20))]),
        ({"rate": "9.00", "model": "flat"}, "10", [(D(1), D(9))]),
        ({"rate": "9.00", "model": "flat"}, "0", []),
        ({"rate": "0.0000000123"}, "12345678.9012345678", [(D("12345678.9012345678"), D("0.15"))]),
    ],
)
def test_a_metered_charge_is_counted_again_from_its_total_units(acme, process, api, price, units, expected):
    """400 units were billed. Today's prices do not matter."""
    invoice = a_usage_bill(acme, process, "400", **price)
    RateSchedule.objects.all().delete()
    rebill = made(api, invoice, {"line_no": first_usage_line(invoice), "units": units})
    assert [(used, amount) for _, used, amount, _ in usage_lines(rebill)] == expected


def test_a_flat_fee_says_for_how_many_units_it_is(acme, process, api):
    invoice = a_usage_bill(acme, process, "400", "9.00", model="flat")
    rebill = made(api, invoice, {"line_no": first_usage_line(invoice), "units": "10", "comments": "misread"})
    assert usage_lines(rebill) == [("Minutes", D(1), D(9), "flat fee, 10 units were used")]
    assert rebill.lines.get(line_type=6).comments == "misread"


def test_late_usage_goes_on_from_the_corrected_total(acme, process, api):
    """400 units were 50: 100 late units are 50 x 0.10 and 50 x 0.05."""
    invoice = a_usage_bill(acme, process, "400", None, tiers=BANDS)
    made(api, invoice, {"client_service_id": "minutes", "units": "50"})
    some_usage(invoice.account.plan_instances.get(), "minutes", "100", JAN_31, "late")
    assert [amount for _, _, amount, _ in usage_lines(bill(invoice.account, process, MAR_10))] == [D(5), D("2.5")]


def test_a_charge_that_billed_nothing_is_corrected_too(acme, process, api):
    invoice = a_usage_bill(acme, process, "", None, tiers=BANDS)
    TaxRateFactory(client=acme)
    instance = invoice.account.plan_instances.get()
    rebill = made(api, invoice, {"plan_instance_no": instance.pk, "client_service_id": "minutes", "units": "150"})
    assert [(text, used, amount) for text, used, amount, _ in usage_lines(rebill)] == [
        ("Minutes", D(100), D(10)),
        ("Minutes", D(50), D("2.5")),
    ]
    line = rebill.lines.filter(line_type=6).first()
    assert (line.plan_instance, line.period_start, line.gl_code) == (instance, JAN_10, "4000")
    assert rebill.net_amount == invoice.net_amount + D("12.5")


def test_a_chain_of_corrections_is_what_the_last_one_says(acme, process, api):
    invoice = a_usage_bill(acme, process, "400", None, tiers=BANDS)
    first = made(api, invoice, {"client_service_id": "minutes", "units": "0"})
    assert usage_lines(first) == []
    second = made(api, first, {"client_service_id": "minutes", "units": "400"})
    assert (usage_lines(second), second.total_amount) == (usage_lines(invoice), invoice.total_amount)


def test_a_pending_rebill_and_a_bulk_take_corrections(acme, process, api):
    invoice = a_usage_bill(acme, process, "400", None, tiers=BANDS)
    acme.rebill_approval_required = True
    acme.save()
    asked = body(invoice, {"client_service_id": "minutes", "units": "50"})
    (outcome,) = post(api, "rebills/bulk", {"rebills": [asked]}, 200)["outcomes"]
    assert (outcome["error_code"], outcome["waits_for_approval"]) == (0, True)
    rebill = Invoice.objects.get(pk=outcome["rebill_no"])
    assert [amount for _, _, amount, _ in usage_lines(rebill)] == [D(5)]
    post(api, f"invoices/{rebill.pk}/approve", {}, 200)
    assert Invoice.objects.get(pk=rebill.pk).status == "approved"


def test_a_preview_says_what_is_counted_again_and_its_fingerprint_holds(acme, process, api):
    invoice = a_usage_bill(acme, process, "500", maximum_amount=D(40))
    usage = first_usage_line(invoice)
    asked = body(invoice, lines=[{"line_no": usage, "units": "900"}])
    shown = post(api, "rebills/preview", asked, 200)
    assert shown["recounted_lines"] == [usage + 1]
    assert [(row["line_no"], row["recounted"]) for row in shown["lines"]][-2:] == [(usage, False), (usage + 1, True)]
    assert shown["lines"][-1]["changes"] == ["amount -10 -> -50", "recalculated"]
    post(api, "rebills", {**asked, "fingerprint": shown["fingerprint"]}, 201)


@pytest.mark.parametrize(
    ("correction", "code"),
    [
        ({"units": "5"}, 0),
        ({"units": "-1", "line_no": 2}, 1016),
        ({"units": "5", "line_no": 99}, 90060),
        ({"units": "5", "plan_instance_no": 10**9}, 90060),
        ({"units": "5", "client_service_id": "fee"}, 90060),
        ({"units": "5", "client_service_id": "unknown"}, 1016),
        ({"units": "5", "period_start": "2026-02-10"}, 90060),
        ({"line_no": 2}, 1010),
    ],
)
def test_a_correction_that_names_no_metered_charge_is_refused(acme, process, api, correction, code):
    invoice, before = a_usage_bill(acme, process, "400"), rows()
    answer = post(api, "rebills", body(invoice, correction), 201 if not code else 400)
    assert code == answer.get("error_code", 0)
    assert not code or rows() == before


def test_a_correction_and_a_line_of_the_same_charge_are_refused(acme, process, api):
    invoice, before = a_usage_bill(acme, process, "400"), rows()
    usage = first_usage_line(invoice)
    asked = body(invoice, {"line_no": usage, "units": "5"}, lines=[{"line_no": usage, "units": "6"}])
    answer = post(api, "rebills", asked, 400)
    assert (answer["error_code"], rows()) == (90061, before)


def test_two_charges_of_one_service_are_told_apart_by_their_lines(acme, process, api):
    """Two months of usage on one invoice: the service alone does not say which."""
    plan = PlanFactory(client=acme)
    a_charge(plan, "fee", "10.00")
    a_charge(plan, "minutes", "0.10", USAGE)
    account = an_account(acme, plan)
    instance = account.plan_instances.get()
    bill(account, process, JAN_10)
    bill(account, process, FEB_10)
    some_usage(instance, "minutes", "100", JAN_31)
    some_usage(instance, "minutes", "200", FEB_10)
    invoice = bill(account, process, MAR_10)
    assert post(api, "rebills", body(invoice, {"client_service_id": "minutes", "units": "5"}), 400)["error_code"] == 90060
    rebill = made(api, invoice, {"client_service_id": "minutes", "period_start": "2026-01-10", "units": "5"})
    assert [used for _, used, _, _ in usage_lines(rebill)] == [D(5), D(200)]


# ---------------------------------------------------------------------------------------------------- below zero


@pytest.fixture
def invoice(acme, process):
    """80.00 of phone and 20.00 of tv, with 10 % of tax."""
    TaxRateFactory(client=acme)
    return bill(an_account(acme, a_plan(acme, {"phone": "80.00", "tv": "20.00"})), process, JAN_10)


def test_a_discount_is_a_line_of_its_own_and_lowers_the_tax(api, invoice):
    discount = {"line_no": 9, "client_service_id": "phone", "amount": "-10.00", "description": "As agreed on the phone"}
    rebill = made(api, invoice, lines=[discount])
    assert (rebill.net_amount, rebill.tax_amount, rebill.total_amount) == (D(90), D(9), D(99))
    line = rebill.lines.get(line_no=3)
    assert (line.amount, line.description, line.explanation) == (D(-10), "As agreed on the phone", "amount set on the rebill")
    assert list(rebill.credit_details.values_list("credit_line_no", "credited_line_no", "amount")) == [(3, 1, D(10))]
    same = made(api, rebill)
    assert (amounts_of(same), same.total_amount) == (amounts_of(rebill), rebill.total_amount)
    smaller = made(api, same, lines=[{"line_no": 1, "amount": "5.00"}, {"line_no": 2, "amount": "3.00"}])
    assert [(one.amount, one.explanation) for one in smaller.lines.filter(amount__lt=0)] == [(D(-8), "of 10 on the original")]
    assert smaller.total_amount == 0


def test_what_the_lines_of_a_service_have_no_room_for_is_taken_off_the_others(api, invoice):
    rebill = made(api, invoice, lines=[{"line_no": 9, "client_service_id": "tv", "rate_per_unit": "15", "units": "-2"}])
    assert list(rebill.credit_details.values_list("credited_line_no", "amount")) == [(1, D(10)), (2, D(20))]
    assert rebill.net_amount == D(70)


def test_a_line_of_the_original_may_be_below_zero(api, invoice):
    rebill = made(api, invoice, lines=[{"line_no": 2, "amount": "-5.00"}])
    assert (amounts_of(rebill)[:2], rebill.net_amount) == ([D(80), D(-5)], D(75))


def test_a_rebill_is_never_below_zero(api, invoice):
    before = rows()
    asked = body(invoice, lines=[{"line_no": 9, "client_service_id": "tv", "amount": "-100.01"}])
    answer = post(api, "rebills", asked, 400)
    assert (answer["error_code"], rows()) == (1016, before)
    assert "-100.01 is below 0 by more than the 100 of the other lines; give -100 or more" in answer["error_msg"]


# -------------------------------------------------------------------------------------------------- text and period


def test_the_text_and_the_period_of_a_line_are_printed_and_change_no_amount(api, invoice):
    visit = {"line_no": 9, "client_service_id": "tv", "rate_per_unit": "15", "description": "On-site visit 12 April"}
    days = {"period_start": "2026-04-12", "period_end": "2026-04-12"}
    phone = {"line_no": 1, "description": "Phone, second line", "period_start": "2026-01-12"}
    shown = post(api, "rebills/preview", body(invoice, lines=[phone, {**visit, **days}]), 200)
    assert shown["lines"][0]["changes"] == ["text Phone -> Phone, second line", "first day 2026-01-10 -> 2026-01-12"]
    rebill = made(api, invoice, lines=[phone, {**visit, **days}])
    printed = rebill.lines.exclude(line_type=2).values_list("description", "period_start", "period_end", "amount")
    assert [(text, str(start), str(end), amount) for text, start, end, amount in printed] == [
        ("Phone, second line", "2026-01-12", "2026-02-09", D(80)),
        ("Tv", "2026-01-10", "2026-02-09", D(20)),
        ("On-site visit 12 April", "2026-04-12", "2026-04-12", D(15)),
    ]
    assert (str(rebill.period_start), str(rebill.period_end)) == ("2026-01-10", "2026-04-12")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"line_no": 1, "period_start": "2026-03-01"}, "lines[0].period_end"),
        ({"line_no": 9, "client_service_id": "tv", "amount": "1", "period_start": "2026-03-01"}, "lines[0].period_end"),
        ({"line_no": 9, "client_service_id": "tv", "amount": "1", "period_end": "2026-03-01"}, "lines[0].period_start"),
    ],
)
def test_a_period_has_two_days_in_their_order(api, invoice, line, field):
    answer = post(api, "rebills", body(invoice, lines=[line]), 400)
    assert answer["error_code"] == 1016 and field in answer["error_msg"]


def test_part_of_a_period_keeps_its_amount_and_says_how_it_was_counted(acme, process, api):
    """16 of 31 days of 30.00 are 15.48."""
    invoice = bill(an_account(acme), process, JAN_10, alt_bill_day=26)
    rebill = made(api, invoice, lines=[{"line_no": 1, "period_start": "2026-01-12"}])
    line = rebill.lines.get()
    assert (line.amount, line.rate_per_unit, line.explanation) == (D("15.48"), None, "1 x 30, 16 of 31 days")


# ------------------------------------------------------------------------------------------------------ the builder


def form(invoice, **fields):
    lines = invoice.lines.exclude(line_type=2).values_list("line_no", flat=True)
    return {**{f"line-{number}-include": "yes" for number in lines}, **fields}


def test_the_builder_has_a_field_for_the_units_of_each_metered_charge(page, acme, process):
    invoice = a_usage_bill(acme, process, "500", maximum_amount=D(40))
    address = f"/invoices/{invoice.pk}/rebill/"
    assert 'name="usage-1" value="500"' in page.get(address).content.decode()
    answer = page.post(address, form(invoice, **{"usage-1": "900", "act": "recalculate"}))
    assert "Recalculated Minutes: $50.00 → $90.00 Minutes, maximum: -$10.00 → -$50.00" in words(answer)
    review = page.post(address, form(invoice, **{"usage-1": "900", "reason_code": "1", "act": "review"}))
    assert "units 500 → 900" in words(review) and "recalculated" in words(review)
    assert "1 line stays as it is." in words(review)
    refused = page.post(address, form(invoice, **{"usage-1": "-3", "act": "recalculate"}))
    assert "-3 is below 0" in words(refused)
    counted = page.post(address, {"usage-1": "-3"}, headers={"HX-Request": "true"})
    pieces = re.search(r"<template data-results>(.*?)</template>", counted.content.decode(), re.S)[1]
    assert 'id="result-usage-1" data-changed="units" data-refused="units"' in pieces
    assert "-3 is below 0" in words(counted)


def test_the_builder_shows_a_maximum_that_comes_on_top(page, acme, process):
    invoice = a_usage_bill(acme, process, "300", maximum_amount=D(40))
    fields = {f"line-{first_usage_line(invoice)}-units": "900", "added": "8", "line-8-service_no": "", "act": "review"}
    answer = page.post(f"/invoices/{invoice.pk}/rebill/", form(invoice, **fields, reason_code="1"))
    assert "Added: Minutes, maximum , -$50.00 recalculated" in words(answer)


def test_text_and_period_are_typed_in_the_builder(page, invoice):
    fields = {"line-1-description": "Phone, second line", "line-1-period_end": "2026-02-01", "reason_code": "1"}
    answer = page.post(f"/invoices/{invoice.pk}/rebill/", form(invoice, **fields, act="review"))
    assert "text Phone → Phone, second line , last day 2026-02-09 → 2026-02-01" in words(answer)
