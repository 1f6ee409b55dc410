"""What is taken off charges, and how far coupons and credits reach."""

import pytest
from django.db import connection

from tests.support.audits.names import COUPON_CYCLES, CREDIT_AMOUNTS, CREDIT_DETAILS, CREDIT_LINES, REDEMPTIONS
from tests.support.audits.planting import CREDIT, DOCUMENT, LINE, OFFICE_FEB, OFFICE_MAR, check_found

REVIVE = ["DROP INDEX one_live_invoice_per_bill_date", DOCUMENT.format("status = 'pending'", "thrown_away")]

DAMAGES = [
    (
        CREDIT_LINES,
        CREDIT.format("amount = 2", "office_feb", 19, 1),
        OFFICE_FEB + ": line 19 credits 218.07, but its credit details add up to 217.07",
    ),
    (
        CREDIT_LINES,
        "DELETE FROM invoices_creditdetail WHERE invoice_id = {office_feb} AND credit_line_no = 21",
        OFFICE_FEB + ": line 21 credits 20, but its credit details add up to 0",
    ),
    (
        CREDIT_LINES,
        "DELETE FROM invoices_creditdetail WHERE invoice_id = {office_feb} AND credit_line_no = 8",
        OFFICE_FEB + ": line 8 credits 5, but its credit details add up to 0",
    ),
    (
        CREDIT_LINES,
        LINE.format("amount = -3", "office_mar", 10),
        OFFICE_MAR + ": line 10 credits 3, but its credit details add up to 2.5",
    ),
    (
        CREDIT_DETAILS,
        CREDIT.format("credit_line_no = 1", "office_feb", 22, 1),
        OFFICE_FEB + ": a credit detail names line 1 as a credit, but it is not a credit",
    ),
    (
        CREDIT_DETAILS,
        CREDIT.format("credit_line_no = 23", "office_feb", 22, 1),
        OFFICE_FEB + ": a credit detail names line 23 as a credit, but it is not a credit",
    ),
    (
        CREDIT_DETAILS,
        CREDIT.format("credit_line_no = 99", "office_feb", 22, 1),
        OFFICE_FEB + ": a credit detail names line 99 as a credit, but it is not a credit",
    ),
    (
        CREDIT_DETAILS,
        CREDIT.format("credited_line_no = 20", "office_feb", 22, 1),
        OFFICE_FEB + ": a credit detail credits line 20, which is not a charge",
    ),
    (
        CREDIT_DETAILS,
        CREDIT.format("credited_line_no = 8", "office_feb", 22, 1),
        OFFICE_FEB + ": a credit detail credits line 8, which is not a charge",
    ),
    (
        CREDIT_DETAILS,
        CREDIT.format("credited_line_no = 23", "office_feb", 22, 1),
        OFFICE_FEB + ": a credit detail credits line 23, which is not a charge",
    ),
    (
        CREDIT_DETAILS,
        CREDIT.format("credited_line_no = 99", "office_feb", 22, 1),
        OFFICE_FEB + ": a credit detail credits line 99, which is not a charge",
    ),
    (
        CREDIT_DETAILS,
        CREDIT.format("credited_line_no = 6", "office_feb", 8, 7),
        OFFICE_FEB + ": line 8 applies a maximum, but credits line 6 of another charge",
    ),
    (
        CREDIT_DETAILS,
        CREDIT.format("amount = 21.79", "office_feb", 22, 1),
        OFFICE_FEB + ": line 1 of 30 is credited 30.01",
    ),
    (
        CREDIT_AMOUNTS,
        "UPDATE invoices_servicecredit SET amount = 19.99 WHERE id = {outage}",
        "account {office}: service credit {outage} of 19.99 is used for 20",
    ),
    (
        CREDIT_AMOUNTS,
        "UPDATE invoices_servicecredit SET amount = 46.77 WHERE id = {goodwill}",
        "account {office}: service credit {goodwill} of 46.77 is used for 46.78",
    ),
    (
        COUPON_CYCLES,
        "UPDATE invoices_coupon SET cycles = 1 WHERE id = {five}",
        "account {office}: coupon FIVE (redemption {office_five}) has 1 cycles, but is on 2 documents",
    ),
    (COUPON_CYCLES, REVIVE, "account {office}: coupon TEN (redemption {office_ten}) has 1 cycles, but is on 2 documents"),
    (
        REDEMPTIONS,
        "UPDATE invoices_coupon SET max_redemptions = 1 WHERE id = {ten}",
        "client {globe}, coupon TEN: redemption 2 is beyond its limit of 1",
    ),
    (
        REDEMPTIONS,
        "UPDATE invoices_couponredemption SET redemption_no = 3 WHERE id = {office_ten}",
        "client {globe}, coupon TEN: redemption 3 is beyond its limit of 2",
    ),
    (
        REDEMPTIONS,
        "UPDATE invoices_couponredemption SET redemption_no = 0 WHERE id = {office_five}",
        "client {globe}, coupon FIVE: a redemption has the number 0",
    ),
    (
        REDEMPTIONS,
        "UPDATE invoices_couponredemption SET redemption_no = 0 WHERE id = {office_ten}",
        "client {globe}, coupon TEN: a redemption has the number 0",
    ),
]

WIDER = [
    (CREDIT_LINES, LINE.format("amount = 5", "office_feb", 20), OFFICE_FEB + ": line 20 is a credit, but is 5"),
    (CREDIT_LINES, LINE.format("amount = 0", "office_feb", 21), OFFICE_FEB + ": line 21 is a credit, but is 0"),
    (
        CREDIT_LINES,
        LINE.format("amount = -5", "office_feb", 16),
        OFFICE_FEB + ": line 16 of type 8 is -5, but cannot be below zero",
    ),
    (
        CREDIT_LINES,
        LINE.format("amount = -1", "office_feb", 3),
        OFFICE_FEB + ": line 3 of type 6 is -1, but cannot be below zero",
    ),
    (CREDIT_AMOUNTS, REVIVE, "account {office}: service credit {outage} of 20 is used for 40"),
]

CHECKS = [
    (
        ("invoices_creditdetail", "credit_detail_has_an_amount"),
        CREDIT.format("amount = -1", "office_feb", 22, 1),
        CREDIT_DETAILS,
        OFFICE_FEB + ": line 22 credits -1 of line 1",
    ),
    (
        ("invoices_creditdetail", "credit_detail_has_an_amount"),
        CREDIT.format("amount = 0", "office_feb", 22, 1),
        CREDIT_DETAILS,
        OFFICE_FEB + ": line 22 credits 0 of line 1",
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


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite cannot put a unique constraint aside")
def test_two_redemptions_of_one_number_are_found(world):
    drop = "ALTER TABLE invoices_couponredemption DROP CONSTRAINT one_redemption_per_number"
    repeat = "UPDATE invoices_couponredemption SET redemption_no = 2 WHERE id = {office_ten}"
    check_found(world, REDEMPTIONS, [drop, repeat], "client {globe}, coupon TEN: 2 redemptions have 1 numbers")
