"""gen_invoice through its address: literal bodies in, literal answers out, and what each leaves behind."""

import json
import zlib
from datetime import UTC, date, datetime
from unittest import mock

import pytest
import time_machine
from django.test import Client as Browser

from accounts.keys import create_key
from accounts.models import Account, Client, Event, Receipt, Service
from accounts.services.plans import assign_plan
from invoices.models import Invoice
from tests.support.factories import BY_TEST, AccountFactory, PlanFactory, a_plan, an_account

URL = "/api/v1/invoices/gen_invoice/"
NOTHING = {"invoice_no": None, "third_party_errors": None}


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def auth_key(acme):
    return create_key(acme, name="integrator", may_approve=True, caller=BY_TEST)[1]


@pytest.fixture
def call(acme, auth_key):
    """Posts a body with acme's credentials, and gives the answer, which is always HTTP 200."""

    def post(**members):
        return post_raw(json.dumps({"client_no": acme.pk, "auth_key": auth_key, **members}))

    return post


def post_raw(body, content_type="application/json", **headers):
    body = body.encode() if isinstance(body, str) else body
    response = Browser(raise_request_exception=False).generic("POST", URL, body, content_type=content_type, **headers)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    answer = response.json()
    assert set(answer) == {"error_code", "error_msg", "invoice_no", "third_party_errors"}
    assert type(answer["error_code"]) is int
    assert "|" not in answer["error_msg"]
    return answer


def refused(answer, code, message=None):
    """Check that the call was refused with this code: no document, and exactly one event, with the same error."""
    assert answer["error_code"] == code
    assert answer["invoice_no"] is None
    if message is not None:
        assert answer["error_msg"] == message
    assert not Invoice.objects.exists()
    event = Event.objects.get()
    assert (event.act, event.error_code, event.message) == ("invoice.refused", code, answer["error_msg"])
    return event


def test_an_invoice_is_generated(acme, call):
    account = an_account(acme)
    answer = call(acct_no=account.pk)
    invoice = Invoice.objects.get()
    assert answer == {"error_code": 0, "error_msg": "OK", "invoice_no": invoice.pk, "third_party_errors": None}
    assert (invoice.account, invoice.status, invoice.kind, invoice.bill_date) == (
        account,
        "approved",
        "recurring",
        date(2026, 1, 10),
    )
    events = Event.objects.order_by("pk").values_list("act", "api_key__name")
    assert list(events) == [("invoice.generated", "integrator"), ("invoice.issued", "integrator")]


def test_numbers_may_be_given_as_text(acme, auth_key):
    account = an_account(acme)
    body = {"client_no": str(acme.pk), "auth_key": auth_key, "acct_no": str(account.pk), "invoice_mode": "0"}
    assert post_raw(json.dumps(body))["error_code"] == 0


def test_an_account_with_nothing_to_bill_moves_on_without_an_invoice(acme, call):
    account = an_account(acme, PlanFactory(client=acme))
    assert call(acct_no=account.pk) == {"error_code": 0, "error_msg": "OK", **NOTHING}
    account.refresh_from_db()
    assert account.next_bill_date == date(2026, 2, 10)


def test_what_is_empty_or_null_counts_as_not_given(acme, call):
    account = an_account(acme)
    names = (
        "force_pending",
        "client_receipt_id",
        "alt_bill_day",
        "invoice_mode",
        "alt_caller_id",
        "optional_transaction_qualifiers",
        "application_id",
        "application_date",
    )
    answer = call(acct_no=account.pk, **dict.fromkeys(names[::2], ""), **dict.fromkeys(names[1::2]))
    assert answer["error_code"] == 0
    assert list(Event.objects.values_list("caller", flat=True)) == [{}, {}]
    assert not Receipt.objects.exists()


def test_members_of_other_calls_are_passed_over(acme, call):
    account = an_account(acme)
    assert call(acct_no=account.pk, rest_call="gen_invoice", output_format="json")["error_code"] == 0


# Each input has its effect.


@pytest.mark.parametrize(
    ("force_pending", "status"),
    [("true", "pending"), (True, "pending"), ("false", "approved"), (False, "approved"), (None, "approved")],
)
def test_force_pending_decides_for_this_invoice(acme, call, force_pending, status):
    call(acct_no=an_account(acme).pk, force_pending=force_pending)
    assert Invoice.objects.get().status == status


def test_force_pending_false_does_not_override_the_account(acme, call):
    call(acct_no=an_account(acme, invoice_approval_required=True).pk, force_pending="false")
    assert Invoice.objects.get().status == "pending"


