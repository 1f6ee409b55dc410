"""A voided invoice that is not the account's newest: which periods are missing, and billing them again."""

from base64 import b64encode
from datetime import date
from decimal import Decimal as D

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from accounts.keys import create_key
from accounts.kinds import ChargeType
from accounts.models import Event
from accounts.services.plans import end_plan_instance
from billing_site.errors import BillingError
from invoices.audit import run_audits
from invoices.kinds import EntryKind
from invoices.models import Invoice
from invoices.plan.facts import BillingRequest
from invoices.plan.unbilled_periods import gaps
from invoices.services.approving.acts import approve_invoices, regenerate_invoices
from invoices.services.billing.generating import generate_invoice
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.acts import Why
from invoices.services.planning.billing_again import unbilled_periods_of, waive_periods
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import ACTIVATION, ARREARS, FEB_10, JAN_10, MAR_10, USAGE, amounts, bill, charged
from tests.support.factories import PlanFactory, a_charge, a_plan, an_account, an_instance
from tests.support.rebilling import line, rebilled


def void(invoice, caller):
    void_invoice(client=invoice.client, invoice_no=invoice.pk, caller=caller, today=MAR_10, reason_code=5)
    invoice.refresh_from_db()


def total(client, account):
    """What the live invoices of an account amount to."""
    return sum(one.total_amount for one in Invoice.objects.filter(account=account, status="approved"))


def findings():
    return [words for report in run_audits() for words in report.findings]


def again(invoice, caller, **request):
    number = generate_invoice(
        client=invoice.client,
        account_no=invoice.account_id,
        request=BillingRequest(MAR_10, again_for=invoice.pk, **request),
        caller=caller,
    )
    return Invoice.objects.get(pk=number)


@pytest.mark.parametrize(
    ("covered", "left"),
    [
        ([], [(1, 9)]),
        ([(1, 9)], []),
        ([(0, 3)], [(4, 9)]),
        ([(4, 5)], [(1, 3), (6, 9)]),
        ([(6, 12), (2, 3)], [(1, 1), (4, 5)]),
        ([(2, 6), (3, 4)], [(1, 1), (7, 9)]),
    ],
)
def test_days_that_nothing_covers(covered, left):
    day = lambda n: date(2026, 1, 1 + n)  # noqa: E731
    found = gaps((day(1), day(9)), [(day(a), day(b)) for a, b in covered])
    assert found == [(day(a), day(b)) for a, b in left]


def test_the_first_invoice_of_a_year_is_due_again_when_it_is_voided(acme, process):
    """1,200.00 for a year beside a monthly plan: the next bill charges the year again."""
    account = an_account(acme, a_plan(acme, {"licence": "1200.00"}, billing_interval=12))
    an_instance(account, a_plan(acme, {"phone": "30.00"}), JAN_10)
    january, february = bill(account, process, JAN_10), bill(account, process, FEB_10)
    assert (amounts(january), amounts(february)) == ([D("1200.00"), D("30.00")], [D("30.00")])
    void(january, process)
    assert findings() != []  # the month of the phone is missing
    march = bill(account, process, MAR_10)
    assert D("1200.00") in amounts(march)
    assert amounts(again(january, process)) == [D("30.00")]
    assert findings() == []


@pytest.mark.parametrize("which", [0, 1])
def test_a_month_of_three_is_missing_until_it_is_billed_again(acme, process, which):
    account = an_account(acme)
    invoices = [bill(account, process, day) for day in (JAN_10, FEB_10, MAR_10)]
    before = account.next_bill_date
    voided = invoices[which]
    void(voided, process)
    assert any(f"invoice {voided.pk}" in words and "is billed by no other invoice" in words for words in findings())
    new = again(voided, process)
    assert charged(new) == charged(voided)
    assert (new.kind, new.bill_date, new.status, new.document_number) == (
        "recurring",
        voided.bill_date,
        "approved",
        "INV-000004",
    )
    account.refresh_from_db()
    assert (account.next_bill_date, account.plan_instances.get().billed_through) == (before, date(2026, 4, 9))
    assert findings() == []
    with pytest.raises(BillingError) as refused:
        again(voided, process)
    assert refused.value.code.number == 90083


