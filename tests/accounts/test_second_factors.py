"""Second factors: codes of an authenticator app, recovery codes, roles that need them, and all doors that would lead around."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import AuthenticatorApp, Event, RecoveryCode, StaffSession
from accounts.services.second_factors import remove_app, use_code
from billing_site.common.sealed import seal, unseal
from billing_site.errors import BillingError, ErrorCode
from tests.support.factories import BY_TEST, an_account
from tests.support.races import at_once
from tests.support.signing_in import PASSWORD, a_person, code_of, codes_on, give_password, secret_on, with_app

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
DOORS = ("/", "/accounts/", "/invoices/pending/", "/settings/", "/admin/", "/admin/invoices/invoice/")


@pytest.fixture
def noon():
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def ann(acme):
    return a_person(acme)


def ask_of(client, *roles):
    client.second_factor_roles = ",".join(roles)
    client.save(update_fields=["second_factor_roles"])


def is_in(browser):
    """Whether the pages and the admin open, and the API reads by the session."""
    pages = {browser.get(door).status_code for door in ("/", "/admin/")}
    return (pages, browser.get("/api/v1/accounts/").status_code)


IN, OUT = ({200}, 200), ({302}, 401)


def test_without_a_second_factor_the_password_is_enough(ann):
    browser, answer = give_password()
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_in(browser) == IN


def test_codes_are_those_of_rfc_6238():
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert [code_of(secret, at) for at in (59, 1111111109, 2000000000)] == ["287082", "081804", "279037"]


def test_a_code_of_the_app_is_asked_after_the_password_and_only_then_anything_opens(ann, noon):
    secret, _codes = with_app(ann)
    noon.shift(timedelta(minutes=1))
    browser, answer = give_password()
    assert (answer.status_code, answer["Location"]) == (302, "/login/code/")
    assert is_in(browser) == OUT
    assert "You sign in as ann" in browser.get("/login/code/").content.decode()
    answer = browser.post("/login/code/", {"code": code_of(secret)})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_in(browser) == IN


def test_a_code_is_used_once_and_codes_of_a_minute_ago_or_ahead_are_refused(ann, noon):
    secret, _codes = with_app(ann)
    noon.shift(timedelta(minutes=5))
    at = int(time.time())
    outcomes = []
    for seconds in (-60, 60, -30, -30, 0, 0, -30, 30, 30):
        browser, _answer = give_password()
        answer = browser.post("/login/code/", {"code": code_of(secret, at + seconds)})
        outcomes.append(answer.status_code)
        if answer.status_code == 422:
            assert "The code is not right, or it was used before. Wait for the next one" in answer.content.decode()
    #           a minute off  next   replay new   replay older next  replay
    assert outcomes == [422, 422, 302, 422, 302, 422, 422, 302, 422]


def test_the_code_that_set_up_the_app_does_not_sign_in(ann, noon):
    secret, _codes = with_app(ann)
    browser, _answer = give_password()
    assert browser.post("/login/code/", {"code": code_of(secret)}).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_of_two_who_send_a_code_at_once_one_is_let_in(acme):
    ann = a_person(acme)
    secret, codes = with_app(ann)
    AuthenticatorApp.objects.update(last_step=0)
    for code in (code_of(secret), codes[0]):
        outcomes = at_once(lambda number, code=code: use_code(ann, code), 4)
        refused = [one for one in outcomes if isinstance(one, BillingError)]
        assert [one.code for one in refused] == [ErrorCode.CODE_NOT_RIGHT] * 3


def test_a_recovery_code_signs_in_once(ann, acme):
    _secret, codes = with_app(ann)
    assert len(set(codes)) == 10
    browser, _answer = give_password()
    assert browser.post("/login/code/", {"code": codes[3].upper()}).status_code == 302
    assert is_in(browser) == IN
    browser, _answer = give_password()
    assert browser.post("/login/code/", {"code": codes[3]}).status_code == 422
    assert browser.post("/login/code/", {"code": codes[4].replace("-", " ")}).status_code == 302
    used = Event.objects.filter(client=acme, type="person.recovery_code_used").order_by("pk")
    assert [one.after for one in used] == [{"username": "ann", "left": 9}, {"username": "ann", "left": 8}]


def test_a_recovery_code_of_another_person_is_worth_nothing(ann, acme):
    with_app(ann)
    _secret, codes = with_app(a_person(acme, "bob"))
    browser, _answer = give_password()
    assert browser.post("/login/code/", {"code": codes[0]}).status_code == 422


def test_ten_wrong_codes_lock_the_name_as_wrong_passwords_do(ann, noon):
    secret, codes = with_app(ann)
    noon.shift(timedelta(minutes=1))
    browser, _answer = give_password()
    outcomes = [browser.post("/login/code/", {"code": "000000"}).status_code for _number in range(11)]
    assert outcomes == [422] * 9 + [429, 429]
    right = browser.post("/login/code/", {"code": code_of(secret)})
    assert (right.status_code, right["Retry-After"]) == (429, "900")
    assert browser.post("/login/code/", {"code": codes[0]}).status_code == 429
    assert browser.get("/login/code/").status_code == 429
    assert give_password()[1].status_code == 429
    noon.shift(timedelta(minutes=15, seconds=1))
    browser, _answer = give_password()
    assert browser.post("/login/code/", {"code": code_of(secret)}).status_code == 302


def test_a_right_password_does_not_begin_the_count_of_codes_again(ann):
    with_app(ann)
    outcomes = []
    for _number in range(10):
        browser, answer = give_password()
        outcomes.append(browser.post("/login/code/", {"code": "000000"}).status_code)
    assert outcomes == [422] * 9 + [429]


def test_the_second_step_ends_after_ten_minutes_or_when_the_password_changes(ann, noon):
    secret, codes = with_app(ann)
    browser, _answer = give_password()
    noon.shift(timedelta(minutes=11))
    assert browser.post("/login/code/", {"code": codes[0]})["Location"] == "/login/"
    browser, _answer = give_password()
    ann.set_password("another long pass phrase")
    ann.save()
    assert browser.post("/login/code/", {"code": codes[0]})["Location"] == "/login/"
    assert is_in(browser) == OUT


def test_the_pages_of_the_second_step_are_for_nobody_else(ann):
    for page in ("/login/code/", "/login/set-up/"):
        assert Browser().get(page)["Location"] == "/login/"
        assert Browser().post(page, {"code": "000000"})["Location"] == "/login/"


def test_secrets_and_recovery_codes_are_not_readable_in_the_database(ann, settings):
    secret, codes = with_app(ann)
    stored = AuthenticatorApp.objects.get().secret
    assert secret not in stored
    assert unseal(stored) == secret
    assert not {code.replace("-", "") for code in codes} & set(RecoveryCode.objects.values_list("code_hash", flat=True))
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "new"
    assert unseal(stored) == secret
    settings.SECRET_KEY_FALLBACKS = []
    assert unseal(stored) is None
    assert unseal(seal("a")) == "a"


# Roles that need a second factor.


def test_who_needs_a_second_factor_sets_one_up_before_anything_else_opens(ann, acme, noon):
    ask_of(acme, "Administrator")
    browser, answer = give_password(next="/invoices/")
    assert answer["Location"] == "/login/set-up/"
    assert is_in(browser) == OUT
    for door in DOORS:
        assert browser.get(door)["Location"].startswith(("/login/?next=", "/admin/login/?next="))
    assert browser.get("/invoices/pending/", headers={"HX-Request": "true"}).status_code == 401
    assert browser.get("/login/code/")["Location"] == "/login/set-up/"
    page = browser.get("/login/set-up/")
    secret = secret_on(page)
    assert secret_on(browser.get("/login/set-up/")) == secret
    assert "data:image/svg+xml," in page.content.decode()
    assert browser.post("/login/set-up/", {"code": "000000"}).status_code == 422
    answer = browser.post("/login/set-up/", {"code": code_of(secret)})
    codes = codes_on(answer)
    assert (answer.status_code, len(codes), 'href="/invoices/"' in answer.content.decode()) == (200, 10, True)
    assert is_in(browser) == IN
    assert Event.objects.get(type="person.factor_added").after == {"username": "ann", "factor": "app"}
    noon.shift(timedelta(minutes=1))
    browser, answer = give_password()
    assert answer["Location"] == "/login/code/"
    assert browser.post("/login/code/", {"code": code_of(secret)}).status_code == 302
    assert is_in(browser) == IN


def test_other_roles_and_other_clients_do_not_ask(acme, umbra):
    bob = a_person(acme, "bob", "Viewer")
    ask_of(acme, "Administrator", "Biller")
    ask_of(umbra, "Viewer")
    assert is_in(give_password("bob")[0]) == IN
    umbra.staff.add(bob)
    assert give_password("bob")[1]["Location"] == "/login/set-up/"


def test_a_role_whose_name_is_part_of_another_does_not_count(acme):
    Group.objects.create(name="Admin%")
    ask_of(acme, "Administrators", "My Admin%", "xAdministrator")
    a_person(acme)
    assert is_in(give_password()[0]) == IN
    a_person(acme, "bob", "Admin%")
    assert give_password("bob")[1]["Location"] == "/"


def test_a_superuser_needs_one_as_soon_as_any_role_does(acme):
    a_person(acme, "root", None, is_superuser=True)
    assert is_in(give_password("root")[0]) == IN
    ask_of(acme, "Viewer")
    assert give_password("root")[1]["Location"] == "/login/set-up/"


def test_the_requirement_follows_a_role_that_is_renamed(ann, acme):
    ask_of(acme, "Viewer", "Administrator")
    role = Group.objects.get(name="Administrator")
    role.name = "Boss"
    role.save()
    acme.refresh_from_db()
    assert acme.second_factor_roles == "Viewer,Boss"
    assert give_password()[1]["Location"] == "/login/set-up/"


def test_sessions_without_a_second_factor_end_when_a_role_begins_to_need_one(ann, acme):
    browser, _answer = give_password()
    assert is_in(browser) == IN
    ask_of(acme, "Administrator")
    assert browser.post("/invoices/pending/", {"act": "approve"}).status_code == 401
    assert is_in(browser) == OUT
    assert StaffSession.objects.filter(user=ann).count() == 0


def test_a_part_of_a_page_is_answered_401_so_that_the_page_stays(ann, acme):
    browser, _answer = give_password()
    ask_of(acme, "Administrator")
    assert browser.get("/invoices/pending/", headers={"HX-Request": "true"}).status_code == 401


def test_a_session_that_was_not_begun_by_the_sign_in_page_is_no_way_around(ann, acme):
    ask_of(acme, "Administrator")
    browser = Browser()
    browser.force_login(ann)  # as any other code of Django's would begin it
    assert is_in(browser) == OUT


def test_the_admins_own_sign_in_is_no_way_around(ann, acme):
    _secret, codes = with_app(ann)
    for page, next_page in (("/admin/login/", "/admin/"), ("/admin/login/?next=/admin/invoices/invoice/", None)):
        browser, answer = give_password(page=page, **({} if next_page else {"next": "/admin/invoices/invoice/"}))
        assert answer["Location"] == "/login/code/"
        assert is_in(browser) == OUT
        answer = browser.post("/login/code/", {"code": codes.pop()})
        assert answer["Location"] == (next_page or "/admin/invoices/invoice/")
        assert is_in(browser) == IN


def test_the_api_takes_no_password_and_keys_need_no_second_factor(ann, acme):
    ask_of(acme, "Administrator")
    basic = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    assert Browser().get("/api/v1/accounts/", headers={"Authorization": f"Basic {basic}"}).status_code == 401
    _key, auth_key = create_key(acme, name="shop", caller=BY_TEST)
    basic = base64.b64encode(f"{acme.pk}:{auth_key}".encode()).decode()
    assert Browser().get("/api/v1/accounts/", headers={"Authorization": f"Basic {basic}"}).status_code == 200


@pytest.mark.parametrize("page", ["/password_reset/", "/accounts/password_reset/", "/admin/password_reset/", "/reset/x/y/"])
def test_there_is_no_reset_of_passwords_that_would_sign_in(ann, page):
    assert Browser().get(page).status_code in (302, 404)
    assert "login" in Browser().get(page).get("Location", "login")


def test_the_admins_change_of_the_own_password_is_not_open_before_the_second_step(ann):
    with_app(ann)
    browser, _answer = give_password()
    sent = {"old_password": PASSWORD, "new_password1": "quite another phrase", "new_password2": "quite another phrase"}
    assert browser.post("/admin/password_change/", sent)["Location"].startswith("/admin/login/")
    ann.refresh_from_db()
    assert ann.check_password(PASSWORD)


def test_the_last_second_factor_cannot_be_removed_where_a_role_needs_it(ann, acme):
    with_app(ann)
    ask_of(acme, "Administrator")
    with pytest.raises(BillingError) as refused:
        remove_app(ann, caller=Caller(staff=ann))
    assert refused.value.code is ErrorCode.FACTOR_NEEDED
    assert AuthenticatorApp.objects.count() == 1
    ask_of(acme)
    remove_app(ann, caller=Caller(staff=ann))
    assert (AuthenticatorApp.objects.count(), RecoveryCode.objects.count()) == (0, 0)
    assert is_in(give_password()[0]) == IN


# What was typed is kept through the second step.


def test_a_form_that_was_sent_too_late_is_kept_through_the_second_step(ann, acme):
    _secret, codes = with_app(ann)
    kept = json.dumps(["/accounts/7/generate/", [["mode", "now"], ["text", "<typed>"]], False])
    browser, answer = give_password(kept=kept)
    assert answer.status_code == 200
    assert "&lt;typed&gt;" in answer.content.decode()
    answer = browser.post("/login/code/", {"code": "000000", "kept": kept})
    assert (answer.status_code, "&lt;typed&gt;" in answer.content.decode()) == (422, True)
    answer = browser.post("/login/code/", {"code": codes[0], "kept": kept})
    assert (answer.status_code, "Send what you typed" in answer.content.decode()) == (200, True)
    assert is_in(browser) == IN


def test_the_dialog_of_a_page_asks_for_the_code_too(ann, acme):
    _secret, codes = with_app(ann)
    headers = {"X-Requested-With": "fetch"}
    browser = Browser()

    def send(**sent):
        answer = browser.post("/login/", {"username": "ann", "password": PASSWORD, **sent}, headers=headers)
        return answer.status_code, sorted(answer.json())

    assert send() == (401, ["step"])
    assert send(code="000000") == (401, ["error", "step"])
    assert is_in(browser) == OUT
    assert send(code=codes[0]) == (200, ["token"])
    assert is_in(browser) == IN


def test_the_dialog_does_not_set_up_a_second_factor(ann, acme):
    ask_of(acme, "Administrator")
    headers = {"X-Requested-With": "fetch"}
    browser = Browser()
    answer = browser.post("/login/", {"username": "ann", "password": PASSWORD, "code": "1"}, headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"step": "set-up"})
    assert is_in(browser) == OUT


# The setting of a client.


def test_the_setting_is_changed_on_its_page_and_kept_in_the_history(ann, acme):
    with_app(ann)
    _secret, codes = with_app(ann)
    browser, _answer = give_password()
    browser.post("/login/code/", {"code": codes[0]})
    page = "/settings/sections/signing-in/"
    assert "Administrator" in browser.get(page).content.decode()
    sent = {"second_factor_roles": ["Administrator", "Biller"], "once": "a" * 32}
    seen = browser.post(page, {**sent, "act": "preview"})
    text = seen.content.decode()
    assert "people with such a role who have no second factor are signed out" in text
    sent["seen"] = seen.context["expected"].seen
    assert browser.post(page, {**sent, "version": seen.context["expected"].version}).status_code == 302
    acme.refresh_from_db()
    assert acme.second_factor_roles == "Administrator,Biller"
    assert "Administrator,Biller" in browser.get("/settings/").content.decode().replace(", ", ",")
    assert acme.history.first().second_factor_roles == "Administrator,Biller"
    assert acme.history.first().history_user == ann
    assert browser.post(page, {"second_factor_roles": ["Nobody"], "once": "b" * 32}).status_code == 422
    assert is_in(browser) == IN


def test_signing_in_costs_no_query_for_the_requirement_on_each_page(ann, acme, django_assert_num_queries):
    an_account(acme)
    browser, _answer = give_password()
    browser.get("/accounts/")
    with django_assert_num_queries(2):  # the session, and the user together with what the roles need
        browser.get("/login/")
    assert get_user_model().objects.count() == 1
