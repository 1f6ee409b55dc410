"""Pages of the catalogue: what they show, what their forms store, and what they refuse."""

from datetime import date
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.kinds import ChargeType
from accounts.models import Plan, PlanCharge, PlanMinimum, RateSchedule, Service
from invoices.models import Invoice
from invoices.pages import changing
from tests.support.act_pages import seen_on, send
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.calling import rows_stored
from tests.support.factories import BY_TEST, AccountFactory, ClientFactory, ServiceFactory, a_charge, a_plan, an_account
from tests.support.invoice_pages import reader

MAY = (
    "view_plan",
    "add_plan",
    "change_plan",
    "delete_plan",
    "add_service",
    "change_service",
    "delete_service",
    "add_rateschedule",
    "change_rateschedule",
    "delete_rateschedule",
)
PRICE = {"currency": "usd", "model": "per_unit", "rate_per_unit": "12.50"}


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        yield


@pytest.fixture
def staff(acme):
    return reader(acme, permissions=MAY)


def text_of(answer):
    return answer.content.decode()


def test_a_service_a_plan_and_a_charge_are_added_and_billed(acme, staff):
    fax = {"client_service_id": "fax", "name": "Fax", "gl_code": "4100", "tax_category": "standard"}
    send(staff, reverse("new-service"), **fax, unit_code="C62", price_units="1")
    service = Service.objects.get(client_service_id="fax")
    fields = {"client_plan_id": "office", "name": "Office", "billing_interval": "1", "term_months": "0"}
    answer = send(staff, reverse("new-plan"), **fields, trial_length="0", trial_unit="days")
    plan = Plan.objects.get(client_plan_id="office")
    assert answer.redirect_chain[-1][0] == reverse("add-charge", args=[plan.pk])
    page = send(staff, reverse("add-charge", args=[plan.pk]), service=service.pk, line_type="1", **PRICE, try_units="3")
    assert "The charge is added." in text_of(page)
    assert "$12.50" in text_of(page)
    account = an_account(acme, plan)
    assert bill(account, BY_TEST, JAN_10).total_amount == D("12.50")


def test_a_price_shows_what_units_cost_in_each_band_before_it_is_stored(acme, staff):
    charge = a_plan(acme).charges.get()
    before = rows_stored()
    fields = {"currency": "usd", "model": "tiered", "tiers": "0 0.10\n100\t0.05", "minimum_amount": "20", "try_units": "150"}
    fields["valid_from"] = "2026-02-01"
    text = text_of(staff.post(reverse("add-price", args=[charge.pk]), {**fields, "act": "preview"}))
    assert "$10.00" in text and "$2.50" in text and "$7.50" in text and "$20.00" in text
    assert {table: count for table, count in rows_stored().items() if before[table] != count} == {}


def test_a_new_price_counts_from_its_day_on(acme, staff, audited):
    plan = a_plan(acme)
    account = an_account(acme, plan)
    assert bill(account, BY_TEST, JAN_10).total_amount == D("30.00")
    charge = plan.charges.get()
    send(staff, reverse("add-price", args=[charge.pk]), **PRICE, valid_from="2026-02-01")
    assert bill(account, BY_TEST, FEB_10).total_amount == D("12.50")
    text = text_of(staff.get(reverse("catalogue-plan", args=[plan.pk])))
    assert "later" in text and "$12.50" in text and "$30.00" in text


def test_bands_in_any_order_and_wrong_bands(acme, staff):
    charge = a_plan(acme).charges.get()
    address = reverse("add-price", args=[charge.pk])
    fields = {"currency": "usd", "model": "volume", "band_edge": "reached", "valid_from": "2026-02-01"}
    for bands, message in (("10 1", "the first band must start at 0"), ("0 x", "is not two numbers"), ("0 -1", "greater than")):
        answer = staff.post(address, {**fields, "tiers": bands, "once": "a" * 32, "seen": "x"})
        assert answer.status_code == 422 and message in text_of(answer)
    send(staff, address, **fields, tiers="100 2\n0 3")
    price = RateSchedule.objects.get(valid_from=date(2026, 2, 1))
    assert [(one.from_unit, one.rate_per_unit) for one in price.tiers.all()] == [(D(0), D(3)), (D(100), D(2))]
    assert price.band_edge == "reached"