def test_a_month_beside_an_idle_metered_plan_is_missing_too(acme, process):
    """Cycles in which there was nothing to bill do not explain days that were billed and voided."""
    metered = PlanFactory(client=acme)
    a_charge(metered, "calls", "0.10", USAGE)
    account = an_account(acme, metered)
    for day in (JAN_10, FEB_10):
        assert bill(account, process, day) is None
    an_instance(account, a_plan(acme), FEB_10)
    march = bill(account, process, MAR_10)
    april = bill(account, process, date(2026, 4, 10))
    void(march, process)
    assert any(f"invoice {march.pk}" in words for words in findings())
    again(march, process)
    assert findings() == [] and april is not None


def test_a_pending_one_moves_nothing_when_it_is_approved_and_is_regenerated_for_the_same_days(acme, process):
    account = an_account(acme)
    january, february = bill(account, process, JAN_10), bill(account, process, FEB_10)
    void(january, process)
    pending = again(january, process, force_pending=True)
    (outcome,) = regenerate_invoices(client=acme, invoice_nos=[pending.pk], caller=process, today=MAR_10)
    new = Invoice.objects.get(pk=outcome.invoice_no)
    assert (new.bill_date, new.bills_again_id, charged(new)) == (january.bill_date, january.pk, charged(january))
    account.refresh_from_db()
    before = (account.next_bill_date, account.last_bill_date, account.arrears_due_from)
    approve_invoices(client=acme, invoice_nos=[new.pk], caller=process, today=MAR_10)
    account.refresh_from_db()
    assert (account.next_bill_date, account.last_bill_date, account.arrears_due_from) == before
    assert (findings(), february.status) == ([], "approved")


def test_arrears_and_activation_of_an_older_invoice_are_billed_again(acme, process):
    plan = PlanFactory(client=acme)
    for service, rate, kind in (
        ("line", "20.00", ChargeType.RECURRING),
        ("rent", "7.00", ARREARS),
        ("setup", "50.00", ACTIVATION),
    ):
        a_charge(plan, service, rate, kind)
    account = an_account(acme, plan)
    january, february, march = (bill(account, process, day) for day in (JAN_10, FEB_10, MAR_10))
    assert (amounts(january), amounts(february)) == ([D("50.00"), D("20.00")], [D("20.00"), D("7.00")])
    void(january, process)
    void(february, process)
    assert amounts(again(january, process)) == [D("50.00"), D("20.00")]
    assert amounts(again(february, process)) == [D("20.00"), D("7.00")]
    assert (findings(), march.status) == ([], "approved")


def test_a_person_may_decide_that_it_is_not_billed_again(acme, process):
    account = an_account(acme)
    january, _ = bill(account, process, JAN_10), bill(account, process, FEB_10)
    void(january, process)
    waive_periods(client=acme, invoice_no=january.pk, caller=process, today=MAR_10, comments="Goodwill")
    january.refresh_from_db()
    assert (findings(), bool(unbilled_periods_of(january))) == ([], False)
    assert Event.objects.get(act="invoice.periods_waived").after == {"comments": "Goodwill"}
    with pytest.raises(BillingError) as refused:
        waive_periods(client=acme, invoice_no=january.pk, caller=process, today=MAR_10)
    assert refused.value.code.number == 90083


def test_a_voided_month_is_billed_again_over_the_api_and_on_its_page(acme, umbra, process, admin_client):
    key = create_key(acme, name="Shop", caller=process)[1]
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Basic {b64encode(f'{acme.pk}:{key}'.encode()).decode()}")
    account = an_account(acme)
    january, february, _ = (bill(account, process, day) for day in (JAN_10, FEB_10, MAR_10))
    assert api.get(f"/api/v1/invoices/{january.pk}/").data["to_bill_again"] == []
    void(january, process)
    void(february, process)
    shown = api.get(f"/api/v1/invoices/{january.pk}/").data["to_bill_again"]
    assert shown == [f"plan instance {account.plan_instances.get().pk}: 2026-01-10 to 2026-02-09"]
    answer = api.post(f"/api/v1/invoices/{january.pk}/bill_again/", {}, format="json")
    assert (answer.status_code, answer.data["total_amount"], answer.data["bill_date"]) == (201, "30.00", JAN_10)
    assert api.post(f"/api/v1/invoices/{january.pk}/bill_again/", {}, format="json").data["error_code"] == 90083
    page = admin_client.get(f"/invoices/{february.pk}/").text
    assert "Bill these periods again?" in page and "2026-02-10 to 2026-03-09" in page
    admin_client.post(f"/invoices/{february.pk}/act/bill_again/")
    assert findings() == []
    assert "Bill these periods again?" not in admin_client.get(f"/invoices/{february.pk}/").text


