"""Lines that are counted from other lines are counted again when these change: by what the document keeps of how they were
counted, whatever the catalogue says by then."""

from decimal import Decimal as D

import pytest

from accounts.kinds import ChargeType
from accounts.models import RateSchedule, Service
from billing_site.common.guards import lifted
from invoices.models import LineBasis, Surcharge
from tests.support.billing import JAN_10, JAN_31, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import PlanFactory, ServiceFactory, TaxRateFactory, a_charge, a_plan, an_account, some_usage
from tests.support.memos import memo_of
from tests.support.payments import refused_as, rows
from tests.support.rebilling import a_request, amounts_of, line, previewed, rebilled
from tests.support.recounting import BANDS, CARRY, MAR_10, a_usage_bill, first_usage_line, usage_lines
from tests.support.service_credits import credit

pytestmark = pytest.mark.usefixtures("audited")


def tampered_catalogue():
    """Today's prices are others, and prices are gone."""
    RateSchedule.objects.all().delete()


@pytest.mark.parametrize(
    ("used", "corrected", "expected"),
    [
        ("500", "300", [("Minutes", D(300), D(30), "")]),
        ("500", "400", [("Minutes", D(400), D(40), "")]),
        (
            "500",
            "900",
            [("Minutes", D(900), D(90), ""), ("Minutes, maximum", None, D(-50), "above the maximum of 40.00")],
        ),
        (
            "300",
            "900",
            [("Minutes", D(900), D(90), ""), ("Minutes, maximum", None, D(-50), "above the maximum of 40.00")],
        ),
        ("300", "0", [("Minutes", D(0), D(0), "")]),
    ],
)
def test_what_is_above_a_maximum_is_counted_again(acme, process, used, corrected, expected):
    invoice = a_usage_bill(acme, process, used, maximum_amount=D(40))
    tampered_catalogue()
    rebill = rebilled(invoice, process, line(first_usage_line(invoice), units=corrected), **CARRY)
    assert usage_lines(rebill) == expected


@pytest.mark.parametrize(
    ("used", "corrected", "expected"),
    [
        (
            "150",
            "180",
            [("Minutes", D(180), D(18), ""), ("Minutes, minimum", None, D(2), "up to the minimum of 20.00")],
        ),
        ("150", "300", [("Minutes", D(300), D(30), "")]),
        ("150", "200", [("Minutes", D(200), D(20), "")]),
        (
            "300",
            "150",
            [("Minutes", D(150), D(15), ""), ("Minutes, minimum", None, D(5), "up to the minimum of 20.00")],
        ),
    ],
)
def test_what_is_missing_up_to_a_minimum_is_counted_again(acme, process, used, corrected, expected):
    invoice = a_usage_bill(acme, process, used, minimum_amount=D(20))
    tampered_catalogue()
    rebill = rebilled(invoice, process, line(first_usage_line(invoice), units=corrected), **CARRY)
    assert usage_lines(rebill) == expected


def test_a_line_may_change_from_a_minimum_to_a_maximum(acme, process):
    invoice = a_usage_bill(acme, process, "100", minimum_amount=D(20), maximum_amount=D(40))
    assert [amount for _, _, amount, _ in usage_lines(invoice)] == [D(10), D(10)]
    rebill = rebilled(invoice, process, line(first_usage_line(invoice), units="900"), **CARRY)
    assert usage_lines(rebill)[1] == ("Minutes, maximum", None, D(-50), "above the maximum of 40.00")


@pytest.mark.parametrize(("rate", "expected"), [("0.05", [D(25)]), ("0.20", [D(100), D(-60)])])
def test_a_corrected_rate_is_held_by_the_same_maximum(acme, process, rate, expected):
    invoice = a_usage_bill(acme, process, "500", maximum_amount=D(40))
    rebill = rebilled(invoice, process, line(first_usage_line(invoice), rate_per_unit=rate), **CARRY)
    assert [amount for _, _, amount, _ in usage_lines(rebill)] == expected


def test_a_corrected_amount_is_held_by_the_same_bounds(acme, process):
    invoice = a_usage_bill(acme, process, "300", minimum_amount=D(20), maximum_amount=D(40))
    usage = first_usage_line(invoice)
    raised = previewed(a_request(invoice, line(usage, amount="70.00"), **CARRY), acme)
    lowered = previewed(a_request(invoice, line(usage, amount="3.00"), **CARRY), acme)
    assert (raised.rebill.net, lowered.rebill.net) == (D(50), D(30))


