"""Who changed which row of master data, and what it was before."""

from datetime import date
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command

from accounts.admin.rows import HistoryAdmin, MasterDataAdmin
from accounts.clock import advance_clock
from accounts.keys import create_key, note_use, revoke_key
from accounts.models import Account, ApiKey, Client, Contact, PlanInstance, Service
from accounts.models.history import EXISTED_BEFORE, change_many, changing_as
from accounts.rates import RateTerms, TierTerms
from accounts.services.prices import add_price, change_price
from invoices.models import AuditRun, Coupon, CouponRedemption, NumberSeries, OneTimeCharge, ServiceCredit
from invoices.services.money.payment_methods import add_payment_method
from tests.support.accounts_api import create, with_key
from tests.support.admin_pages import change_url, page_url
from tests.support.billing import bill
from tests.support.factories import BY_TEST, AccountFactory, ServiceFactory, a_charge, a_plan, an_account, an_instance

JAN_10, FEB_10 = date(2026, 1, 10), date(2026, 2, 10)
# Orders, credits and redemptions are acts, which have their events.
WITH_EVENTS = {OneTimeCharge, ServiceCredit, CouponRedemption}
NEVER_CHANGED = {AuditRun}


def kept(row):
    """The history of a row from its first version: what was done, by which user, by which key or command."""
    versions = type(row).history.filter(id=row.pk).order_by("history_id")
    return [(one.history_type, one.history_user, one.history_change_reason) for one in versions]


def service_data(service, **fields):
    columns = ("client_service_id", "name", "gl_code", "tax_category", "unit_code", "price_units", "item_number")
    return {"client": service.client_id, **{name: getattr(service, name) for name in columns}, **fields}


def test_all_master_data_that_staff_edit_keeps_its_changes():
    pages = admin.site._registry.items()
    edited = {model for model, one in pages if isinstance(one, MasterDataAdmin)}
    assert {model for model, one in pages if isinstance(one, HistoryAdmin)} == edited - WITH_EVENTS - NEVER_CHANGED
    for model in edited - WITH_EVENTS - NEVER_CHANGED:
        assert hasattr(model, "history"), model


def test_a_secret_is_in_no_history():
    columns = {field.name for model in apps.get_models() for field in model._meta.fields if "Historical" in model.__name__}
    assert not columns & {"secret_hash", "token"}


def test_a_change_on_a_page_names_its_user_and_what_was_before(admin_client, admin_user, acme):
    service = ServiceFactory(client=acme, name="Phone")
    admin_client.post(change_url(service), service_data(service, name="Telephone"))
    assert kept(service) == [("+", None, None), ("~", admin_user, None)]
    delta = service.history.first().diff_against(service.history.last())
    assert [(change.field, change.old, change.new) for change in delta.changes] == [("name", "Phone", "Telephone")]
    page = admin_client.get(page_url(service, "history", service.pk)).content.decode()
    assert "Telephone" in page and "Phone" in page and "admin" in page


def test_a_page_that_is_saved_as_it_was_leaves_no_version(admin_client, acme):
    service = ServiceFactory(client=acme)
    saved = admin_client.post(change_url(service), service_data(service))
    assert saved.status_code == 302
    assert len(kept(service)) == 1


def test_a_change_by_a_program_names_its_key(acme):
    create(with_key(acme), "services", {"client_service_id": "s", "name": "S", "gl_code": "1"})
    (key,) = ApiKey.objects.all()
    assert kept(Service.objects.get()) == [("+", None, f"key:{key.pk}")]


def test_a_change_through_the_api_by_staff_names_the_user(client, admin_user, acme):
    client.force_login(admin_user)
    body = {"client_service_id": "s", "name": "S", "gl_code": "1"}
    response = client.post("/api/v1/services/", body, content_type="application/json")
    assert response.status_code == 201, response.json()
    assert kept(Service.objects.get()) == [("+", admin_user, None)]


def test_a_change_by_a_command_names_it(acme):
    call_command("create_client", "Northwind")
    made = Client.objects.get(name="Northwind")
    assert kept(made) == [("+", None, "process:create_client")]
    assert kept(made.api_keys.get()) == [("+", None, "process:create_client")]


def test_what_was_written_in_bulk_is_kept_before_its_first_change(acme):
    (account,) = Account.objects.bulk_create([Account(client=acme, client_acct_id="A-1", currency="usd")])
    (contact,) = Contact.objects.bulk_create([Contact(account=account, contact_no=1, name="Ada")])
    assert (kept(account), kept(contact)) == ([], [])
    contact.name = "Grace"
    contact.save()
    assert kept(contact) == [("~", None, EXISTED_BEFORE), ("~", None, None)]
    assert [one.name for one in contact.history.order_by("history_id")] == ["Ada", "Grace"]


