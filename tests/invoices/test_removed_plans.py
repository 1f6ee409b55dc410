"""A plan that has not begun is removed: neither a day of it nor its activation is billed."""

from datetime import date

import pytest
import time_machine

from accounts.models import PlanInstance
from accounts.services.plans import assign_plan
from invoices.services.approving.acts import discard_invoices
from invoices.services.lists.accounts import account_rows
from tests.support.accounts_api import API, with_key
from tests.support.audits.planting import findings
from tests.support.billing import ACTIVATION, bill
from tests.support.factories import AccountFactory, ContactFactory, PlanFactory, a_charge, a_plan, an_account
from tests.support.memos import memo_of, void
from tests.support.payments import staff_with
from tests.support.rebilling import rebilled

pytestmark = pytest.mark.usefixtures("audited")

APRIL_1, APRIL_10, MAY_1, JUNE_1 = date(2031, 4, 1), date(2031, 4, 10), date(2031, 5, 1), date(2031, 6, 1)


@pytest.fixture(autouse=True)
def first_of_april():
    with time_machine.travel("2031-04-01T12:00:00Z", tick=False):
        yield


@pytest.fixture
def signed_up(acme, process):
    """A customer who signed up on the 1st for the 10th: 10.00 a month and 50.00 once."""
    account = AccountFactory(client=acme)
    ContactFactory(account=account)
    return signing_up(account, process)


def signing_up(account, process):
    plan = PlanFactory(client=account.client)
    a_charge(plan, "phone", "10")
    a_charge(plan, "setup", "50", ACTIVATION)
    return assign_plan(account=account, plan=plan, start_date=APRIL_10, caller=process)


def staff_of(client, *rights):
    caller = staff_with(*rights)
    client.staff.add(caller.staff)
    return caller


def removed(client, instance):
    return client.delete(f"{API}/plan-instances/{instance.pk}/")


def test_it_is_never_billed_and_stays_readable(acme, signed_up, process):
    api = with_key(acme)
    assert removed(api, signed_up).status_code == 204
    assert api.get(f"{API}/plan-instances/{signed_up.pk}/").json()["taken_off_on"] == "2031-04-01"
    account = signed_up.account
    account.refresh_from_db()
    assert (account.next_bill_date, removed(api, signed_up).status_code) == (None, 204)


def test_beside_another_plan_only_that_is_billed(acme, process):
    account = an_account(acme, a_plan(acme, {"tv": "20"}), start=APRIL_1)
    later = signing_up(account, process)
    assert removed(with_key(acme), later).status_code == 204
    assert [bill(account, process, day).total_amount for day in (APRIL_1, MAY_1)] == [20, 20]


def test_a_plan_that_has_begun_is_ended_instead(acme, signed_up):
    api = with_key(acme)
    with time_machine.travel("2031-04-10T12:00:00Z", tick=False):
        answer = removed(api, signed_up)
        assert (answer.status_code, answer.json()["error_code"]) == (409, 90062)
        assert "started on 2031-04-10; instead, end it on that day or later" in answer.json()["error_msg"]
        ended = api.post(f"{API}/plan-instances/{signed_up.pk}/end/", {"end_date": "2031-04-10"}, format="json")
        assert ended.status_code == 200


def test_a_plan_that_has_begun_and_is_alone_on_an_invoice_is_ended_and_credited(acme, process):
    """A rebill and an end on the day before are refused, so neither is recommended. What is recommended leaves nothing owed."""
    account = an_account(acme, a_plan(acme, {"tv": "30"}), start=APRIL_1)
    (instance,) = account.plan_instances.all()
    invoice = bill(account, process, APRIL_1)
    api = with_key(acme)
    answer = removed(api, instance)
    assert (answer.status_code, answer.json()["error_code"]) == (409, 90062)
    assert "started on 2031-04-01; instead, end it on that day or later" in answer.json()["error_msg"]
    address = f"{API}/plan-instances/{instance.pk}/end/"
    early = api.post(address, {"end_date": "2031-03-31"}, format="json")
    expected = "starts on 2031-04-01; end it on 2031-04-01 or later, or remove it before 2031-04-01"
    assert (early.status_code, expected in early.json()["error_msg"]) == (400, True)
    assert api.post(address, {"end_date": "2031-04-01"}, format="json").status_code == 200
    memo = memo_of(invoice, process, today=APRIL_1)
    assert invoice.total_amount + memo.total_amount == 0


