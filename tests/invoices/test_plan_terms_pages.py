"""Pages of pauses, trials and own prices: the next invoice is seen before, and is just that; a preview writes nothing."""

from decimal import Decimal as D

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
from django.urls import reverse

from accounts.kinds import ChargeType
from accounts.models import BillingPause, PlanInstance, RateSchedule
from tests.support.act_pages import send
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.calling import rows_stored
from tests.support.factories import BY_TEST, ClientFactory, a_charge, a_plan, an_account
from tests.support.invoice_pages import reader

MAY = (
    "view_account",
    "view_invoice",
    "change_planinstance",
    "add_rateschedule",
    "change_rateschedule",
)


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    """Charged 30.00 a month for a telephone, billed through 9 February."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    bill(account, BY_TEST, JAN_10)
    return account


@pytest.fixture
def staff(acme):
    return reader(acme, permissions=MAY)


def previewed(staff, address, **fields):
    before = rows_stored()
    text = staff.post(address, {**fields, "act": "preview"}).text
    assert rows_stored() == before
    return text


def test_billing_is_paused_and_resumed(account, staff, audited):
    address = reverse("pause-billing", args=[account.pk])
    shown = staff.get(address).text
    assert 'value="2026-02-10"' in shown and "Days through Feb 9, 2026 are billed already and stay charged." in shown
    fields = {"first_day": "2026-02-10", "last_day": "2026-02-23"}
    # 14 of the 28 days from 10 February to 9 March are paused.
    assert "$15.00" in previewed(staff, address, **fields)
    page = send(staff, address, **fields).text
    assert "Billing is paused." in page and "Feb 10, 2026 – Feb 23, 2026" in page
    assert BillingPause.objects.count() == 1
    resume = reverse("resume-billing", args=[account.pk])
    assert resume in page
    # 7 of 28 days are paused.
    assert "$22.50" in previewed(staff, resume, first_day="2026-02-17")
    send(staff, resume, first_day="2026-02-17")
    assert BillingPause.objects.get().last_day.isoformat() == "2026-02-16"
    assert bill(account, BY_TEST, FEB_10).total_amount == D("22.50")


def test_a_billed_day_is_not_paused(account, staff):
    shown = previewed(staff, reverse("pause-billing", args=[account.pk]), first_day="2026-02-01")
    assert "are billed already; give a later day" in shown
    shown = previewed(staff, reverse("resume-billing", args=[account.pk]), first_day="2026-02-20")
    assert "no pause goes on" in shown


def test_a_plan_gets_a_trial(acme, staff, audited):
    account = an_account(acme, start=JAN_10)
    instance = account.plan_instances.get()
    address = reverse("set-trial", args=[account.pk, instance.pk])
    shown = previewed(staff, address, trial_end="2026-02-23")
    assert "Next invoice, Feb 24, 2026" in shown
    page = send(staff, address, trial_end="2026-02-23").text
    assert "free through Feb 23, 2026" in page
    account.refresh_from_db()
    assert account.next_bill_date.isoformat() == "2026-02-24"
    assert "is before the plan starts" in previewed(staff, address, trial_end="2026-01-01")


def test_a_billed_plan_gets_no_trial(account, staff):
    address = reverse("set-trial", args=[account.pk, account.plan_instances.get().pk])
    assert "the plan is billed already" in previewed(staff, address, trial_end="2026-02-23")


def test_an_own_price_is_added_with_what_units_cost_and_ended(account, staff, audited):
    instance = account.plan_instances.get()
    charge = instance.plan.charges.get()
    address = reverse("own-price", args=[account.pk, instance.pk])
    fields = {"charge": charge.pk, "model": "per_unit", "rate_per_unit": "25", "valid_from": "2026-02-10", "tried": "3"}
    shown = previewed(staff, address, **fields)
    assert "$75.00" in shown and "$90.00" in shown and "$25.00" in shown and "$30.00" in shown
    page = send(staff, address, **fields).text
    assert "own price is added" in page
    price = RateSchedule.objects.get(plan_instance=instance)
    end = reverse("end-own-price", args=[account.pk, instance.pk, price.pk])
    assert end in staff.get(address).text
    # The price does not reach the next cycle: the list price is charged again.
    with time_machine.travel("2026-02-09T12:00:00Z", tick=False):
        staff.force_login(get_user_model().objects.get(username="reader"))
        shown = previewed(staff, end, valid_to="2026-02-10")
        assert "$25.00" in shown
    staff.force_login(get_user_model().objects.get(username="reader"))
    assert "but ends on" in previewed(staff, end, valid_to="2026-02-09")
    send(staff, end, valid_to="2026-02-10")
    price.refresh_from_db()
    assert price.valid_to.isoformat() == "2026-02-10"
    assert bill(account, BY_TEST, FEB_10).total_amount == D("25.00")


def test_an_own_price_with_bands_and_a_minimum(acme, staff, audited):
    plan = a_plan(acme, {"phone": "30.00"})
    a_charge(plan, "calls", "0.10", ChargeType.USAGE)
    account = an_account(acme, plan)
    instance = account.plan_instances.get()
    charge = plan.charges.get(service__client_service_id="calls")
    address = reverse("own-price", args=[account.pk, instance.pk])
    fields = {"charge": charge.pk, "model": "tiered", "valid_from": "2026-01-10", "bands": "0 0.08\n\n100 0.05"}
    shown = previewed(staff, address, **fields, tried="300", minimum_amount="20")
    # 100 at 0.08 and 200 at 0.05, up to the minimum of 20; the list price: 300 at 0.10.
    assert "$8.00" in shown and "$10.00" in shown and "$20.00" in shown and "$30.00" in shown
    send(staff, address, **fields, tried="300", minimum_amount="20")
    assert RateSchedule.objects.get(plan_instance=instance).tiers.count() == 2
    for bands, words in (("0 a", "Line 1 is not a band"), ("5 0.1", "the first band must start at 0"), ("", "required")):
        shown = previewed(staff, address, **{**fields, "bands": bands})
        assert words in shown, bands
    assert "no bands" in previewed(staff, address, **{**fields, "model": "per_unit", "rate_per_unit": "1"})


@pytest.mark.parametrize("name", ["pause-billing", "resume-billing", "set-trial", "own-price"])
def test_terms_need_their_right_and_ones_own_client(account, staff, name):
    numbers = [account.pk] if name.endswith("billing") else [account.pk, PlanInstance.objects.get().pk]
    address = reverse(name, args=numbers)
    stranger = reader(ClientFactory(), permissions=MAY, name="stranger")
    viewer = reader(account.client, permissions=MAY[:2], name="viewer")
    assert (stranger.get(address).status_code, stranger.post(address).status_code) == (404, 404)
    assert (viewer.get(address).status_code, viewer.post(address).status_code) == (403, 403)
    assert address not in viewer.get(reverse("account", args=[account.pk])).text


def test_a_preview_only_reads(account, staff):
    """What is previewed in the facts asks the database for nothing but rows."""
    seen = []
    with connection.execute_wrapper(lambda execute, sql, *rest: (seen.append(sql), execute(sql, *rest))[1]):
        previewed(staff, reverse("pause-billing", args=[account.pk]), first_day="2026-02-10")
    assert not [sql for sql in seen if sql.startswith(("INSERT", "UPDATE", "DELETE")) and "session" not in sql]
    assert not [sql for sql in seen if "FOR " in sql and "UPDATE" in sql]
