"""Accounts and their plan instances agree with their documents."""

import pytest

from accounts.models import Event
from tests.support.audits.names import BILLED_THROUGH, DUE_FROM, NEWEST, NEXT, ONE_DOCUMENT
from tests.support.audits.planting import ACCOUNT, DOCUMENT, INSTANCE, check_found, findings, findings_of, plant

REVIVE = [
    "DROP INDEX one_pending_invoice_per_account",
    "DROP INDEX one_live_invoice_per_bill_date",
    DOCUMENT.format("status = 'pending'", "discarded"),
]

DAMAGES = [
    (
        BILLED_THROUGH,
        [INSTANCE.format("billed_through = '2026-04-09'", "plain_instance")],
        "account {plain} (A-plain): plan instance {plain_instance} is billed through 2026-04-09, but invoice {plain_feb} "
        "bills it to 2026-03-09",
    ),
    (
        BILLED_THROUGH,
        [INSTANCE.format("billed_through = NULL", "paused_instance")],
        "account {paused} (A-paused): plan instance {paused_instance} is billed through None, but invoice {paused_mar} "
        "bills it to 2026-04-09",
    ),
    (
        BILLED_THROUGH,
        [INSTANCE.format("billed_through = '2026-02-09'", "waiting_instance")],
        "account {waiting} (A-waiting): plan instance {waiting_instance} is billed through 2026-02-09, but pending invoice "
        "{umbra_pending} bills it from 2026-01-10",
    ),
    (
        NEWEST,
        [ACCOUNT.format("last_bill_date = NULL", "plain")],
        "account {plain} (A-plain): has the last bill date None, but its newest cycle is that of 2026-02-10",
    ),
    (
        NEWEST,
        [ACCOUNT.format("bill_day = 11", "plain")],
        "account {plain} (A-plain): has the bill day 11, but its newest invoice {plain_feb} has 10",
    ),
    (
        NEXT,
        [ACCOUNT.format("next_bill_date = '2026-04-10'", "plain")],
        "account {plain} (A-plain): has the next bill date 2026-04-10, but its plan instances are due on 2026-03-10",
    ),
    (
        NEXT,
        [INSTANCE.format("end_date = '2026-03-09'", "plain_instance")],
        "account {plain} (A-plain): has the next bill date 2026-03-10, but its plan instances are due on None",
    ),
    (
        DUE_FROM,
        ACCOUNT.format("arrears_due_from = '2026-02-15'", "ahead"),
        "account {ahead} (G-ahead): has arrears due from 2026-02-15, but by its cycles they are due from 2026-01-15",
    ),
    (
        DUE_FROM,
        ACCOUNT.format("arrears_due_from = '2026-03-15'", "held"),
        "account {held} (G-held): has arrears due from 2026-03-15, but by its cycles they are due from 2026-01-15",
    ),
    (
        DUE_FROM,
        ACCOUNT.format("arrears_due_from = NULL", "early"),
        "account {early} (G-early): has arrears due from None, but by its cycles they are due from 2026-02-15",
    ),
    (
        DUE_FROM,
        ACCOUNT.format("arrears_due_from = NULL", "idle"),
        "account {idle} (G-idle): has arrears due from None, but by its cycles they are due from 2026-01-15",
    ),
    (
        DUE_FROM,
        ACCOUNT.format("arrears_due_from = '2026-02-15'", "quiet"),
        "account {quiet} (G-quiet): has arrears due from 2026-02-15, but by its cycles they are due from 2026-03-15",
    ),
    (
        DUE_FROM,
        ACCOUNT.format("arrears_due_from = '2026-01-10'", "waiting"),
        "account {waiting} (A-waiting): has arrears due from 2026-01-10, but by its cycles they are due from None",
    ),
    (
        NEXT,
        ACCOUNT.format("next_bill_date = '2026-03-15'", "ahead"),
        "account {ahead} (G-ahead): has the next bill date 2026-03-15, but its plan instances are due on 2026-02-15",
    ),
]

WIDER = [
    (
        ONE_DOCUMENT,
        REVIVE,
        "account {mixed} (A-mixed): has 2 pending documents: invoice {discarded}, invoice {pending}",
    ),
    (ONE_DOCUMENT, REVIVE, "account {mixed} (A-mixed): has 2 live recurring documents of 2026-02-10"),
]

CHECKS = [
    (
        ("accounts_account", "account_bill_day"),
        ACCOUNT.format("bill_day = 32", "plain"),
        NEXT,
        "account {plain} (A-plain): has the bill day 32",
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


def test_cycles_with_nothing_to_bill_were_recurring_before_events_said_so(world):
    """The last cycle of the quiet account is one of them."""
    Event.objects.filter(account=world.quiet, act="account.nothing_to_bill").update(after={"bill_date": "2026-03-15"})
    assert findings() == {}


def test_only_a_later_cycle_with_nothing_to_bill_moves_an_instance_beyond_its_documents(world):
    Event.objects.filter(account=world.paused, act="account.nothing_to_bill").update(after={"bill_date": "2026-03-10"})
    plant(INSTANCE.format("billed_through = '2026-05-09'", "paused_instance"), world)
    assert findings_of(BILLED_THROUGH) == [
        f"account {world.paused} (A-paused): plan instance {world.paused_instance} is billed through 2026-05-09, but invoice "
        f"{world.paused_mar} bills it to 2026-04-09"
    ]
