"""Single sign-on against a small identity provider that runs beside the tests."""

import logging
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser
from joserfc.jwk import RSAKey

from accounts.models import Event, SingleSignOn
from tests.support.identity_provider import CLIENT_ID, CLIENT_SECRET, identity_provider
from tests.support.signing_in import a_person, give_password, with_app

pytestmark = pytest.mark.django_db
REFUSED = "Single sign-on does not let you in"
FAILED = "Single sign-on did not work. Try again, or ask an administrator."


@pytest.fixture(scope="module")
def running():
    with identity_provider() as provider:
        yield provider


@pytest.fixture
def idp(running, settings, acme):
    running.person = {"sub": "s-1", "preferred_username": "ann", "given_name": "Ann", "groups": ["Viewer"]}
    running.token, running.userinfo, running.key = {}, None, running.published
    settings.OIDC_ISSUER, settings.OIDC_NAME = running.issuer, "Acme ID"
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
    settings.OIDC_CLIENT_NOS = [acme.pk]
    return running


def there(browser, next_page=""):
    """Go to the provider, sign in there, and return the address that it sends the browser back to."""
    answer = browser.get("/login/sso/", {"next": next_page} if next_page else {})
    back = requests.get(answer["Location"], allow_redirects=False, timeout=10)
    parts = urlsplit(back.headers["Location"])
    return f"{parts.path}?{parts.query}"


def sign_in(browser=None, next_page=""):
    browser = browser or Browser()
    return browser, browser.get(there(browser, next_page))


def is_in(browser):
    return browser.get("/api/v1/accounts/").status_code == 200


def said(browser):
    return browser.get("/login/").content.decode()


def roles_of(name="ann"):
    return sorted(get_user_model().objects.get(username=name).groups.values_list("name", flat=True))


def test_without_settings_there_is_no_single_sign_on(db):
    assert Browser().get("/login/sso/").status_code == 404
    assert Browser().get("/login/sso/done/").status_code == 404
    assert "/login/sso/" not in said(Browser())


def test_who_signs_in_for_the_first_time_is_added_with_the_roles_of_the_groups(idp, acme):
    assert "Sign in with Acme ID" in said(Browser())
    browser, answer = sign_in(next_page="/invoices/")
    assert (answer.status_code, answer["Location"]) == (302, "/invoices/")
    assert is_in(browser)
    ann = get_user_model().objects.get(username="ann")
    assert (ann.first_name, ann.has_usable_password(), ann.is_superuser) == ("Ann", False, False)
    assert list(ann.clients.all()) == [acme]
    assert roles_of() == ["Viewer"]
    assert SingleSignOn.objects.get().subject == "s-1"
    events = Event.objects.order_by("pk").values_list("act", "process", "after")
    assert list(events) == [
        ("person.added", "single_sign_on", {"username": "ann", "roles": [], "is_active": True}),
        ("person.changed", "single_sign_on", {"username": "ann", "roles": ["Viewer"], "is_active": True}),
    ]


def test_roles_follow_the_groups_at_each_sign_in(idp):
    first, _answer = sign_in()
    idp.person["groups"] = ["Biller", "Approver"]
    second, _answer = sign_in()
    assert roles_of() == ["Approver", "Biller"]
    assert (is_in(first), is_in(second)) == (False, True)  # sessions end when roles change
    idp.person["groups"] = ["Biller"]
    sign_in()
    assert roles_of() == ["Biller"]


def test_who_has_lost_all_groups_has_no_role_and_is_not_let_in(idp):
    earlier, _answer = sign_in()
    idp.person["groups"] = []
    browser, answer = sign_in()
    assert answer["Location"] == "/login/"
    assert "none of your groups gives you a role" in said(browser)
    assert (roles_of(), is_in(earlier), is_in(browser)) == ([], False, False)


def test_groups_are_mapped_by_name_and_unknown_ones_are_logged(idp, settings, caplog):
    settings.OIDC_ROLES = {"billing-team": "Biller", "gone": "No such role"}
    idp.person["groups"] = ["billing-team", "gone", "everybody", "Administrator"]
    with caplog.at_level(logging.INFO, "accounts.services.single_sign_on"):
        sign_in()
    assert roles_of() == ["Biller"]
    assert [one.getMessage() for one in caplog.records] == ["groups of s-1 that give no role: Administrator, everybody, gone"]


def test_groups_may_come_from_userinfo_of_the_same_subject_only(idp):
    del idp.person["groups"]
    idp.userinfo = {"sub": "s-1", "groups": ["Collector"]}
    assert is_in(sign_in()[0])
    assert roles_of() == ["Collector"]
    idp.userinfo = {"sub": "s-2", "groups": ["Administrator"]}
    browser, _answer = sign_in()
    assert FAILED in said(browser)
    assert roles_of() == ["Collector"]