def test_two_prices_never_begin_on_one_day(acme, staff):
    charge = a_plan(acme).charges.get()
    answer = staff.post(reverse("add-price", args=[charge.pk]), {**PRICE, "once": "a" * 32, "seen": "x"})
    assert answer.status_code == 422
    assert "already has a list price in this currency from this day on" in text_of(answer)


def test_a_price_is_corrected_ended_and_removed(acme, staff):
    charge = a_plan(acme).charges.get()
    price = charge.rates.get()
    address = reverse("change-price", args=[price.pk])
    send(staff, address, **{**PRICE, "rate_per_unit": "31"}, valid_to="2026-06-30")
    price.refresh_from_db()
    assert (price.rate_per_unit, price.valid_to) == (D(31), date(2026, 6, 30))
    text = text_of(staff.get(reverse("catalogue-plan", args=[charge.plan_id])))
    assert "30 → 31" in text.replace("30.0000000000", "30") and "reader" in text
    removal = text_of(staff.get(reverse("remove-price", args=[price.pk])))
    assert "customers who pay in it cannot be billed" in removal
    send(staff, reverse("remove-price", args=[price.pk]))
    assert not RateSchedule.objects.filter(pk=price.pk).exists()


def form_of(staff, address):
    """Return what the form at an address sends if nothing is typed, with the hidden first values."""
    form = staff.get(address).context["form"]
    values = {name: form[name].value() for name in form.fields}
    sent = {name: str(value) for name, value in values.items() if value not in (None, "", False)}
    return {**sent, **{f"initial-{name}": value for name, value in sent.items()}}


def test_two_who_change_a_service_at_once_keep_each_others_columns(acme, staff):
    service = ServiceFactory(client=acme, client_service_id="fax", name="Fax", gl_code="4100")
    address = reverse("change-service", args=[service.pk])
    first = {**form_of(staff, address), "name": "Telefax", "once": "a" * 32}
    second = {**form_of(staff, address), "gl_code": "4200"}
    first["seen"] = seen_on(staff.post(address, {**first, "act": "preview"}))
    send(staff, address, **second)
    moved = staff.post(address, first)
    assert moved.status_code == 409
    text = text_of(moved)
    assert "Telefax" in text and "<td>4200</td>" not in text and "<td>4100</td>" not in text
    staff.post(address, {**first, "seen": seen_on(moved), "once": "b" * 32})
    service.refresh_from_db()
    assert (service.name, service.gl_code) == ("Telefax", "4200")


def test_a_change_between_the_preview_and_the_lock_is_noticed(acme, staff, monkeypatch):
    service = ServiceFactory(client=acme, client_service_id="fax", name="Fax", gl_code="4100")
    price = a_plan(acme).charges.get().rates.get()
    banded = {"currency": "usd", "model": "tiered", "tiers": "0 0.10"}
    send(staff, reverse("change-price", args=[price.pk]), **banded)
    pages = {
        reverse("change-service", args=[service.pk]): ({"name": "Telefax"}, Service.objects.filter(pk=service.pk)),
        reverse("change-price", args=[price.pk]): ({**banded, "tiers": "0 0.30"}, price.tiers.all()),
    }
    others = iter(({"gl_code": "4200"}, {"rate_per_unit": D("0.20")}))
    for address, (typed, rows) in pages.items():
        fields = {**form_of(staff, address), **typed, "once": "c" * 32}
        fields["seen"] = seen_on(staff.post(address, {**fields, "act": "preview"}))
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(changing, "use", lambda *_args, rows=rows: rows.update(**next(others)))
            assert staff.post(address, fields).status_code == 409
    service.refresh_from_db()
    assert service.name == "Fax"


