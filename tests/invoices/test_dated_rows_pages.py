"""Pages of coupons, surcharges and tax rates: what they show, what their forms store, who is affected, and what they refuse."""

import re
from datetime import date
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Service
from invoices.models import Comparison, Coupon, Invoice, Surcharge, TaxRate
from invoices.services.billing.discounts_and_surcharges import add_with_services
from invoices.services.planning.out_of_date import out_of_date, would_be_out_of_date
from tests.support.act_pages import send
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.calling import rows_stored
from tests.support.coupons import a_coupon, redeem, refused_as
from tests.support.factories import BY_TEST, ClientFactory, ServiceFactory, TaxRateFactory, a_plan, an_account
from tests.support.invoice_pages import administrator, reader
from tests.support.pending import a_pending

COUPON = {"code": "SPRING", "name": "Spring", "percent": "10", "valid_from": "2026-01-01"}
RATE = {"name": "Sales tax", "country": "US", "region": "CA", "category": "standard", "percent": "12", "taxed_at": "ship_to"}


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z"):
        yield


@pytest.fixture
def staff(acme):
    return administrator(acme)


def text_of(answer):
    return answer.content.decode()


def previewed(staff, address, **fields):
    """Return the preview's page, after checking that it has written nothing and locked nothing."""
    before = rows_stored()
    with CaptureQueriesContext(connection) as asked:
        answer = staff.post(address, {**fields, "act": "preview"})
    statements = [one["sql"].upper() for one in asked if "STAFFSESSION" not in one["sql"].upper()]
    assert [one for one in statements if one.startswith(("INSERT", "UPDATE", "DELETE")) or "FOR NO KEY" in one] == []
    assert rows_stored() == before
    return text_of(answer)


def test_a_coupon_is_added_redeemed_and_billed(acme, staff, audited):
    plan = a_plan(acme, {"phone": "30.00", "fax": "10.00"})
    phone = Service.objects.get(client_service_id="phone")
    address = reverse("new-coupon")
    assert "No customer has redeemed it yet." in previewed(staff, address, **COUPON, services=[phone.pk])
    page = send(staff, address, **COUPON, services=[phone.pk], cycles="1")
    coupon = Coupon.objects.get(code="SPRING")
    assert page.redirect_chain[-1][0] == reverse("coupon", args=[coupon.pk])
    assert "The coupon is added." in text_of(page) and "10 %" in text_of(page)
    account = an_account(acme, plan)
    redeem(account, "SPRING")
    assert [bill(account, BY_TEST, day).total_amount for day in (JAN_10, FEB_10)] == [D("37.00"), D("40.00")]
    shown = text_of(staff.get(reverse("coupon", args=[coupon.pk])))
    assert account.client_acct_id in shown and "1 of 1" in shown


def test_a_change_of_a_coupon_says_who_has_redeemed_it_and_which_invoices_are_pending(acme, staff):
    account = an_account(acme, a_plan(acme))
    coupon = a_coupon(acme, cycles=3, valid_from=date(2026, 1, 1))
    redeem(account)
    pending = a_pending(acme, BY_TEST, account)
    a_pending(acme, BY_TEST)
    address = reverse("change-coupon", args=[coupon.pk])
    fields = {"code": "TEN", "name": "Ten percent off", "percent": "15", "valid_from": "2026-01-01", "cycles": "3"}
    text = previewed(staff, address, **fields, valid_to="2026-03-31")
    assert "1 customer has redeemed it." in text
    assert "1 pending invoice keeps what it has until it is recalculated, and is flagged as out of date." in text
    assert "Its last day is Mar 31, 2026." in text
    assert not Invoice.objects.filter(out_of_date()).exists()
    send(staff, address, **fields, valid_to="2026-03-31")
    coupon.refresh_from_db()
    assert (coupon.percent, coupon.valid_to) == (D(15), date(2026, 3, 31))
    assert list(Invoice.objects.filter(out_of_date())) == [pending]


