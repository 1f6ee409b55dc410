"""gen_rb_m through its address: every input has its effect, and every output its meaning."""

import json
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.core import mail
from django.test import Client as Browser

from accounts.keys import create_key
from accounts.models import Contact, Event, Receipt, ServiceLocation
from invoices.models import Invoice
from rebills.aria.gen_rb_m import GEN_RB_M_OUTPUTS
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, ContactFactory, ServiceFactory, TaxRateFactory, a_plan
from tests.support.paying import books, due, paying
from tests.support.payments import rows
from tests.support.rebilling import rebilled

URL = "/api/v1/rebills/gen_rb_m/"

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def account(acme):
    TaxRateFactory(client=acme)
    account = paying(acme)
    account.plan_instances.update(plan=a_plan(acme, {"phone": "30.00", "tv": "20.00"}))
    ContactFactory(account=account, contact_no=2, role="other", region="NV", email="reno@example.com", name="Reno")
    return account


@pytest.fixture
def invoice(account, process):
    """30.00 and 20.00 and 5.00 of tax."""
    return bill(account, process, JAN_10)


@pytest.fixture
def auth_key(acme):
    return create_key(acme, name="integrator", may_rebill=True, may_collect=True, caller=BY_TEST)[1]


@pytest.fixture
def call(acme, account, invoice, auth_key):
    """Posts a whole body with some members changed; None leaves one out."""

    def post(**members):
        body = {
            "client_no": acme.pk,
            "auth_key": auth_key,
            "acct_no": account.pk,
            "orig_invoice_no": invoice.pk,
            "reason_cd": 1,
            "rb_line_items": [item(1), item(2, "tv")],
            **members,
        }
        kept = {name: value for name, value in body.items() if value is not None}
        response = Browser(raise_request_exception=False).post(URL, json.dumps(kept), content_type="application/json")
        assert (response.status_code, response["Content-Type"]) == (200, "application/json")
        answer = response.json()
        assert set(answer) == {"error_code", "error_msg", *GEN_RB_M_OUTPUTS}
        return answer

    return post


def item(line_no, service="phone", **members):
    return {"line_no": line_no, "client_service_id": service, **members}


def the_rebill():
    return Invoice.objects.get(kind="rebill")


def refused(answer, code, words=""):
    assert (answer["error_code"], words in answer["error_msg"]) == (code, True), answer["error_msg"]
    assert all(answer[name] is None for name in GEN_RB_M_OUTPUTS if name != "third_party_errors")
    assert not Invoice.objects.filter(kind="rebill").exists()


def test_outputs_say_what_was_made(acme, account, call):
    answer = call(rb_line_items=[item(1, rb_units=0.5)], rb_comments="half", do_collect=1)
    rebill = the_rebill()
    items, details = answer.pop("invoice_items"), answer.pop("tax_details")
    assert answer == {
        "error_code": 0,
        "error_msg": "OK",
        "invoice_no": rebill.pk,
        "collection_error_cd": 0,
        "collection_error_msg": "OK",
        "statement_error_cd": 0,
        "statement_error_msg": None,
        "proc_cvv_response": "M",
        "proc_avs_response": "Y",
        "proc_cavv_response": None,
        "proc_status_code": "approved",
        "proc_status_text": "Approved",
        "proc_payment_id": rebill.collection_attempts.get().proc_payment_id,
        "proc_auth_code": "A000001",
        "created_by": "key integrator",
        "created_date": "2026-01-31",
        "amount": 16.5,
        "reason_code": 1,
        "is_pending_ind": 0,
        "excluded_line_nos": "2",
        "recounted_line_nos": None,
        "third_party_errors": None,
    }
    assert [(one["invoice_line_no"], one["line_type"], one["line_amount"]) for one in items] == [(1, 1, 15.0), (2, 2, 1.5)]
    charge = items[0]
    named = ("units", "rate_per_unit", "client_service_id", "service_name", "plan_name", "client_service_coa_code")
    assert [charge[name] for name in named] == [0.5, 30.0, "phone", "Phone", "Basic", "4000"]
    assert [charge[name] for name in ("start_date_range", "end_date_range")] == ["2026-01-10", "2026-02-09"]
    assert (charge["bill_to_address_no"], charge["ship_to_address_no"]) == (1, 1)
    assert details == [
        {
            "tax_detail_line": 1,
            "seq_num": 2,
            "taxed_seq_num": 1,
            "debit": 1.5,
            "tax_authority_level": 1,
            "tax_rate": 10.0,
            "orig_was_tax_inclusive": 0,
            "tax_srv_tax_type_id": None,
            "tax_srv_tax_type_desc": "Sales tax",
            "tax_srv_cat_text": "standard",
            "tax_srv_juris_nm": "US-CA",
            "tax_srv_tax_sum_text": "Sales tax 10 % (US-CA)",
        }
    ]