def test_alt_bill_day_moves_the_anniversary(acme, call):
    call(acct_no=an_account(acme).pk, alt_bill_day=15)
    invoice = Invoice.objects.get()
    assert (invoice.bill_day, invoice.period_end) == (15, date(2026, 1, 14))


def test_invoice_mode_1_bills_the_coming_cycle(acme, call):
    call(acct_no=an_account(acme, start=date(2026, 1, 20)).pk, invoice_mode=1)
    invoice = Invoice.objects.get()
    assert (invoice.kind, invoice.period_start) == ("advance", date(2026, 1, 20))


def test_the_caller_fields_are_kept_on_the_event_as_they_were_given(acme, call):
    declared = {
        "alt_caller_id": " nightly run ",
        "application_id": "Sales Force",
        "application_date": "01/01/2014 10:00:00",
        "optional_transaction_qualifiers": [
            {"qualifier_name": "ticket", "qualifier_value": "4711"},
            {"qualifier_name": "desk", "qualifier_value": "north"},
        ],
    }
    call(acct_no=an_account(acme).pk, **declared)
    assert list(Event.objects.values_list("caller", flat=True)) == [declared, declared]


@pytest.mark.parametrize(
    ("name", "limit"), [("alt_caller_id", 30), ("application_id", 300), ("application_date", 300), ("client_receipt_id", 50)]
)
def test_a_text_of_its_full_length_is_taken_and_a_longer_one_is_not(acme, call, name, limit):
    account = an_account(acme)
    longer = call(acct_no=account.pk, **{name: "x" * (limit + 1)})
    refused(longer, 1012, f"invalid input format: {name}: Ensure this field has no more than {limit} characters.")
    assert call(acct_no=account.pk, **{name: "x" * limit})["error_code"] == 0


@pytest.mark.parametrize("name", ["qualifier_name", "qualifier_value"])
def test_a_qualifier_that_is_too_long_is_named(acme, call, name):
    answer = call(acct_no=an_account(acme).pk, optional_transaction_qualifiers=[{}, {name: "x" * 101}])
    assert f"optional_transaction_qualifiers[1].{name}" in refused(answer, 1012).message
    assert call(acct_no=Account.objects.get().pk, optional_transaction_qualifiers=[{name: "x" * 100}])["error_code"] == 0


@pytest.mark.parametrize("value", ["text", 7, {"qualifier_name": "x"}, ["text"], [[]]])
def test_qualifiers_that_are_no_list_of_pairs_are_refused(acme, call, value):
    answer = call(acct_no=an_account(acme).pk, optional_transaction_qualifiers=value)
    assert "optional_transaction_qualifiers" in refused(answer, 1016).message


def test_a_refused_call_names_its_caller_too(acme, call):
    assert refused(call(acct_no="x", alt_caller_id="ada"), 1016).caller == {"alt_caller_id": "ada"}


# Credentials.


@pytest.mark.parametrize("wrong", ["x" * 32, "x", "\u0000", "\ud800", "é" * 32])
def test_a_wrong_auth_key_is_refused_and_leaves_no_trace(acme, call, wrong):
    answer = call(acct_no=an_account(acme).pk, auth_key=wrong)
    if wrong in ("\u0000", "\ud800"):
        assert answer["error_code"] == 1012
    else:
        assert answer == {"error_code": 1004, "error_msg": "authentication error", **NOTHING}
    assert not Invoice.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize("missing", ["client_no", "auth_key"])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_credentials_are_refused_before_anything_else(acme, call, missing, value):
    assert call(**{missing: value, "force_pending": "maybe"})["error_code"] == 1004
    assert not Event.objects.exists()


def test_an_empty_body_has_no_credentials():
    assert post_raw("")["error_code"] == 1004
    assert post_raw("{}")["error_code"] == 1004


def test_the_key_of_another_client_is_refused(acme, umbra, call):
    assert call(client_no=umbra.pk, acct_no=an_account(umbra).pk)["error_code"] == 1004
    assert call(client_no=0, acct_no=1)["error_code"] == 1004
    assert call(client_no=-1, acct_no=1)["error_code"] == 1004