def test_limits_below_what_is_used_are_refused_at_their_field_and_nothing_is_written(acme, staff):
    coupon = a_coupon(acme, cycles=3, max_redemptions=5, valid_from=date(2026, 1, 1))
    account = an_account(acme, a_plan(acme))
    redeem(account)
    redeem(an_account(acme, a_plan(acme), client_acct_id="other"))
    assert [bill(account, BY_TEST, day).total_amount for day in (JAN_10, FEB_10)] == [D("27.00"), D("27.00")]
    address = reverse("change-coupon", args=[coupon.pk])
    fields = {"code": "TEN", "name": "Ten percent off", "percent": "10", "valid_from": "2026-01-01"}
    for limits, message in (
        ({"cycles": "1", "max_redemptions": "5"}, "2 are already used"),
        ({"cycles": "3", "max_redemptions": "1"}, "2 are already used"),
    ):
        before = rows_stored()
        answer = staff.post(address, {**fields, **limits, "once": "a" * 32, "seen": "x"})
        assert answer.status_code == 422 and message in text_of(answer)
        assert rows_stored() == before
    coupon.refresh_from_db()
    assert (coupon.cycles, coupon.max_redemptions) == (3, 5)


def test_a_redeemed_coupon_gets_no_amount_in_a_currency_that_its_customers_do_not_have(acme, staff):
    coupon = a_coupon(acme, valid_from=date(2026, 1, 1))
    redeem(an_account(acme, a_plan(acme)))
    fields = {"code": "TEN", "name": "Ten percent off", "amount": "5", "valid_from": "2026-01-01"}
    address = reverse("change-coupon", args=[coupon.pk])
    answer = staff.post(address, {**fields, "percent": "", "currency": "eur", "once": "a" * 32, "seen": "x"})
    assert answer.status_code == 422
    assert "accounts in usd have redeemed coupon TEN" in text_of(answer)
    send(staff, address, **fields, percent="", currency="usd")
    coupon.refresh_from_db()
    assert (coupon.percent, coupon.amount, coupon.currency) == (None, D(5), "usd")


@pytest.mark.parametrize(
    ("address", "fields", "refused"),
    [
        ("new-coupon", {**COUPON, "percent": "1.500"}, "percent"),
        ("new-coupon", {**COUPON, "percent": "1e1"}, "percent"),
        ("new-surcharge", {"name": "Fee", "percent": "", "amount": "1.500", "currency": "usd"}, "amount"),
        ("new-tax-rate", {**RATE, "percent": "7.250"}, "percent"),
        ("new-tax-rate", {**RATE, "percent": "-1"}, "percent"),
    ],
)
def test_a_number_that_is_refused_has_only_its_own_message(acme, staff, address, fields, refused):
    sent = {**fields, "valid_from": "2026-01-01", "act": "preview"}
    answer = staff.post(reverse(address), sent, headers={"accept-language": "de"})
    errors = answer.context["form"].errors
    assert len(errors[refused]) == 1 and "percent" not in set(errors) - {refused} and "amount" not in set(errors) - {refused}
    assert "Dieses Feld darf nicht null sein" not in text_of(answer) and "entweder einen Prozentsatz" not in text_of(answer)


def test_neither_percent_nor_amount_is_refused(acme, staff):
    answer = staff.post(reverse("new-coupon"), {**COUPON, "percent": "", "once": "a" * 32, "seen": "x"})
    assert answer.status_code == 422
    assert "Give either a percent above 0 and up to 100, or an amount above 0 with its currency." in text_of(answer)
    assert not Coupon.objects.exists()


