"""People and roles, changed by Administrators of a client within their own rights."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from accounts.callers import Caller
from accounts.models import Event
from accounts.services.people import change_person, create_person, people_of
from billing_site.errors import BillingError, ErrorCode
from tests.support.act_pages import send
from tests.support.factories import ClientFactory
from tests.support.invoice_pages import administrator


def text_of(answer):
    return answer.content.decode()


def role(name):
    return Group.objects.get(name=name)


def user(name):
    return get_user_model().objects.get(username=name)


@pytest.fixture
def staff(acme):
    return administrator(acme)


def test_a_person_is_added_signs_in_and_has_the_role(acme, staff, client):
    text = text_of(send(staff, reverse("new-person"), username="bea", first_name="Bea", roles=[role("Biller").pk]))
    password = re.search(r"shown again: (\S+?)[<\s]", text).group(1)
    assert client.post("/login/", {"username": "bea", "password": password}).status_code == 302
    assert client.get("/").status_code == 200
    assert user("bea").has_perm("invoices.generate_invoice") and not user("bea").has_perm("invoices.approve_invoice")
    assert list(user("bea").clients.all()) == [acme]
    assert password not in text_of(staff.get(reverse("people")))


def test_a_preview_makes_no_password_and_refuses_what_the_act_refuses(acme, staff, monkeypatch):
    monkeypatch.setattr("django.contrib.auth.base_user.make_password", None)  # A preview that hashes fails.
    fields = {"username": "bea", "roles": [role("Biller").pk], "act": "preview"}
    preview = text_of(staff.post(reverse("new-person"), fields))
    assert "bea" in preview and "The first password is shown only once" in preview
    assert not get_user_model().objects.filter(username="bea").exists()
    get_user_model().objects.create(username="bea")
    assert "already exists" in text_of(staff.post(reverse("new-person"), fields))


def test_other_roles_and_the_end_of_access_are_seen_and_recorded(acme, staff):
    send(staff, reverse("new-person"), username="bea", roles=[role("Biller").pk])
    address = reverse("change-person", args=[user("bea").pk])
    preview = text_of(staff.post(address, {"roles": [role("Approver").pk], "act": "preview"}))
    assert "Biller" in preview and "Approver" in preview and "cannot sign in any more" in preview
    send(staff, address, roles=[role("Approver").pk])
    bea = user("bea")
    assert ([one.name for one in bea.groups.all()], bea.is_active) == (["Approver"], False)
    event = Event.objects.get(act="person.changed")
    assert (event.before["roles"], event.after["roles"], event.staff) == (["Biller"], ["Approver"], user("ana"))
    assert "may not sign in" in text_of(staff.get(reverse("people")))


def test_the_last_administrator_stays(acme, staff):
    address = reverse("change-person", args=[user("ana").pk])
    for fields in ({"roles": [role("Viewer").pk], "is_active": "on"}, {"roles": [role("Administrator").pk]}):
        answer = staff.post(address, {**fields, "seen": "x", "once": "a" * 32})
        assert answer.status_code == 422 and "last administrator" in text_of(answer)
    administrator(acme, "bob")
    send(staff, address, roles=[role("Viewer").pk], is_active="on")
    assert [one.name for one in user("ana").groups.all()] == ["Viewer"]


def test_nobody_gives_or_takes_a_role_above_the_own_rights(acme):
    ann = get_user_model().objects.create(username="ann", is_staff=True)
    ann.user_permissions.set(Permission.objects.filter(codename__in=("change_client", "view_client")))
    acme.staff.add(ann)
    administrator(acme, "bob")
    fields = {"first_name": "", "last_name": "", "email": ""}
    with pytest.raises(BillingError) as refused:
        create_person(acme, username="x", roles=[role("Viewer")], caller=Caller(staff=ann), **fields)
    assert refused.value.code is ErrorCode.ROLE_ABOVE_ITS_GIVER
    with pytest.raises(BillingError) as refused:
        change_person(acme, user("bob").pk, roles=[], is_active=True, caller=Caller(staff=ann), **fields)
    assert refused.value.code is ErrorCode.ROLE_ABOVE_ITS_GIVER
    assert role("Administrator") in user("bob").groups.all() and not get_user_model().objects.filter(username="x").exists()


@pytest.mark.parametrize("four_eyes", ["another_person", "above_amount"])
def test_where_four_eyes_apply_nobody_makes_the_second_pair_of_eyes_alone(acme, staff, client, four_eyes):
    acme.four_eyes = four_eyes
    acme.save()
    bob = administrator(acme, "bob")
    fields = {"username": "bea", "roles": [role("Administrator").pk]}
    assert "as soon as another administrator allows it" in text_of(
        staff.post(reverse("new-person"), {**fields, "act": "preview"})
    )
    password = re.search(r"shown again: (\S+?)[<\s]", text_of(send(staff, reverse("new-person"), **fields))).group(1)
    signing_in = {"username": "bea", "password": password}
    assert client.post("/login/", signing_in).status_code == 200
    address = reverse("change-person", args=[user("bea").pk])
    allowed = {"roles": [role("Administrator").pk], "is_active": "on"}
    answer = staff.post(address, {**allowed, "seen": "x", "once": "a" * 32})
    assert answer.status_code == 422 and "another administrator must let a person sign in" in text_of(answer)
    send(staff, address, first_name="Bea", roles=allowed["roles"])
    assert (user("bea").first_name, user("bea").is_active) == ("Bea", False)
    send(bob, address, **allowed)
    assert client.post("/login/", signing_in).status_code == 302


def test_a_superuser_adds_people_who_may_sign_in_at_once_where_four_eyes_apply(acme, admin_client):
    acme.four_eyes = "another_person"
    acme.save()
    send(admin_client, reverse("new-person"), username="bea", roles=[role("Approver").pk])
    assert user("bea").is_active


@pytest.mark.parametrize("other", [{"is_active": False}, {"first_name": "Rob"}, {"email": "ann@example.com"}])
def test_nobody_changes_a_colleague_with_a_role_above_the_own_rights(acme, other):
    ann = get_user_model().objects.create(username="ann", is_staff=True)
    ann.user_permissions.set(Permission.objects.filter(codename__in=("change_client", "view_client")))
    acme.staff.add(ann)
    for name in ("bob", "bea"):
        administrator(acme, name)
    user("bea").groups.set([])
    people_of(acme).update(first_name="")
    same = {"first_name": "", "last_name": "", "email": "", "is_active": True}
    with pytest.raises(BillingError) as refused:
        change_person(acme, user("bob").pk, roles=[role("Administrator")], caller=Caller(staff=ann), **{**same, **other})
    assert (refused.value.code, refused.value.field) == (ErrorCode.ROLE_ABOVE_ITS_GIVER, "roles")
    bob = user("bob")
    assert (bob.is_active, bob.first_name, bob.email) == (True, "", "")
    change_person(acme, bob.pk, roles=[role("Administrator")], caller=Caller(staff=ann), **same)
    changed = change_person(acme, user("bea").pk, roles=[], caller=Caller(staff=ann), **{**same, **other})
    assert {name: getattr(changed, name) for name in other} == other


def test_people_of_other_clients_and_superusers_are_out_of_reach(acme, staff, admin_user):
    other = ClientFactory(name="Other")
    administrator(other, "olga")
    for name in ("olga", "admin"):
        assert staff.get(reverse("change-person", args=[user(name).pk])).status_code == 404
    administrator(acme, "bob")
    other.staff.add(user("bob"))
    fields = {"first_name": "", "last_name": "", "email": ""}
    with pytest.raises(BillingError) as refused:
        change_person(acme, user("bob").pk, roles=[], is_active=True, caller=Caller(staff=user("ana")), **fields)
    assert refused.value.code is ErrorCode.OTHERS_PERSON
    change_person(acme, user("bob").pk, roles=[role("Viewer")], is_active=True, caller=Caller(staff=admin_user), **fields)


def test_a_username_that_is_taken_and_a_viewer(acme, staff):
    answer = staff.post(reverse("new-person"), {"username": "ana", "act": "preview"})
    assert "already exists" in text_of(answer)
    viewer = administrator(acme, "vera")
    user("vera").groups.set([role("Viewer")])
    assert viewer.get(reverse("people")).status_code == 302  # the session ended with the roles
    viewer.force_login(user("vera"))
    assert "New person" not in text_of(viewer.get(reverse("people")))
    assert viewer.get(reverse("new-person")).status_code == 403
    assert {one.username for one in people_of(acme)} == {"ana", "vera"}