def test_many_that_are_changed_at_once_are_kept_each(acme):
    kept_already = an_account(acme)
    Account.objects.bulk_create([Account(client=acme, client_acct_id=name, currency="usd") for name in "ab"])
    with changing_as("collect"):
        change_many(Account.objects.all(), status=11)
    for account in Account.objects.exclude(pk=kept_already.pk):
        assert kept(account) == [("~", None, EXISTED_BEFORE), ("~", None, "process:collect")]
        assert [one.status for one in account.history.order_by("history_id")] == [1, 11]
    assert kept(kept_already)[-1] == ("~", None, "process:collect")


def test_what_billing_moves_leaves_no_version(acme, process, settings):
    settings.VIRTUAL_CLOCK = True
    account = an_account(acme)
    instance, (key, _) = account.plan_instances.get(), create_key(acme, name="integrator", caller=BY_TEST)
    rows = (acme, account, instance, key)
    before = [kept(row) for row in rows]
    for day in (JAN_10, FEB_10):
        bill(account, process, day)
    note_use(key)
    advance_clock(acme, 1)
    assert [kept(row) for row in rows] == before
    assert [len(kept(series)) for series in NumberSeries.objects.all()] == [1]
    stored = PlanInstance.objects.get(pk=instance.pk)
    assert (stored.billed_through, ApiKey.objects.get(pk=key.pk).last_used_at is None) == (date(2026, 3, 9), False)


def test_a_bill_day_that_the_first_plan_sets_is_a_change(acme):
    account = AccountFactory(client=acme)
    an_instance(account, a_plan(acme), JAN_10)
    assert [one.bill_day for one in account.history.order_by("history_id")] == [None, 10]


def test_a_key_that_is_revoked_says_who_did_it(acme):
    key, _ = create_key(acme, name="integrator", caller=BY_TEST)
    revoke_key(key)
    revoke_key(key)
    assert [one.revoked_at is None for one in key.history.order_by("history_id")] == [True, False]


def test_services_of_a_coupon_and_staff_of_a_client_are_kept(acme, alice):
    coupon = Coupon.objects.create(client=acme, code="TEN", name="Ten", percent=Decimal(10), valid_from=JAN_10)
    coupon.services.add(ServiceFactory(client=acme))
    acme.staff.add(alice.staff)
    alice.staff.clients.remove(acme)
    assert [one.services.count() for one in coupon.history.order_by("history_id")] == [0, 1]
    assert [one.staff.count() for one in acme.history.order_by("history_id")] == [0, 1, 0]


def test_a_payment_methods_token_is_not_kept(acme, process):
    method = add_payment_method(
        client=acme, account_no=an_account(acme).pk, type="card", token="sandbox_approved", label="Visa", caller=process
    )
    (version,) = method.history.all()
    assert "sandbox_approved" not in str(vars(version))


def test_a_prices_history_shows_its_bands_of_each_time(admin_client, acme):
    charge = a_charge(a_plan(acme), "data", "1")
    bands = RateTerms("eur", None, model="tiered", tiers=(TierTerms(Decimal(0), Decimal(3)),))
    price = add_price(charge, bands, caller=BY_TEST)
    change_price(
        price,
        bands._replace(tiers=(TierTerms(Decimal(0), Decimal(4)), TierTerms(Decimal(9), Decimal(2)))),
        caller=BY_TEST,
        today=date(2026, 1, 10),
    )
    shown = admin_client.get(page_url(price, "history", price.pk)).context["page_obj"]
    assert [version.tiers for version in shown] == ["above 0 at 4; above 9 at 2", "above 0 at 3"]


def test_a_version_is_read_and_not_put_back(admin_client, acme):
    service = ServiceFactory(client=acme, name="Phone")
    first = service.history.get()
    service.name = "Telephone"
    service.save()
    url = page_url(service, "simple_history", service.pk, first.pk)
    assert "Phone" in admin_client.get(url).content.decode()
    assert admin_client.post(url, service_data(service, name="Phone")).status_code == 403
    service.refresh_from_db()
    assert service.name == "Telephone"


@pytest.fixture
def umbras(client, umbra):
    user = get_user_model().objects.create(username="biller", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    umbra.staff.add(user)
    client.force_login(user)
    return client


def test_the_history_of_another_clients_row_is_not_shown(umbras, acme, umbra):
    own, gone, theirs, gone_too = (ServiceFactory(client=one, client_service_id=name) for one in (umbra, acme) for name in "ab")
    versions = [(row.pk, row.history.get().pk) for row in (own, gone, theirs, gone_too)]
    gone.delete()
    gone_too.delete()
    for (number, version), answer in zip(versions, (200, 200, 404, 404), strict=True):
        assert umbras.get(page_url(Service, "history", number)).status_code == answer
        assert umbras.get(page_url(Service, "simple_history", number, version)).status_code == answer
