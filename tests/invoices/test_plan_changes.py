"""A plan instance ends, or another plan takes its place within a cycle: each is charged for its days, and nothing twice."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine

from accounts.kinds import ChargeType
from accounts.models import Account, PlanInstance
from accounts.services.plans import change_plan
from billing_site.errors import BillingError
from invoices.audit import run_audits
from invoices.models import Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.billing import generating
from invoices.services.billing.generating import generate_invoice
from tests.support.accounts_api import API, with_key
from tests.support.billing import bill
from tests.support.factories import BY_TEST, PlanFactory, a_charge, a_plan, an_account

MAY_15, JUN_15, JUN_27, JUL_15 = date(2026, 5, 15), date(2026, 6, 15), date(2026, 6, 27), date(2026, 7, 15)


@pytest.fixture(autouse=True)
def first_of_june():
    with time_machine.travel(datetime(2026, 6, 1, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True)


def act(api, instance, name, body, status):
    response = api.post(f"{API}/plan-instances/{instance.pk}/{name}/", body, format="json")
    assert response.status_code == status, response.json()
    return response.json()


def change(api, instance, plan, start, status=201, **body):
    return act(api, instance, "change", {"plan": plan.pk, "start_date": start, **body}, status)


def end(api, instance, end_date, status=200):
    return act(api, instance, "end", {"end_date": end_date}, status)


def charged(invoice):
    """The lines as plan, amount, how much of the cycle, first and last day."""
    return [(one.plan_name, one.amount, one.proration_text, one.period_start, one.period_end) for one in invoice.lines.all()]


def nothing_moved(instance):
    """The refused change has left the plan instance, its account and the number of instances as they were."""
    stored = PlanInstance.objects.get()
    account = Account.objects.get()
    return (stored.pk, stored.end_date, account.billing_version) == (
        instance.pk,
        instance.end_date,
        instance.account.billing_version,
    )


def arrears_plan(client, rate, name, **fields):
    plan = PlanFactory(client=client, name=name, **fields)
    a_charge(plan, "phone", rate, ChargeType.ARREARS)
    return plan


def only_instance(account):
    return account.plan_instances.select_related("account").get()


# What is charged.


def test_in_arrears_each_plan_is_charged_for_its_days_on_one_invoice(acme, api, process):
    """30 days of 15 June to 14 July: A's 12 of 30.00 are 12.00, B's 18 of 60.00 are 36.00."""
    account = an_account(acme, arrears_plan(acme, "30.00", "A"), start=JUN_15)
    bill(account, process, JUN_15)
    change(api, only_instance(account), arrears_plan(acme, "60.00", "B"), "2026-06-27")
    assert charged(bill(account, process, JUL_15)) == [
        ("A", D("12.00"), "12 of 30 days", JUN_15, date(2026, 6, 26)),
        ("B", D("36.00"), "18 of 30 days", JUN_27, date(2026, 7, 14)),
    ]
    assert charged(bill(account, process, date(2026, 8, 15))) == [("B", D("60.00"), "", JUL_15, date(2026, 8, 14))]
    assert [report for report in run_audits() if report.findings] == []


def test_in_advance_a_change_that_is_known_before_the_bill_charges_the_first_plan_for_its_days_only(acme, api, process):
    """The other plan begins after the bill date, so its days of the cycle are caught up on the next bill."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}, name="A"), start=MAY_15)
    bill(account, process, MAY_15)
    change(api, only_instance(account), a_plan(acme, {"phone": "60.00"}, name="B"), "2026-06-27")
    assert charged(bill(account, process, JUN_15)) == [("A", D("12.00"), "12 of 30 days", JUN_15, date(2026, 6, 26))]
    assert charged(bill(account, process, JUL_15)) == [
        ("B", D("36.00"), "18 of 30 days", JUN_27, date(2026, 7, 14)),
        ("B", D("60.00"), "", JUL_15, date(2026, 8, 14)),
    ]
    assert [report for report in run_audits() if report.findings] == []


def test_days_that_were_billed_in_advance_stay_charged_where_the_client_says_so(acme, api, process):
    acme.credit_unused_on_change = False
    acme.save()
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}, name="A"), start=JUN_15)
    bill(account, process, JUN_15)
    old = only_instance(account)
    answer = change(api, old, a_plan(acme, {"phone": "60.00"}, name="B"), "2026-06-27")
    invoice = Invoice.objects.get()
    assert answer["unused_days"] == [
        {
            "plan_instance": old.pk,
            "invoice_no": invoice.pk,
            "document_number": invoice.document_number,
            "line_no": 1,
            "service": invoice.lines.get().service_id,
            "description": "Phone",
            "start_date": "2026-06-27",
            "end_date": "2026-07-14",
            "days": 18,
            "amount": "18.00",
            "tax_amount": "0.00",
            "currency": "usd",
            "outcome": "stays_charged",
        }
    ]
    assert charged(bill(account, process, JUL_15)) == [
        ("B", D("36.00"), "18 of 30 days", JUN_27, date(2026, 7, 14)),
        ("B", D("60.00"), "", JUL_15, date(2026, 8, 14)),
    ]


