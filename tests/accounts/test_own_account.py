"""The page of one's own account, the limits of sessions, and what ends them."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from accounts.callers import Caller
from accounts.models import AuthenticatorApp, Event, RecoveryCode, StaffSession
from accounts.services.people import change_person, create_person, reset_person, sign_out_person
from billing_site.errors import BillingError, ErrorCode
from invoices.services.privacy.retention import keep_as_set
from tests.support.signing_in import PASSWORD, a_person, code_of, codes_on, give_password, secret_on, with_app

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.fixture
def noon():
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def ann(acme):
    return a_person(acme)


@pytest.fixture
def browser(ann):
    return give_password()[0]


def is_in(browser):
    return browser.get("/you/").status_code == 200


def text_of(answer):
    return answer.content.decode()


# Limits of sessions.


def test_a_session_ends_after_an_hour_without_use(ann, noon):
    browser, _answer = give_password()
    for _number in range(4):
        noon.shift(timedelta(minutes=50))
        assert is_in(browser)
    noon.shift(timedelta(minutes=61))
    assert not is_in(browser)
    assert browser.get("/api/v1/accounts/").status_code == 401


def test_a_session_ends_after_twelve_hours_however_much_it_is_used(ann, noon):
    browser, _answer = give_password()
    for _number in range(14):
        noon.shift(timedelta(minutes=50))
        assert is_in(browser)
    noon.shift(timedelta(minutes=25))
    assert not is_in(browser)


def test_the_limits_are_settings(ann, noon, settings):
    settings.SESSION_IDLE_MINUTES, settings.SESSION_HOURS = 5, 1
    browser, _answer = give_password()
    noon.shift(timedelta(minutes=4))
    assert is_in(browser)
    noon.shift(timedelta(minutes=6))
    assert not is_in(browser)


def test_use_is_noted_once_a_minute(ann, noon, django_assert_num_queries):
    browser, _answer = give_password()
    noon.shift(timedelta(seconds=59))
    browser.get("/login/", REMOTE_ADDR="10.0.0.9")
    assert StaffSession.objects.get(user=ann).last_used_at == NOON
    noon.shift(timedelta(seconds=1))
    browser.get("/login/", REMOTE_ADDR="10.0.0.9")
    stored = StaffSession.objects.get(user=ann)
    assert (stored.last_used_at, stored.address) == (NOON + timedelta(minutes=1), "10.0.0.9")
    assert stored.expire_date == NOON + timedelta(minutes=61)
    assert stored.signed_in_at == NOON


def test_the_key_of_a_session_changes_at_each_step_of_signing_in(ann):
    _secret, codes = with_app(ann)
    browser, _answer = give_password()
    after_password = browser.cookies["sessionid"].value
    browser.post("/login/code/", {"code": codes[0]})
    assert browser.cookies["sessionid"].value != after_password
    assert StaffSession.objects.filter(pk=after_password).count() == 0


# What ends sessions.


@pytest.mark.parametrize(
    "change",
    [
        lambda user: user.groups.add(Group.objects.get(name="Viewer")),
        lambda user: user.groups.clear(),
        lambda user: Group.objects.get(name="Administrator").user_set.remove(user),
    ],
)
def test_sessions_end_when_roles_change(ann, acme, browser, change):
    other = give_password("bob", browser=None)[0] if a_person(acme, "bob") else None
    change(ann)
    assert (is_in(browser), is_in(other)) == (False, True)


@pytest.mark.parametrize("column", ["is_active", "is_staff"])
def test_sessions_end_with_the_access_and_do_not_come_back_with_it(ann, browser, column):
    setattr(ann, column, False)
    ann.save()
    assert not is_in(browser)
    setattr(ann, column, True)
    ann.save()
    assert not is_in(browser)


def test_sessions_end_when_an_administrator_changes_the_person(ann, acme):
    bob = a_person(acme, "bob", "Viewer")
    browser, _answer = give_password("bob")
    same = {"first_name": "", "last_name": "", "email": "", "caller": Caller(staff=ann)}
    change_person(acme, bob.pk, roles=list(bob.groups.all()), is_active=True, **same)
    assert is_in(browser)
    change_person(acme, bob.pk, roles=[], is_active=True, **same)
    assert not is_in(browser)


# The password.


def change_password(browser, new, old=PASSWORD):
    return browser.post("/you/password/", {"old_password": old, "new_password1": new, "new_password2": new})


def test_changing_the_password_ends_the_other_sessions_only(ann, acme, browser):
    other, _answer = give_password()
    assert browser.get("/you/password/").status_code == 200
    assert change_password(browser, "quite another phrase")["Location"] == "/you/"
    assert (is_in(browser), is_in(other)) == (True, False)
    assert give_password()[1].status_code == 200
    assert give_password(password="quite another phrase")[1].status_code == 302
    event = Event.objects.get(type="person.password_changed")
    assert (event.client, event.staff, event.after) == (acme, ann, {"username": "ann"})


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("elevenchars", "at least 12 characters"),
        ("123456789012", "entirely numeric"),
        ("password1234", "too common"),
        ("annemarieklein", "too similar"),
    ],
)
def test_passwords_that_are_easily_guessed_are_refused(acme, new, said):
    a_person(acme, "annemarieklein")
    browser, _answer = give_password("annemarieklein")
    answer = change_password(browser, new)
    assert (answer.status_code, said in text_of(answer)) == (422, True)
    assert change_password(browser, "quite another phrase", old="wrong").status_code == 422


def test_the_first_password_of_a_person_keeps_the_rules(ann, acme):
    names = {"first_name": "", "last_name": "", "email": ""}
    _user, password = create_person(acme, username="eve", roles=[], caller=Caller(staff=ann), **names)
    assert len(password) >= 12


# Sessions on the page.


def test_the_page_shows_sessions_with_browser_address_and_last_use(ann, noon):
    first = Browser(headers={"User-Agent": "Firefox of the office"}, REMOTE_ADDR="10.0.0.1")
    give_password(browser=first)
    second, _answer = give_password(browser=Browser(headers={"User-Agent": "Phone <b>"}, REMOTE_ADDR="10.0.0.2"))
    page = text_of(second.get("/you/"))
    assert [word in page for word in ("Firefox of the office", "10.0.0.1", "Phone &lt;b&gt;", "10.0.0.2")] == [True] * 4
    assert page.count("this session") == 1
    for one in StaffSession.objects.all():
        assert one.session_key not in page
    handle = page.split('name="session" value="')[1].split('"')[0]
    assert second.post("/you/act/end-session/", {"session": handle})["Location"] == "/you/"
    assert (is_in(first), is_in(second)) == (False, True)


def test_nobody_ends_the_session_of_another_person_by_its_handle(ann, acme, browser):
    a_person(acme, "bob")
    bob, _answer = give_password("bob")
    other, _answer = give_password()
    handle = text_of(browser.get("/you/")).split('name="session" value="')[1].split('"')[0]
    bob.post("/you/act/end-session/", {"session": handle})
    assert (is_in(other), is_in(browser)) == (True, True)


def test_sign_out_everywhere_ends_all_own_sessions(ann, acme, browser):
    a_person(acme, "bob")
    bob, _answer = give_password("bob")
    other, _answer = give_password()
    assert browser.post("/you/act/sign-out/")["Location"] == "/login/"
    assert (is_in(browser), is_in(other), is_in(bob)) == (False, False, True)
    assert Event.objects.get(type="person.signed_out").after == {"username": "ann", "sessions": 2}


def test_the_page_is_in_the_menu_and_for_signed_in_people_only(browser):
    assert 'href="/you/"' in text_of(browser.get("/"))
    for page in ("/you/", "/you/password/", "/you/app/"):
        assert Browser().get(page)["Location"] == f"/login/?next={page}"
    assert Browser().post("/you/act/sign-out/").status_code == 401
    assert browser.get("/you/act/sign-out/").status_code == 405
    assert browser.post("/you/act/nonsense/").status_code == 404


# Second factors on the page.


def set_up(browser, password=PASSWORD):
    secret = secret_on(browser.get("/you/app/"))
    return secret, browser.post("/you/app/", {"code": code_of(secret), "password": password})


def test_an_app_is_set_up_with_the_password_and_removed_with_it(ann, browser):
    assert "You sign in with your password alone" in text_of(browser.get("/you/"))
    assert set_up(browser, "wrong")[1].status_code == 422
    assert AuthenticatorApp.objects.count() == 0
    _secret, answer = set_up(browser)
    assert (answer.status_code, len(codes_on(answer))) == (200, 10)
    page = text_of(browser.get("/you/"))
    assert "You have 10 recovery codes left" in page
    assert browser.post("/you/act/remove-app/", {"password": "wrong"}).status_code == 422
    assert AuthenticatorApp.objects.count() == 1
    assert browser.post("/you/act/remove-app/", {"password": PASSWORD}).status_code == 302
    assert (AuthenticatorApp.objects.count(), RecoveryCode.objects.count()) == (0, 0)
    acts = Event.objects.order_by("pk").values_list("act", flat=True)
    assert list(acts) == ["person.factor_added", "person.factor_removed"]


def test_another_app_takes_the_place_of_the_first(ann, browser):
    first, _answer = set_up(browser)
    second, answer = set_up(browser)
    assert first != second
    asked, _answer = give_password()
    assert asked.post("/login/code/", {"code": code_of(first)}).status_code == 422
    assert asked.post("/login/code/", {"code": codes_on(answer)[0]}).status_code == 302


def test_new_recovery_codes_replace_the_old_ones(ann, browser):
    _secret, answer = set_up(browser)
    old = codes_on(answer)
    assert browser.post("/you/act/new-codes/", {}).status_code == 422
    new = codes_on(browser.post("/you/act/new-codes/", {"password": PASSWORD}))
    assert not set(old) & set(new)
    asked, _answer = give_password()
    assert asked.post("/login/code/", {"code": old[0]}).status_code == 422
    assert asked.post("/login/code/", {"code": new[0]}).status_code == 302


def test_without_a_second_factor_there_are_no_recovery_codes(ann, browser):
    answer = browser.post("/you/act/new-codes/", {"password": PASSWORD}, follow=True)
    assert "The person has no second factor" in text_of(answer)


def test_the_factor_that_a_role_needs_stays(ann, acme, browser):
    set_up(browser)
    acme.second_factor_roles = "Administrator"
    acme.save()
    assert is_in(browser)  # setting the app up has shown it
    answer = browser.post("/you/act/remove-app/", {"password": PASSWORD}, follow=True)
    assert "Your role needs a second factor. Add another one before you remove this one" in text_of(answer)
    assert AuthenticatorApp.objects.count() == 1


def test_wrong_passwords_on_the_page_count_as_at_sign_in(ann, browser):
    outcomes = [browser.post("/you/act/new-codes/", {"password": f"guess {n}"}).status_code for n in range(10)]
    assert outcomes == [422] * 9 + [429]
    assert give_password()[1].status_code == 429


# Administrators.


def test_an_administrator_resets_the_factors_of_another_person(ann, acme, browser):
    bob = a_person(acme, "bob", "Viewer")
    with_app(bob)
    theirs = Browser()
    theirs.force_login(bob)
    page = f"/settings/people/{bob.pk}/reset-factors/"
    assert page in text_of(browser.get("/settings/people/"))
    assert "Reset second factors" in text_of(browser.get(page))
    assert browser.post(page, {"act": "commit", "once": "a" * 32}).status_code == 422
    seen = browser.post(page, {"reason": "phone lost, called back", "act": "preview"})
    assert "Be sure who asks you for this" in text_of(seen)
    assert AuthenticatorApp.objects.count() == 1
    sent = {"reason": "phone lost, called back", "seen": seen.context["expected"].seen, "once": "b" * 32}
    assert browser.post(page, sent)["Location"] == "/settings/people/"
    assert (AuthenticatorApp.objects.count(), RecoveryCode.objects.count()) == (0, 0)
    assert not is_in(theirs)
    event = Event.objects.get(type="person.factors_reset")
    after = {"username": "bob", "factors": ["app", "recovery_code"], "reason": "phone lost, called back"}
    assert (event.staff, event.after) == (ann, after)
    assert "phone lost, called back" in text_of(browser.get("/settings/people/"))


def test_an_administrator_signs_another_person_out(ann, acme, browser):
    bob = a_person(acme, "bob", "Viewer")
    theirs, _answer = give_password("bob")
    page = f"/settings/people/{bob.pk}/sign-out/"
    seen = browser.post(page, {"reason": "laptop stolen", "act": "preview"})
    assert is_in(theirs)
    sent = {"reason": "laptop stolen", "seen": seen.context["expected"].seen, "once": "b" * 32}
    assert browser.post(page, sent).status_code == 302
    assert (is_in(theirs), is_in(browser)) == (False, True)
    assert Event.objects.get(type="person.signed_out").after == {
        "username": "bob",
        "sessions": 1,
        "reason": "laptop stolen",
    }


def refused(work):
    with pytest.raises(BillingError) as error:
        work()
    return error.value.code


@pytest.mark.parametrize("act", [reset_person, sign_out_person])
def test_people_out_of_reach_are_not_reset_or_signed_out(ann, acme, umbra, act):
    viewer = Caller(staff=a_person(acme, "vera", "Viewer"))
    bob, root = a_person(acme, "bob"), a_person(acme, "root", None, is_superuser=True)
    both, other = a_person(acme, "both"), a_person(umbra, "other")
    umbra.staff.add(both)
    for user in (bob, root, both, other):
        with_app(user)
    assert refused(lambda: act(acme, bob.pk, reason="x", caller=viewer)) is ErrorCode.PERMISSION
    for user in (root, both, other):
        assert refused(lambda user=user: act(acme, user.pk, reason="x", caller=Caller(staff=ann))) is ErrorCode.OTHERS_PERSON
    assert AuthenticatorApp.objects.count() == 4


def test_nobody_resets_the_own_factors_or_those_of_a_person_with_higher_rights(ann, acme):
    clerk = a_person(acme, "clerk", None)
    clerk.groups.add(Group.objects.create(name="Clerk"))
    clerk.user_permissions.set([one for one in ann.groups.get().permissions.all() if one.codename == "change_client"])
    with_app(ann)
    assert refused(lambda: reset_person(acme, ann.pk, reason="x", caller=Caller(staff=ann))) is ErrorCode.OTHERS_PERSON
    assert refused(lambda: reset_person(acme, ann.pk, reason="x", caller=Caller(staff=clerk))) is ErrorCode.ROLE_ABOVE_ITS_GIVER
    assert refused(lambda: reset_person(acme, clerk.pk, reason="x", caller=Caller(staff=ann))) is ErrorCode.NO_SECOND_FACTOR


def test_the_command_resets_whom_no_administrator_can(acme, capsys):
    root = a_person(acme, "root", None, is_superuser=True)
    with_app(root)
    call_command("reset_second_factors", "root", reason="lost phone")
    assert capsys.readouterr().out == "removed: app, recovery_code\n"
    event = Event.objects.get(type="person.factors_reset")
    assert (event.process, event.after["reason"]) == ("reset_second_factors", "lost phone")
    with pytest.raises(CommandError, match="no second factor"):
        call_command("reset_second_factors", "root", reason="again")
    with pytest.raises(CommandError, match="no user nobody"):
        call_command("reset_second_factors", "nobody", reason="x")


# Caches.


@pytest.mark.parametrize(
    "page", ["/", "/you/", "/you/app/", "/accounts/", "/accounts/?format=csv", "/admin/", "/api/v1/accounts/", "/settings/"]
)
def test_no_cache_keeps_what_signed_in_people_see(browser, page):
    assert "no-store" in browser.get(page)["Cache-Control"]


def test_no_cache_keeps_the_steps_of_signing_in(ann):
    with_app(ann)
    browser, answer = give_password()
    assert "no-store" in answer["Cache-Control"]
    assert "no-store" in browser.get("/login/code/")["Cache-Control"]


def test_ended_sessions_are_deleted_with_what_is_kept_no_longer(acme, noon, browser):
    assert is_in(browser)
    keep_as_set(acme, NOON.date(), Caller(process="schedule"))
    assert StaffSession.objects.count() == 1
    noon.shift(timedelta(minutes=61))
    keep_as_set(acme, NOON.date(), Caller(process="schedule"))
    assert StaffSession.objects.count() == 0
