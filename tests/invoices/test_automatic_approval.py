"""Automatic approval waits for the newest version of a document, leaves adjusted ones to people, and goes on after failures."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from django.db import IntegrityError
from django.db.models.functions import Now

from accounts.models import Client, Event
from invoices.models import ApprovalProgress, ApprovalRules, Invoice, Worker
from invoices.services.approving import approving, automatic
from invoices.services.approving.automatic import approve_due, do_batch
from invoices.services.documents.batches import Overtaken
from invoices.services.planning.rule_matching import ruled_documents
from tests.support.adjusting import a_line, adjusted, recalculated
from tests.support.approval_rules import event_of, on, priced, rule_of
from tests.support.billing import bill
from tests.support.factories import a_plan, an_account
from tests.support.rebilling import line, rebilled

JAN_10 = date(2026, 1, 10)
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(audited):
    with time_machine.travel(NOON, tick=False) as moved:
        yield moved


def statuses(*invoices):
    return [Invoice.objects.get(pk=one.pk).status for one in invoices]


def test_the_hours_of_a_recalculated_document_count_from_its_newest_version(acme, process, clock):
    on(acme, {"approves_after_hours": 24})
    invoice = priced(acme, "25.00")
    price = invoice.lines.get().plan_instance.plan.charges.get().rates.get()
    price.rate_per_unit = D("26.00")
    price.save()
    clock.move_to(NOON + timedelta(hours=20))
    assert recalculated(invoice, process).total_amount == D(26)
    assert ruled_documents(acme, [invoice.pk])[invoice.pk].approves_at == NOON + timedelta(hours=44)
    clock.move_to(NOON + timedelta(hours=43, minutes=59))
    assert approve_due(acme) == 0
    clock.move_to(NOON + timedelta(hours=44))
    assert approve_due(acme) == 1
    assert statuses(invoice) == ["approved"]


def test_an_adjusted_document_needs_a_person(acme, process, clock):
    on(acme, {"approves_after_hours": 24})
    by_hand, other = priced(acme, "25.00"), priced(acme, "25.00")
    assert adjusted(by_hand, process, a_line(1, rate_per_unit="5.00")).total_amount == D(5)
    clock.move_to(NOON + timedelta(days=30))
    assert (approve_due(acme), statuses(by_hand, other)) == (1, ["pending", "approved"])
    ruled = ruled_documents(acme, [by_hand.pk])[by_hand.pk]
    assert (ruled.needs_person, ruled.approves_at) == (True, None)


@pytest.fixture
def small_rebill(acme, process):
    """A rebill of 10,000.00 down to 50.00."""
    Client.objects.filter(pk=acme.pk).update(rebill_approval_required=True)
    acme.refresh_from_db()
    original = bill(an_account(acme, a_plan(acme, {"phone": "10000.00"})), process, JAN_10)
    rebill = rebilled(original, process, line(1, rate_per_unit="50.00"))
    assert (rebill.status, original.total_amount, rebill.total_amount) == ("pending", D(10000), D(50))
    return rebill


OF_REBILLS = [
    ({}, None),
    ({"kinds": "recurring"}, None),
    ({"kinds": "recurring,rebill"}, 1),
    ({"kinds": "rebill", "currency": "usd", "total_below": D(500)}, None),
    ({"kinds": "rebill", "currency": "usd", "total_below": D(10000)}, None),
    ({"kinds": "rebill", "currency": "usd", "total_below": D("10000.01")}, 1),
    ({"kinds": "rebill", "currency": "usd", "total_above": D("9999.99")}, 1),
    ({"kinds": "rebill", "currency": "usd", "total_above": D(10000)}, None),
]


@pytest.mark.parametrize(("rule", "position"), OF_REBILLS)
def test_rebills_are_ruled_if_named_and_by_the_larger_total(acme, small_rebill, rule, position):
    on(acme, rule)
    assert rule_of(acme, small_rebill) == position


def test_a_rebill_to_zero_is_not_a_total_of_zero(acme, process):
    Client.objects.filter(pk=acme.pk).update(rebill_approval_required=True)
    acme.refresh_from_db()
    on(acme, {"kinds": "recurring,rebill", "is_zero": True})
    original = bill(an_account(acme, a_plan(acme, {"phone": "60.00"})), process, JAN_10)
    rebill = rebilled(original, process, line(1, rate_per_unit="0.00"))
    assert (rebill.status, rebill.total_amount, rule_of(acme, rebill)) == ("pending", D(0), None)
    assert rule_of(acme, priced(acme, "0.00")) == 1


@pytest.fixture
def failing(monkeypatch):
    """Issuing these documents fails: their numbers, and what it raises."""
    errors = {}
    issue = approving.issue

    def issue_others(documents, issuing):
        for one in documents:
            if one.invoice_no in errors:
                raise errors[one.invoice_no]
        return issue(documents, issuing)

    monkeypatch.setattr(approving, "issue", issue_others)
    return errors


def test_an_unexpected_failure_stops_the_document_once(acme, failing):
    on(acme, {"approves_after_hours": 0})
    broken, other = priced(acme, "5.00"), priced(acme, "6.00")
    failing[broken.pk] = IntegrityError("a constraint that nobody knows")
    assert [approve_due(acme) for _ in range(3)] == [2, 0, 0]
    assert statuses(broken, other) == ["pending", "approved"]
    assert ApprovalProgress.objects.get(pk=broken.pk).reason == "unexpected error"
    assert event_of(broken, "invoice.approval_stopped").after["reason"] == "unexpected error"
    assert Event.objects.filter(invoice_no=broken.pk, act="invoice.approval_refused").count() == 1


def test_documents_that_are_tried_again_write_nothing_and_do_not_hold_up_later_ones(acme, failing, monkeypatch):
    monkeypatch.setattr(automatic, "AT_ONCE", 2)
    on(acme, {"approves_after_hours": 0})
    *busy, later = (priced(acme, amount) for amount in ("5.00", "6.00", "7.00"))
    failing |= {one.pk: Overtaken() for one in busy}
    events = Event.objects.count()
    assert (approve_due(acme), statuses(*busy, later)) == (1, ["pending", "pending", "approved"])
    written = Event.objects.count()
    assert written > events
    assert (approve_due(acme), Event.objects.count()) == (0, written)
    assert not ApprovalProgress.objects.filter(invoice__in=busy).exists()
    failing.clear()
    assert (approve_due(acme), statuses(*busy)) == (2, ["approved", "approved"])


def test_a_client_that_fails_does_not_keep_others_from_their_turn(acme, umbra, failing, caplog):
    worker = Worker.objects.create(host="h", pid=1, name="test", started_at=Now(), seen_at=Now())
    for client in (acme, umbra):
        on(client, {"approves_after_hours": 0})
    broken, other = priced(acme, "5.00"), priced(umbra, "5.00")
    failing[broken.pk] = ValueError("broken")
    assert (do_batch(worker), statuses(broken, other)) == (True, ["pending", "approved"])
    assert f"approval rules of client {acme.pk} failed" in caplog.text
    assert not ApprovalRules.objects.exclude(claimed_by=None).exists()
    with pytest.raises(ValueError, match="broken"):
        do_batch(worker)
