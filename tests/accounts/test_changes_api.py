"""PATCH and DELETE of master data: versions, members that never change, frozen documents, history, other clients."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine

from accounts.models import Contact, PaymentMethod, PlanInstance, RateSchedule
from invoices.kinds import LineType
from tests.support.billing import ARREARS, JAN_10, bill
from tests.support.calling import RIGHTS
from tests.support.factories import PlanFactory, ServiceFactory, TaxRateFactory, a_charge, a_plan, an_account
from tests.support.money_api import with_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def api(acme):
    return with_key(acme, may_change_customers=True, may_change_catalogue=True)


def patch(api, path, body, **headers):
    return api.patch(f"/api/v1/{path}/", body, format="json", **headers)


def test_members_that_are_left_out_stay_and_documents_and_history_keep_the_old_ones(acme, process, api):
    account = an_account(acme)
    invoice = bill(account, process, JAN_10)
    contact = account.contacts.get()
    answer = patch(api, f"contacts/{contact.pk}", {"city": "Salem", "email": "ada@example.com"})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["city"], shown["email"], shown["name"], shown["acct_no"]) == (
        "Salem",
        "ada@example.com",
        "Ada Byron",
        account.pk,
    )
    invoice.refresh_from_db()
    assert invoice.bill_to["city"] == "Fresno"
    newest, oldest = Contact.history.filter(id=contact.pk).order_by("-history_id")
    assert (oldest.city, newest.city) == ("Fresno", "Salem")


def test_a_change_may_be_named_a_json_merge_in_which_null_clears(acme, process, api):
    account = an_account(acme)
    contact = account.contacts.get()
    contact.company, contact.email = "Analytical Engines", "ada@example.com"
    contact.save()
    merge = {"content_type": "application/merge-patch+json"}
    path = f"/api/v1/contacts/{contact.pk}/"
    answer = api.generic("PATCH", path, '{"company": null, "city": "Salem"}', **merge)
    contact.refresh_from_db()
    assert (answer.status_code, answer.json()["company"], contact.company) == (200, "", "")
    assert (contact.city, contact.email) == ("Salem", "ada@example.com")
    refusal = api.generic("PATCH", path, '{"name": null}', **merge)
    assert (refusal.status_code, refusal.json()["error_code"], list(refusal.json()["errors"])) == (400, 1010, ["name"])
    path, clerk = f"invoices/{bill(account, process, JAN_10).pk}", with_key(acme, **dict.fromkeys(RIGHTS, True))
    assert patch(clerk, path, {"client_notes": "call"}).json()["client_notes"] == "call"
    assert clerk.generic("PATCH", f"/api/v1/{path}/", '{"client_notes": null}', **merge).json()["client_notes"] == ""
    assert api.generic("POST", "/api/v1/contacts/", "{}", **merge).status_code == 415


def test_a_row_is_changed_only_if_it_is_still_the_version_that_was_read(acme, api):
    account = an_account(acme)
    path = f"accounts/{account.pk}"
    version = api.get(f"/api/v1/{path}/")["ETag"]
    first = patch(api, path, {"payment_terms_days": 30}, HTTP_IF_MATCH=version)
    assert (first.status_code, first["ETag"] != version) == (200, True)
    late = patch(api, path, {"payment_terms_days": 60}, HTTP_IF_MATCH=version)
    assert (late.status_code, late.json()["error_code"]) == (412, 90162)
    account.refresh_from_db()
    assert account.payment_terms_days == 30
    assert patch(api, path, {"payment_terms_days": None}, HTTP_IF_MATCH=first["ETag"]).json()["payment_terms_days"] is None
    assert patch(api, path, {"payment_terms_days": 5}, HTTP_IF_MATCH="*").status_code == 200
    assert patch(api, path, {"client_acct_id": "no version"}).json()["client_acct_id"] == "no version"


@pytest.mark.parametrize("spelled", ["{}", "W/{}", '"other",{}', 'W/"other" , W/{}', "*"])
def test_a_version_is_taken_as_proxies_and_callers_spell_it(acme, api, spelled):
    path = f"accounts/{an_account(acme).pk}"
    version = api.get(f"/api/v1/{path}/")["ETag"]
    named = spelled.format(version)
    assert patch(api, path, {"payment_terms_days": 30}, HTTP_IF_MATCH=named).status_code == 200
    assert patch(api, path, {"payment_terms_days": 60}, HTTP_IF_MATCH=named).status_code == (200 if named == "*" else 412)


def test_a_plan_is_removed_only_if_it_is_still_the_version_that_was_read(acme, api):
    instance = an_account(acme, start=date(2026, 3, 1)).plan_instances.get()
    path = f"/api/v1/plan-instances/{instance.pk}/"
    version = api.get(path)["ETag"]
    assert api.patch(path, {"po_num": "P1"}, format="json").status_code == 200
    late = api.delete(path, HTTP_IF_MATCH=version)
    assert (late.status_code, late.json()["error_code"]) == (412, 90162)
    assert PlanInstance.objects.get().taken_off_on is None
    assert api.delete(path, HTTP_IF_MATCH=api.get(path)["ETag"]).status_code == 204


@pytest.mark.parametrize("act", ["end", "trial"])
def test_an_operation_that_compares_no_version_refuses_to_be_given_one(acme, api, act):
    instance = an_account(acme).plan_instances.get()
    body = {"end": {"end_date": "2026-02-28"}, "trial": {"trial_end": "2026-02-28"}}[act]
    answer = api.post(f"/api/v1/plan-instances/{instance.pk}/{act}/", body, format="json", HTTP_IF_MATCH='"x"')
    assert (answer.status_code, answer.json()["error_code"], "If-Match" in answer.json()["error_msg"]) == (400, 1016, True)
    instance.refresh_from_db()
    assert (instance.end_date, instance.trial_end) == (None, None)


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"currency": "eur"}, 90161, "currency"),
        ({"bill_day": 3}, 90161, "bill_day"),
        ({"payment_term_days": 3}, 1016, "Did you mean `payment_terms_days`?"),
        ({"created_at": "2026-01-01"}, 1016, "read-only"),
        ({"client_acct_id": ""}, 1010, "client_acct_id"),
        ({"client_acct_id": "taken"}, 1016, "already exists"),
    ],
)
def test_what_never_changes_is_unknown_or_wrong_is_refused_by_name(acme, api, body, code, words):
    an_account(acme, client_acct_id="taken")
    account = an_account(acme, client_acct_id="mine")
    answer = patch(api, f"accounts/{account.pk}", {"language": "de", **body})
    assert (answer.json()["error_code"], words in answer.json()["error_msg"]) == (code, True), answer.json()
    account.refresh_from_db()
    assert (account.language, account.client_acct_id) == ("", "mine")
    assert patch(api, f"accounts/{account.pk}", {"currency": "usd", "language": "de"}).status_code == 200


def test_a_payment_method_gets_another_label_and_no_card_number(acme, api):
    method = PaymentMethod.objects.create(account=an_account(acme), type="card", token="t", label="old")
    path = f"payment-methods/{method.pk}"
    assert patch(api, path, {"label": "Visa"}).json()["label"] == "Visa"
    assert patch(api, path, {"label": "4111 1111 1111 1111"}).json()["error_code"] == 1016
    assert patch(api, path, {"token": "other"}).json()["error_code"] == 90161
    method.refresh_from_db()
    assert (method.label, method.token) == ("Visa", "t")


def test_other_units_apply_from_their_day(acme, process, api):
    """A plan in arrears at 10.00 a unit: 5 units in the first half of the period, then 8: 65.00, not 80.00."""
    plan = PlanFactory(client=acme)
    a_charge(plan, "seat", "10.00", ARREARS)
    account = an_account(acme, plan, start=date(2026, 4, 1))
    instance = account.plan_instances.get()
    assert patch(api, f"plan-instances/{instance.pk}", {"units": "5", "units_from": "2026-04-01"}).json()["id"] == instance.pk
    changed = patch(api, f"plan-instances/{instance.pk}", {"units": "8", "units_from": "2026-04-16", "po_num": "PO 8"}).json()
    assert (changed["id"] != instance.pk, D(changed["units"]), changed["po_num"]) == (True, 8, "PO 8")
    assert bill(account, process, date(2026, 4, 1)) is None
    invoice = bill(account, process, date(2026, 5, 1))
    assert [line.amount for line in invoice.lines.exclude(line_type=LineType.TAX)] == [D(25), D(40)]
    refused = patch(api, f"plan-instances/{changed['id']}", {"units": "9"}).json()
    assert (refused["error_code"], list(refused["errors"])) == (1010, ["units_from"])


def test_a_price_and_a_tax_rate_end_and_documents_keep_theirs(acme, process, api):
    rate = TaxRateFactory(client=acme)
    account = an_account(acme)
    invoice = bill(account, process, JAN_10)
    price = RateSchedule.objects.get(charge__plan__client=acme)
    assert patch(api, f"rates/{price.pk}", {"valid_to": "2026-06-30"}).json()["valid_to"] == "2026-06-30"
    assert patch(api, f"rates/{price.pk}", {"rate_per_unit": "1"}).json()["error_code"] == 90161
    assert patch(api, f"tax-rates/{rate.pk}", {"valid_to": "2026-06-30"}).json()["valid_to"] == "2026-06-30"
    refused = patch(api, f"tax-rates/{rate.pk}", {"valid_to": "1999-12-31"})
    assert (refused.status_code, refused.json()["errors"]) == (400, {"valid_to": ["The last day is before the first day."]})
    invoice.refresh_from_db()
    assert (invoice.tax_amount, PlanInstance.objects.get(account=account).end_date) == (3, None)


def test_what_nothing_uses_is_removed_and_what_is_used_stays(acme, process, api):
    rate = TaxRateFactory(client=acme)
    bill(an_account(acme), process, JAN_10)
    unused, used = ServiceFactory(client=acme, client_service_id="fax"), ServiceFactory(client=acme)
    plan = a_plan(acme, {"radio": "5.00"})
    free = TaxRateFactory(client=acme, name="City tax")
    for path in (f"services/{unused.pk}", f"plans/{plan.pk}", f"tax-rates/{free.pk}"):
        assert api.delete(f"/api/v1/{path}/").status_code == 204
        assert api.get(f"/api/v1/{path}/").status_code == 404
    for path in (f"services/{used.pk}", f"tax-rates/{rate.pk}"):
        answer = api.delete(f"/api/v1/{path}/")
        assert (answer.status_code, answer.json()["error_code"]) == (409, 90163)


def test_rows_of_other_clients_do_not_exist_and_a_key_needs_the_right(acme, umbra, api):
    theirs = an_account(umbra)
    assert patch(api, f"accounts/{theirs.pk}", {"language": "de"}).status_code == 404
    assert api.delete(f"/api/v1/contacts/{theirs.contacts.get().pk}/").status_code == 404
    account = an_account(acme)
    answer = patch(with_key(acme, may_change_customers=False), f"accounts/{account.pk}", {"language": "de"})
    assert (answer.status_code, answer.json()["error_code"]) == (403, 90009)


def test_a_change_that_is_sent_again_is_done_once(acme, api):
    account = an_account(acme)
    first, again = (patch(api, f"accounts/{account.pk}", {"language": "de"}, HTTP_IDEMPOTENCY_KEY="one") for _ in range(2))
    assert first.content == again.content
    assert type(account).history.filter(id=account.pk).count() == 2
