"""What is added to charges and taken off them, before any database: surcharges, coupons and service credits on lines."""

from datetime import date
from decimal import Decimal as D

import pytest
from hypothesis import strategies as st

from billing_site.common.currencies import currency_of
from invoices.plan.charges import add_surcharges
from invoices.plan.credits import add_coupons, add_service_credits
from invoices.plan.drafts import CouponClaim, CreditClaim, Lines
from invoices.plan.facts import CouponFacts, CreditFacts, ServiceFacts, SurchargeFacts
from tests.support.random_examples import given

DAY = date(2026, 2, 15)
PHONE, TV, FEE = 1, 2, 9


def lines_of(*charges, currency="usd"):
    lines = Lines(currency_of(currency))
    for service_no, amount in charges:
        lines.add(1, f"service {service_no}", D(amount), service_id=service_no)
    return lines


def a_coupon(number, percent=None, amount=None, services=()):
    return CouponFacts(
        number, f"C{number}", f"Coupon {number}", "", percent and D(percent), amount and D(amount), frozenset(services)
    )


def a_credit(number, left, amount=None, service=None, expires=None):
    return CreditFacts(number, f"Credit {number}", "", service, expires, D(amount or left), D(left))


def a_surcharge(percent=None, amount=None, services=(), currency="", start=DAY, end=None, name="Fee"):
    service = ServiceFacts(FEE, "Fee", "4900", "standard", False, None)
    return SurchargeFacts(
        name, service, percent and D(percent), amount and D(amount), currency, frozenset(services), start, end
    )


def shown(lines):
    return [
        (line.line_type, line.amount, line.explanation) for line in lines.drafts[-len(lines.drafts) :] if line.line_type != 1
    ]


def details(lines):
    return [(one.credit_line_no, one.credited_line_no, one.amount) for one in lines.credits]


# Surcharges


def test_a_percent_surcharge_is_on_the_charges_of_its_services_and_not_on_other_surcharges():
    lines = lines_of((PHONE, "100.00"), (TV, "50.00"))
    on_phone, on_fees = a_surcharge("3.5", services=[PHONE], name="Phones"), a_surcharge("1", services=[FEE], name="Fees")
    add_surcharges(lines, [a_surcharge("10"), on_phone, on_fees], DAY)
    assert shown(lines) == [(9, D("15.00"), "10 % of 150.00"), (9, D("3.50"), "3.5 % of 100.00")]
    assert [(line.percent, line.base_amount) for line in lines.drafts[2:]] == [(D(10), D(150)), (D("3.5"), D(100))]


def test_an_amount_is_added_once_an_invoice_that_charges_for_its_services():
    lines = lines_of((PHONE, "100.00"), (PHONE, "20.00"))
    add_surcharges(
        lines,
        [a_surcharge(amount="2.50", currency="usd"), a_surcharge(amount="9", currency="usd", services=[TV])],
        DAY,
    )
    assert shown(lines) == [(9, D("2.50"), "once an invoice")]


@pytest.mark.parametrize(
    ("surcharge", "counts"),
    [
        (a_surcharge("10", start=DAY), True),
        (a_surcharge("10", start=date(2026, 2, 16)), False),
        (a_surcharge("10", start=date(2026, 1, 1), end=DAY), True),
        (a_surcharge("10", start=date(2026, 1, 1), end=date(2026, 2, 14)), False),
        (a_surcharge(amount="1", currency="eur"), False),
        (a_surcharge("0.001"), False),
    ],
)
def test_a_surcharge_counts_on_its_days_in_its_currency_and_where_it_comes_to_something(surcharge, counts):
    lines = lines_of((PHONE, "100.00"))
    add_surcharges(lines, [surcharge], DAY)
    assert bool(shown(lines)) is counts


def test_nothing_is_added_where_nothing_is_charged():
    lines = lines_of((PHONE, "0.00"))
    add_surcharges(lines, [a_surcharge("10"), a_surcharge(amount="2", currency="usd")], DAY)
    assert shown(lines) == []


# Coupons


def test_percents_are_taken_before_amounts_each_of_what_is_left():
    lines = lines_of((PHONE, "100.00"))
    claims = add_coupons(lines, [a_coupon(1, amount="30"), a_coupon(2, "10"), a_coupon(3, "50")])
    assert shown(lines) == [
        (4, D("-10.00"), "10 % of 100.00"),
        (4, D("-45.00"), "50 % of 90.00"),
        (4, D("-30.00"), ""),
    ]
    assert claims == [CouponClaim(2, 2), CouponClaim(3, 3), CouponClaim(1, 4)]
    assert lines.left[1] == D("15.00")