def test_a_person_whom_somebody_has_added_is_known_by_the_user_name(idp, acme, settings):
    settings.OIDC_CLIENT_NOS = []
    ann = a_person(acme, "ann", "Viewer")
    assert is_in(sign_in()[0])
    assert SingleSignOn.objects.get().user == ann
    idp.person["preferred_username"] = "annabel"  # from now on the subject counts
    assert is_in(sign_in()[0])
    assert get_user_model().objects.count() == 1


def test_whom_nobody_has_added_is_refused_where_no_client_is_named(idp, settings):
    settings.OIDC_CLIENT_NOS = []
    browser, answer = sign_in()
    assert answer["Location"] == "/login/"
    assert f"{REFUSED}: nobody has added ann here" in said(browser)
    assert get_user_model().objects.count() == 0


def test_another_identity_does_not_take_a_person_over_by_the_user_name(idp):
    sign_in()
    idp.person = {**idp.person, "sub": "s-2", "groups": ["Administrator"]}
    browser, _answer = sign_in()
    assert "another identity signs in as ann" in said(browser)
    assert (is_in(browser), roles_of()) == (False, ["Viewer"])


def test_a_superuser_never_comes_from_the_provider(idp, acme):
    root = a_person(acme, "ann", None, is_superuser=True)
    browser, _answer = sign_in()
    assert REFUSED in said(browser)
    assert not is_in(browser)
    root.delete()
    Group.objects.create(name="superuser")
    idp.person["groups"] = ["superuser", "Viewer"]
    idp.person["is_superuser"] = True
    sign_in()
    assert not get_user_model().objects.get().is_superuser


@pytest.mark.parametrize("column", ["is_active", "is_staff"])
def test_who_may_not_sign_in_does_not_by_single_sign_on(idp, column):
    sign_in()
    get_user_model().objects.update(**{column: False})
    browser, _answer = sign_in()
    assert REFUSED in said(browser)
    assert not is_in(browser)


# The second factor.


def test_a_second_factor_that_a_role_needs_is_asked_after_single_sign_on_too(idp, acme):
    acme.second_factor_roles = "Viewer"
    acme.save()
    browser, answer = sign_in()
    assert (answer["Location"], is_in(browser)) == ("/login/set-up/", False)
    _secret, codes = with_app(get_user_model().objects.get(username="ann"))
    browser, answer = sign_in(next_page="/invoices/")
    assert (answer["Location"], is_in(browser)) == ("/login/code/", False)
    assert browser.post("/login/code/", {"code": codes[0]})["Location"] == "/invoices/"
    assert is_in(browser)


def test_a_second_factor_that_the_provider_has_asked_for_counts(idp, acme, settings):
    acme.second_factor_roles = "Viewer"
    acme.save()
    idp.person["amr"] = ["pwd", "otp"]
    assert is_in(sign_in()[0])
    idp.person["amr"] = ["pwd"]
    assert not is_in(sign_in()[0])
    settings.OIDC_SECOND_FACTOR = True
    assert is_in(sign_in()[0])


def test_without_a_password_nobody_signs_in_by_one(idp):
    sign_in()
    assert give_password("ann", password="")[1].status_code == 200
    assert give_password("ann", password="!")[1].status_code == 200


# Answers that are not valid.


@pytest.mark.parametrize(
    "token",
    [
        {"aud": "another client"},
        {"iss": "https://evil.example"},
        {"nonce": "another"},
        {"exp": int(time.time()) - 3600},
        {"sub": None},
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(idp, token):
    idp.token = token
    browser, answer = sign_in()
    assert answer["Location"] == "/login/"
    assert FAILED in said(browser)
    assert (is_in(browser), get_user_model().objects.count()) == (False, 0)


def test_a_token_that_another_key_has_signed_is_refused(idp):
    idp.key = RSAKey.generate_key(2048, {"kid": "1"})
    browser, _answer = sign_in()
    assert FAILED in said(browser)
    assert not is_in(browser)


def test_an_answer_belongs_to_the_browser_that_asked_and_is_accepted_once(idp):
    browser = Browser()
    back = there(browser)
    stranger = Browser()
    assert stranger.get(back)["Location"] == "/login/"
    assert not is_in(stranger)
    changed = back.replace(parse_qs(urlsplit(back).query)["state"][0], "x")
    assert browser.get(changed)["Location"] == "/login/"
    back = there(browser)
    assert browser.get(back)["Location"] == "/"
    browser.logout()
    assert browser.get(back)["Location"] == "/login/"
    assert not is_in(browser)


@pytest.mark.parametrize("query", ["", "?error=access_denied&state=x", "?code=x&state=x"])
def test_nonsense_is_answered_by_the_sign_in_page(idp, query):
    browser = Browser()
    assert browser.get(f"/login/sso/done/{query}")["Location"] == "/login/"
    assert FAILED in said(browser)


def test_a_provider_that_is_away_is_said_so(idp, settings):
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    browser = Browser()
    assert browser.get("/login/sso/")["Location"] == "/login/"
    assert FAILED in said(browser)


def test_the_way_back_leads_to_pages_of_ours_only(idp):
    assert sign_in(next_page="https://evil.example/")[1]["Location"] == "/"