def test_a_change_of_services_stays_in_the_history(acme, staff):
    a_plan(acme, {"phone": "30.00", "fax": "10.00"})
    phone, fax = (Service.objects.get(client_service_id=name) for name in ("phone", "fax"))
    coupon = a_coupon(acme)
    fields = {"code": "TEN", "name": "Ten percent off", "percent": "10", "valid_from": "2026-01-10"}
    send(staff, reverse("change-coupon", args=[coupon.pk]), **fields, services=[phone.pk, fax.pk])
    history = text_of(staff.get(reverse("coupon", args=[coupon.pk]))).partition('id="history"')[2]
    assert re.search(rf"Services:</strong> – → {phone}, {fax}|Services:</strong> – → {fax}, {phone}", history)
    assert "Ana" in history


def test_a_surcharge_is_replaced_from_a_day_on(acme, staff, audited):
    plan = a_plan(acme)
    fee = ServiceFactory(client=acme, client_service_id="fee", name="Fee")
    send(staff, reverse("new-surcharge"), name="Fee", service=fee.pk, percent="10", valid_from="2026-01-01")
    first = Surcharge.objects.get()
    account = an_account(acme, plan)
    assert bill(account, BY_TEST, JAN_10).total_amount == D("33.00")
    address = f"{reverse('new-surcharge')}?like={first.pk}"
    assert staff.get(address).context["form"].initial["percent"] == D(10)
    text = previewed(staff, address, name="Fee", service=fee.pk, percent="20", valid_from="2026-01-20")
    assert "1 customer has a plan that it is added to." in text
    send(staff, address, name="Fee", service=fee.pk, percent="20", valid_from="2026-01-20")
    assert bill(account, BY_TEST, FEB_10).total_amount == D("36.00")
    states = re.findall(r'<span class="tag[^"]*">(.*?)</span>', text_of(staff.get(reverse("surcharges"))))
    assert states == ["replaced", "in force"]


def test_a_new_tax_rate_says_what_it_replaces_and_flags_what_is_pending(acme, staff, audited):
    TaxRateFactory(client=acme)
    account = an_account(acme, a_plan(acme))
    pending = a_pending(acme, BY_TEST, account)
    text = previewed(staff, reverse("new-tax-rate"), **RATE, valid_from="2026-02-01")
    assert "From Feb 1, 2026 on it replaces the rate of 10 %." in text
    assert "An amount of $100.00 before tax has $12.00 Sales tax." in text
    assert "1 customer has an address in this country." in text
    assert "1 pending invoice keeps what it has" in text
    send(staff, reverse("new-tax-rate"), **RATE, valid_from="2026-02-01")
    assert list(Invoice.objects.filter(out_of_date())) == [pending]
    other = an_account(acme, a_plan(acme), client_acct_id="other")
    assert [bill(other, BY_TEST, day).total_amount for day in (JAN_10, FEB_10)] == [D("33.00"), D("33.60")]


def test_a_rate_by_which_documents_are_taxed_is_ended_but_not_removed(acme, staff):
    rate = TaxRateFactory(client=acme)
    account = an_account(acme, a_plan(acme))
    assert bill(account, BY_TEST, JAN_10).total_amount == D("33.00")
    page = text_of(staff.get(reverse("remove-tax-rate", args=[rate.pk])))
    assert "end it by valid_to" in page or "is on document" in page
    answer = staff.post(reverse("remove-tax-rate", args=[rate.pk]), {"once": "a" * 32, "seen": "x"})
    assert answer.status_code == 422 and TaxRate.objects.count() == 1
    fields = {**RATE, "percent": "10", "valid_from": "2000-01-01", "valid_to": "2026-01-31"}
    send(staff, reverse("change-tax-rate", args=[rate.pk]), **fields)
    assert bill(account, BY_TEST, FEB_10).total_amount == D("30.00")


