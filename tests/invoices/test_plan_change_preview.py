"""The pages that end and change a customer's plan show what happens to billed days, before they save."""

import html
from datetime import date
from decimal import Decimal as D

import pytest
import time_machine
from django.urls import reverse

from accounts.services.plans import end_plan_instance
from invoices.models import UnusedCredit
from tests.support.act_pages import send
from tests.support.billing import bill
from tests.support.factories import a_plan, an_account, an_instance
from tests.support.invoice_pages import reader
from tests.support.unused_days import APR_15, MAY_15, audited

pytestmark = pytest.mark.django_db
ON_NEXT, BY_MEMO, CHARGED = "Credited on the next invoice", "Credited by a credit memo", "Stays charged"


@pytest.fixture(autouse=True)
def on_the_27th_of_april():
    with time_machine.travel("2031-04-27T12:00:00Z", tick=False):
        yield


@pytest.fixture
def instance(acme, process):
    """A plan of 30.00 that is billed from 15 April to 14 May, beside one that costs nothing and goes on."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=APR_15)
    an_instance(account, a_plan(acme, {"mail": "0.00"}), APR_15)
    bill(account, process, APR_15)
    return account.plan_instances.earliest("pk")


@pytest.fixture
def staff(acme):
    return reader(acme, permissions=("view_account", "view_invoice", "change_planinstance", "add_planinstance"))


def ending(instance):
    return reverse("end-plan", args=[instance.account_id, instance.pk])


def previewed(staff, address, **fields):
    return html.unescape(staff.post(address, {**fields, "act": "preview"}).content.decode())


def test_an_end_is_shown_with_its_days_and_saved_as_it_was_seen(staff, instance):
    asked = {"end_date": "2031-04-26", "credit_unused": "yes"}
    page = previewed(staff, ending(instance), **asked)
    instance.refresh_from_db()
    assert (ON_NEXT in page, "$18.00" in page, "INV-000001" in page, instance.end_date) == (True, True, True, None)
    assert "The end of the plan is set." in send(staff, ending(instance), **asked).content.decode()
    instance.refresh_from_db()
    assert (instance.end_date, instance.credited_from) == (date(2031, 4, 26), date(2031, 4, 27))


def test_the_clients_setting_holds_where_nothing_is_chosen(staff, instance):
    page = previewed(staff, ending(instance), end_date="2031-04-26")
    assert (CHARGED in page, "$18.00" in page, ON_NEXT in page) == (True, True, False)
    send(staff, ending(instance), end_date="2031-04-26")
    instance.refresh_from_db()
    assert (instance.end_date, instance.credited_from) == (date(2031, 4, 26), None)


def test_another_choice_than_the_one_that_was_seen_is_shown_first(staff, instance):
    shown = staff.post(ending(instance), {"end_date": "2031-04-26", "act": "preview"})
    seen = shown.context["expected"].seen
    other = {"end_date": "2031-04-30", "credit_unused": "yes", "seen": seen, "once": "1"}
    answer = staff.post(ending(instance), other)
    page = html.unescape(answer.content.decode())
    instance.refresh_from_db()
    assert (answer.status_code, "Nothing was written yet." in page, "$14.00" in page) == (409, True, True)
    assert instance.end_date is None


def test_other_units_are_shown_with_what_is_given_back(acme, staff, instance, process):
    acme.credit_unused_on_change = True
    acme.save()
    address = reverse("change-plan", args=[instance.account_id, instance.pk])
    asked = {"plan": instance.plan_id, "units": "2", "start_date": "2031-04-27"}
    page = previewed(staff, address, **asked)
    assert (ON_NEXT in page, "$18.00" in page) == (True, True)
    assert instance.account.plan_instances.count() == 2
    send(staff, address, **asked)
    account = instance.account
    account.refresh_from_db()
    assert sorted(account.plan_instances.values_list("units", flat=True)) == [1, 1, 2]
    assert bill(account, process, MAY_15).total_amount == D("78.00")  # 36.00 and 60.00 less 18.00
    audited()


def test_the_last_plan_is_previewed_without_issuing_its_credit_memo(acme, staff, instance, process):
    end_plan_instance(instance.account.plan_instances.latest("pk"), date(2031, 5, 14), caller=process)
    versions = instance.history.count()
    asked = {"end_date": "2031-04-26", "credit_unused": "yes"}
    assert BY_MEMO in previewed(staff, ending(instance), **asked)
    assert (instance.account.invoices.count(), UnusedCredit.objects.count(), instance.history.count()) == (1, 0, versions)
    send(staff, ending(instance), **asked)
    assert instance.account.invoices.get(kind="credit_memo").total_amount == D("-18.00")


def test_a_refused_end_says_why_and_shows_no_days(staff, instance):
    page = previewed(staff, ending(instance), end_date="2031-04-01")
    instance.refresh_from_db()
    assert ("$18.00" in page, "alert-danger" in page, instance.end_date) == (False, True, None)


def test_a_purchase_order_number_is_for_the_lines_of_the_next_invoices(staff, instance, process):
    address = reverse("set-po-number", args=[instance.account_id, instance.pk])
    assert "The PO number is changed." in send(staff, address, po_num="PO 7").content.decode()
    lines = bill(instance.account, process, MAY_15).lines
    assert list(lines.filter(plan_instance=instance).values_list("po_num", flat=True)) == ["PO 7"]
    assert reader(instance.account.client, permissions=("view_account",), name="viewer").get(address).status_code == 403