def test_a_change_on_a_bill_date_makes_no_part_of_a_cycle(acme, api, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}, name="A"), start=MAY_15)
    bill(account, process, MAY_15)
    change(api, only_instance(account), a_plan(acme, {"phone": "60.00"}, name="B"), "2026-06-15")
    assert charged(bill(account, process, JUN_15)) == [("B", D("60.00"), "", JUN_15, date(2026, 7, 14))]


def test_parts_of_a_cycle_add_up_when_the_price_does_not_change(acme, api, process):
    """10.00 over 30 days: whatever the day, the two parts are 10.00 together."""
    for day in (16, 20, 27, 30):
        account = an_account(acme, arrears_plan(acme, "10.00", "A"), start=JUN_15)
        bill(account, process, JUN_15)
        change(api, only_instance(account), arrears_plan(acme, "10.00", "B"), f"2026-06-{day}")
        assert bill(account, process, JUL_15).net_amount == D("10.00")


def test_a_plan_that_ends_is_charged_to_its_last_day(acme, api, process):
    account = an_account(acme, arrears_plan(acme, "30.00", "A"), start=JUN_15)
    bill(account, process, JUN_15)
    assert end(api, only_instance(account), "2026-06-26")["end_date"] == "2026-06-26"
    assert charged(bill(account, process, JUL_15)) == [("A", D("12.00"), "12 of 30 days", JUN_15, date(2026, 6, 26))]
    account.refresh_from_db()
    assert account.next_bill_date is None


# What the API answers.


def test_a_change_answers_the_new_plan_instance(acme, api):
    account = an_account(acme, a_plan(acme), start=JUN_15)
    old = only_instance(account)
    PlanInstance.objects.update(units=D(3), po_num="PO 7")
    plan = a_plan(acme, {"phone": "60.00", "tv": "9.00"})
    prices = [{"service": plan.charges.earliest("pk").service_id, "rate_per_unit": "55"}]
    answer = change(api, old, plan, "2026-06-27", prices=prices)
    new = PlanInstance.objects.latest("pk")
    assert (answer["id"], answer["acct_no"], answer["plan"]) == (new.pk, account.pk, plan.pk)
    assert (answer["units"], answer["po_num"]) == ("3.0000", "PO 7")
    assert (answer["start_date"], answer["end_date"]) == ("2026-06-27", None)
    assert [(price["rate_per_unit"], price["currency"]) for price in answer["prices"]] == [("55.0000000000", "usd")]
    assert api.get(f"{API}/plan-instances/{old.pk}/").json()["end_date"] == "2026-06-26"
    assert answer.pop("unused_days") == []
    assert api.get(f"{API}/plan-instances/{new.pk}/").json() == answer


# What is refused, with nothing written.


@pytest.fixture
def instance(acme):
    return only_instance(an_account(acme, a_plan(acme), start=JUN_15))


@pytest.mark.parametrize(
    ("start", "code", "words"),
    [
        ("2026-06-15", 1016, "must be after 2026-06-15, when the old plan starts"),
        ("2026-06-14", 1016, "must be after 2026-06-15, when the old plan starts"),
        ("1899-12-31", 1016, "must be after 2026-06-15, when the old plan starts"),
        ("3000-01-01", 1016, "2999"),
        ("2026-06-31", 1024, "start_date"),
        (None, 1010, "start_date"),
    ],
)
def test_a_change_on_a_day_on_which_none_can_be_is_refused(acme, api, instance, start, code, words):
    answer = change(api, instance, a_plan(acme), start, status=400)
    assert (answer["error_code"], list(answer["errors"])) == (code, ["start_date"])
    assert words in answer["error_msg"]
    assert nothing_moved(instance)