def test_what_customers_are_billed_by_stays(acme, staff):
    plan = a_plan(acme)
    an_account(acme, plan)
    charge = plan.charges.get()
    fields = {
        "client_plan_id": plan.client_plan_id,
        "name": "Renamed",
        "term_months": "0",
        "trial_length": "0",
        "trial_unit": "days",
    }
    address = reverse("change-catalogue-plan", args=[plan.pk])
    answer = staff.post(address, {**fields, "billing_interval": "3", "act": "preview"})
    assert "Add another plan or charge instead" in text_of(answer)
    send(staff, address, **fields, billing_interval="1")
    plan.refresh_from_db()
    assert (plan.name, plan.billing_interval) == ("Renamed", 1)
    answer = staff.post(
        reverse("change-charge", args=[charge.pk]), {"service": charge.service_id, "line_type": "7", "act": "preview"}
    )
    assert "Customers have this plan" in text_of(answer)
    for name, number in (
        ("remove-charge", charge.pk),
        ("remove-catalogue-plan", plan.pk),
        ("remove-service", charge.service_id),
    ):
        answer = staff.post(reverse(name, args=[number]), {"once": "a" * 32, "seen": "x"})
        assert answer.status_code == 422, name
    assert PlanCharge.objects.filter(pk=charge.pk).exists()


def test_what_nobody_uses_is_changed_and_removed(acme, staff):
    plan = a_plan(acme)
    charge = plan.charges.get()
    send(staff, reverse("change-charge", args=[charge.pk]), service=charge.service_id, line_type="7", billing_interval="12")
    charge.refresh_from_db()
    assert (charge.line_type, charge.billing_interval) == (ChargeType.ARREARS, 12)
    service = charge.service
    send(staff, reverse("remove-charge", args=[charge.pk]))
    send(staff, reverse("remove-catalogue-plan", args=[plan.pk]))
    send(staff, reverse("remove-service", args=[service.pk]))
    assert not Plan.objects.exists() and not Service.objects.exists()


def test_a_charge_needs_a_price_in_each_currency_of_its_customers(acme, staff):
    plan = a_plan(acme)
    a_second = plan.charges.get()
    RateSchedule.objects.create(charge=a_second, currency="eur", rate_per_unit=D(28))
    an_account(acme, plan)
    an_account(acme, plan, currency="eur")
    service = ServiceFactory(client=acme, client_service_id="fax")
    address = reverse("add-charge", args=[plan.pk])
    fields = {"service": service.pk, "line_type": "1", **PRICE}
    assert "give a price in it too" in text_of(staff.post(address, {**fields, "act": "preview"}))
    send(staff, address, **fields, others="EUR 11.50")
    charge = PlanCharge.objects.get(service=service)
    assert dict(charge.rates.values_list("currency", "rate_per_unit")) == {"usd": D("12.50"), "eur": D("11.50")}


def test_a_minimum_of_the_plan_is_set_and_removed(acme, staff):
    plan = a_plan(acme)
    address = reverse("set-plan-minimum", args=[plan.pk])
    send(staff, address, currency="usd", amount="50")
    assert PlanMinimum.objects.get().amount == 50
    text = text_of(staff.get(reverse("catalogue-plan", args=[plan.pk])))
    assert "Up to the minimum of the plan" in text and "$20.00" in text and "$50.00" in text
    send(staff, address, currency="usd", amount="50", remove="on")
    assert not PlanMinimum.objects.exists()


def test_another_minimum_shows_the_one_that_it_replaces(acme, staff):
    plan = a_plan(acme)
    address = reverse("set-plan-minimum", args=[plan.pk])
    PlanMinimum.objects.create(plan=plan, currency="eur", amount=50)
    preview = staff.post(address, {"currency": "EUR", "amount": "60", "act": "preview"})
    assert [(one.before, one.after) for one in preview.context["expected"].changes] == [("50", "60")]
    PlanMinimum.objects.update(amount=70)
    fields = {"currency": "EUR", "amount": "60", "seen": preview.context["expected"].seen, "once": "a" * 32}
    assert staff.post(address, fields).status_code == 409
    assert PlanMinimum.objects.get().amount == 70
    send(staff, address, currency="EUR", amount="60")
    assert PlanMinimum.objects.get().amount == 60