def test_what_a_coupon_cannot_take_off_is_lost():
    lines = lines_of((PHONE, "20.00"))
    add_coupons(lines, [a_coupon(1, amount="30")])
    assert shown(lines) == [(4, D("-20.00"), "of 30.00, the rest is lost")]
    assert lines.left[1] == 0


def test_a_coupon_that_takes_nothing_off_has_no_line_and_uses_no_cycle():
    lines = lines_of((PHONE, "20.00"))
    assert add_coupons(lines, [a_coupon(1, "10", services=[TV]), a_coupon(2, "0.001")]) == []
    assert shown(lines) == []


def test_a_coupon_is_taken_off_its_services_only_and_spread_over_their_lines():
    lines = lines_of((PHONE, "10.00"), (TV, "10.00"), (PHONE, "20.00"))
    add_coupons(lines, [a_coupon(1, amount="1.00", services=[PHONE])])
    assert details(lines) == [(4, 1, D("0.33")), (4, 3, D("0.67"))]
    assert lines.left == {1: D("9.67"), 2: D("10.00"), 3: D("19.33")}


# Service credits


def test_a_credit_keeps_what_it_could_not_take_off():
    lines = lines_of((PHONE, "20.00"))
    claims = add_service_credits(lines, [a_credit(1, "15.00", "50.00"), a_credit(2, "30.00")], DAY)
    assert shown(lines) == [(3, D("-15.00"), "of 50.00, 0.00 left"), (3, D("-5.00"), "of 30.00, 25.00 left")]
    assert claims == [CreditClaim(1, 2, D("15.00")), CreditClaim(2, 3, D("5.00"))]


def test_what_expires_first_is_used_first_and_what_has_expired_is_not():
    lines = lines_of((PHONE, "20.00"))
    credits = [
        a_credit(1, "5.00"),
        a_credit(2, "5.00", expires=date(2026, 12, 31)),
        a_credit(3, "5.00", expires=DAY),
        a_credit(4, "5.00", expires=date(2026, 2, 14)),
    ]
    assert [claim.credit_no for claim in add_service_credits(lines, credits, DAY)] == [3, 2, 1]


def test_a_credit_for_one_service_is_taken_off_that_service():
    lines = lines_of((PHONE, "3.00"), (TV, "20.00"))
    add_service_credits(lines, [a_credit(1, "5.00", service=PHONE)], DAY)
    assert lines.left == {1: D(0), 2: D("20.00")}


# What holds for any charges


AMOUNTS = st.integers(0, 10**5).map(lambda cents: D(cents) / 100)
CHARGES = st.lists(st.tuples(st.sampled_from([PHONE, TV]), AMOUNTS), min_size=1, max_size=12)
SERVICES = st.sampled_from([(), (PHONE,), (TV,), (PHONE, TV)])
PERCENTS = st.decimals("0.01", "100", places=2)


@given(
    charges=CHARGES,
    percents=st.lists(st.tuples(PERCENTS, SERVICES), max_size=3),
    amounts=st.lists(st.tuples(AMOUNTS, SERVICES), max_size=3),
    credits=st.lists(st.tuples(AMOUNTS, st.sampled_from([None, PHONE, TV])), max_size=3),
)
def test_credits_never_go_below_zero_and_never_vanish(charges, percents, amounts, credits):
    lines = lines_of(*charges)
    coupons = [a_coupon(number, percent, services=chosen) for number, (percent, chosen) in enumerate(percents)]
    coupons += [
        a_coupon(10 + number, amount=amount or "0.01", services=chosen) for number, (amount, chosen) in enumerate(amounts)
    ]
    facts = [a_credit(number, amount or "0.01", service=service) for number, (amount, service) in enumerate(credits)]
    add_coupons(lines, coupons)
    claims = {claim.credit_no: claim.amount for claim in add_service_credits(lines, facts, DAY)}
    assert all(left >= 0 for left in lines.left.values())
    assert sum(line.amount for line in lines.drafts) == sum(lines.left.values())
    for line in lines.drafts[len(charges) :]:
        assert sum(one.amount for one in lines.credits if one.credit_line_no == line.line_no) == -line.amount
    for credit in facts:
        eligible = [no for no, (service, _) in enumerate(charges, 1) if credit.service_no in (None, service)]
        untouched = credit.left - claims.get(credit.credit_no, D(0))
        assert untouched >= 0
        assert not untouched or all(not lines.left[no] for no in eligible)
