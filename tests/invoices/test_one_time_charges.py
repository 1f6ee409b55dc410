"""Orders by their services: taken once under the client's own id, changed and cancelled only while no invoice holds them."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from accounts.models import Account, Event
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice, OneTimeCharge
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import discard_invoices, regenerate_invoices
from invoices.services.billing import generating
from invoices.services.billing.generating import generate_invoice
from invoices.services.billing.one_time_charges import add_one_time_charge, cancel_one_time_charge, change_one_time_charge
from invoices.services.documents import account_acts
from tests.support.accounts_api import API, create, with_key, wrong
from tests.support.billing import bill
from tests.support.factories import ClientFactory, ServiceFactory, a_plan, an_account
from tests.support.orders import FEB_10, JAN_10, JAN_11, PROCESS, order
from tests.support.races import at_once


@pytest.fixture
def account(acme):
    return an_account(acme)


@pytest.fixture
def router(acme):
    return ServiceFactory(client=acme, client_service_id="router")


def change(one, **fields):
    names = ("service", "rate_per_unit", "charge_date", "units", "client_order_id", "description", "po_num")
    terms = {**{name: getattr(one, name) for name in names}, **fields}
    return change_one_time_charge(client=one.account.client, order_no=one.pk, caller=PROCESS, **terms)


def cancel(one):
    cancel_one_time_charge(client=one.account.client, order_no=one.pk, caller=PROCESS)


def refused_as(work, *arguments, **options):
    with pytest.raises(BillingError) as refused:
        work(*arguments, **options)
    return refused.value.code, refused.value.field


def acts():
    return list(Event.objects.filter(act__startswith="order.").values_list("act", "error_code"))


# Under the client's own id.


def test_an_order_without_a_day_is_the_same_order_on_a_later_day(account, router):
    first = order(account, router, client_order_id="O-1")
    again = order(account, router, client_order_id="O-1", today=JAN_11)
    assert (again.pk, again.charge_date) == (first.pk, JAN_10)
    assert acts() == [("order.added", 0)]


@pytest.mark.parametrize(
    "other",
    [
        {"rate_per_unit": D("79.91")},
        {"units": D(2)},
        {"charge_date": JAN_11},
        {"description": "Router, black"},
        {"po_num": "PO 7"},
    ],
)
def test_other_terms_under_the_same_id_are_refused(account, router, other):
    order(account, router, client_order_id="O-1")
    assert refused_as(order, account, router, client_order_id="O-1", **other) == (ErrorCode.RECORD_ID_USED, "client_order_id")
    stored = OneTimeCharge.objects.get()
    assert (stored.units, stored.rate_per_unit, stored.charge_date, stored.description, stored.po_num) == (
        D(1),
        D("79.90"),
        JAN_10,
        "",
        "",
    )
    assert acts() == [("order.added", 0), ("order.refused", 90013)]


def test_another_service_under_the_same_id_is_refused(acme, account, router):
    order(account, router, client_order_id="O-1")
    cable = ServiceFactory(client=acme, client_service_id="cable")
    assert refused_as(order, account, cable, client_order_id="O-1")[0] is ErrorCode.RECORD_ID_USED


def test_orders_without_an_id_are_each_their_own(account, router):
    assert order(account, router).pk != order(account, router).pk


def test_an_order_that_is_billed_is_still_the_same_order(account, router, process):
    first = order(account, router, client_order_id="O-1")
    invoice = bill(account, process, JAN_10)
    assert order(account, router, client_order_id="O-1").invoice_id == invoice.pk
    assert OneTimeCharge.objects.get().pk == first.pk


def test_the_id_of_a_cancelled_order_is_free(account, router):
    cancel(order(account, router, client_order_id="O-1"))
    assert order(account, router, client_order_id="O-1", units=D(2)).units == D(2)


# What is refused.


def test_an_amount_that_no_invoice_could_hold_is_refused_at_once(account, router, process):
    """Else no invoice of the account could be made any more."""
    large = {"units": D("999999999.9999"), "rate_per_unit": D("999999999")}
    assert refused_as(order, account, router, **large) == (ErrorCode.AMOUNT_TOO_LARGE, "rate_per_unit")
    small = order(account, router)
    assert refused_as(change, small, **large) == (ErrorCode.AMOUNT_TOO_LARGE, "rate_per_unit")
    assert acts() == [("order.refused", 90008), ("order.added", 0), ("order.refused", 90008)]
    assert bill(account, process, JAN_10).total_amount == D("109.90")


def test_a_service_or_an_account_of_another_client_does_not_exist(acme, umbra, account, router):
    theirs = ServiceFactory(client=umbra, client_service_id="router")
    assert refused_as(order, account, theirs) == (ErrorCode.NO_DATA, "service")
    mine = order(account, router)
    assert refused_as(change, mine, service=theirs) == (ErrorCode.NO_DATA, "service")
    stranger = {"client": umbra, "caller": PROCESS}
    asked = {"account_no": account.pk, "today": JAN_10, "service": theirs, "rate_per_unit": D(1)}
    assert refused_as(add_one_time_charge, **stranger, **asked) == (ErrorCode.ACCOUNT_NOT_FOUND, "acct_no")
    assert refused_as(cancel_one_time_charge, **stranger, order_no=mine.pk)[0] is ErrorCode.NO_DATA
    assert OneTimeCharge.objects.get().service == router


def test_terms_that_an_order_cannot_have_are_refused_by_the_service_too(account, router):
    for field, value in (("units", D(0)), ("rate_per_unit", D("12345678901")), ("charge_date", date(3000, 1, 1))):
        with pytest.raises(ValidationError) as refused:
            order(account, router, **{field: value})
        assert field in refused.value.message_dict
    assert not OneTimeCharge.objects.exists()


def test_an_order_below_zero_takes_off_the_lines_of_its_service_first(account, router, process, audited):
    """Phone 30.00, a router for 79.90 and one that is returned for 79.90, and a goodwill of 10.00 on the router."""
    order(account, router)
    order(account, router, rate_per_unit=D("-79.90"))
    order(account, router, rate_per_unit=D("-10.00"), description="Goodwill")
    invoice = bill(account, process, JAN_10)
    lines = invoice.lines.exclude(line_type=2).values_list("description", "amount", "units", "rate_per_unit")
    assert list(lines) == [
        ("Phone", D(30), D(1), D(30)),
        ("Router", D("79.90"), D(1), D("79.90")),
        ("Router", D("-79.90"), D(1), D("-79.90")),
        ("Goodwill", D(-10), D(1), D(-10)),
    ]
    assert invoice.net_amount == D(20)
    assert list(invoice.credit_details.values_list("credit_line_no", "credited_line_no", "amount")) == [
        (3, 2, D("79.90")),
        (4, 1, D(10)),
    ]


def test_an_order_below_zero_is_billed_once_there_is_room_for_all_of_it(account, router, process):
    """Phone is 30.00 a month: 40.00 are too much for it, until a router comes on top."""
    back = order(account, router, rate_per_unit=D(-40))
    assert bill(account, process, JAN_10).net_amount == D(30)
    back.refresh_from_db()
    assert back.invoice is None
    order(account, router)
    february = bill(account, process, FEB_10)
    back.refresh_from_db()
    assert (february.net_amount, back.invoice) == (D("69.90"), february)


# Changed and cancelled.


def test_an_order_is_changed_while_it_waits(account, router, process):
    one = order(account, router)
    version = Account.objects.get().billing_version
    change(one, units=D(2), description="Two routers")
    assert Account.objects.get().billing_version == version + 1
    event = Event.objects.get(act="order.changed")
    assert (event.before["units"], event.after["units"]) == ("1.0000", "2")
    line = bill(account, process, JAN_10).lines.get(line_type=8)
    assert (line.description, line.units, line.amount) == ("Two routers", D(2), D("159.80"))


@pytest.mark.parametrize("pending", [True, False])
def test_an_order_on_an_invoice_stands(account, router, process, pending):
    one = order(account, router)
    invoice = bill(account, process, JAN_10, force_pending=pending)
    assert refused_as(cancel, one)[0] is ErrorCode.ON_AN_INVOICE
    assert refused_as(change, one, units=D(2))[0] is ErrorCode.ON_AN_INVOICE
    stored = OneTimeCharge.objects.get()
    assert (stored.invoice_id, stored.units) == (invoice.pk, D(1))
    assert acts() == [("order.added", 0), ("order.refused", 90016), ("order.refused", 90016)]


def test_a_discarded_invoice_has_let_go_of_an_order_and_a_regenerated_one_takes_it_again(acme, account, router, alice):
    one = order(account, router)
    first = bill(account, alice, JAN_10, force_pending=True)
    (again,) = regenerate_invoices(client=acme, invoice_nos=[first.pk], caller=alice, today=JAN_10)
    assert Invoice.objects.get(pk=again.invoice_no).total_amount == D("109.90")
    assert OneTimeCharge.objects.get().invoice_id == again.invoice_no
    discard_invoices(client=acme, invoice_nos=[again.invoice_no], caller=alice)
    cancel(one)
    assert bill(account, alice, JAN_10).total_amount == D(30)


def test_an_order_is_cancelled_once(account, router):
    one = order(account, router)
    cancel(one)
    assert refused_as(cancel, one)[0] is ErrorCode.NO_DATA
    assert refused_as(change, one, units=D(2))[0] is ErrorCode.NO_DATA
    assert acts() == [("order.added", 0), ("order.cancelled", 0)]


@pytest.mark.parametrize("act", [cancel, lambda one: change(one, units=D(2))], ids=["cancelled", "changed"])
def test_an_invoice_that_was_planned_with_an_order_is_not_recorded_once_it_is_gone(account, router, monkeypatch, act):
    one = order(account, router)
    original = generating.record_plans

    def act_first(recording, planned):
        act(one)
        return original(recording, planned)

    monkeypatch.setattr(generating, "record_plans", act_first)
    request = BillingRequest(JAN_10)
    code, _ = refused_as(generate_invoice, client=account.client, account_no=account.pk, request=request, caller=PROCESS)
    assert code is ErrorCode.IN_PROGRESS
    assert not Invoice.objects.exists()


# By the API.


def test_an_order_is_shown_as_it_was_taken(acme, account, router):
    api = with_key(acme)
    body = {
        "acct_no": account.pk,
        "client_order_id": "O-1",
        "service": router.pk,
        "description": "Router, black",
        "units": "2.5",
        "rate_per_unit": "79.905",
        "charge_date": "2026-02-10",
        "po_num": "PO 7",
        "order_line": "",
        "accounting_reference": "",
        "object_reference": "",
    }
    created = create(api, "one-time-charges", body)
    assert created.pop("created_at")
    assert created == {
        **body,
        "order_no": OneTimeCharge.objects.get().pk,
        "units": "2.5000",
        "rate_per_unit": "79.9050000000",
        "invoice_no": None,
    }


def test_orders_are_found_by_account_invoice_and_whether_they_are_billed(acme, account, router, process):
    api = with_key(acme)
    other = an_account(acme)
    one, two, later = order(account, router), order(other, router), order(account, router, charge_date=FEB_10)
    invoice = bill(account, process, JAN_10)

    def found(query):
        return [row["order_no"] for row in api.get(f"{API}/one-time-charges/?{query}").json()["results"]]

    assert found("") == [one.pk, two.pk, later.pk]
    assert found(f"acct_no={account.pk}") == [one.pk, later.pk]
    assert found("billed=true") == found(f"invoice_no={invoice.pk}") == [one.pk]
    assert found("billed=false") == [two.pk, later.pk]
    assert found(f"billed=false&acct_no={account.pk}") == [later.pk]
    assert api.get(f"{API}/one-time-charges/?billed=perhaps").json()["error_code"] == 1033


def test_an_amount_too_large_is_refused_by_name(acme, account, router):
    body = {"acct_no": account.pk, "service": router.pk, "units": "999999999", "rate_per_unit": "999999999"}
    code, _, errors = wrong(with_key(acme), "one-time-charges", body)
    assert (code, list(errors)) == (90008, ["rate_per_unit"])


@pytest.mark.parametrize(("currency", "amount"), [("jpy", D(80)), ("usd", D("79.91")), ("kwd", D("79.905"))])
def test_a_rate_may_be_finer_than_the_currency_and_its_amount_is_rounded_once(acme, router, process, currency, amount):
    account = an_account(acme, a_plan(acme, {"phone": "0"}, currency=currency), currency=currency)
    order(account, router, rate_per_unit=D("79.905"))
    assert bill(account, process, JAN_10).total_amount == amount


# Many at once.


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_one_order_that_is_sent_twenty_times_at_once_is_taken_once():
    client = ClientFactory()
    account, service = an_account(client), ServiceFactory(client=client, client_service_id="router")
    results = at_once(lambda _: order(account, service, client_order_id="O-1").pk)
    assert set(results) == {OneTimeCharge.objects.get().pk}
    assert acts() == [("order.added", 0)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_an_order_that_is_cancelled_while_it_is_billed_is_one_or_the_other():
    client = ClientFactory()
    account, service = an_account(client), ServiceFactory(client=client, client_service_id="router")
    one = order(account, service)

    def work(number):
        if number % 2:
            return cancel(one)
        return generate_invoice(client=client, account_no=account.pk, request=BillingRequest(JAN_10), caller=PROCESS)

    results = at_once(work)
    assert all(isinstance(result, (int, BillingError, type(None))) for result in results), results
    totals = list(Invoice.objects.values_list("total_amount", flat=True))
    assert totals in ([], [D(30)], [D("109.90")])
    assert OneTimeCharge.objects.exists() == (totals == [D("109.90")])
    assert Event.objects.filter(act="order.cancelled").count() == (0 if OneTimeCharge.objects.exists() else 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_an_order_waits_for_another_act_on_its_account_and_then_gives_3108(monkeypatch):
    monkeypatch.setattr(account_acts, "LOCK_WAIT_SECONDS", 1)
    client = ClientFactory()
    account, service = an_account(client), ServiceFactory(client=client, client_service_id="router")
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        (error,) = at_once(lambda _: order(account, service), 1)
    assert error.code is ErrorCode.IN_PROGRESS
    assert not OneTimeCharge.objects.exists()
    assert acts() == [("order.refused", 3108)]


# Prices that would be stored as 0.


@pytest.mark.parametrize("rate", [0.00000000001, "0.00000000004", "-0.00000000001"])
def test_a_price_that_would_be_stored_as_0_is_refused(acme, account, router, rate):
    body = {"acct_no": account.pk, "service": router.pk, "rate_per_unit": rate}
    code, _, errors = wrong(with_key(acme), "one-time-charges", body)
    assert (code, errors) == (1016, {"rate_per_unit": ["This is so small that it would be stored as 0."]})
    assert OneTimeCharge.objects.count() == 0


def test_a_service_refuses_a_price_that_would_be_stored_as_0(account, router):
    with pytest.raises(ValidationError) as refused:
        order(account, router, rate_per_unit=D("0.00000000001"))
    assert refused.value.message_dict == {"rate_per_unit": ["This is so small that it would be stored as 0."]}


def test_a_price_of_0_and_the_smallest_one_are_accepted(acme, account, router):
    for rate, stored in (("0", "0.0000000000"), (0.00000000005, "0.0000000001")):
        body = {"acct_no": account.pk, "service": router.pk, "rate_per_unit": rate}
        assert create(with_key(acme), "one-time-charges", body)["rate_per_unit"] == stored


# What is wrong with a field.


@pytest.mark.parametrize(
    ("resource", "body", "message", "errors"),
    [
        (
            "plan-instances",
            {"units": "0"},
            "invalid input: units: 0.0000000000 is not above 0. To charge nothing, leave the plan out or end it",
            {"units": ["0.0000000000 is not above 0. To charge nothing, leave the plan out or end it"]},
        ),
        (
            "webhook-endpoints",
            {"url": "http://example.com/"},
            "Webhooks cannot be sent to this address: url: it must begin with https://",
            {"url": ["it must begin with https://"]},
        ),
    ],
)
def test_the_errors_of_a_field_say_only_what_is_wrong_with_it(acme, account, resource, body, message, errors):
    if resource == "plan-instances":
        body = {**body, "acct_no": account.pk, "plan": a_plan(acme, {"phone": "30.00"}).pk, "start_date": "2026-01-10"}
    answer = wrong(with_key(acme), resource, body)
    assert answer[1:] == (message, errors)
