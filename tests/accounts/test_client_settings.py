"""Four-eyes settings are changed by a superuser, or by two people: one proposes, another confirms."""

from decimal import Decimal as D

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client as Browser

from accounts.callers import Caller
from accounts.client_settings import change_settings, confirm_change, proposed_change, withdraw_change
from accounts.keys import create_key
from accounts.models import Client, Event, SettingsChange
from billing_site.errors import BillingError, ErrorCode
from invoices.services.documents.approval_rules import four_eyes_apply
from tests.support.admin_pages import act, change_url, no_rows, texts
from tests.support.factories import BY_TEST, an_account

pytestmark = pytest.mark.django_db


def staff(client, name, role="Administrator"):
    user = get_user_model().objects.create(username=name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.staff.add(user)
    return user


def signed_in(user):
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def guarded(acme):
    acme.four_eyes = "another_person"
    acme.save()
    return acme


def page_of(browser, client, **changed):
    """What the client's page in the admin posts, once some fields were changed."""
    form = browser.get(change_url(client)).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    given = {**{name: value for name, value in values.items() if name != "logo"}, **changed}
    return {
        **{name: value for name, value in given.items() if value is not None and value is not False},
        **no_rows("collection_thresholds"),
    }


def test_who_is_bound_by_four_eyes_does_not_lift_them_alone(guarded):
    ann, bob = signed_in(staff(guarded, "Ann")), signed_in(staff(guarded, "Bob"))
    response = ann.post(change_url(guarded), page_of(ann, guarded, four_eyes="off", name="Acme"), follow=True)
    guarded.refresh_from_db()
    assert (guarded.four_eyes, guarded.name) == ("another_person", "Acme")
    assert "Proposed, not changed yet: four eyes: another_person → off" in " ".join(texts(response))
    change = proposed_change(guarded)
    assert (change.proposed_by.username, change.after) == ("Ann", {"four_eyes": "off"})
    for browser in (ann, bob):
        assert "four eyes: another_person → off" in browser.get(change_url(guarded)).content.decode()
    refused = act(ann, SettingsChange, "confirm", change.pk)
    assert "The person who proposed a change of four-eyes settings cannot confirm it" in " ".join(texts(refused))
    guarded.refresh_from_db()
    assert guarded.four_eyes == "another_person"
    act(bob, SettingsChange, "confirm", change.pk)
    guarded.refresh_from_db()
    change.refresh_from_db()
    assert (guarded.four_eyes, change.state, change.decided_by.username) == ("off", "confirmed", "Bob")
    assert guarded.history.first().history_user.username == "Bob"
    assert list(Event.objects.values_list("act", flat=True)) == ["settings.proposed", "settings.confirmed"]


@pytest.mark.parametrize(
    ("changed", "after"),
    [
        (
            {"four_eyes": "above_amount", "four_eyes_amount": "1000000"},
            {"four_eyes": "above_amount", "four_eyes_amount": "1000000"},
        ),
        ({"second_person_for": ["invoices"]}, {"second_person_for": "invoices"}),
        ({"second_person_for": []}, {"second_person_for": ""}),
        ({"four_eyes_amount": "0.01"}, {"four_eyes_amount": "0.01"}),
    ],
)
def test_every_setting_of_the_rule_needs_two(guarded, changed, after):
    ann = signed_in(staff(guarded, "Ann"))
    ann.post(change_url(guarded), page_of(ann, guarded, **changed))
    stored = Client.objects.get(pk=guarded.pk)
    assert {name: getattr(stored, name) for name in after} == {name: getattr(guarded, name) for name in after}
    change = proposed_change(guarded)
    assert change.after == after
    confirm_change(guarded, change.pk, caller=Caller(staff=staff(guarded, "Bob")))
    stored.refresh_from_db()
    assert {name: getattr(stored, name) for name in after} == {
        name: D(value) if name == "four_eyes_amount" else value for name, value in after.items()
    }


def test_a_superuser_changes_them_alone(guarded, admin_client):
    admin_client.post(change_url(guarded), page_of(admin_client, guarded, four_eyes="off"))
    guarded.refresh_from_db()
    assert guarded.four_eyes == "off" and not SettingsChange.objects.exists()


def test_other_settings_need_nobody_else_and_a_page_that_changes_nothing_proposes_nothing(guarded):
    ann = signed_in(staff(guarded, "Ann"))
    ann.post(change_url(guarded), page_of(ann, guarded))
    ann.post(change_url(guarded), page_of(ann, guarded, payment_terms_days=14))
    guarded.refresh_from_db()
    assert guarded.payment_terms_days == 14 and not SettingsChange.objects.exists()


def test_a_later_proposal_takes_the_place_of_an_earlier_one(guarded):
    ann, bob = Caller(staff=staff(guarded, "Ann")), Caller(staff=staff(guarded, "Bob"))
    for caller, value in ((ann, "off"), (bob, "above_amount")):
        client = Client.objects.get(pk=guarded.pk)
        client.four_eyes = value
        change_settings(client, ["four_eyes"], caller=caller)
    assert list(SettingsChange.objects.order_by("pk").values_list("state", flat=True)) == ["withdrawn", "proposed"]
    with pytest.raises(BillingError) as refusal:
        confirm_change(guarded, proposed_change(guarded).pk, caller=bob)
    assert refusal.value.code is ErrorCode.SETTINGS_NEED_ANOTHER
    assert confirm_change(guarded, proposed_change(guarded).pk, caller=ann).state == "confirmed"


def proposed(client, name="Ann"):
    changed = Client.objects.get(pk=client.pk)
    changed.four_eyes = "off"
    return change_settings(changed, ["four_eyes"], caller=Caller(staff=staff(client, name)))


def test_what_was_decided_on_or_has_moved_is_not_confirmed(guarded):
    change, bob = proposed(guarded), Caller(staff=staff(guarded, "Bob"))
    Client.objects.filter(pk=guarded.pk).update(four_eyes="above_amount")
    with pytest.raises(BillingError, match="90072.*four_eyes changed after the proposal"):
        confirm_change(guarded, change.pk, caller=bob)
    assert withdraw_change(guarded, change.pk, caller=bob).state == "withdrawn"
    for decide in (confirm_change, withdraw_change):
        with pytest.raises(BillingError, match="90072"):
            decide(guarded, change.pk, caller=Caller(staff=staff(guarded, f"Cid {decide.__name__}")))


def test_who_may_not_change_settings_confirms_none(guarded):
    change = proposed(guarded)
    with pytest.raises(BillingError, match="90009"):
        confirm_change(guarded, change.pk, caller=Caller(staff=staff(guarded, "Vera", "Viewer")))
    for rights, refusal in (({}, "90009"), ({"may_change_settings": True}, "90071")):
        key, _secret = create_key(guarded, caller=BY_TEST, name="shop", **rights)
        with pytest.raises(BillingError, match=refusal):
            confirm_change(guarded, change.pk, caller=Caller(api_key=key))


def test_where_customers_pay_is_decided_by_two_people_where_four_eyes_are_on(guarded):
    ann, bob = (Caller(staff=staff(guarded, name)) for name in ("Ann", "Bob"))
    guarded.iban, guarded.bank_name = "DE75512108001245126199", "Sparkasse"
    change = change_settings(guarded, ["iban", "bank_name"], caller=ann)
    stored = Client.objects.get(pk=guarded.pk)
    assert (stored.iban, stored.bank_name, change.after) == ("", "Sparkasse", {"iban": "DE75512108001245126199"})
    with pytest.raises(BillingError, match="90071"):
        confirm_change(guarded, change.pk, caller=ann)
    confirm_change(guarded, change.pk, caller=bob)
    assert Client.objects.get(pk=guarded.pk).iban == "DE75512108001245126199"
    key, _secret = create_key(guarded, caller=BY_TEST, name="shop", may_change_settings=True)
    stored.iban = ""
    with pytest.raises(BillingError, match="90331"):
        change_settings(stored, ["iban"], caller=Caller(api_key=key))


def test_where_customers_pay_is_changed_at_once_without_four_eyes(acme):
    acme.iban = "DE75512108001245126199"
    assert change_settings(acme, ["iban"], caller=Caller(staff=staff(acme, "Ann"))) is None
    assert Client.objects.get(pk=acme.pk).iban == "DE75512108001245126199"


def test_the_database_keeps_one_proposal_and_two_people(guarded):
    change = proposed(guarded)
    with pytest.raises(IntegrityError), transaction.atomic():
        SettingsChange.objects.create(client=guarded, before={}, after={}, proposed_by=change.proposed_by)
    with pytest.raises(IntegrityError), transaction.atomic():
        SettingsChange.objects.filter(pk=change.pk).update(
            state="confirmed", decided_by=change.proposed_by, decided_at=change.proposed_at
        )


def test_the_dashboard_says_that_a_change_is_to_be_confirmed(guarded):
    an_account(guarded)
    proposed(guarded)
    page = signed_in(staff(guarded, "Bob")).get("/").content.decode()
    assert "Four-eyes settings to confirm" in page and "/admin/accounts/settingschange/" in page


def test_a_new_client_asks_a_second_person_for_all_that_there_is(acme):
    acme.four_eyes = "another_person"
    assert acme.second_person_for == "invoices,rebills,memos,cash_credits,write_offs,refunds,voids"
    assert four_eyes_apply(acme, "invoices", D("0.01"))
    acme.second_person_for = "rebills"
    assert not four_eyes_apply(acme, "invoices", D("0.01"))
    acme.second_person_for = "invoices,invoices"
    with pytest.raises(ValidationError, match="each at most once"):
        acme.full_clean()