def test_a_minimum_is_removed_without_typing_it_and_only_if_it_exists(acme, staff):
    plan = a_plan(acme)
    address = reverse("set-plan-minimum", args=[plan.pk])
    PlanMinimum.objects.create(plan=plan, currency="eur", amount=50)
    assert "no minimum in usd" in text_of(staff.post(address, {"currency": "usd", "remove": "on", "act": "preview"}))
    assert "is required" in text_of(staff.post(address, {"currency": "eur", "seen": "x", "once": "b" * 32}))
    send(staff, address, currency="eur", remove="on")
    assert not PlanMinimum.objects.exists()


def test_the_calculator_counts_as_the_invoice_does(acme, staff, audited):
    plan = a_plan(acme)
    a_charge(plan, "seats", tiers={"0": "2.00", "3": "1.50"})
    account = an_account(acme, plan)
    account.plan_instances.update(units=5)
    text = text_of(
        staff.get(reverse("catalogue-plan", args=[plan.pk]), {"units": "5", "used": "", "currency": "usd", "day": "2026-01-10"})
    )
    invoice = bill(account, BY_TEST, JAN_10)
    assert invoice.total_amount == D("159.00")
    assert "$150.00" in text and "$6.00" in text and "$3.00" in text and "$159.00" in text


def test_the_calculator_says_what_is_wrong(acme, staff):
    plan = a_plan(acme)
    address = reverse("catalogue-plan", args=[plan.pk])
    for typed in ("x", "-1", "1e400", ""):
        assert staff.get(address, {"units": typed}).status_code == 200
    assert "Enter a number." in text_of(staff.get(address, {"units": "x"}))
    assert "Write all its digits: 100, not 1e2." in text_of(staff.get(address, {"units": "1e2"}))


def test_lists_show_pages_and_find_by_words(acme, staff):
    a_plan(acme, name="Gold")
    a_plan(acme, {"fax": "1.00"}, name="Silver")
    a_plan(ClientFactory(name="Other"), name="Gold of others")
    text = text_of(staff.get(reverse("catalogue")))
    assert "Gold" in text and "Silver" in text and "of others" not in text
    text = text_of(staff.get(reverse("catalogue"), {"q": "fax"}))
    assert "Silver" in text and "Gold" not in text
    assert "Fax" in text_of(staff.get(reverse("catalogue-services"), {"q": "4000 fax"}))
    assert "No plan found" in text_of(staff.get(reverse("catalogue"), {"q": "nothing"}))


def test_lists_need_a_constant_number_of_queries(acme, staff):
    def queries(address):
        with CaptureQueriesContext(connection) as seen:
            assert staff.get(address).status_code == 200
        return len(seen)

    plan = a_plan(acme)
    addresses = [reverse("catalogue"), reverse("catalogue-services"), reverse("catalogue-plan", args=[plan.pk])]
    before = [queries(address) for address in addresses]
    for number in range(5):
        an_account(acme, a_plan(acme, {f"service-{number}": "1.00"}))
        a_charge(plan, f"part-{number}", "1.00")
    assert [queries(address) for address in addresses] == before


def test_others_catalogue_is_not_found(acme, staff):
    plan = a_plan(ClientFactory(name="Other"))
    charge = plan.charges.get()
    named = {"catalogue-plan": plan.pk, "catalogue-service": charge.service_id, "change-charge": charge.pk}
    named |= {"change-price": charge.rates.get().pk, "add-charge": plan.pk}
    for name, number in named.items():
        assert staff.get(reverse(name, args=[number])).status_code == 404, name


def test_a_viewer_reads_and_changes_nothing(acme):
    viewer = reader(acme, permissions=("view_plan",))
    plan = a_plan(acme)
    text = text_of(viewer.get(reverse("catalogue-plan", args=[plan.pk])))
    assert "$30.00" in text and "Change plan" not in text and "New price" not in text
    assert viewer.get(reverse("change-catalogue-plan", args=[plan.pk])).status_code == 403


def test_an_account_without_any_currency_yet_gets_a_suggestion(acme, staff):
    AccountFactory(client=acme, currency="jpy")
    plan = Plan.objects.create(client=acme, client_plan_id="empty", name="")
    text = text_of(staff.get(reverse("add-charge", args=[plan.pk])))
    assert 'value="jpy"' in text
    assert "charges nothing" in text_of(staff.get(reverse("catalogue")))
    assert not Invoice.objects.exists()
