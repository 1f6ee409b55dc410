"""Passkeys by an authenticator in software: what is accepted, and what is refused. The real browser: tests/browser."""

import json

import pytest

from accounts.models import Event, Passkey, RecoveryCode
from tests.support.authenticators import Authenticator
from tests.support.signing_in import PASSWORD, a_person, codes_on, give_password

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def localhost(settings):
    settings.ALLOWED_HOSTS = ["testserver", "localhost"]


@pytest.fixture
def ann(acme):
    return a_person(acme)


def begun(page, browser):
    return browser.post(page, SERVER_NAME="localhost").json()


def add(browser, device, password=PASSWORD):
    answer = device.make(begun("/you/passkey/options/", browser))
    return browser.post("/you/passkey/", {"name": "key", "password": password, "answer": answer}, SERVER_NAME="localhost")


def show(browser, device, answer=None):
    options = begun("/login/passkey/", browser)
    sent = {"answer": device.show(options) if answer is None else answer}
    return browser.post("/login/passkey/", sent, SERVER_NAME="localhost")


def is_in(browser):
    return browser.get("/api/v1/accounts/").status_code == 200


@pytest.fixture
def device(ann):
    device = Authenticator()
    answer = add(give_password()[0], device)
    assert (answer.status_code, len(codes_on(answer))) == (200, 10)
    return device


def test_a_passkey_is_asked_after_the_password(ann, device):
    assert Event.objects.get(type="person.factor_added").after == {"username": "ann", "factor": "passkey"}
    browser, answer = give_password()
    assert (answer["Location"], is_in(browser)) == ("/login/code/", False)
    answer = show(browser, device)
    assert (answer.status_code, answer["Location"], is_in(browser)) == (302, "/", True)
    assert Passkey.objects.get().sign_count == 1


def test_an_answer_is_accepted_once(ann, device):
    browser, _answer = give_password()
    answer = device.show(begun("/login/passkey/", browser))
    assert show(browser, device, answer).status_code == 422  # a new challenge was asked for meanwhile
    browser, _answer = give_password()
    answer = device.show(begun("/login/passkey/", browser))
    sent = {"answer": answer}
    assert browser.post("/login/passkey/", sent, SERVER_NAME="localhost").status_code == 302
    other, _answer = give_password()
    assert other.post("/login/passkey/", sent, SERVER_NAME="localhost").status_code == 422
    assert not is_in(other)


def test_a_count_of_uses_that_goes_back_is_refused(ann, device):
    assert show(give_password()[0], device).status_code == 302
    device.count = 0
    assert show(give_password()[0], device).status_code == 422


def test_the_passkey_of_another_person_or_site_is_refused(ann, acme, device):
    a_person(acme, "bob")
    theirs = Authenticator()
    assert add(give_password("bob")[0], theirs).status_code == 200
    for other in (theirs, Authenticator()):
        assert show(give_password()[0], other).status_code == 422
    for wrong in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        copy = Authenticator(**wrong)
        copy.number, copy.key = device.number, device.key
        assert show(give_password()[0], copy).status_code == 422


def test_a_passkey_is_added_with_the_password_and_once(ann, acme, device):
    browser, _answer = give_password()
    show(browser, device)
    assert add(browser, Authenticator(), "wrong").status_code == 422
    assert add(browser, device).status_code == 422  # it is known already
    assert add(browser, Authenticator())["Location"] == "/you/"
    assert Passkey.objects.count() == 2


@pytest.mark.parametrize(
    "answer", ["", "x", "[]", "{}", '{"response": 5}', "[" * 100_000, json.dumps({"id": "AA", "rawId": "AA", "response": {}})]
)
def test_nonsense_is_refused_and_counts_as_a_wrong_code(ann, device, answer):
    browser, _answer = give_password()
    outcomes = [show(browser, device, answer).status_code for _number in range(10)]
    assert outcomes == [422] * 9 + [429]
    assert browser.post("/login/passkey/").status_code == 429
    browser.post("/you/passkey/", {"name": "x", "password": PASSWORD, "answer": answer})
    assert Passkey.objects.count() == 1


def test_the_last_passkey_stays_where_a_role_needs_it(ann, acme, device):
    browser, _answer = give_password()
    show(browser, device)
    acme.second_factor_roles = "Administrator"
    acme.save()
    sent = {"passkey": Passkey.objects.get().pk, "password": PASSWORD}
    browser.post("/you/act/remove-passkey/", sent)
    assert Passkey.objects.count() == 1
    add(browser, Authenticator())
    browser.post("/you/act/remove-passkey/", {**sent, "password": "wrong"})
    assert Passkey.objects.count() == 2
    browser.post("/you/act/remove-passkey/", sent)
    assert (Passkey.objects.count(), RecoveryCode.objects.count()) == (1, 10)


def test_nobody_removes_the_passkey_of_another_person(ann, acme, device):
    a_person(acme, "bob")
    browser, _answer = give_password("bob")
    browser.post("/you/act/remove-passkey/", {"passkey": Passkey.objects.get().pk, "password": PASSWORD})
    assert Passkey.objects.count() == 1
