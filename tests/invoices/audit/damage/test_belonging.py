"""Nothing reaches across clients, accounts or currencies, and prices can be reckoned with."""

import pytest

from tests.support.audits.names import BELONGING, CATALOGUE, CREDITS, CURRENCIES, PRICES, WAITING
from tests.support.audits.planting import DOCUMENT, INSTANCE, LINE, ORDER, PERIOD, PRICE, USAGE, check_found

RATE_OR_BANDS = "accounts_rateschedule", "a_rate_or_bands"

DAMAGES = [
    (
        BELONGING,
        [LINE.format("service_id = {umbra_service}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names service {umbra_service}, which is not of the same client",
    ),
    (
        BELONGING,
        [LINE.format("plan_instance_id = {mixed_instance}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names plan instance {mixed_instance}, which is not of the same account",
    ),
    (
        BELONGING,
        [LINE.format("bill_to_contact_id = {mixed_contact}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names contact {mixed_contact}, which is not of the same account",
    ),
    (
        BELONGING,
        [LINE.format("ship_to_contact_id = {mixed_contact}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names contact {mixed_contact}, which is not of the same account",
    ),
    (
        BELONGING,
        [LINE.format("bill_from_location_id = {umbra_location}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names service location {umbra_location}, which is not of the same client",
    ),
    (
        BELONGING,
        [LINE.format("ship_from_location_id = {umbra_location}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names service location {umbra_location}, which is not of the same client",
    ),
    (
        BELONGING,
        [PERIOD.format("plan_instance_id = {mixed_instance}", "plain_jan", "plain_instance")],
        "invoice {plain_jan}: bills plan instance {mixed_instance}, which is of account {mixed}",
    ),
    (
        CATALOGUE,
        [INSTANCE.format("plan_id = {umbra_plan}", "plain_instance")],
        "account {plain}: plan instance {plain_instance} has plan {umbra_plan} of client {umbra}",
    ),
    (
        CATALOGUE,
        ["UPDATE accounts_rateschedule SET charge_id = {plain_charge} WHERE plan_instance_id = {tv_instance}"],
        "account {mixed}: plan instance {tv_instance} has a price of plan {plain_plan}",
    ),
    (
        CATALOGUE,
        ["UPDATE accounts_plancharge SET service_id = {umbra_service} WHERE id = {plain_charge}"],
        "plan {plain_plan}: charges for service {umbra_service} of client {umbra}",
    ),
    (
        CURRENCIES,
        [DOCUMENT.format("currency = 'jpy'", "pending")],
        "invoice {pending}: is in jpy, but its account {mixed} is in usd",
    ),
    (
        CURRENCIES,
        ["UPDATE accounts_rateschedule SET currency = 'jpy' WHERE plan_instance_id = {tv_instance}"],
        "account {mixed}: is in usd, but plan instance {tv_instance} has a price of its own in jpy",
    ),
    # Usage, orders, coupons and credits
    (
        WAITING,
        USAGE.format("plan_instance_id = {held_instance}", "not billed yet"),
        "usage not billed yet: is of account {office}, but its plan instance {held_instance} is of account {held}",
    ),
    (
        WAITING,
        USAGE.format("service_id = {umbra_service}", "not billed yet"),
        "usage not billed yet: is of client {globe}, but its service {umbra_service} is of client {umbra}",
    ),
    (
        WAITING,
        USAGE.format("invoice_id = {held_feb}", "not billed yet"),
        "usage not billed yet: is of account {office}, but is billed to account {held} by invoice {held_feb}",
    ),
    (
        WAITING,
        ORDER.format("service_id = {umbra_service}", "office_order"),
        "order {office_order} of account {office}: is of service {umbra_service} of client {umbra}",
    ),
    (
        WAITING,
        ORDER.format("invoice_id = {held_feb}", "office_order"),
        "order {office_order} of account {office}: is billed to account {held} by invoice {held_feb}",
    ),
    (
        CREDITS,
        "UPDATE invoices_servicecredit SET service_id = {umbra_service} WHERE id = {outage}",
        "account {office}: has service credit {outage} for service {umbra_service} of client {umbra}",
    ),
    (
        CATALOGUE,
        "UPDATE invoices_surcharge SET service_id = {umbra_service} WHERE id = {surcharge}",
        "surcharge {surcharge}: is of service {umbra_service} of client {umbra}",
    ),
    (
        CATALOGUE,
        "UPDATE invoices_surcharge_services SET service_id = {umbra_service} WHERE surcharge_id = {line_fee}",
        "surcharge {line_fee}: is added to service {umbra_service} of client {umbra}",
    ),
    (
        CATALOGUE,
        "UPDATE invoices_coupon_services SET service_id = {umbra_service} WHERE coupon_id = {five}",
        "coupon {five}: reduces service {umbra_service} of client {umbra}",
    ),
    # Prices
    (
        PRICES,
        "DELETE FROM accounts_ratetier WHERE schedule_id = {calls_price} AND from_unit = {unit_0}",
        "price {calls_price} of plan {office_plan}: is tiered, but no band of it begins at 0",
    ),
    (
        PRICES,
        "UPDATE accounts_ratetier SET from_unit = {unit_1} WHERE schedule_id = {sms_price} AND from_unit = {unit_0}",
        "price {sms_price} of plan {office_plan}: is volume, but no band of it begins at 0",
    ),
    (
        PRICES,
        "UPDATE accounts_ratetier SET schedule_id = {data_price} WHERE schedule_id = {sms_price} AND from_unit = {unit_50}",
        "price {data_price} of plan {office_plan}: is flat, but has bands",
    ),
    (
        PRICES,
        "UPDATE accounts_ratetier SET schedule_id = {fax_price} WHERE schedule_id = {sms_price} AND from_unit = {unit_50}",
        "price {fax_price} of plan {office_plan}: is per_unit, but has bands",
    ),
]

WIDER = [
    (
        BELONGING,
        [DOCUMENT.format("client_id = {umbra}", "pending")],
        "invoice {pending}: is of client {umbra}, but its account {mixed} is of client {acme}",
    ),
    (
        WAITING,
        USAGE.format("client_id = {acme}", "not billed yet"),
        "usage not billed yet: is of client {acme}, but its account {office} is of client {globe}",
    ),
    (
        CREDITS,
        "UPDATE invoices_coupon SET client_id = {acme} WHERE id = {ten}",
        "account {office}: has redeemed coupon {ten} of client {acme}",
    ),
    (
        CREDITS,
        "UPDATE invoices_coupon SET currency = 'eur' WHERE id = {five}",
        "account {office}: is in usd, but has redeemed coupon {five} in eur",
    ),
    (
        CREDITS,
        "UPDATE invoices_couponredemption SET account_id = {ahead} WHERE id = {office_ten}",
        "invoice {office_feb}: uses coupon redemption {office_ten} of account {ahead}",
    ),
    (
        CREDITS,
        "UPDATE invoices_servicecredit SET account_id = {ahead} WHERE id = {outage}",
        "invoice {office_feb}: uses service credit {outage} of account {ahead}",
    ),
]

CHECKS = [
    (
        RATE_OR_BANDS,
        PRICE.format("rate_per_unit = 1", "calls_price"),
        PRICES,
        "price {calls_price} of plan {office_plan}: is tiered, with the rate 1.0000000000",
    ),
    (
        RATE_OR_BANDS,
        PRICE.format("rate_per_unit = NULL", "fax_price"),
        PRICES,
        "price {fax_price} of plan {office_plan}: is per_unit, with the rate None",
    ),
    (
        ("accounts_rateschedule", "rate_minimum_below_maximum"),
        PRICE.format("minimum_amount = 6", "fax_price"),
        PRICES,
        "price {fax_price} of plan {office_plan}: has a maximum of 5.0000, below its minimum of 6.0000",
    ),
]


@pytest.mark.parametrize(("audit", "sql", "finding"), DAMAGES)
def test_damage_is_found_and_named_once(world, audit, sql, finding):
    check_found(world, audit, sql, finding, alone=True)


@pytest.mark.parametrize(("audit", "sql", "finding"), WIDER)
def test_damage_that_shows_in_several_places_is_found_and_named(world, audit, sql, finding):
    check_found(world, audit, sql, finding)


@pytest.mark.parametrize(("constraint", "sql", "audit", "finding"), CHECKS)
def test_what_the_databases_checks_would_have_refused_is_found(world, without_checks, constraint, sql, audit, finding):
    without_checks(*constraint)
    check_found(world, audit, sql, finding)
