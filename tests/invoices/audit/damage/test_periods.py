"""Each day is billed once, in advance or when it is over."""

import pytest

from accounts.models import Event
from tests.support.audits.names import AHEAD, ARREARS, CONSECUTIVE, WITHIN
from tests.support.audits.planting import (
    AFTER_FEB,
    AHEAD_FEB,
    DOCUMENT,
    EARLY_FEB,
    LINE,
    OFFICE_FEB,
    PERIOD,
    PLAIN_JAN,
    check_found,
    findings_of,
    plant,
)

DAMAGES = [
    (
        WITHIN,
        ["DELETE FROM invoices_billedperiod WHERE invoice_id = {plain_jan}"],
        PLAIN_JAN + ": line 1 charges plan instance {plain_instance}, of which the document bills no period",
    ),
    (
        WITHIN,
        [DOCUMENT.format("period_end = '2026-02-10'", "plain_jan")],
        PLAIN_JAN + ": its period is 2026-01-10 to 2026-02-10, but its lines span 2026-01-10 to 2026-02-09",
    ),
    (
        CONSECUTIVE,
        [PERIOD.format("start_date = '2026-02-09'", "plain_feb", "plain_instance")],
        "account {plain} (A-plain): plan instance {plain_instance}: the period of invoice {plain_feb}, 2026-02-09 to "
        "2026-03-09, overlaps that of invoice {plain_jan}, 2026-01-10 to 2026-02-09",
    ),
    (
        CONSECUTIVE,
        [PERIOD.format("start_date = '2026-02-12'", "pending", "tv_instance")],
        "account {mixed} (A-mixed): plan instance {tv_instance}: the period of invoice {pending}, 2026-02-12 to 2026-03-09, "
        "leaves out days after invoice {mixed_jan}, 2026-01-10 to 2026-02-09",
    ),
    (
        CONSECUTIVE,
        ["DELETE FROM accounts_event WHERE act = 'account.nothing_to_bill'"],
        "account {paused} (A-paused): plan instance {paused_instance}: the period of invoice {paused_mar}, "
        "2026-03-10 to 2026-04-09, leaves out days after invoice {paused_jan}, 2026-01-10 to 2026-02-09",
    ),
    (
        CONSECUTIVE,
        [PERIOD.format("end_date = '2026-01-01'", "umbra_pending", "waiting_instance")],
        "account {waiting} (A-waiting): plan instance {waiting_instance}: the period of invoice {umbra_pending}, "
        "2026-01-10 to 2026-01-01, ends before it begins",
    ),
    (
        WITHIN,
        LINE.format("period_start = '2026-02-14'", "office_feb", 10),
        OFFICE_FEB + ": line 10 is for 2026-02-14 to 2026-02-15, outside the billed period 2026-02-15 to 2026-03-14",
    ),
    (
        WITHIN,
        LINE.format("period_end = NULL", "office_feb", 1),
        OFFICE_FEB + ": line 1 is for 2026-02-15 to None, outside the billed period 2026-02-15 to 2026-03-14",
    ),
    (
        WITHIN,
        LINE.format("period_end = '2026-02-15'", "office_feb", 2),
        OFFICE_FEB + ": line 2 is for 2026-01-15 to 2026-02-15, which is not over before the bill date 2026-02-15",
    ),
    (
        WITHIN,
        LINE.format("period_end = '2026-02-20'", "office_feb", 3),
        OFFICE_FEB + ": line 3 is for 2026-01-15 to 2026-02-20, which is not over before the bill date 2026-02-15",
    ),
    (
        WITHIN,
        LINE.format("period_start = '2026-02-15'", "office_feb", 3),
        OFFICE_FEB + ": line 3 is for 2026-02-15 to 2026-02-14, which is not over before the bill date 2026-02-15",
    ),
    (
        WITHIN,
        LINE.format("period_start = NULL", "office_feb", 2),
        OFFICE_FEB + ": line 2 is for None to 2026-02-14, which is not over before the bill date 2026-02-15",
    ),
    (WITHIN, LINE.format("plan_instance_id = NULL", "office_feb", 3), OFFICE_FEB + ": line 3 charges no plan instance"),
    (WITHIN, LINE.format("plan_instance_id = NULL", "office_feb", 1), OFFICE_FEB + ": line 1 charges no plan instance"),
    (AHEAD, LINE.format("line_type = 6", "ahead_feb", 1), AHEAD_FEB + ": line 1 of type 6 is billed ahead of the bill date"),
    (AHEAD, LINE.format("line_type = 7", "ahead_feb", 1), AHEAD_FEB + ": line 1 of type 7 is billed ahead of the bill date"),
    (AHEAD, LINE.format("line_type = 8", "early_feb", 3), EARLY_FEB + ": line 3 of type 8 is billed ahead of the bill date"),
    (
        ARREARS,
        LINE.format("period_start = '2026-02-14'", "office_mar", 2),
        "account {office} (G-office): plan instance {office_instance}: invoice {office_mar} charges service {support_service} "
        "in arrears for 2026-02-14 to 2026-03-14, and invoice {office_feb} for 2026-01-15 to 2026-02-14",
    ),
    (
        ARREARS,
        LINE.format("period_start = '2026-01-15', period_end = '2026-02-14'", "office_mar", 2),
        "account {office} (G-office): plan instance {office_instance}: invoice {office_mar} charges service {support_service} "
        "in arrears for 2026-01-15 to 2026-02-14, and invoice {office_feb} for 2026-01-15 to 2026-02-14",
    ),
    (
        ARREARS,
        LINE.format("period_end = '2026-02-13'", "after_feb", 2),
        "account {after} (G-after): plan instance {after_instance}: invoice {after_feb} charges service {backup_service} "
        "in arrears for 2026-01-15 to 2026-02-14, and invoice {after_feb} for 2026-01-15 to 2026-02-13",
    ),
]

WIDER = [
    (
        WITHIN,
        [LINE.format("period_end = '2026-02-10'", "plain_jan", 1)],
        PLAIN_JAN + ": line 1 is for 2026-01-10 to 2026-02-10, outside the billed period 2026-01-10 to 2026-02-09",
    ),
    (
        WITHIN,
        "UPDATE invoices_invoiceline SET period_start = NULL WHERE invoice_id = {after_feb}",
        AFTER_FEB + ": its period is 2026-01-15 to 2026-02-14, but its lines span 2026-02-15 to 2026-02-15",
    ),
]


@pytest.mark.parametrize(("audit", "sql", "finding"), DAMAGES)
def test_damage_is_found_and_named_once(world, audit, sql, finding):
    check_found(world, audit, sql, finding, alone=True)


@pytest.mark.parametrize(("audit", "sql", "finding"), WIDER)
def test_damage_that_shows_in_several_places_is_found_and_named(world, audit, sql, finding):
    check_found(world, audit, sql, finding)


def test_a_single_day_is_a_period(world):
    plant(LINE.format("period_start = period_end", "office_feb", 3), world)
    assert findings_of(WITHIN) == []
    plant(PERIOD.format("end_date = start_date", "umbra_pending", "waiting_instance"), world)
    assert findings_of(CONSECUTIVE) == []


@pytest.mark.parametrize("bill_date", ["2026-01-10", "2026-03-10"])
def test_days_are_left_out_for_nothing_only_in_a_cycle_between_two_documents(world, bill_date):
    Event.objects.filter(account=world.paused, act="account.nothing_to_bill").update(after={"bill_date": bill_date})
    assert findings_of(CONSECUTIVE) != []
