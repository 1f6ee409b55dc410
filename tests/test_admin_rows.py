"""Staff see the rows of the clients they work for, on every page of the admin, and no others."""

from datetime import date

import pytest
import time_machine
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.forms.models import ModelChoiceField
from django.urls import reverse

from accounts.admin.rows import OwnRows
from accounts.keys import create_key
from accounts.models import Account, Client, Plan, RateSchedule
from invoices.models import GatewayEvent, Invoice, ReasonCode
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.admin_pages import act, add_url, change_url, errors, list_url, no_rows, page_url, rows
from tests.support.everything import a_row_of_each_model, rows_of
from tests.support.factories import BY_TEST, ClientFactory, a_plan, an_account

JAN_10 = date(2026, 1, 10)
REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)
OF_NO_CLIENT = [get_user_model(), Group, GatewayEvent]
OF_CLIENTS = [model for model in REGISTERED if model not in OF_NO_CLIENT]


@pytest.fixture(autouse=True)
def on_the_tenth_of_january():
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        yield


@pytest.fixture
def everything(acme, process):
    create_key(acme, name="integrator", caller=BY_TEST)
    a_row_of_each_model(acme, process)


def staff_of(browser, *clients):
    """Who has every right there is, but works for these clients only."""
    user = get_user_model().objects.create(username="biller", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    user.clients.set(clients)
    browser.force_login(user)
    return browser


@pytest.fixture
def umbras(client, umbra):
    return staff_of(client, umbra)


@pytest.fixture
def acmes(client, acme):
    return staff_of(client, acme)


def test_every_page_names_the_way_to_its_client():
    pages = admin.site._registry.values()
    assert [one for one in pages if not (isinstance(one, OwnRows) and hasattr(one, "client_path"))] == []
    assert {model for model in REGISTERED if the_pages(model).client_path is None} == set(OF_NO_CLIENT)
    assert [model for model in REGISTERED if the_pages(model).common_rows] == [ReasonCode]


def pending_invoice(client, caller):
    request = BillingRequest(JAN_10, force_pending=True)
    number = generate_invoice(client=client, account_no=an_account(client).pk, request=request, caller=caller)
    return Invoice.objects.get(pk=number)


def the_pages(model):
    return admin.site._registry[model]


def a_row_of(model, client):
    """Reasons that come with the product are common to all; this one is a client's own."""
    if model is ReasonCode:
        return ReasonCode.objects.create(client=client, type="refund", code=900, name=f"Of {client}")
    return client if model is Client else rows_of(model).last()


def test_staff_see_no_row_of_another_client(umbras, acme, everything):
    """On no list, on no page of a row."""
    for model in OF_CLIENTS:
        row = a_row_of(model, acme)
        listed = umbras.get(list_url(model))
        assert listed.status_code == 200, model
        assert "Acme" not in listed.content.decode(), model
        assert row not in listed.context["cl"].queryset, model
        answers = {umbras.get(page_url(model, page, row.pk)).status_code for page in ("change", "history")}
        assert answers == {404}, model
        assert umbras.post(page_url(model, "delete", row.pk), {"post": "yes"}).status_code in (403, 404), model
        assert model._default_manager.filter(pk=row.pk).exists(), model


def test_staff_see_the_rows_of_their_own_clients(acmes, acme, everything):
    for model in OF_CLIENTS:
        row = a_row_of(model, acme)
        assert row in acmes.get(list_url(model)).context["cl"].queryset, model
        assert acmes.get(page_url(model, "change", row.pk)).status_code == 200, model


def test_a_search_finds_no_row_of_another_client(umbras, umbra, everything):
    """Where pages and their tables search for a row to name."""
    for model in OF_CLIENTS:
        for pages in (the_pages(model), *(inline(model, admin.site) for inline in the_pages(model).inlines)):
            for field in pages.autocomplete_fields:
                name, of = pages.model._meta.model_name, pages.model._meta.app_label
                asked = {"app_label": of, "model_name": name, "field_name": field}
                response = umbras.get(reverse("admin:autocomplete"), asked)
                if pages.model._meta.get_field(field).related_model is get_user_model():
                    assert response.status_code == 403
                else:
                    assert {one["text"] for one in response.json()["results"]} <= {str(umbra)}, asked


def test_a_form_offers_no_row_of_another_client(umbras, acme, umbra, everything):
    for type in ("refund", "write_off", "dispute", "cash_credit", "credit_memo"):
        ReasonCode.objects.create(client=acme, type=type, code=900, name="Of Acme")
    for model in OF_CLIENTS:
        page = umbras.get(add_url(model))
        if page.status_code == 403:
            continue
        assert "Acme" not in page.content.decode(), model
        for field in page.context["adminform"].form.fields.values():
            if isinstance(field, ModelChoiceField):
                assert set(field.queryset) <= {umbra}, model


def test_a_price_of_another_clients_charge_cannot_be_asked_for(umbras, everything):
    charge = Plan.objects.first().charges.get()
    page = umbras.get(add_url(RateSchedule), {"charge": charge.pk})
    assert str(charge) not in page.content.decode()


def test_a_row_of_another_client_that_is_posted_is_an_error_on_the_form(umbras, acme, umbra):
    posted = {"client_acct_id": "A-77", "status": 1, "currency": "usd"} | no_rows(
        "plan_instances", "pauses", "contacts", "payment_methods"
    )
    response = umbras.post(add_url(Account), {"client": acme.pk, **posted})
    assert errors(response)["client"] == ["Select a valid choice. That choice is not one of the available choices."]
    assert umbras.post(add_url(Account), {"client": umbra.pk, **posted}).status_code == 302
    assert Account.objects.get().client == umbra


def test_a_service_of_another_client_that_is_posted_in_a_table_is_an_error(umbras, acme, umbra):
    plan, theirs = a_plan(umbra), a_plan(acme).charges.get().service
    (kept,) = plan.charges.values("id", "service", "line_type")
    posted = {"client": umbra.pk, "client_plan_id": "p", "name": "P", "billing_interval": 1, "term_months": 0}
    posted |= {"trial_length": 0, "trial_unit": "days", **no_rows("minimums")}
    table = rows("charges", {"service": theirs.pk, "line_type": 1, "plan": plan.pk}, kept=[{**kept, "plan": plan.pk}])
    table["charges-INITIAL_FORMS"] = 1
    response = umbras.post(change_url(plan), {**posted, **table})
    assert response.status_code == 200
    assert plan.charges.count() == 1


@pytest.mark.parametrize("action", ["approve_selected", "discard_selected", "regenerate_selected"])
def test_nothing_is_done_to_a_row_of_another_client(umbras, acme, process, action):
    invoice = pending_invoice(acme, process)
    act(umbras, Invoice, action, invoice.pk)
    invoice.refresh_from_db()
    assert invoice.status == "pending"


def test_filters_name_no_other_client(client, acme, umbra):
    third = ClientFactory(name="Third Line")
    page = staff_of(client, umbra, third).get(list_url(Account)).content.decode()
    assert str(umbra) in page and str(third) in page
    assert "Acme" not in page


def test_common_reasons_are_seen_by_all_and_changed_by_superusers(umbras, admin_client, umbra):
    common = ReasonCode.objects.filter(client=None).first()
    posted = {"type": common.type, "code": common.code, "name": "Renamed", "is_active": "on"}
    assert umbras.get(change_url(common)).status_code == 200
    assert umbras.post(change_url(common), posted).status_code == 403


# Clients and who works for them


NEW_CLIENT = {
    "name": "Northwind",
    "time_zone": "Europe/Oslo",
    "language": "en",
    "four_eyes": "off",
    "e_invoice": "none",
    "e_invoice_profile": "en16931",
    "four_eyes_amount": 0,
    "payment_terms_days": 30,
    "keep_documents_years": 10,
    "keep_calls_days": 90,
    "keep_mails_days": 365,
    "keep_event_data_days": 730,
    "keep_accesses_days": 365,
    "taxable_address_order": "account",
    "tax_rounding": "document",
    "tax_engine": "table",
    "gateway": "sandbox",
}


def test_who_makes_a_client_works_for_it(umbras):
    assert umbras.post(add_url(Client), NEW_CLIENT).status_code == 302
    made = Client.objects.get(name="Northwind")
    assert [user.username for user in made.staff.all()] == ["biller"]
    assert umbras.get(change_url(made)).status_code == 200


def test_superusers_say_who_works_for_a_client(admin_client, acme):
    biller = get_user_model().objects.create(username="biller", is_staff=True)
    thresholds = no_rows("collection_thresholds")
    posted = {**NEW_CLIENT, "name": "Acme", "staff": [biller.pk], **thresholds}
    assert admin_client.post(change_url(acme), posted).status_code == 302
    assert list(acme.staff.all()) == [biller]


def test_staff_cannot_say_who_works_for_their_client(umbras, umbra):
    friend = get_user_model().objects.create(username="friend", is_staff=True)
    posted = {**NEW_CLIENT, "staff": [friend.pk], **no_rows("collection_thresholds")}
    assert umbras.post(change_url(umbra), posted).status_code == 302
    assert friend not in umbra.staff.all()


# What belongs to no client


@pytest.mark.parametrize("model", OF_NO_CLIENT, ids=lambda model: model.__name__)
def test_only_superusers_see_and_manage_what_belongs_to_no_client(umbras, everything, model):
    row = model.objects.first()
    asked = [list_url(model), add_url(model), change_url(row)]
    assert [umbras.get(url).status_code for url in asked] == [403, 403, 404]
    assert list_url(model) not in umbras.get(reverse("admin:index")).content.decode()


def test_nobody_makes_themselves_a_superuser(umbras):
    me = get_user_model().objects.get(username="biller")
    for url, answer in ((change_url(me), 404), (add_url(get_user_model()), 403)):
        assert umbras.post(url, {"username": "biller", "is_superuser": "on", "is_staff": "on"}).status_code == answer
    me.refresh_from_db()
    assert not me.is_superuser


@pytest.mark.parametrize("value", ["abc", "9" * 5000, "9" * 19, "\0", "²", "-1"])
def test_a_row_that_can_be_none_is_not_looked_up(admin_client, acme, value):
    for model in OF_CLIENTS:
        names = [field.name for field in model._meta.fields]
        for answer in (
            admin_client.get(add_url(model), dict.fromkeys(names, value)),
            admin_client.post(add_url(model), dict.fromkeys(names, value)),
            admin_client.get(list_url(model) + "9" * 20 + "/change/"),
        ):
            assert answer.status_code in (200, 302, 403, 404), model