def test_do_write_false_gives_the_same_amounts_and_writes_nothing(call):
    lines = [item(1, rb_rate_per_unit="20.00")]
    before = rows(), Event.objects.count()
    preview = call(rb_line_items=lines, do_write="false", client_receipt_id="r1")
    assert (rows(), Event.objects.count(), Receipt.objects.count()) == (*before, 0)
    assert (preview["error_code"], preview["invoice_no"], preview["amount"]) == (0, None, 22.0)
    made = call(rb_line_items=lines)
    same = ("amount", "invoice_items", "tax_details", "excluded_line_nos", "reason_code")
    assert [preview[name] for name in same] == [made[name] for name in same]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rb_units": "2"}, "66.00"),
        ({"rb_rate_per_unit": 20.5}, "22.55"),
        ({"rb_amount": "7.00"}, "7.70"),
        ({"rb_units": 2, "rb_rate_per_unit": "3", "rb_amount": 6}, "6.60"),
        ({"rb_units": "", "rb_rate_per_unit": None, "rb_amount": ""}, "33.00"),  # Empty counts as not sent.
        ({"ship_to_address_seq": 2}, "30.00"),  # no tax in Nevada
    ],
)
def test_prices_and_the_address_that_is_taxed_change_the_amount(call, change, expected):
    answer = call(rb_line_items=[item(1, **change)])
    assert (answer["error_code"], D(str(answer["amount"]))) == (0, D(expected))
    assert the_rebill().total_amount == D(expected)


def test_line_comments_po_number_and_addresses_stand_on_the_line(acme, account, call):
    place = ServiceLocation.objects.create(client=acme, client_service_location_id="HQ", country="US")
    other = ServiceLocation.objects.create(client=acme, client_service_location_id="Depot", country="US")
    call(
        rb_line_items=[
            item(
                1,
                rb_line_comments="c" * 200,
                po_num="p" * 1000,
                bill_from_location_no=place.pk,
                ship_from_location_no=other.pk,
                bill_to_address_seq=2,
                ship_to_address_seq=1,
            )
        ]
    )
    line = the_rebill().lines.get(line_no=1)
    assert (line.comments, line.po_num) == ("c" * 200, "p" * 1000)
    assert (line.bill_from_location, line.ship_from_location) == (place, other)
    assert (line.bill_to_contact.contact_no, line.ship_to_contact.contact_no) == (2, 1)


def test_service_no_and_client_service_id_name_the_same_service(acme, call):
    fax = ServiceFactory(client=acme, client_service_id="fax", name="Fax")
    answer = call(rb_line_items=[{"line_no": 1, "service_no": fax.pk, "client_service_id": "phone"}])
    said = f"client_service_id phone and service_no {fax.pk} are different records; give one of them"
    assert (answer["error_code"], answer["error_msg"].endswith(said)) == (1016, True), answer
    call(rb_line_items=[{"line_no": 1, "service_no": fax.pk, "client_service_id": "fax"}])
    assert the_rebill().lines.get(line_no=1).description == "Fax"


def test_reason_and_comments_stand_on_rebill_and_memo(call):
    answer = call(reason_cd="3", rb_comments="w" * 3000)
    rebill = the_rebill()
    assert answer["reason_code"] == 3
    assert {(one.reason_code, one.comments) for one in (rebill, rebill.memo)} == {(3, "w" * 3000)}


@pytest.mark.parametrize(
    ("said", "setting", "collected"),
    [(1, False, 1), ("1", False, 1), ("true", False, 1), (True, False, 1), (0, True, 0), ("0", True, 0), ("false", True, 0)]
    + [(None, True, 1), (None, False, 0), ("", True, 1)],
)
def test_do_collect_counts_before_the_setting(acme, call, said, setting, collected):
    acme.collect_on_rebill = setting
    acme.save()
    answer = call(do_collect=said)
    assert (answer["error_code"], len(books())) == (0, collected)


@pytest.mark.parametrize("said", [2, "yes", -1, "TRUE", [1]])
def test_do_collect_is_nothing_else(call, said):
    refused(call(do_collect=said), 1033)


@pytest.mark.parametrize(
    ("token", "code", "words", "status"),
    [
        ("sandbox_declined", 4011, "declined", "card_declined"),
        ("sandbox_timeout_before", 90019, "", None),
    ],
)
def test_a_collection_that_fails_is_an_outcome_of_a_rebill_that_stands(account, call, token, code, words, status):
    account.payment_methods.update(token=token)
    answer = call(do_collect=1)
    assert (answer["error_code"], answer["collection_error_cd"], answer["proc_status_code"]) == (0, code, status)
    assert words.lower() in answer["collection_error_msg"].lower()
    assert due(the_rebill()) == D(55)