def test_a_viewer_neither_bills_again_nor_waives(acme, process, client):
    account = an_account(acme)
    january, _ = bill(account, process, JAN_10), bill(account, process, FEB_10)
    void(january, process)
    viewer = get_user_model().objects.create(username="viewer", is_staff=True)
    viewer.groups.add(Group.objects.get(name="Viewer"))
    acme.staff.add(viewer)
    client.force_login(viewer)
    assert "Bill these periods again</button>" not in client.get(f"/invoices/{january.pk}/").text
    for act in ("bill_again", "waive_periods"):
        client.post(f"/invoices/{january.pk}/act/{act}/")
        assert client.post(f"/api/v1/invoices/{january.pk}/{act}/", {}, "application/json").status_code == 403
    assert Invoice.objects.count() == 2
    assert any(f"invoice {january.pk}" in words for words in findings())


def test_write_offs_of_a_rebill_are_taken_off_the_rebill(acme, process):
    original = bill(an_account(acme), process, JAN_10)
    rebill = rebilled(original, process, line(1, amount="20.00"))
    for kind in (EntryKind.DISPUTE, EntryKind.WRITE_OFF):
        write_off(
            client=acme, invoice_no=rebill.pk, caller=process, today=MAR_10, amount=D("5.00"), why=Why(1, "agreed"), kind=kind
        )
    assert findings() == []


def test_a_cycle_that_is_due_again_is_billed_beside_one_that_was_billed_again(acme, process):
    """10.00 in advance and 4.00 in arrears: the second month is voided, then the third, and the second billed again."""
    plan = PlanFactory(client=acme)
    a_charge(plan, "fee", "10.00")
    a_charge(plan, "rent", "4.00", ARREARS)
    account = an_account(acme, plan)
    first, second, third = (bill(account, process, day) for day in (JAN_10, FEB_10, MAR_10))
    void(second, process)
    void(third, process)
    assert amounts(again(second, process))[0] == D("10.00")
    billed = [bill(account, process, MAR_10) for _ in range(2)]
    assert total(acme, account) == D("10.00") * 3 + D("4.00") * 2
    assert (findings(), first.status, billed[0].status) == ([], "approved", "approved")


def test_arrears_that_were_charged_are_not_charged_again_with_a_plan_that_is_due_again(acme, process):
    """A year of 1,200.00 beside 365.00 in arrears, ended after five days: the first invoice is voided."""
    plan = PlanFactory(client=acme, billing_interval=12)
    a_charge(plan, "base", "1200.00")
    a_charge(plan, "rent", "365.00", ARREARS)
    account = an_account(acme, plan, start=JAN_10)
    first = bill(account, process, JAN_10)
    end_plan_instance(account.plan_instances.get(), date(2026, 1, 14), caller=process)
    account.refresh_from_db()
    second = bill(account, process, FEB_10)
    assert amounts(second) == [D("5.00")]
    void(first, process)
    assert amounts(again(first, process)) == [D("16.44")]
    assert findings() == []


def test_an_idle_plan_of_a_voided_invoice_is_not_missing(acme, process):
    metered = PlanFactory(client=acme)
    a_charge(metered, "calls", "0.10", USAGE)
    account = an_account(acme)
    an_instance(account, metered, JAN_10)
    january, _, _ = (bill(account, process, day) for day in (JAN_10, FEB_10, MAR_10))
    void(january, process)
    assert amounts(again(january, process)) == [D("30.00")]
    assert (findings(), bool(unbilled_periods_of(january))) == ([], False)


def test_a_middle_month_that_is_waived_leaves_no_finding(acme, process):
    account = an_account(acme)
    _, february, _ = (bill(account, process, day) for day in (JAN_10, FEB_10, MAR_10))
    void(february, process)
    waive_periods(client=acme, invoice_no=february.pk, caller=process, today=MAR_10)
    assert findings() == []


def test_a_pending_one_is_no_finding(acme, process):
    account = an_account(acme)
    january, _ = bill(account, process, JAN_10), bill(account, process, FEB_10)
    void(january, process)
    assert again(january, process, force_pending=True).status == "pending"
    assert findings() == []