@pytest.mark.parametrize("units", ["0", "-1", "0.00000000001"])
def test_a_plan_of_no_units_is_refused(acme, api, instance, units):
    """It would bill nothing, and nobody would see why."""
    change(api, instance, a_plan(acme), "2026-07-01", 400, units=units)
    new = {"acct_no": instance.account_id, "plan": instance.plan_id, "start_date": "2026-07-01", "units": units}
    for method, path, body in (
        ("POST", "", new),
        ("PATCH", f"{instance.pk}/", {"units": units, "units_from": "2026-07-01"}),
        ("PATCH", f"{instance.pk}/", {"units": units, "units_from": str(instance.start_date)}),
    ):
        answer = api.generic(method, f"/api/v1/plan-instances/{path}", json.dumps(body), content_type="application/json")
        assert (answer.status_code, answer.json()["error_code"], list(answer.json()["errors"])) == (400, 1016, ["units"])
    assert PlanInstance.objects.get().units == 1


def test_a_plan_that_has_ended_is_not_changed_after_its_end(acme, api, instance):
    end(api, instance, "2026-06-20")
    instance = only_instance(instance.account)
    answer = change(api, instance, a_plan(acme), "2026-06-22", status=400)
    assert (answer["error_code"], list(answer["errors"])) == (1016, ["start_date"])
    assert "2026-06-22 is after 2026-06-20, when the old plan ends" in answer["error_msg"]
    assert nothing_moved(instance)
    change(api, instance, a_plan(acme), "2026-06-20")


def test_a_plan_of_another_client_does_not_exist(umbra, api, instance):
    answer = change(api, instance, a_plan(umbra), "2026-06-27", status=400)
    assert (answer["error_code"], list(answer["errors"])) == (1016, ["plan"])
    assert nothing_moved(instance)


def test_a_plan_without_a_price_in_the_accounts_currency_is_refused(acme, api, instance):
    answer = change(api, instance, a_plan(acme, currency="eur"), "2026-06-27", status=409)
    assert (answer["error_code"], list(answer["errors"])) == (90007, ["plan"])
    assert nothing_moved(instance)


@pytest.mark.parametrize(
    ("price", "code", "field"),
    [
        ({"rate_per_unit": "-1"}, 1016, "prices[0].rate_per_unit"),
        ({"model": "tiered", "tiers": [{"from_unit": "5", "rate_per_unit": "1"}]}, 90010, "prices[0].tiers"),
        ({"currency": "eur", "rate_per_unit": "1"}, 90007, "prices[0].currency"),
        ({"charge": 999999, "rate_per_unit": "1"}, 1016, "prices[0].charge"),
    ],
)
def test_a_change_at_a_bad_price_is_refused(acme, api, instance, price, code, field):
    plan = a_plan(acme)
    prices = [{"charge": plan.charges.get().pk, **price}]
    answer = change(api, instance, plan, "2026-06-27", status=409 if code == 90007 else 400, prices=prices)
    assert (answer["error_code"], list(answer["errors"])) == (code, [field])
    assert nothing_moved(instance)


@pytest.mark.parametrize(
    ("end_date", "code", "field"),
    [
        ("2026-06-14", 1016, "end_date"),
        ("3000-01-01", 1016, "end_date"),
        ("tomorrow", 1024, "end_date"),
        (None, 1010, "end_date"),
    ],
)
def test_an_end_on_which_none_can_be_is_refused(api, instance, end_date, code, field):
    answer = end(api, instance, end_date, status=400)
    assert (answer["error_code"], list(answer["errors"])) == (code, [field])
    assert nothing_moved(instance)


def test_plan_instances_of_another_client_do_not_exist(acme, umbra, api):
    theirs = only_instance(an_account(umbra, start=JUN_15))
    for answer in (change(api, theirs, a_plan(acme), "2026-06-27", status=404), end(api, theirs, "2026-06-27", status=404)):
        assert answer["error_code"] == 1002
    assert nothing_moved(theirs)


def test_a_change_while_an_invoice_is_made_voids_its_plan(acme, instance, process, monkeypatch):
    """The plan is changed after the invoice was planned and before it is recorded: it is not written."""
    original = generating.record_plans
    plan = a_plan(acme)

    def change_first(recording, planned):
        change_plan(instance=instance, plan=plan, start_date=JUN_27, caller=BY_TEST)
        return original(recording, planned)

    monkeypatch.setattr(generating, "record_plans", change_first)
    with pytest.raises(BillingError) as refused:
        generate_invoice(client=acme, account_no=instance.account_id, request=BillingRequest(JUN_15), caller=process)
    assert refused.value.code.number == 3108
    assert not Invoice.objects.exists()


def test_the_new_plan_ends_when_the_old_one_would_have(acme, api, instance):
    end(api, instance, "2026-12-31", status=200)
    new = change(api, instance, a_plan(acme), "2026-06-27", status=201)
    assert (new["start_date"], new["end_date"]) == ("2026-06-27", "2026-12-31")
