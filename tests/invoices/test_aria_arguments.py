"""An argument of a method call that limits or changes what it does is done or refused by name, never dropped."""

from decimal import Decimal as D
from urllib.parse import urlencode

import pytest
from django.test import Client as Browser

from accounts.keys import create_key
from accounts.models import PaymentMethod
from invoices.models import CollectionAttempt, LedgerEntry, Payment
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.calling import RIGHTS, caller_of, refused
from tests.support.factories import BY_TEST, a_plan, an_account
from tests.support.paying import books, due, paying

pytestmark = pytest.mark.usefixtures("audited")
PAID = {"reference_code": "x", "payment_amount": 3.0}


@pytest.fixture
def call(acme):
    return caller_of(acme)


@pytest.fixture
def two_open(acme, process):
    """An account with an old and a new open invoice of 30.00 each."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    return bill(account, process, JAN_10), bill(account, process, FEB_10)


@pytest.fixture
def form(acme):
    auth_key = create_key(acme, name="form", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]

    def post(name, *pairs):
        body = [("rest_call", name), ("output_format", "json"), ("client_no", acme.pk), ("auth_key", auth_key), *pairs]
        sent = Browser().post("/v1/core", urlencode(body), content_type="application/x-www-form-urlencoded")
        return sent.json()

    return post


@pytest.mark.parametrize("name", ["invoice_no", "invoice_no[0]", "invoice_no[7]", "invoice_no[]", "invoice_no[0][invoice_no]"])
def test_a_payment_pays_the_invoice_that_a_form_names(form, two_open, name):
    old, new = two_open
    pairs = [("acct_no", new.account_id), ("reference_code", "c"), ("payment_amount", "3.00"), (name, new.pk)]
    assert form("record_external_payment_m", *pairs)["error_code"] == 0
    assert (due(old), due(new)) == (30, 27)


@pytest.mark.parametrize("spelled", [lambda n: n, lambda n: str(n), lambda n: [n], lambda n: [{"invoice_no": n}]])
def test_a_payment_pays_the_invoice_that_json_names(call, two_open, spelled):
    old, new = two_open
    answer = call("record_external_payment", acct_no=new.account_id, **PAID, invoice_no=spelled(new.pk))
    assert answer["error_code"] == 0, answer
    assert (due(old), due(new)) == (30, 27)


@pytest.mark.parametrize("joined", [False, True])
def test_two_invoices_are_paid_in_their_order(form, two_open, joined):
    old, new = two_open
    names = [("invoice_no", f"{new.pk}|{old.pk}")] if joined else [("invoice_no", new.pk), ("invoice_no", old.pk)]
    pairs = [("acct_no", new.account_id), ("reference_code", "two"), ("payment_amount", "33.00")]
    assert form("record_external_payment_m", *pairs, *names)["error_code"] == 0
    assert (due(old), due(new)) == (27, 0)


def test_an_invoice_on_which_nothing_is_due_is_not_replaced_by_another(call, two_open):
    old, new = two_open
    call("record_external_payment", acct_no=old.account_id, reference_code="a", payment_amount=30, invoice_no=old.pk)
    answer = call("record_external_payment", acct_no=old.account_id, **PAID, invoice_no=old.pk)
    refused(answer, 3004, f"invoice_no {old.pk} of account {old.account_id} has no open balance")
    assert due(new) == 30


def test_a_payment_pays_the_charge_that_it_names(call, two_open):
    old, new = two_open
    charge = LedgerEntry.objects.get(invoice=new).pk
    rows = [{"specific_charge_transaction_id": charge}]
    assert (
        call("record_external_payment_m", acct_no=new.account_id, **PAID, specific_charge_transaction_id=rows)["error_code"]
        == 0
    )
    assert (due(old), due(new)) == (30, 27)
    answer = call("record_external_payment_m", acct_no=new.account_id, **PAID, specific_charge_transaction_id=[999999])
    refused(answer, 2001, "specific_charge_transaction_id 999999")


def test_a_payment_by_another_method_than_the_oldest_first_is_refused(call, two_open):
    account = two_open[0].account_id
    for method in (2, 3, 4):
        answer = call("record_external_payment_m", acct_no=account, **PAID, payment_application_method=method)
        refused(answer, 1016, "payment_application_method")
    assert not Payment.objects.exists()
    assert call("record_external_payment_m", acct_no=account, **PAID, payment_application_method=1)["error_code"] == 0


def test_only_one_array_says_what_is_paid(call, two_open):
    old, new = two_open
    charge = LedgerEntry.objects.get(invoice=old).pk
    answer = call(
        "record_external_payment", acct_no=new.account_id, **PAID, invoice_no=new.pk, specific_charge_transaction_id=charge
    )
    refused(answer, 1016, "specific_charge_transaction_id")


@pytest.mark.parametrize("field", ["specific_invoices_list", "specific_charge_transaction_id"])
def test_a_collection_charges_the_invoice_that_it_names_alone(call, two_open, field):
    old, new = two_open
    PaymentMethod.objects.create(account=new.account, type="card", token="sandbox_approved")
    rows = {
        "specific_invoices_list": [{"invoice_no": new.pk}],
        "specific_charge_transaction_id": [LedgerEntry.objects.get(invoice=new).pk],
    }
    assert call("collect_from_account_m", acct_no=new.account_id, **{field: rows[field]})["error_code"] == 0
    assert (due(old), due(new), books()) == (30, 0, [D("30.00")])
    again = call("collect_from_account_m", acct_no=new.account_id, **{field: rows[field]})
    refused(again, 3004, f"invoice_no {new.pk} has no open balance")
    assert (due(old), books()) == (30, [D("30.00")])


@pytest.mark.parametrize(
    ("amount", "charged", "left"),
    [(1.0, ["1.00"], (29, 30)), ("30.00", ["30.00"], (0, 30)), (42.5, ["30.00", "12.50"], (0, 17.5))],
)
def test_a_part_is_collected_of_the_oldest_invoices(call, two_open, amount, charged, left):
    PaymentMethod.objects.create(account=two_open[0].account, type="card", token="sandbox_approved")
    answer = call("collect_from_account_m", acct_no=two_open[0].account_id, amount_to_collect=amount)
    assert (answer["error_code"], books()) == (0, [D(one) for one in charged])
    assert tuple(map(due, two_open)) == left


def test_a_part_of_a_named_invoice_is_collected(call, two_open):
    old, new = two_open
    PaymentMethod.objects.create(account=old.account, type="card", token="sandbox_approved")
    rows = [{"invoice_no": new.pk}]
    call("collect_from_account_m", acct_no=old.account_id, amount_to_collect=10, specific_invoices_list=rows)
    assert (due(old), due(new), books()) == (30, 20, [D("10.00")])


@pytest.mark.parametrize(
    ("amount", "code", "text"),
    [(60.01, 90021, "amount_to_collect: only 60 is open"), (0, 1016, "amount_to_collect: 0 is not above 0")],
)
def test_an_amount_that_cannot_be_collected_is_refused(call, two_open, amount, code, text):
    PaymentMethod.objects.create(account=two_open[0].account, type="card", token="sandbox_approved")
    refused(call("collect_from_account_m", acct_no=two_open[0].account_id, amount_to_collect=amount), code, text)
    assert books() == []


CARD = {"alt_pay_method": 1, "cc_number": "4111111111111111", "cc_expire_mm": 12, "cc_expire_yyyy": 2035, "cvv": "123"}


@pytest.mark.parametrize(
    "more",
    [
        CARD,
        {"alt_pay_method": 3, "bank_routing_num": "111000025", "bank_acct_num": "000123456789"},
        {"alt_pay_method": 26, "iban": "DE89370400440532013000"},
        {"bill_seq": 2},
        {"bill_contact_no": 4},
    ],
)
def test_the_stored_card_is_not_charged_instead_of_another(acme, call, process, more):
    pending = bill(paying(acme), process, JAN_10, force_pending=True)
    approve = {"invoice_no": pending.pk, "action_directive": 1, "alt_collect_on_approve": "true"}
    refused(call("manage_pending_invoice_m", **approve, **more), 1016, f"{', '.join(more)}: not supported here")
    pending.refresh_from_db()
    assert (pending.status, CollectionAttempt.objects.count()) == ("pending", 0)
    issued = bill(paying(acme), process, JAN_10)
    answer = call("collect_from_account", account_no=issued.account_id, **more)
    refused(answer, 1016, f"{', '.join(more)}: not supported here")
    assert "4111" not in answer["error_msg"]
    assert books() == []


@pytest.mark.parametrize(
    "more", [{"payment_method_no": 999999}, {"specific_master_plan_instances_list": [{"master_plan_instance_no": 1}]}]
)
def test_a_collection_that_is_limited_otherwise_is_refused(acme, call, process, more):
    issued = bill(paying(acme), process, JAN_10)
    refused(call("collect_from_account_m", acct_no=issued.account_id, **more), 1016, f"{next(iter(more))}: not supported here")
    assert books() == []


def test_arguments_without_a_value_and_those_of_every_caller_are_taken(acme, call, process):
    issued = bill(paying(acme), process, JAN_10)
    answer = call(
        "collect_from_account_m",
        acct_no=issued.account_id,
        alt_pay_method="",
        cc_number=None,
        specific_master_plan_instances_list=[],
        alt_caller_id="shop",
        application_id="till",
        application_date="2026-01-10",
        optional_transaction_qualifiers=[{"qualifier_name": "campaign", "qualifier_value": "spring"}],
        unheard_of="",
    )
    assert (answer["error_code"], due(issued)) == (0, 0)
    assert call("get_invoice_details_m", acct_no=issued.account_id, invoice_no=issued.pk, locale_no=1)["error_code"] == 0


@pytest.mark.parametrize(
    ("name", "members", "message"),
    [
        ("gen_invoice", {"acct_no": 1, "force_pendng": "true"}, "Unknown field `force_pendng`. Did you mean `force_pending`?"),
        ("gen_invoice", {"acct_no": 1, "alt_callr_id": "x"}, "Unknown field `alt_callr_id`. Did you mean `alt_caller_id`?"),
        ("record_external_payment", PAID | {"amount": 3.0}, "Unknown field `amount`. Did you mean `payment_amount`?"),
        ("record_external_payment_m", {"amount": 3.0}, "Unknown field `amount`. Did you mean `payment_amount`?"),
        ("record_external_payment", {"reference": "x"}, "Unknown field `reference`. Did you mean `reference_code`?"),
        ("create_reason_code_m", {"code": 701}, "Unknown field `code`. Did you mean `reason_code`?"),
        ("gen_invoice", {"invoce_mode": 1}, "Unknown field `invoce_mode`. Did you mean `invoice_mode`?"),
        (
            "gen_rb_m",
            {"acct_no": 1, "rb_line_items": [{"line_no": 1, "service_no": 1, "rb_unit": 2}]},
            "Unknown field `rb_line_items[0].rb_unit`. Did you mean `rb_line_items[0].rb_units`?",
        ),
    ],
)
def test_a_misspelt_argument_is_named_with_the_one_that_was_meant(call, name, members, message):
    answer = call(name, **members)
    assert (answer["error_code"], answer["error_msg"]) == (1016, message)


def test_another_plan_instance_is_refused_by_every_call_that_can_name_one(call, two_open):
    old, _ = two_open
    own = old.account.plan_instances.get().pk
    for name, members in {
        "get_pending_invoice_no_m": {},
        "get_invoice_details_m": {"invoice_no": old.pk},
        "get_acct_trans_history_m": {},
        "get_invoice_history_m": {},
        "manage_pending_invoice_m": {"invoice_no": old.pk},
    }.items():
        scope = {"acct_no": old.account_id, **members}
        refused(call(name, **scope, master_plan_instance_no=999999), 14046, "master_plan_instance_no 999999")
        assert call(name, **scope, master_plan_instance_no=own)["error_code"] != 14046
    refused(call("get_invoice_history_m", acct_no=old.account_id, master_plan_instance_id=999999), 14046)
    refused(call("manage_pending_invoice_m", invoice_no=old.pk, master_plan_instance_no=999999), 14046)


def test_the_vendors_names_are_taken(acme, call, two_open, settings):
    settings.VIRTUAL_CLOCK = True
    account = two_open[0].account_id
    for name, members in [
        ("get_invoice_history_m", {"acct_no": account}),
        ("get_invoice_history_m", {"acct_no": account, "master_plan_instance_id": -1}),
        ("get_acct_trans_history_m", {"account_no": account}),
        ("record_external_payment", {"account_no": account, "reference_code": "r", "payment_amount": 3.0}),
        ("advance_virtual_datetime", {"offset_hours": 1}),
        ("advance_virtual_datetime_m", {"offset_hours": 1, "hours": 1}),
    ]:
        assert call(name, **members)["error_code"] == 0
    refused(call("advance_virtual_datetime", hours=1, offset_hours=2), 1016, "offset_hours")


def test_a_refusal_names_the_field_that_was_sent(call, two_open):
    old, _ = two_open
    service = old.lines.first().service_id
    rebill = {
        "acct_no": old.account_id,
        "orig_invoice_no": old.pk,
        "reason_cd": 1,
        "rb_line_items": [{"line_no": 1, "service_no": service, "rb_amount": 2}],
    }
    answer = call("gen_rb_m", **{**rebill, "alt_statement_address_seq": 99})
    refused(answer, 1016, "alt_statement_address_seq: the account has no contact 99")
    assert call("gen_rb_m", **{**rebill, "orig_invoice_no": 999999})["error_code"] == 3004
    refused(call("collect_from_account", account_no=999999), 1009, "account_no 999999")
    refused(call("get_acct_trans_history", account_no=999999), 1009, "account_no 999999")


def test_a_method_of_another_name_is_not_called_at_an_address(acme, two_open):
    auth_key = create_key(acme, name="x", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    body = {"client_no": acme.pk, "auth_key": auth_key, "acct_no": two_open[0].account_id, "rest_call": "void_invoice"}
    answer = Browser().post("/api/v1/invoices/gen_invoice/", body, content_type="application/json").json()
    assert (answer["error_code"], "rest_call" in answer["error_msg"]) == (1016, True)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("get_acct_trans_history_m", "start_date", "end_date"),
        ("get_acct_payment_history_m", "start_date", "end_date"),
        ("get_acct_statement_history_m", "start_date", "end_date"),
        ("get_invoice_history_m", "start_bill_date", "end_bill_date"),
        ("get_usage_history_m", "date_range_start", "date_range_end"),
    ],
)
def test_a_span_that_ends_before_it_begins_is_refused(acme, call, name, first, last):
    account = an_account(acme)
    days = {first: "2026-03-01", last: "2026-01-01"}
    refused(call(name, acct_no=account.pk, **days), 1016, f"{first}: 2026-03-01 is after {last}, 2026-01-01")
    assert call(name, acct_no=account.pk, **{first: "2026-03-01", last: "2026-03-01"})["error_code"] != 1016