def test_a_plan_that_has_not_begun_and_is_alone_on_an_invoice_is_taken_off_once_that_is_voided(acme, signed_up, process):
    invoice = bill(signed_up.account, process, APRIL_1, advance=True)
    api = with_key(acme)
    answer = removed(api, signed_up)
    assert (answer.status_code, answer.json()["error_code"]) == (409, 90063)
    assert f"is on {invoice.document_number}; void {invoice.document_number} first" in answer.json()["error_msg"]
    void(invoice, process, APRIL_1)
    assert removed(api, signed_up).status_code == 204


def test_what_is_billed_already_is_discarded_or_rebilled_first(acme, process):
    """The cycle of 1 May is billed ahead on 1 April, with the plan from the 10th on. What the refusal recommends helps."""
    api = with_key(acme)
    account = an_account(acme, a_plan(acme, {"tv": "20"}), start=APRIL_1)
    later = signing_up(account, process)
    bill(account, process, APRIL_1)
    pending = bill(account, process, APRIL_1, advance=True, force_pending=True)
    answer = removed(api, later)
    assert (answer.status_code, answer.json()["error_code"]) == (409, 90063)
    assert f"discard invoice {pending.pk} first" in answer.json()["error_msg"]
    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=process)
    invoice = bill(account, process, APRIL_1, advance=True)
    assert f"rebill {invoice.document_number} without its lines first" in removed(api, later).json()["error_msg"]
    tv = invoice.lines.get(plan_instance__start_date=APRIL_1).line_no
    rebilled(invoice, process, tv)
    assert removed(api, later).status_code == 204
    assert bill(account, process, JUNE_1).total_amount == 20


def test_it_is_taken_off_on_the_accounts_page(acme, client, signed_up):
    caller = staff_of(acme, "view_account", "change_planinstance")
    client.force_login(caller.staff)
    page = client.get(f"/accounts/{signed_up.account_id}/").content.decode()
    address = f"/accounts/{signed_up.account_id}/plans/{signed_up.pk}/take-off/"
    assert (address in page, "Remove plan" in page) == (True, True)
    shown = client.post(address, {"once": "a"}, follow=True).content.decode()
    assert ("The plan was removed" in shown, "Remove plan" in shown) == (True, False)
    assert PlanInstance.objects.get().taken_off_on == APRIL_1
    assert list(account_rows([signed_up.account], APRIL_1)[0].plans) == []


def test_who_may_not_change_plans_takes_none_off(acme, client, signed_up):
    client.force_login(staff_of(acme, "view_account").staff)
    page = client.get(f"/accounts/{signed_up.account_id}/").content.decode()
    assert "Remove plan" not in page
    address = f"/accounts/{signed_up.account_id}/plans/{signed_up.pk}/take-off/"
    assert "The plan was removed" not in client.post(address, {"once": "a"}, follow=True).content.decode()
    assert PlanInstance.objects.get().taken_off_on is None


def test_what_was_billed_by_an_invoice_that_was_voided(acme, process):
    """The cycle of 1 May is billed ahead and voided, then the plan is removed: nothing of it is billed again."""
    account = an_account(acme, a_plan(acme, {"tv": "20"}), start=APRIL_1)
    later = signing_up(account, process)
    bill(account, process, APRIL_1)
    ahead = bill(account, process, APRIL_1, advance=True)
    assert later.pk in ahead.lines.values_list("plan_instance_id", flat=True)
    void(ahead, process, APRIL_1)
    api = with_key(acme)
    assert removed(api, later).status_code == 204
    assert api.get(f"{API}/invoices/{ahead.pk}/").json()["to_bill_again"] == []
    assert findings() == {}
    assert bill(account, process, MAY_1).total_amount == 20
