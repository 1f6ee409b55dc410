"""Pending documents whose ground has moved: flagged in queue, page and API with what has changed, and never clean."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from accounts.models import Account, Client, Contact, Plan, PlanCharge, RateSchedule, Service
from accounts.rates import RateTerms
from accounts.services.plans import assign_plan, end_plan_instance, update_plan_instance
from accounts.services.prices import add_price, change_price
from invoices.models import DataChange, Surcharge, TaxRate
from invoices.services.approving.acts import discard_invoices, regenerate_invoices
from invoices.services.approving.queue import Tab, pending_documents, tab_rules, tab_sums
from invoices.services.billing.service_credits import add_service_credit
from invoices.services.lists.settings import SECTIONS, Effect
from invoices.services.planning.out_of_date import IRRELEVANT, changes_since
from tests.support.accounts_api import API, with_key
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill, metered
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import ServiceFactory, TaxRateFactory, a_charge, a_plan, an_account, some_usage
from tests.support.orders import order
from tests.support.outcomes import error_of
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def waiting(acme, process):
    """A pending invoice of 33.00: phone at 30.00 and 10 % tax in California."""
    TaxRateFactory(client=acme)
    return bill(an_account(acme), process, JAN_10, force_pending=True)


def tabs(acme, process):
    """Return how many documents are flagged and how many are clean, without those that have other flags."""
    rules = tab_rules(acme, process)
    return [pending_documents(acme).filter(rules[tab]).count() for tab in (Tab.FLAGGED, Tab.CLEAN)]


@pytest.fixture(autouse=True)
def no_other_flags(acme):
    acme.flag_first = acme.flag_lines = False
    acme.flag_change_percent = None
    acme.save()


def changes(document):
    return [change.text for change in changes_since([document.pk])[document.pk]] if stale(document) else []


def stale(document):
    return bool(changes_since([document.pk]))


def account_status(invoice, process):
    account = Account.objects.get(pk=invoice.account_id)
    account.status = -1
    account.save()


def an_address(invoice, process):
    contact = Contact.objects.get(account=invoice.account)
    contact.region = "OR"
    contact.save()


def a_city(invoice, process):
    contact = Contact.objects.get(account=invoice.account)
    contact.city = "Oakland"
    contact.save()


def another_plan(invoice, process):
    assign_plan(account=invoice.account, plan=a_plan(invoice.client, {"tv": "9.00"}), start_date=JAN_10, caller=process)


def units(invoice, process):
    instance = invoice.account.plan_instances.get()
    instance.units = D(2)
    update_plan_instance(instance, ["units"], caller=process)


def an_end(invoice, process):
    end_plan_instance(invoice.account.plan_instances.get(), date(2026, 1, 20), caller=process)


def an_own_price(invoice, process):
    charge = PlanCharge.objects.get()
    add_price(charge, RateTerms("usd", D("20.00")), invoice.account.plan_instances.get(), caller=process)


def a_list_price(invoice, process):
    change_price(RateSchedule.objects.get(), RateTerms("usd", D("35.00")), caller=process, today=JAN_10)


def a_charge_of_the_plan(invoice, process):
    a_charge(Plan.objects.get(), "tv", "5.00")


def a_service(invoice, process):
    service = Service.objects.get()
    service.tax_inclusive = True
    service.save()


def a_tax_rate(invoice, process):
    rate = TaxRate.objects.get()
    rate.percent = D("8.25")
    rate.save()


def a_tax_rate_that_is_new(invoice, process):
    TaxRateFactory(client=invoice.client, name="City tax", percent=D(1))


def a_tax_rate_that_is_deleted(invoice, process):
    TaxRate.objects.get().delete()


def many_tax_rates_that_are_deleted(invoice, process):
    TaxRate.objects.filter(client=invoice.client).delete()


def a_surcharge(invoice, process):
    service = ServiceFactory(client=invoice.client, client_service_id="fee")
    Surcharge.objects.create(client=invoice.client, name="Fuel", service=service, percent=D(3), valid_from=JAN_10)


def a_redeemed_coupon(invoice, process):
    a_coupon(invoice.client)
    redeem(invoice.account)


def a_service_credit(invoice, process):
    given = {"client": invoice.client, "account_no": invoice.account_id, "caller": process, "today": JAN_10}
    add_service_credit(amount=D(5), reason="Sorry", **given)


def an_order(invoice, process):
    order(invoice.account, ServiceFactory(client=invoice.client))


def the_clients_own_address(invoice, process):
    client = invoice.client
    client.address1 = "9 New Street"
    client.save()


CHANGES = [
    account_status,
    a_city,
    another_plan,
    units,
    an_end,
    an_own_price,
    a_list_price,
    a_charge_of_the_plan,
    a_service,
    a_tax_rate,
    a_tax_rate_that_is_new,
    a_tax_rate_that_is_deleted,
    many_tax_rates_that_are_deleted,
    a_surcharge,
    a_redeemed_coupon,
    a_service_credit,
    an_order,
    the_clients_own_address,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_change_puts_the_document_out_of_date(acme, waiting, process, change):
    assert (tabs(acme, process), stale(waiting)) == ([0, 1], False)
    change(waiting, process)
    assert (tabs(acme, process), stale(waiting)) == ([1, 0], True)
    assert all(changes(waiting))
    (answer,) = regenerate_invoices(client=acme, invoice_nos=[waiting.pk], caller=process, today=JAN_10)
    if change is not account_status:
        assert (error_of(answer), tabs(acme, process)) == (None, [0, 1])


def test_of_a_clients_settings_those_that_generating_reads_put_documents_out_of_date():
    """The pages of the settings say of each what it does to pending documents."""
    effects = {name: effect for section in SECTIONS.values() for name, effect in section.effects.items()}
    relevant = {field.name for field in Client._meta.concrete_fields} - IRRELEVANT[Client] - {"id"}
    assert relevant == {name for name, effect in effects.items() if effect is Effect.GENERATING}


def test_a_limit_of_runs_puts_no_document_out_of_date(acme, waiting, process):
    acme.stop_above_invoice = D("1234.56")
    acme.save()
    assert (tabs(acme, process), stale(waiting)) == ([0, 1], False)


def test_what_has_changed_is_recorded_in_english(acme, waiting, process):
    with override("de"):
        acme.payment_terms_days = 45
        acme.save()
    assert changes(waiting) == [f"client {acme}: payment_terms_days 14 \u2192 45"]


def test_what_has_changed_is_named(waiting, process):
    units(waiting, process)
    a_tax_rate(waiting, process)
    an_address(waiting, process)
    assert [text.split(": ", 1)[1] for text in changes(waiting)] == [
        "units 1.0000 \u2192 2",
        "percent 10.000000 \u2192 8.25",
        "region CA \u2192 OR",
    ]


def something_of_another_account(invoice, process):
    other = an_account(invoice.client, a_plan(invoice.client, {"net": "1.00"}))
    units(other.invoices.model(account=other), process)


def a_price_of_another_plan(invoice, process):
    a_plan(invoice.client, {"net": "1.00"})


def a_tax_rate_of_another_country(invoice, process):
    TaxRateFactory(client=invoice.client, country="FR", region="", percent=D(20))


def an_e_mail_address(invoice, process):
    contact = Contact.objects.get(account=invoice.account)
    contact.email = "ada@example.com"
    contact.save()


def a_threshold_of_the_queue(invoice, process):
    invoice.client.flag_first = False
    invoice.client.four_eyes = "off"
    invoice.client.save()


@pytest.mark.parametrize(
    "change",
    [
        something_of_another_account,
        a_price_of_another_plan,
        a_tax_rate_of_another_country,
        an_e_mail_address,
        a_threshold_of_the_queue,
    ],
    ids=lambda change: change.__name__,
)
def test_what_bears_on_no_line_of_it_leaves_the_document_clean(acme, waiting, process, change):
    change(waiting, process)
    assert (tabs(acme, process), changes(waiting)) == ([0, 1], [])


def test_usage_that_comes_in_late_puts_a_document_out_of_date(acme, process):
    account, instance = metered(acme)
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "100", JAN_31)
    pending = bill(account, process, FEB_10, force_pending=True)
    some_usage(instance, "calls", "5", FEB_10, "of the next cycle")
    assert (tabs(acme, process), changes(pending)) == ([0, 1], [])
    some_usage(instance, "calls", "7", JAN_31, "late")
    assert (tabs(acme, process), changes(pending)) == ([1, 0], ["Usage late of 2026-01-31: loaded"])


def test_a_document_that_is_decided_on_is_not_out_of_date(acme, waiting, process):
    units(waiting, process)
    discard_invoices(client=acme, invoice_nos=[waiting.pk], caller=process)
    assert changes_since([waiting.pk]) == {}


def a_pending_rebill(acme, process):
    TaxRateFactory(client=acme)
    acme.rebill_approval_required = True
    acme.save()
    return rebilled(bill(an_account(acme), process, JAN_10), process, line(1, rate_per_unit="25"))


def test_a_rebill_depends_on_addresses_and_taxes_but_not_on_plans(acme, process):
    rebill = a_pending_rebill(acme, process)
    units(rebill, process)
    a_list_price(rebill, process)
    a_service_credit(rebill, process)
    assert (tabs(acme, process), changes(rebill)) == ([0, 1], [])
    an_address(rebill, process)
    assert changes(rebill)[0].endswith("region CA \u2192 OR")


def test_the_api_and_the_pages_show_it_with_recalculate_beside_it(acme, client, waiting, admin_user):
    client.force_login(admin_user)
    api = with_key(acme)
    shown = api.get(f"{API}/invoices/{waiting.pk}/").json()
    assert (shown["flags"], shown["out_of_date"]) == ([], [])
    an_address(waiting, None)
    shown = api.get(f"{API}/invoices/{waiting.pk}/").json()
    assert shown["flags"] == ["out_of_date"]
    assert "region CA \u2192 OR" in shown["out_of_date"][0]
    queue = client.get("/invoices/pending/").content.decode()
    page = client.get(f"/invoices/{waiting.pk}/").content.decode()
    for text in (queue, page):
        assert ("Out of date" in text, "region CA \u2192 OR" in text, "Recalculate" in text) == (True, True, True)
    assert (
        f'action="{reverse("invoice-act", args=[waiting.pk, "recalculate"])}"'
        in page.split('id="out-of-date"')[1].split("</section>")[0]
    )


def test_the_queue_is_added_up_in_one_query_however_much_has_changed(acme, waiting, process):
    for change in (units, an_address, a_tax_rate):
        change(waiting, process)
    with CaptureQueriesContext(connection) as captured:
        tab_sums(pending_documents(acme), acme, process)
    assert len(captured) == 1
    assert DataChange.objects.count() > 3


def test_what_has_changed_is_read_as_often_however_much_it_is(waiting, process, django_assert_num_queries):
    for change in (units, an_address, a_tax_rate, a_list_price, a_price_of_another_plan, the_clients_own_address):
        change(waiting, process)
    with django_assert_num_queries(4):
        found = changes_since([waiting.pk])[waiting.pk]
    assert len(found) == 5  # the price of another plan is none of it