def test_the_bounds_of_part_of_a_month_are_those_of_its_days(acme, process):
    """16 of 31 days: from 10 January, with an alternate bill day of 26. The maximum of 31.00 is 16.00 of these days."""
    plan = PlanFactory(client=acme)
    a_charge(plan, "phone", "62.00", maximum_amount=D(31))
    invoice = bill(an_account(acme, plan), process, JAN_10, alt_bill_day=26)
    assert amounts_of(invoice) == [D(32), D(-16)]
    plan = previewed(a_request(invoice, line(1, rate_per_unit="93"), **CARRY), acme)
    assert [row.rebill.net for row in plan.differences] == [D(48), D(-32)]
    assert amounts_of(rebilled(invoice, process, line(1, rate_per_unit="15.50"), **CARRY)) == [D(8)]


def test_a_person_may_fix_a_minimum_and_then_it_says_so(acme, process):
    invoice = a_usage_bill(acme, process, "150", minimum_amount=D(20))
    usage = first_usage_line(invoice)
    rebill = rebilled(invoice, process, line(usage, units="180"), line(usage + 1, amount="5.00"), **CARRY)
    assert usage_lines(rebill)[1] == ("Minutes, minimum", None, D(5), "amount set on the rebill")
    same = rebilled(rebill, process, **CARRY)
    assert usage_lines(same) == usage_lines(rebill)
    again = rebilled(same, process, line(usage, units="190"), **CARRY)
    assert usage_lines(again)[1] == ("Minutes, minimum", None, D(1), "up to the minimum of 20.00")


def test_a_minimum_that_was_left_out_does_not_come_back(acme, process):
    invoice = a_usage_bill(acme, process, "150", minimum_amount=D(20))
    usage = first_usage_line(invoice)
    rebill = rebilled(invoice, process, line(usage + 1, exclude=True), **CARRY)
    assert [amount for _, _, amount, _ in usage_lines(rebill)] == [D(15)]
    again = rebilled(rebill, process, line(usage, units="100"), **CARRY)
    assert [amount for _, _, amount, _ in usage_lines(again)] == [D(10)]


def test_leaving_a_charge_out_charges_nothing_of_it(acme, process):
    """Also where it has a minimum that was not needed."""
    invoice = a_usage_bill(acme, process, "300", minimum_amount=D(20))
    rebill = rebilled(invoice, process, line(first_usage_line(invoice), exclude=True), **CARRY)
    assert usage_lines(rebill) == []


@pytest.mark.parametrize(
    ("used", "corrected", "expected"),
    [
        ("50", {0: "150"}, [(D(100), D(10)), (D(50), D("2.5"))]),
        ("150", {1: "20"}, [(D(100), D(10)), (D(20), D(1))]),
        ("150", {0: "80"}, [(D(100), D(10)), (D(30), D("1.5"))]),  # 130 units in all
        ("150", {0: "50", 1: None}, [(D(50), D(5))]),
        ("150", {0: "120", 1: None}, [(D(100), D(10)), (D(20), D(1))]),
        ("150", {0: "0", 1: "0"}, []),
    ],
)
def test_units_of_bands_are_priced_in_the_bands_that_they_reach(acme, process, used, corrected, expected):
    invoice = a_usage_bill(acme, process, used, None, tiers=BANDS)
    tampered_catalogue()
    first = first_usage_line(invoice)
    changes = [
        line(first + place, exclude=True) if units is None else line(first + place, units=units)
        for place, units in corrected.items()
    ]
    rebill = rebilled(invoice, process, *changes, **CARRY)
    assert [(units, amount) for _, units, amount, _ in usage_lines(rebill)] == expected


def test_a_rate_beside_the_units_fixes_a_line_of_a_band(acme, process):
    invoice = a_usage_bill(acme, process, "50", None, tiers=BANDS)
    rebill = rebilled(invoice, process, line(first_usage_line(invoice), units="150", rate_per_unit="0.10"), **CARRY)
    assert [(units, amount) for _, units, amount, _ in usage_lines(rebill)] == [(D(150), D(15))]