def test_a_revoked_key_is_refused(acme, call):
    acme.api_keys.update(revoked_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert call(acct_no=an_account(acme).pk)["error_code"] == 1004


@pytest.mark.parametrize(
    ("client_no", "code"),
    [("abc", 1016), (1.5, 1016), (True, 1016), ([1], 1016), ("9" * 23, 1012), (10**22, 1012)],
)
def test_a_client_no_that_cannot_be_one_is_told_so(call, client_no, code):
    answer = call(client_no=client_no)
    assert answer["error_code"] == code
    assert "client_no" in answer["error_msg"]


def test_an_auth_key_that_is_too_long_is_told_so(call):
    answer = call(auth_key="x" * 33)
    assert (answer["error_code"], "auth_key" in answer["error_msg"]) == (1012, True)


# Missing and malformed input.


@pytest.mark.parametrize("given", [{}, {"acct_no": None}, {"acct_no": ""}])
def test_a_missing_acct_no_is_named_before_a_wrong_value(call, given):
    refused(call(**given, force_pending="maybe"), 1010, "Missing required parameter: acct_no")


@pytest.mark.parametrize("value", ["abc", " 1", "1.0", 1.5, 1e2, True, [1], {"a": 1}, "١", "0x10", "1|2"])
@pytest.mark.parametrize("name", ["acct_no", "alt_bill_day", "invoice_mode"])
def test_a_long_that_is_not_a_number_is_refused(acme, call, name, value):
    refused(call(**{"acct_no": an_account(acme).pk, name: value}), 1016, f"{name} is not a valid long.")


@pytest.mark.parametrize("client_no", [2**63, 10**20 - 1, int("9" * 22), "9" * 22])
def test_a_client_no_that_no_database_holds_is_nobodys(call, client_no):
    assert call(client_no=client_no, acct_no=1)["error_code"] == 1004


@pytest.mark.parametrize("value", [10**22, "9" * 23, "1" * 100_000])
def test_an_acct_no_that_is_too_long_is_refused(call, value):
    assert "acct_no" in refused(call(acct_no=value), 1012).message


@pytest.mark.parametrize("value", [2**63 - 1, 2**63, 10**20 - 1, int("9" * 22), "9" * 22, -(2**63)])
def test_an_acct_no_of_up_to_22_digits_is_only_unknown(call, value):
    assert str(value) in refused(call(acct_no=value), 1009).message


def test_an_alt_bill_day_of_more_than_14_digits_is_refused(acme, call):
    refused(call(acct_no=an_account(acme).pk, alt_bill_day="1" * 15), 1012)


@pytest.mark.parametrize("value", ["yes", "TRUE", 1, 0, "1", [True], {}, "tr|ue"])
def test_a_force_pending_that_is_neither_true_nor_false_is_refused(acme, call, value):
    answer = call(acct_no=an_account(acme).pk, force_pending=value)
    message = (
        "a parameter that represents a true or false value contains invalid input: force_pending: This must be true or false."
    )
    refused(answer, 1033, message)


@pytest.mark.parametrize("value", [2, -1, "2", 10**20])
def test_an_invoice_mode_other_than_0_and_1_is_refused(acme, call, value):
    answer = call(acct_no=an_account(acme).pk, invoice_mode=value)
    assert "invoice_mode" in refused(answer, 1059).message


@pytest.mark.parametrize("value", ["a-b", "a b", "a_b", "é", "a|b", " ", "a\n", "\u0000", "\ud800"])
def test_a_receipt_id_that_is_not_alphanumeric_is_refused(acme, call, value):
    assert "client_receipt_id" in refused(call(acct_no=an_account(acme).pk, client_receipt_id=value), 1012).message


@pytest.mark.parametrize("value", [["a"], {"a": 1}, True])
@pytest.mark.parametrize("name", ["client_receipt_id", "alt_caller_id", "application_id", "application_date"])
def test_a_text_that_is_none_is_refused(acme, call, name, value):
    assert name in refused(call(acct_no=an_account(acme).pk, **{name: value}), 1016).message


@pytest.mark.parametrize("value", ["a\u0000b", "a\ud800b"])
@pytest.mark.parametrize("name", ["alt_caller_id", "application_id", "application_date"])
def test_a_text_that_no_database_can_hold_is_refused(acme, call, name, value):
    assert name in refused(call(acct_no=an_account(acme).pk, **{name: value}), 1012).message


BODIES = {
    "no JSON": "client_no",
    "cut off": '{"client_no": 1',
    "a list": "[1]",
    "a text": '"gen_invoice"',
    "null": "null",
    "NaN": '{"client_no": NaN}',
    "Infinity": '{"client_no": -Infinity}',
    "no UTF-8": b'{"client_no": "\xff"}',
    "UTF-16": '{"client_no": 1}'.encode("utf-16"),
    "too deep": '{"client_no": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "too many digits": '{"client_no": ' + "9" * 10_000 + "}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_is_no_json_object_is_refused(db, body):
    assert post_raw(body) == {
        "error_code": 1012,
        "error_msg": "Unable to parse input json - invalid format.",
        **NOTHING,
    }
    assert not Event.objects.exists()


def test_a_body_that_is_too_large_is_refused_with_the_limit(db):
    message = "invalid input format: the body is too large: send at most 8000000 bytes"
    body = '{"client_no": "' + "9" * 9_000_000 + '"}'
    assert post_raw(body) == {"error_code": 1012, "error_msg": message, **NOTHING}
    assert not Event.objects.exists()


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "application/xml", "nonsense"])
def test_a_body_that_begins_with_a_brace_is_json_whatever_it_is_declared_as(acme, auth_key, content_type):
    body = json.dumps({"client_no": acme.pk, "auth_key": auth_key, "acct_no": an_account(acme).pk})
    assert post_raw(body, content_type=content_type)["error_code"] == 0


def test_a_charset_that_unpacks_is_not_followed(acme, auth_key):
    """Python knows zlib as a charset: a few bytes of it would become gigabytes."""
    body = json.dumps({"client_no": acme.pk, "auth_key": auth_key, "acct_no": an_account(acme).pk}).encode()
    assert post_raw(zlib.compress(body), content_type="application/json; charset=zlib")["error_code"] == 1012
    assert post_raw(body, content_type="application/json; charset=zlib")["error_code"] == 0


@pytest.mark.parametrize("headers", [{"HTTP_ACCEPT": "text/xml"}, {"HTTP_AUTHORIZATION": "Basic nonsense"}])
def test_headers_do_not_change_the_answer(acme, auth_key, headers):
    body = json.dumps({"client_no": acme.pk, "auth_key": auth_key, "acct_no": an_account(acme).pk})
    assert post_raw(body, **headers)["error_code"] == 0


# What the service refuses.


def test_an_unknown_account_is_refused_and_the_event_names_no_account(call):
    assert refused(call(acct_no=999), 1009, "account does not exist: acct_no 999").account is None


def test_another_clients_account_does_not_exist(umbra, call):
    account = an_account(umbra)
    assert refused(call(acct_no=account.pk), 1009).account is None
    assert not umbra.events.exists()


@pytest.mark.parametrize("day", [0, 32, -5, 10**13])
def test_an_alt_bill_day_outside_the_month_is_refused(acme, call, day):
    refused(call(acct_no=an_account(acme).pk, alt_bill_day=day), 5020, "alternate billing day must be between 1 and 31")


def test_a_test_account_is_refused(acme, call):
    refused(call(acct_no=an_account(acme, is_test=True).pk), 7001)


def test_an_account_whose_status_prevents_billing_is_refused(acme, call):
    account = an_account(acme, status=-1)
    assert refused(call(acct_no=account.pk), 7002).account == account


def test_an_account_without_a_plan_is_refused(acme, call):
    refused(call(acct_no=AccountFactory(client=acme).pk), 7003)


def test_an_account_with_a_pending_invoice_is_refused_and_the_invoice_is_named(acme, call):
    account = an_account(acme)
    pending = call(acct_no=account.pk, force_pending="true")["invoice_no"]
    answer = call(acct_no=account.pk)
    assert (answer["error_code"], answer["invoice_no"]) == (7006, None)
    assert answer["error_msg"].endswith(f": invoice {pending}")
    assert Invoice.objects.count() == 1
    assert Event.objects.filter(error_code=7006).count() == 1


def test_a_bill_date_in_the_future_is_refused(acme, call):
    refused(call(acct_no=an_account(acme, start=date(2026, 1, 11)).pk), 7007)


def test_an_account_is_due_on_its_clients_own_day(acme, call):
    """At noon in London it is the eleventh of January already on Kiritimati."""
    Client.objects.filter(pk=acme.pk).update(time_zone="Pacific/Kiritimati")
    call(acct_no=an_account(acme, start=date(2026, 1, 11)).pk)
    assert Invoice.objects.get().invoice_date == date(2026, 1, 11)


def test_alt_bill_day_after_the_first_invoice_is_refused(acme, call):
    account = an_account(acme)
    call(acct_no=account.pk)
    assert call(acct_no=account.pk, alt_bill_day=20)["error_code"] == 7026
    assert Event.objects.filter(error_code=7026).count() == 1


def test_a_failed_tax_engine_refuses_the_invoice_and_says_so_in_its_own_words(acme, call):
    Client.objects.filter(pk=acme.pk).update(tax_engine="failing")
    answer = call(acct_no=an_account(acme).pk)
    refused(answer, 90004)
    assert answer["third_party_errors"] == [
        {"error_class": "taxation", "error_code": "503", "error_msg": "the tax engine is not available"}
    ]


def test_what_is_unexpected_is_logged_and_never_shown(acme, call, caplog):
    account = an_account(acme)
    with mock.patch("invoices.aria.document_methods.generate_invoice", side_effect=RuntimeError("a secret")):
        answer = call(acct_no=account.pk)
    assert answer == {"error_code": 1001, "error_msg": "unexpected error", **NOTHING}
    assert "RuntimeError: a secret" in caplog.text


def test_a_bar_in_a_message_is_replaced(acme, call):
    account = an_account(acme)
    plan = a_plan(acme, {"tv": "5"})
    assign_plan(account=account, plan=plan, start_date=date(2026, 1, 10), caller=BY_TEST)
    plan.charges.get().rates.update(currency="eur")
    Service.objects.filter(client_service_id="tv").update(name="a|b")
    answer = call(acct_no=account.pk)
    assert (answer["error_code"], "a/b" in answer["error_msg"]) == (90011, True)


# Receipts.


def test_the_same_call_under_its_receipt_gives_its_first_answer_again(acme, call):
    account = an_account(acme)
    first = call(acct_no=account.pk, client_receipt_id="R1", force_pending="true")
    again = call(acct_no=str(account.pk), client_receipt_id="R1", force_pending=True, alt_caller_id="retry", invoice_mode=0)
    assert first["error_code"] == 0
    assert again == first
    assert Invoice.objects.count() == 1
    assert Event.objects.count() == 1


def test_a_call_that_is_repeated_the_next_day_is_still_the_same(acme, call):
    account = an_account(acme)
    first = call(acct_no=account.pk, client_receipt_id="R1")
    with time_machine.travel(datetime(2026, 1, 11, 12, tzinfo=UTC)):
        assert call(acct_no=account.pk, client_receipt_id="R1") == first


def test_a_used_receipt_with_another_clients_account_leaves_nothing_there(acme, umbra, call):
    call(acct_no=an_account(acme).pk, client_receipt_id="R1")
    theirs = an_account(umbra)
    assert call(acct_no=theirs.pk, client_receipt_id="R1")["error_code"] == 1012
    assert not theirs.events.exists()


@pytest.mark.parametrize("other", [{"force_pending": "true"}, {"alt_bill_day": 5}, {"invoice_mode": 1}, {"acct_no": 999}])
def test_a_receipt_with_other_arguments_is_refused(acme, call, other):
    account = an_account(acme)
    call(acct_no=account.pk, client_receipt_id="R1")
    answer = call(**{"acct_no": account.pk, "client_receipt_id": "R1", **other})
    assert answer["error_code"] == 1012
    assert (
        answer["error_msg"] == "invalid input format: client_receipt_id R1 was already used with other "
        "arguments; give a new one"
    )
    assert Event.objects.filter(error_code=1012).count() == 1


def test_a_failed_call_does_not_use_its_receipt_up(acme, call):
    account = an_account(acme, status=0)
    assert call(acct_no=account.pk, client_receipt_id="R1")["error_code"] == 7002
    Account.objects.update(status=1)
    assert call(acct_no=account.pk, client_receipt_id="R1")["error_code"] == 0


def test_a_failed_call_uses_its_receipt_up_where_the_client_wants_it(acme, call):
    Client.objects.filter(pk=acme.pk).update(never_allow_used_receipt_id=True)
    account = an_account(acme, status=0)
    assert call(acct_no=account.pk, client_receipt_id="R1")["error_code"] == 7002
    Account.objects.update(status=1)
    assert call(acct_no=account.pk, client_receipt_id="R1")["error_code"] == 1012
    assert call(acct_no=account.pk, client_receipt_id="R2")["error_code"] == 0


def test_receipts_of_two_clients_do_not_meet(acme, umbra, call):
    Receipt.objects.create(client=umbra, receipt_id="R1", method="gen_invoice", arguments_hash="", succeeded=True)
    assert call(acct_no=an_account(acme).pk, client_receipt_id="R1")["error_code"] == 0