def test_without_a_payment_method_the_rebill_stands_and_says_so(account, call):
    account.payment_methods.all().delete()
    answer = call(do_collect=1)
    assert (answer["error_code"], answer["collection_error_cd"]) == (0, 7025)


def test_the_statement_goes_to_the_contact_that_is_named(call):
    answer = call(alt_statement_address_seq=2, rb_comments="as agreed")
    assert (answer["statement_error_cd"], answer["statement_error_msg"]) == (0, "OK")
    (sent,) = mail.outbox
    assert sent.to == ["reno@example.com"]
    assert sent.subject == "Acme Telecom: Corrected invoice RB-000001"
    (html, kind) = sent.alternatives[0]
    assert (kind, "INV-000001" in html, "as agreed" in html) == ("text/html", True, True)


def test_a_statement_that_cannot_be_sent_is_an_outcome(call):
    Contact.objects.update(email="")
    answer = call(alt_statement_address_seq=2)
    assert (answer["error_code"], answer["statement_error_cd"]) == (0, 90043)
    assert "e-mail" in answer["statement_error_msg"]


def test_caller_fields_and_qualifiers_stand_in_the_trail(call):
    declared = {
        "alt_caller_id": "jane",
        "application_id": "CRM",
        "application_date": "01/31/2026 10:00:00",
        "optional_transaction_qualifiers": [{"qualifier_name": "case", "qualifier_value": "77"}],
    }
    call(**declared)
    assert Event.objects.get(act="invoice.rebilled").caller == declared


def test_a_receipt_gives_the_first_answer_again_and_collects_nothing_twice(call):
    first = call(client_receipt_id="r1", do_collect=1)
    assert call(client_receipt_id="r1", do_collect=1) == first
    assert (books(), Invoice.objects.filter(kind="rebill").count()) == ([D(55)], 1)
    assert call(client_receipt_id="r1", do_collect=0)["error_code"] == 1012


def test_a_rebill_that_waits_says_so(acme, call):
    acme.rebill_approval_required = True
    acme.save()
    answer = call(do_collect=1)
    assert (answer["error_code"], answer["is_pending_ind"], answer["amount"]) == (0, 1, 55.0)
    assert (answer["collection_error_msg"], books()) == (None, [])


def test_the_tax_engines_own_words_are_given(acme, call):
    acme.tax_engine = "failing"
    acme.save()
    answer = call(rb_line_items=[item(1, rb_units=2)], retax="true")
    refused(answer, 90004)
    assert [one["error_class"] for one in answer["third_party_errors"]] == ["taxation"]


@pytest.mark.parametrize("name", ["orig_invoice_no", "reason_cd", "rb_line_items", "acct_no"])
def test_what_is_missing_is_named(call, name):
    refused(call(**{name: None}), 1010, name)


@pytest.mark.parametrize("name", ["line_no", "client_service_id"])
def test_what_is_missing_of_a_line_is_named(call, name):
    wanting = {key: value for key, value in item(1).items() if key != name}
    named = "service_no" if name == "client_service_id" else name
    refused(call(rb_line_items=[item(2, "tv"), wanting]), 1010, f"rb_line_items[1].{named}")


def test_no_line_is_1008(call):
    refused(call(rb_line_items=[]), 1008, "no line items provided")


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"acct_no": 10**9}, 1009, "acct_no"),
        ({"acct_no": None, "client_acct_id": "nobody"}, 1009, "client_acct_id"),
        ({"acct_no": "x"}, 1016, "acct_no is not a valid long."),
        ({"acct_no": "9" * 23}, 1012, "acct_no"),
        ({"client_acct_id": "x" * 51}, 1012, "client_acct_id"),
        ({"orig_invoice_no": 10**9}, 3004, "invoice 1000000000"),
        ({"orig_invoice_no": "1.5"}, 1016, "orig_invoice_no is not a valid long."),
        ({"reason_cd": 777}, 3024, "reason_cd: 777 is not an active reason of type Rebill"),
        ({"reason_cd": "late"}, 1016, "reason_cd is not a valid long."),
        ({"rb_comments": "x" * 3001}, 1012, "rb_comments"),
        ({"alt_statement_address_seq": 9}, 1016, "no contact 9"),
        ({"do_write": "maybe"}, 1033, "do_write"),
        ({"client_receipt_id": "a b"}, 1012, "client_receipt_id"),
        ({"client_receipt_id": "x" * 51}, 1012, "client_receipt_id"),
        ({"alt_caller_id": "x" * 31}, 1012, "alt_caller_id"),
        ({"application_id": "x" * 301}, 1012, "application_id"),
        ({"rb_line_items": "all"}, 1016, "rb_line_items"),
        ({"rb_line_items": {"line_no": 1}}, 1016, "rb_line_items"),
        ({"rb_line_items": [1]}, 1016, "rb_line_items"),
    ],
)
def test_wrong_input_is_refused_with_its_code_and_nothing_written(call, members, code, words):
    refused(call(**members), code, words)
    assert Event.objects.filter(act="rebill.refused", error_code=code).count() == 1