@pytest.mark.parametrize(("used", "corrected", "expected"), [("150", "50", D(5)), ("50", "150", D("7.50"))])
def test_a_volume_price_is_that_of_the_band_that_the_units_reach(acme, process, used, corrected, expected):
    invoice = a_usage_bill(acme, process, used, None, tiers=BANDS, model="volume")
    rebill = rebilled(invoice, process, line(first_usage_line(invoice), units=corrected), **CARRY)
    assert [(units, amount) for _, units, amount, _ in usage_lines(rebill)] == [(D(corrected), expected)]


def test_late_usage_goes_on_from_the_corrected_total(acme, process):
    """400 units were a mistake and are corrected to 50: 100 late units are 50 x 0.10 and 50 x 0.05."""
    invoice = a_usage_bill(acme, process, "400", None, tiers=BANDS)
    first = first_usage_line(invoice)
    rebilled(invoice, process, line(first, units="50"), line(first + 1, exclude=True), **CARRY)
    some_usage(invoice.account.plan_instances.get(), "minutes", "100", JAN_31, "late")
    late = bill(invoice.account, process, MAR_10)
    assert usage_lines(late) == [
        ("Minutes", D(50), D(5), "late usage, 50 units were billed before"),
        ("Minutes", D(50), D("2.5"), "late usage, 50 units were billed before"),
    ]


def test_late_usage_is_held_by_what_a_rebill_has_left_of_the_maximum(acme, process):
    """500 units at 0.10 were 40.00; corrected to 300 they are 30.00, so that late units may cost 10.00 more."""
    invoice = a_usage_bill(acme, process, "500", maximum_amount=D(40))
    rebilled(invoice, process, line(first_usage_line(invoice), units="300"), **CARRY)
    some_usage(invoice.account.plan_instances.get(), "minutes", "150", JAN_31, "late")
    late = bill(invoice.account, process, MAR_10)
    assert [amount for _, _, amount, _ in usage_lines(late)] == [D(15), D(-5)]


def test_a_pending_rebill_does_not_count_for_late_usage_until_it_is_issued(acme, process):
    acme.rebill_approval_required = True
    acme.save()
    invoice = a_usage_bill(acme, process, "400", None, tiers=BANDS)
    first = first_usage_line(invoice)
    rebilled(invoice, process, line(first, units="50"), line(first + 1, exclude=True), **CARRY)
    some_usage(invoice.account.plan_instances.get(), "minutes", "100", JAN_31, "late")
    assert [amount for _, _, amount, _ in usage_lines(bill(invoice.account, process, MAR_10))] == [D(5)]


def test_late_usage_itself_is_corrected_in_the_bands_that_it_began_in(acme, process):
    invoice = a_usage_bill(acme, process, "50", None, tiers=BANDS)
    some_usage(invoice.account.plan_instances.get(), "minutes", "100", JAN_31, "late")
    late = bill(invoice.account, process, MAR_10)
    assert [amount for _, _, amount, _ in usage_lines(late)] == [D(5), D("2.5")]
    first = first_usage_line(late)
    rebill = rebilled(late, process, line(first, units="60"), line(first + 1, exclude=True), **CARRY)
    assert [(units, amount) for _, units, amount, _ in usage_lines(rebill)] == [(D(50), D(5)), (D(10), D("0.5"))]


@pytest.fixture
def fee(acme):
    return ServiceFactory(client=acme, client_service_id="handling", name="Handling")


def a_surcharge(fee, percent="10", services=()):
    surcharge = Surcharge.objects.create(client=fee.client, service=fee, name="Handling", percent=D(percent), valid_from=JAN_10)
    surcharge.services.set(services)
    return surcharge


@pytest.mark.parametrize(("units", "expected"), [("2", D(8)), ("1", D(5)), ("0", D(2))])
def test_a_percent_surcharge_follows_its_charges(acme, process, fee, units, expected):
    """Phone 30.00 and tv 20.00."""
    a_surcharge(fee)
    invoice = bill(an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"})), process, JAN_10)
    Surcharge.objects.update(percent=D(50))
    surcharge = rebilled(invoice, process, line(1, units=units), **CARRY).lines.get(line_type=9)
    assert (surcharge.amount, surcharge.base_amount) == (expected, expected * 10)
    assert surcharge.explanation == f"10 % of {expected * 10:.2f}"


def test_a_surcharge_on_some_services_follows_only_these(acme, process, fee):
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}))
    one = a_surcharge(fee, services=[Service.objects.get(client=acme, client_service_id="tv")])
    invoice = bill(account, process, JAN_10)
    one.services.clear()
    assert amounts_of(rebilled(invoice, process, line(1, units="7"), **CARRY)) == [D(210), D(20), D(2)]