@pytest.mark.parametrize("name", ["coupon", "surcharge", "tax-rate"])
def test_a_row_that_nothing_uses_is_removed(acme, staff, name):
    service = ServiceFactory(client=acme)
    row = {
        "coupon": lambda: add_with_services(_coupon(acme), [service], caller=BY_TEST),
        "surcharge": lambda: add_with_services(_surcharge(acme, service), [service], caller=BY_TEST),
        "tax-rate": lambda: TaxRateFactory(client=acme),
    }[name]()
    page = send(staff, reverse(f"remove-{name}", args=[row.pk]))
    assert page.redirect_chain[-1][0] == reverse(f"{name}s")
    assert not type(row).objects.exists()


def _coupon(client):
    return Coupon(client=client, code="TEN", name="Ten", percent=D(10), valid_from=JAN_10)


def _surcharge(client, service):
    return Surcharge(client=client, name="Fee", service=service, percent=D(2), valid_from=JAN_10)


def test_a_redeemed_coupon_is_not_removed(acme, staff):
    coupon = a_coupon(acme)
    redeem(an_account(acme, a_plan(acme)))
    answer = staff.post(reverse("remove-coupon", args=[coupon.pk]), {"once": "a" * 32, "seen": "x"})
    assert answer.status_code == 422 and Coupon.objects.filter(pk=coupon.pk).exists()


def test_services_of_another_client_are_refused_by_the_service_itself(acme):
    theirs = ServiceFactory(client=ClientFactory(name="Other"))
    own = ServiceFactory(client=acme)
    assert refused_as(add_with_services, _coupon(acme), [theirs], caller=BY_TEST).number == 1002
    assert refused_as(add_with_services, _surcharge(acme, theirs), [], caller=BY_TEST).number == 1002
    assert add_with_services(_coupon(acme), [own], caller=BY_TEST).services.get() == own
    assert not Surcharge.objects.exists()


@pytest.mark.parametrize("name", ["coupon", "surcharge", "tax-rate"])
def test_a_viewer_sees_them_and_is_offered_nothing(acme, name):
    rows = {"coupon": a_coupon(acme), "tax-rate": TaxRateFactory(client=acme)}
    rows["surcharge"] = add_with_services(_surcharge(acme, ServiceFactory(client=acme)), [], caller=BY_TEST)
    viewer = reader(acme, permissions=("view_coupon", "view_surcharge", "view_taxrate"))
    listed, one = viewer.get(reverse(f"{name}s")), viewer.get(reverse(name, args=[rows[name].pk]))
    for page in (listed, one):
        assert page.status_code == 200
        assert "/new/" not in text_of(page) and "/change/" not in text_of(page) and "/remove/" not in text_of(page)
    assert viewer.get(reverse(f"new-{name}")).status_code == 403
    nobody = reader(acme, permissions=("view_plan",), name="nobody")
    assert nobody.get(reverse(f"{name}s")).status_code == 403
    assert f"/catalogue/{name}s/" not in text_of(nobody.get(reverse("catalogue")))


def test_what_would_be_flagged_is_what_is_flagged(acme):
    """The documents that a preview counts are those that the change then flags, for each kind of row."""
    plan = a_plan(acme)
    account = an_account(acme, plan)
    coupon = a_coupon(acme, valid_from=date(2026, 1, 1))
    redeem(account)
    rate, abroad = TaxRateFactory(client=acme), TaxRateFactory(client=acme, country="DE", region="", name="VAT")
    unused = ServiceFactory(client=acme, client_service_id="unused")
    surcharge = add_with_services(_surcharge(acme, unused), [], caller=BY_TEST)
    service = plan.charges.get().service
    pending = a_pending(acme, BY_TEST, account)
    expected = {coupon: 1, rate: 1, abroad: 0, unused: 1, service: 1, surcharge: 1, plan: 1}
    for row, count in expected.items():
        # Only this row has changed since the document was made.
        Comparison.objects.filter(invoice=pending).update(facts_read_at=timezone.now())
        foreseen = set(would_be_out_of_date(row))
        row.name = f"{row.name}."
        row.save()
        assert set(Invoice.objects.filter(out_of_date())) == foreseen, row
        assert len(foreseen) == count, row
