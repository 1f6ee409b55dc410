"""The admin's page of a customer's plan shows what happens to billed days, before it saves another end or other units."""

import html
import re
from datetime import date
from decimal import Decimal as D

import pytest

from accounts.services.plans import end_plan_instance
from invoices.models import UnusedCredit
from tests.support.billing import bill
from tests.support.factories import a_plan, an_account, an_instance
from tests.support.unused_days import APR_15, MAY_15, audited

pytestmark = pytest.mark.django_db
DAYS = "Phone of INV-000001, 18 days from 2031-04-27 to 2031-05-14: 18.00 usd."
CREDITED, BY_MEMO, CHARGED = (
    f"{DAYS} {becomes}." for becomes in ("Credited on the next invoice", "Credited by a credit memo", "Stays charged")
)
ASKED = "Nothing is saved yet."


@pytest.fixture
def instance(acme, process):
    """A plan of 30.00 that is billed from 15 April to 14 May, beside one that costs nothing and goes on."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=APR_15)
    an_instance(account, a_plan(acme, {"mail": "0.00"}), APR_15)
    bill(account, process, APR_15)
    return account.plan_instances.earliest("pk")


@pytest.fixture
def send(admin_client, instance):
    """`send(page, **changed)` sends the form of a page, or of the first page, with fields changed, and returns the next
    page."""
    address = f"/admin/accounts/planinstance/{instance.pk}/change/"

    def sent_by(page):
        form = html.unescape(page).partition('id="planinstance_form"')[2].partition("</form>")[0]
        inputs = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in re.findall(r"<input [^>]+>", form)]
        fields = {one["name"]: one.get("value", "") for one in inputs if "name" in one and one.get("type") != "submit"}
        chosen = re.search(r'<select name="credit_unused".*?</select>', form, re.S)[0]
        selected = re.search(r'value="(\w*)"[^>]* selected', chosen)
        return {
            **fields,
            "account": instance.account_id,
            "plan": instance.plan_id,
            "credit_unused": selected[1] if selected else "",
        }

    def send(page=None, **changed):
        page = admin_client.get(address).content.decode() if page is None else page
        answer = admin_client.post(address, {**sent_by(page), **changed}, follow=True)
        text = html.unescape(answer.content.decode())
        return text

    return send


def test_an_end_is_shown_with_its_days_and_saved_when_it_is_sent_again(send, instance):
    page = send(end_date="2031-04-26", credit_unused="true")
    instance.refresh_from_db()
    assert (ASKED in page, CREDITED in page, instance.end_date) == (True, True, None)
    saved = send(page)
    instance.refresh_from_db()
    assert (ASKED in saved, CREDITED in saved) == (False, True)
    assert (instance.end_date, instance.credited_from) == (date(2031, 4, 26), date(2031, 4, 27))


def test_the_clients_setting_holds_where_nothing_is_chosen(send, instance):
    page = send(end_date="2031-04-26")
    assert (ASKED in page, CHARGED in page, CREDITED in page) == (True, True, False)
    send(page)
    instance.refresh_from_db()
    assert (instance.end_date, instance.credited_from) == (date(2031, 4, 26), None)


def test_another_choice_than_the_one_that_was_seen_is_shown_first(send, instance):
    page = send(send(end_date="2031-04-26"), credit_unused="true")
    instance.refresh_from_db()
    assert (ASKED in page, CREDITED in page, instance.end_date) == (True, True, None)
    page = send(page, end_date="2031-04-30")
    assert "14 days from 2031-05-01 to 2031-05-14: 14.00 usd. Credited on the next invoice." in page
    instance.refresh_from_db()
    assert (ASKED in page, instance.end_date) == (True, None)


def test_other_units_are_shown_with_what_is_given_back(acme, send, instance, process):
    acme.credit_unused_on_change = True
    acme.save()
    page = send(units="2", units_from="2031-04-27")
    instance.refresh_from_db()
    assert (ASKED in page, CREDITED in page, instance.end_date) == (True, True, None)
    assert instance.account.plan_instances.count() == 2
    send(page)
    account = instance.account
    account.refresh_from_db()
    assert sorted(account.plan_instances.values_list("units", flat=True)) == [1, 1, 2]
    assert bill(account, process, MAY_15).total_amount == D("78.00")  # 36.00 and 60.00 less 18.00
    audited()


def test_the_last_plan_is_previewed_without_issuing_its_credit_memo(acme, send, instance, process):
    end_plan_instance(instance.account.plan_instances.latest("pk"), date(2031, 5, 14), caller=process)
    versions = instance.history.count()
    page = send(end_date="2031-04-26", credit_unused="true")
    assert (ASKED in page, BY_MEMO in page) == (True, True)
    assert (instance.account.invoices.count(), UnusedCredit.objects.count(), instance.history.count()) == (1, 0, versions)
    assert BY_MEMO in send(page)
    assert instance.account.invoices.get(kind="credit_memo").total_amount == D("-18.00")


def test_what_touches_no_billed_day_is_saved_at_once(send, instance):
    assert ASKED not in send(po_num="PO 7")
    assert ASKED not in send(end_date="2031-06-14")
    instance.refresh_from_db()
    assert (instance.po_num, instance.end_date) == ("PO 7", date(2031, 6, 14))


def test_a_refused_end_says_why_and_shows_no_days(send, instance):
    page = send(end_date="2031-04-01")
    instance.refresh_from_db()
    assert (ASKED in page, "Please correct the error" in page, instance.end_date) == (False, True, None)