def test_a_fixed_surcharge_says_so(acme, process, fee):
    a_surcharge(fee)
    invoice = bill(an_account(acme, a_plan(acme, {"phone": "30.00"})), process, JAN_10)
    rebill = rebilled(invoice, process, line(1, units="2"), line(2, amount="3.00"))
    kept = rebill.lines.get(line_type=9)
    assert (kept.amount, kept.percent, kept.base_amount, kept.explanation) == (3, None, None, "amount set on the rebill")


@pytest.mark.parametrize(("units", "expected"), [("2", D(-8)), ("1", D(-5)), ("0", D(-2))])
def test_a_percent_coupon_follows_its_charges(acme, process, units, expected):
    """Phone 30.00 and tv 20.00, ten percent off."""
    coupon = a_coupon(acme)
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}))
    redeem(account)
    invoice = bill(account, process, JAN_10)
    type(coupon).objects.update(percent=D(50))
    taken = rebilled(invoice, process, line(1, units=units), **CARRY).lines.get(line_type=4)
    assert (taken.amount, taken.base_amount, taken.explanation) == (expected, -expected * 10, f"10 % of {-expected * 10:.2f}")


def test_an_amount_coupon_takes_what_it_had_no_room_for(acme, process):
    """A coupon of 15.00 took 10.00 off 10.00: of 12.00 it takes 12.00, and of 40.00 all of its 15.00."""
    a_coupon(acme, percent=None, amount=D(15), currency="usd")
    account = an_account(acme, a_plan(acme, {"phone": "10.00"}))
    redeem(account)
    invoice = bill(account, process, JAN_10)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="12"), **CARRY)
    off = [(one.amount, one.explanation) for one in rebill.lines.filter(line_type=4)]
    assert off == [(D(-12), "of 15.00, the rest is lost")]
    again = rebilled(rebill, process, line(1, rate_per_unit="40"), **CARRY)
    assert [(one.amount, one.explanation) for one in again.lines.filter(line_type=4)] == [(D(-15), "")]


