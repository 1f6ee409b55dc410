"""API keys: nobody gives a key what they lack, and four eyes take a key for the people who made or rotated it."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client as Browser

from accounts.callers import Caller
from accounts.keys import create_key, find_key, people_behind, rotate_key
from accounts.models import ApiKey, Client
from accounts.rights import KEY_RIGHTS
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import DecisionAct, InvoiceStatus
from invoices.plan.actions import Action
from invoices.services.actions import available_actions
from invoices.services.approving.acts import approve_invoices
from invoices.services.approving.preview import preview_decision
from tests.support.admin_pages import act, add_url, change_url, errors, list_url, texts
from tests.support.billing import bill
from tests.support.factories import BY_TEST, an_account
from tests.support.outcomes import error_of

pytestmark = pytest.mark.django_db
JAN_10 = date(2026, 1, 10)


def staff(client, *codenames, role=None, name="Ann"):
    user = get_user_model().objects.create(username=name, is_staff=True)
    client.staff.add(user)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    if role is not None:
        user.groups.add(Group.objects.get(name=role))
    return user


def signed_in(user):
    browser = Browser()
    browser.force_login(user)
    return browser


def secrets_of(response):
    return [text.split("auth_key ")[1] for text in texts(response) if "auth_key" in text]


# Nobody gives what they lack.


@pytest.mark.parametrize("given", [{"may_correct": "on"}, {"may_collect": "on", "read_only": "on"}, {}, {"read_only": "on"}])
def test_who_may_only_add_keys_makes_none(acme, given):
    browser = signed_in(staff(acme, "add_apikey", "view_apikey", "view_client"))
    response = browser.post(add_url(ApiKey), {"client": acme.pk, "name": "made", **given})
    assert "You cannot give a key a permission that you do not have" in str(errors(response))
    assert not ApiKey.objects.exists()


def test_a_refusal_names_the_right_in_words(acme):
    viewer = staff(acme, "add_apikey", "view_apikey", role="Biller")
    response = signed_in(viewer).post(add_url(ApiKey), {"client": acme.pk, "name": "made", "may_correct": "on"})
    assert errors(response)["may_correct"] == [
        "You cannot give a key a permission that you do not have: may correct; ask an administrator to make it"
    ]


def test_a_biller_makes_a_key_that_generates_and_rebills_and_no_stronger_one(acme):
    biller = Caller(staff=staff(acme, role="Biller"))
    key, _secret = create_key(acme, caller=biller, name="made", may_rebill=True)
    assert (key.may_rebill, key.may_correct, key.stands_for) == (True, False, [biller.identity])
    for right in set(KEY_RIGHTS) - {"may_rebill"}:
        with pytest.raises(BillingError) as refusal:
            create_key(acme, caller=biller, name="made", **{right: True})
        assert (refusal.value.code, refusal.value.field) == (ErrorCode.KEY_ABOVE_ITS_MAKER, right)
    assert ApiKey.objects.count() == 1


def test_a_program_makes_no_key_with_more_than_its_own(acme):
    weak = Caller(api_key=create_key(acme, caller=BY_TEST, name="weak", may_approve=True)[0])
    assert create_key(acme, caller=weak, name="made", may_approve=True)[0].stands_for == [weak.identity]
    with pytest.raises(BillingError, match="90070"):
        create_key(acme, caller=weak, name="made", may_collect=True)


def test_who_may_only_change_keys_ticks_no_right_and_may_take_one(acme):
    key, _secret = create_key(acme, caller=BY_TEST, name="shop", may_approve=True, may_collect=True)
    browser = signed_in(staff(acme, "change_apikey", "view_apikey", "view_client"))
    sent = {"client": acme.pk, "name": "renamed"}
    response = browser.post(change_url(key), {**sent, "may_approve": "on", "may_collect": "on", "may_correct": "on"})
    assert "You cannot give a key a permission that you do not have" in str(errors(response))
    key.refresh_from_db()
    assert (key.name, key.may_correct) == ("shop", False)
    assert browser.post(change_url(key), {**sent, "may_approve": "on"}).status_code == 302
    key.refresh_from_db()
    assert (key.name, key.may_approve, key.may_collect) == ("renamed", True, False)


def test_a_limit_to_reading_is_lifted_by_who_has_what_the_key_then_may(acme):
    key, _secret = create_key(acme, caller=BY_TEST, name="shop", may_correct=True, read_only=True)
    sent = {"client": acme.pk, "name": "shop", "may_correct": "on"}
    changer = signed_in(staff(acme, "change_apikey", "view_apikey", role="Biller"))
    assert "may_correct" in errors(changer.post(change_url(key), sent))
    boss = signed_in(staff(acme, role="Administrator", name="Boss"))
    assert boss.post(change_url(key), sent).status_code == 302
    key.refresh_from_db()
    assert key.read_only is False


def test_a_secret_is_shown_only_to_who_could_have_made_the_key(acme):
    strong, _secret = create_key(acme, caller=BY_TEST, name="strong", **dict.fromkeys(KEY_RIGHTS, True))
    adder = signed_in(staff(acme, "add_apikey", "view_apikey"))
    refused = act(adder, ApiKey, "rotate", strong.pk)
    assert secrets_of(refused) == []
    assert "You cannot give a key a permission that you do not have" in texts(refused)[0]
    assert ApiKey.objects.count() == 1
    boss = staff(acme, role="Administrator", name="Boss")
    (secret,) = secrets_of(act(signed_in(boss), ApiKey, "rotate", strong.pk))
    new = find_key(acme.pk, secret)
    assert all(getattr(new, right) for right in KEY_RIGHTS)
    assert new.stands_for == [f"staff:{boss.pk}", f"key:{strong.pk}"]
    assert "Boss, key strong" in signed_in(boss).get(change_url(new)).content.decode()


def test_a_new_clients_first_key_has_what_its_maker_may_give(acme, admin_client):
    fields = {
        "name": "Northwind",
        "time_zone": "UTC",
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
        "missing_tax_data": "hold",
        "language": "en",
    }
    biller = signed_in(staff(acme, "add_client", role="Biller", name="Biller"))
    founder = signed_in(staff(acme, "add_client", "view_client"))
    for browser, name in ((admin_client, "By a superuser"), (biller, "By a biller"), (founder, "By a founder")):
        browser.post(add_url(Client), {**fields, "name": name})
    keys = {key.client.name: key for key in ApiKey.objects.select_related("client")}
    assert all(getattr(keys["By a superuser"], right) for right in KEY_RIGHTS)
    assert [right for right in KEY_RIGHTS if getattr(keys["By a biller"], right)] == ["may_rebill"]
    assert not keys["By a biller"].read_only
    assert "By a founder" not in keys and Client.objects.filter(name="By a founder").exists()


# Four eyes count people.


@pytest.fixture
def guarded(acme):
    acme.four_eyes = "another_person"
    acme.save()
    return acme


def approve(client, invoice, caller):
    (outcome,) = approve_invoices(client=client, invoice_nos=[invoice.pk], caller=caller, today=JAN_10)
    return error_of(outcome).code if error_of(outcome) else None


def test_who_made_a_key_does_not_approve_what_it_made(guarded):
    ann, bob = (staff(guarded, role="Administrator", name=name) for name in ("Ann", "Bob"))
    key, _secret = create_key(guarded, caller=Caller(staff=ann), name="shop", may_approve=True)
    invoice = bill(an_account(guarded), Caller(api_key=key), JAN_10)
    assert invoice.status == InvoiceStatus.PENDING
    actions = available_actions(guarded, [invoice.pk], Caller(staff=ann), JAN_10)[invoice.pk]
    assert {one.action: one.error.code for one in actions if one.error}[Action.APPROVE] is ErrorCode.FOUR_EYES
    waiting = guarded.invoices.filter(status=InvoiceStatus.PENDING)
    of_ann, of_bob = (
        preview_decision(
            DecisionAct.APPROVE, client=guarded, invoices=waiting, caller=Caller(staff=person), today=JAN_10
        ).reasons
        for person in (ann, bob)
    )
    assert of_ann == {ErrorCode.FOUR_EYES.message: 1}
    assert of_bob == {}
    assert approve(guarded, invoice, Caller(staff=ann)) is ErrorCode.FOUR_EYES
    assert approve(guarded, invoice, Caller(staff=bob)) is None


def test_a_key_stands_for_its_people_through_all_rotations(guarded):
    ann, bob, cid, dora = (
        Caller(staff=staff(guarded, role="Administrator", name=name)) for name in ("Ann", "Bob", "Cid", "Dora")
    )
    first, _secret = create_key(guarded, caller=ann, name="shop", may_approve=True)
    second, _secret = rotate_key(first, caller=bob)
    third, _secret = rotate_key(second, caller=cid)
    assert third.stands_for[:2] == [cid.identity, f"key:{second.pk}"]
    assert set(third.stands_for[2:]) == {bob.identity, f"key:{first.pk}", ann.identity}
    invoice = bill(an_account(guarded), Caller(api_key=third), JAN_10)
    for known in (ann, bob, cid, *(Caller(api_key=key) for key in (first, second, third))):
        assert approve(guarded, invoice, known) is ErrorCode.FOUR_EYES, known.identity
    assert approve(guarded, invoice, dora) is None


def test_a_person_does_not_approve_their_own_by_a_key_of_theirs(guarded):
    ann = Caller(staff=staff(guarded, role="Administrator"))
    invoice = bill(an_account(guarded), ann, JAN_10)
    own, _secret = create_key(guarded, caller=ann, name="own", may_approve=True)
    twin, _secret = create_key(guarded, caller=ann, name="twin", may_approve=True)
    assert approve(guarded, invoice, Caller(api_key=own)) is ErrorCode.FOUR_EYES
    by_own = bill(an_account(guarded), Caller(api_key=own), JAN_10)
    assert approve(guarded, by_own, Caller(api_key=twin)) is ErrorCode.FOUR_EYES


def test_keys_of_the_server_stand_for_themselves(guarded):
    one, other = (create_key(guarded, caller=BY_TEST, name=name, may_approve=True)[0] for name in ("one", "other"))
    assert (one.stands_for, other.stands_for) == ([], [])
    invoice = bill(an_account(guarded), Caller(api_key=one), JAN_10)
    assert approve(guarded, invoice, Caller(api_key=other)) is None


def test_the_people_behind_many_documents_are_one_query(guarded, django_assert_num_queries):
    keys = [create_key(guarded, caller=BY_TEST, name=str(number))[0] for number in range(5)]
    with django_assert_num_queries(1):
        found = people_behind({"staff:1", "process:bill", *(f"key:{key.pk}" for key in keys)})
    assert len(found) == 7 and found["staff:1"] == {"staff:1"}


def test_above_an_amount_counts_people_too(guarded):
    guarded.four_eyes, guarded.four_eyes_amount = "above_amount", D("20.00")
    guarded.save()
    ann = staff(guarded, role="Administrator")
    key, _secret = create_key(guarded, caller=Caller(staff=ann), name="shop")
    invoice = bill(an_account(guarded), Caller(api_key=key), JAN_10)
    assert approve(guarded, invoice, Caller(staff=ann)) is ErrorCode.FOUR_EYES


def test_the_list_of_keys_shows_their_rights(admin_client, acme):
    create_key(acme, caller=BY_TEST, name="shop")
    assert "May add usage" in admin_client.get(list_url(ApiKey)).content.decode()