@pytest.mark.parametrize(
    ("members", "code", "name"),
    [
        ({"line_no": "one"}, 1016, "line_no"),
        ({"line_no": 3}, 90042, None),
        ({"line_no": 2**40, "client_service_id": "phone"}, 90029, None),
        ({"client_service_id": "x" * 101}, 1012, "client_service_id"),
        ({"service_no": "x"}, 1016, "service_no"),
        ({"rb_units": "many"}, 1016, "rb_units"),
        ({"rb_units": "1e2"}, 1016, "rb_units"),
        ({"rb_units": "-1"}, 1016, "rb_units"),
        ({"rb_units": "NaN"}, 1016, "rb_units"),
        ({"rb_rate_per_unit": "1e400"}, 1016, "rb_rate_per_unit"),
        ({"rb_rate_per_unit": "12345678901"}, 1012, "rb_rate_per_unit"),
        ({"rb_rate_per_unit": "-3"}, 1016, "rb_rate_per_unit"),
        ({"rb_amount": "7.001"}, 1016, "rb_amount"),
        ({"rb_amount": "9" * 16}, 1012, "rb_amount"),
        ({"rb_amount": True}, 1016, "rb_amount"),
        ({"rb_amount": "5", "rb_units": "1", "rb_rate_per_unit": "4"}, 90029, None),
        ({"rb_line_comments": "x" * 201}, 1012, "rb_line_comments"),
        ({"po_num": "x" * 1001}, 1012, "po_num"),
        ({"bill_from_location_no": 99}, 1016, "bill_from_location_no"),
        ({"ship_from_location_no": 99}, 1016, "ship_from_location_no"),
        ({"bill_to_address_seq": 99}, 1016, "bill_to_address_seq"),
        ({"ship_to_address_seq": 99}, 1016, "ship_to_address_seq"),
    ],
)
def test_a_wrong_value_of_a_line_is_refused_and_named(call, members, code, name):
    wrong = {"line_no": 1, "client_service_id": "phone", **members}
    refused(call(rb_line_items=[wrong]), code, f"rb_line_items[0].{name}" if name else "")


def test_an_invoice_of_another_account_or_client_does_not_exist(acme, umbra, call, process):
    other = paying(acme)
    refused(call(acct_no=other.pk), 3004)
    refused(call(acct_no=None, client_acct_id=other.client_acct_id), 3004)
    theirs = bill(paying(umbra), process, JAN_10, force_pending=False)
    refused(call(orig_invoice_no=theirs.pk), 3004)
    refused(call(acct_no=theirs.account_id, orig_invoice_no=theirs.pk), 1009)


def test_the_account_may_be_named_by_the_clients_own_id(account, call):
    assert call(acct_no=None, client_acct_id=account.client_acct_id)["error_code"] == 0


def test_a_key_without_the_right_may_preview_and_not_rebill(acme, call, invoice):
    _, other = create_key(acme, name="reader", may_approve=True, may_collect=True, may_correct=True, caller=BY_TEST)
    assert call(auth_key=other, do_write="false")["error_code"] == 0
    refused(call(auth_key=other), 90028)
    assert call(auth_key="x" * 32)["error_code"] == 1004


def test_one_that_was_rebilled_is_named_with_its_rebill(call, invoice, process):
    number = rebilled(invoice, process, 1).document_number
    answer = call()
    words = f"The invoice is already rebilled: INV-000001 was replaced by {number}; rebill {number} again"
    assert (answer["error_code"], answer["error_msg"]) == (90033, words)


@pytest.mark.parametrize("pending", [True, False])
def test_the_created_date_is_the_clients_day(acme, call, settings, pending):
    """In Los Angeles it is still 31 March 2031 on the client's virtual clock when it is 1 April in UTC."""
    settings.VIRTUAL_CLOCK = True
    acme.time_zone, acme.rebill_approval_required = "America/Los_Angeles", pending
    acme.clock_offset = datetime(2031, 4, 1, 5, tzinfo=UTC) - datetime(2026, 1, 31, 12, tzinfo=UTC)
    acme.save()
    answer = call(rb_line_items=[item(1, rb_units=0.5)])
    assert (answer["error_code"], answer["is_pending_ind"], answer["created_date"]) == (0, int(pending), "2031-03-31")