def test_a_service_credit_moves_to_lines_that_have_room(acme, process):
    """30.00 of a credit on phone and tv: where the phone costs less, the tv has room for the rest."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}))
    credit(account, "30.00")
    invoice = bill(account, process, JAN_10)
    assert amounts_of(rebilled(invoice, process, line(1, rate_per_unit="15"), **CARRY)) == [D(15), D(20), D(-30)]


def test_tax_is_on_what_recounted_lines_leave(acme, process):
    """7.25 % of 90.00 were 6.53; of 180.00 they are 13.05."""
    TaxRateFactory(client=acme)
    a_coupon(acme)
    account = an_account(acme, a_plan(acme, {"phone": "100.00"}))
    redeem(account)
    invoice = bill(account, process, JAN_10)
    rebill = rebilled(invoice, process, line(1, units="2"), **CARRY)
    assert (rebill.net_amount, rebill.tax_amount * 2) == (D(180), invoice.tax_amount * 4)


def test_recounted_lines_are_shown_as_changed(acme, process):
    invoice = a_usage_bill(acme, process, "500", maximum_amount=D(40))
    usage = first_usage_line(invoice)
    plan = previewed(a_request(invoice, line(usage, units="900"), **CARRY), acme)
    (row,) = plan.recounted
    assert (row.line_no, row.changes) == (usage + 1, ("amount -10 -> -50", "recalculated"))
    plan = previewed(a_request(invoice, line(usage, units="300"), **CARRY), acme)
    (row,) = plan.recounted
    assert (row.line_no, row.rebill_line_no, row.changes) == (usage + 1, None, ("nothing is left of it", "recalculated"))


def test_a_memo_of_a_recounted_rebill_credits_what_is_left(acme, process):
    invoice = a_usage_bill(acme, process, "500", fee="0.00", maximum_amount=D(40))
    rebill = rebilled(invoice, process, line(first_usage_line(invoice), units="900"), **CARRY)
    assert memo_of(rebill, process, amount="40.00").total_amount == D(-40)


# -------------------------------------------------------------------------- documents from before the basis was kept


def forgotten():
    with lifted():
        LineBasis.objects.all().delete()


@pytest.mark.parametrize(("corrected", "expected"), [("300", D(30)), ("900", D(40))])
def test_an_older_invoice_shows_the_maximum_that_it_reached(acme, process, corrected, expected):
    invoice = a_usage_bill(acme, process, "500", maximum_amount=D(40))
    forgotten()
    rebill = rebilled(invoice, process, line(first_usage_line(invoice), units=corrected), **CARRY)
    assert sum(amount for _, _, amount, _ in usage_lines(rebill)) == expected


@pytest.mark.parametrize(("corrected", "expected"), [("180", D(20)), ("300", D(30))])
def test_an_older_invoice_shows_the_minimum_that_it_was_brought_up_to(acme, process, corrected, expected):
    invoice = a_usage_bill(acme, process, "150", minimum_amount=D(20))
    forgotten()
    rebill = rebilled(invoice, process, line(first_usage_line(invoice), units=corrected), **CARRY)
    assert sum(amount for _, _, amount, _ in usage_lines(rebill)) == expected


def test_an_older_invoice_does_not_say_what_units_of_another_band_cost(acme, process):
    invoice = a_usage_bill(acme, process, "50", None, tiers=BANDS)
    forgotten()
    usage, before = first_usage_line(invoice), rows()
    assert refused_as(rebilled, invoice, process, line(usage, units="150"), **CARRY) == (90059, "lines")
    assert rows() == before
    fixed = rebilled(invoice, process, line(usage, units="150", rate_per_unit="0.08"), **CARRY)
    assert [amount for _, _, amount, _ in usage_lines(fixed)] == [D(12)]


def test_an_older_surcharge_is_counted_again_where_its_base_is_plain(acme, process, fee):
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}))
    a_surcharge(fee)
    invoice = bill(account, process, JAN_10)
    forgotten()
    assert amounts_of(rebilled(invoice, process, line(1, units="2"), **CARRY)) == [D(60), D(20), D(8)]


def test_an_older_surcharge_of_a_base_that_is_not_plain_must_be_given(acme, process, fee):
    """Phone and tv cost the same: the base of 30.00 may be either."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "30.00"}))
    a_surcharge(fee, services=[Service.objects.get(client=acme, client_service_id="tv")])
    invoice = bill(account, process, JAN_10)
    forgotten()
    assert refused_as(rebilled, invoice, process, line(1, units="2"), **CARRY) == (90059, "lines")
    assert amounts_of(rebilled(invoice, process, line(1, units="2"), line(3, amount="3.00"), **CARRY)) == [60, 30, 3]


def test_an_older_invoice_is_rebilled_unchanged_to_the_cent(acme, process, fee):
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "30.00"}))
    a_surcharge(fee, services=[Service.objects.get(client=acme, client_service_id="tv")])
    a_coupon(acme)
    redeem(account)
    invoice = bill(account, process, JAN_10)
    forgotten()
    assert amounts_of(rebilled(invoice, process, **CARRY)) == amounts_of(invoice)


def test_late_usage_of_an_older_invoice_is_counted_from_its_lines(acme, process):
    invoice = a_usage_bill(acme, process, "80", None, tiers=BANDS)
    forgotten()
    some_usage(invoice.account.plan_instances.get(), "minutes", "40", JAN_31, "late")
    assert [amount for _, _, amount, _ in usage_lines(bill(invoice.account, process, MAR_10))] == [D(2), D(1)]


def test_units_of_a_charge_by_seats_and_bands_are_priced_in_their_bands(acme, process):
    plan = PlanFactory(client=acme)
    a_charge(plan, "seats", None, ChargeType.RECURRING, tiers={"0": "10.00", "5": "8.00"})
    account = an_account(acme, plan)
    account.plan_instances.update(units=7)
    invoice = bill(account, process, JAN_10)
    assert amounts_of(invoice) == [D(50), D(16)]
    plan = previewed(a_request(invoice, line(2, units="9"), **CARRY), acme)
    assert [row.rebill.net for row in plan.differences] == [D(50), D(72)]
    assert amounts_of(rebilled(invoice, process, line(1, units="4"), line(2, exclude=True), **CARRY)) == [D(40)]
