"""Aria's method calls that create and change customers, and those that only calculate."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from accounts.keys import create_key
from accounts.models import Account, Contact, PaymentMethod, PlanInstance
from invoices.models import CollectionAttempt, Invoice
from invoices.services.collecting.asking import ask_to_charge
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import record_external_payment
from invoices.services.money.ledger.refunds import refund_payment
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.calling import RIGHTS, caller_of, refused, rows_stored
from tests.support.dying import Died
from tests.support.factories import BY_TEST, ServiceFactory, TaxRateFactory, a_plan, an_account
from tests.support.paying import books, due

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def end_of_january(settings, tmp_path):
    settings.SANDBOX_GATEWAY_FILE = str(tmp_path / "sandbox.sqlite3")
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def call(acme):
    return caller_of(acme)


def person(**more):
    named = {"client_acct_id": "A-7", "acct_currency": "usd", "first_name": "Grace", "last_name": "Hopper", "country": "US"}
    return {**named, "city": "Fresno", "state_prov": "CA", **more}


# Customers


def test_a_customer_is_created_with_plans_and_a_payment_method_and_then_billed(acme, call, process):
    plan = a_plan(acme)
    row = person(
        test_acct_ind=0,
        invoice_approval_required="false",
        taxpayer_id="US123456789",
        alt_bill_day=5,
        alt_start_date="2026-02-05",
        locale_name="de_DE",
        payment_method=[{"pay_method_type": 13, "bill_agreement_id": "sandbox_approved", "pay_method_name": "Visa"}],
        master_plans_detail=[{"client_plan_id": plan.client_plan_id, "plan_instance_units": 2}],
    )
    asked = {"acct": [row], "client_receipt_id": "new1"}
    (made,) = call("create_acct_complete_m", **asked)["out_acct"]
    assert call("create_acct_complete_m", **asked)["out_acct"] == [made]
    account, instance, method = Account.objects.get(), PlanInstance.objects.get(), PaymentMethod.objects.get()
    contact = Contact.objects.get()
    assert (made["acct_no"], made["userid"], made["acct_locale_name"]) == (account.pk, "A-7", "de")
    assert (account.tax_id, account.bill_day, account.language, account.status) == ("US123456789", 5, "de", 1)
    assert (contact.name, contact.city, contact.region, contact.contact_no) == ("Grace Hopper", "Fresno", "CA", 1)
    assert (method.type, method.label, made["billing_errors"]) == ("card", "Visa", [])
    assert (instance.units, instance.start_date) == (2, date(2026, 2, 5))
    assert [one["plan_instance_no"] for one in made["master_plans_assigned"]] == [instance.pk]
    assert bill(account, process, date(2026, 2, 5)).total_amount == D("60.00")


def test_a_customer_of_the_older_call_has_one_plan(acme, call):
    plan = a_plan(acme)
    asked = {"userid": "A-7", "currency_cd": "usd", "last_name": "Hopper", "master_plan_no": plan.pk, "master_plan_units": 3}
    made = call("create_acct_complete", **asked)
    instance = PlanInstance.objects.get()
    assert (made["plan_instance_no"], instance.units, str(instance.start_date)) == (instance.pk, 3, "2026-01-31")
    assert (made["client_acct_id"], Contact.objects.get().name) == ("A-7", "Hopper")
    refused(call("create_acct_complete", **asked), 1016, "")
    refused(call("create_acct_complete", **{**asked, "userid": "A-8", "master_plan_no": 999}), 1002, "master_plan_no 999")


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ({"userid": "A-8"}, 1016, "userid"),
        ({"master_plans_detail": [{"plan_no": 999}]}, 1002, "plan_no 999"),
        ({"payment_method": [{"pay_method_type": 4}]}, 1016, "pay_method_type"),
        ({"country": "US", "state_prov": "Kalifornia"}, 1016, "state_prov"),
        ({"payment_method": [{"pay_method_type": 1, "cc_num": "4111111111111111"}]}, 1016, "cc_num"),
        ({"alt_bill_day": 32}, 1016, "alt_bill_day"),
        ({"email": "nobody"}, 1016, "email"),
        ({"locale_name": "fr"}, 1016, "locale_name"),
        ({"senior_acct_no": 1}, 1016, "senior_acct_no"),
        ({"acct_currency": "us"}, 1016, "acct_currency"),
    ],
)
@pytest.mark.parametrize("do_write", ["true", "false"])
def test_a_customer_that_is_not_valid_is_refused_and_nothing_is_stored(call, more, code, said, do_write):
    before = rows_stored()
    refused(call("create_acct_complete_m", acct=[person(**more)], do_write=do_write), code, said)
    assert rows_stored() == before


def test_a_customer_is_checked_without_being_created(acme, call):
    an_account(acme, client_acct_id="A-9")
    before = rows_stored()
    (seen,) = call("create_acct_complete_m", acct=[person()], do_write="false")["out_acct"]
    assert (seen["acct_no"], seen["client_acct_id"], rows_stored()) == (None, "A-7", before)
    refused(call("create_acct_complete_m", acct=[person(client_acct_id="A-9")], do_write="false"), 1016, "")


def test_a_payment_method_that_the_gateway_refuses_leaves_the_customer(call):
    row = person(payment_method=[{"pay_method_type": 13, "bill_agreement_id": "4111111111111111"}])
    (made,) = call("create_acct_complete_m", acct=[row])["out_acct"]
    (error,) = made["billing_errors"]
    assert (error["collection_error_code"], Account.objects.count(), PaymentMethod.objects.count()) == (1016, 1, 0)


def test_a_form_has_rows_of_rows(acme):
    auth_key = create_key(acme, name="form", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    plan = a_plan(acme)
    form = {
        "client_no": acme.pk,
        "auth_key": auth_key,
        "rest_call": "create_acct_complete_m",
        "output_format": "json",
        "acct[0][client_acct_id]": "A-7",
        "acct[0][acct_currency]": "usd",
        "acct[0][last_name]": "Hopper",
        "acct[0][master_plans_detail][0][plan_no]": plan.pk,
        "acct[0][master_plans_detail][1][plan_no]": plan.pk,
        "acct[0][master_plans_detail][1][plan_instance_units]": "2",
    }
    body = "&".join(f"{name}={value}" for name, value in form.items())
    answer = Browser().post("/v1/core", body, content_type="application/x-www-form-urlencoded").json()
    assert answer["error_code"] == 0, answer
    assert [one.units for one in PlanInstance.objects.order_by("pk")] == [1, 2]


@pytest.mark.parametrize("method", ["update_acct_complete", "update_acct_complete_m"])
def test_a_customer_is_changed(acme, call, method):
    account = an_account(acme)
    more = {"last_name": "Lovelace", "country_cd": "DE", "state_prov": "~", "email": "ada@example.com"}
    answer = call(method, acct_no=account.pk, invoice_approval_required="true", new_client_acct_id="B-1", status_cd=2, **more)
    account.refresh_from_db()
    contact = account.contacts.get()
    assert (answer["acct_contact_no_2"], answer["acct_locale_name"]) == (1, "en")
    assert (account.client_acct_id, account.status, account.invoice_approval_required) == ("B-1", 2, True)
    assert (contact.name, contact.country, contact.region, contact.email) == ("Ada Lovelace", "DE", "", "ada@example.com")
    refused(call(method, acct_no=account.pk, acct_contact_no=9, city="Rome"), 1002, "acct_contact_no 9")
    refused(call(method, acct_no=account.pk, email="x", new_client_acct_id="B-2"), 1016, "email")
    refused(call(method, acct_no=account.pk, master_plan_no=1), 1016, "master_plan_no")
    account.refresh_from_db()
    assert account.client_acct_id == "B-1"


def test_a_payment_method_is_added_renamed_and_disabled(acme, call):
    account, other = an_account(acme), an_account(acme)
    asked = {"acct_no": account.pk, "pay_method_type": 13, "bill_agreement_id": "sandbox_approved", "pay_method_name": "Visa"}
    number = call("update_payment_method_m", **asked)["seq_no"]
    call("update_payment_method_m", acct_no=account.pk, payment_method_no=number, disabled_ind=1, pay_method_name="Old Visa")
    method = PaymentMethod.objects.get()
    assert (method.pk, method.label, method.is_disabled) == (number, "Old Visa", True)
    refused(
        call("update_payment_method_m", acct_no=other.pk, payment_method_no=number, disabled_ind=0), 1002, "payment_method_no"
    )
    refused(call("update_payment_method_m", **asked, payment_method_no=number), 1016, "pay_method_type")
    refused(call("update_payment_method_m", **asked, cc_num="4111111111111111"), 1016, "cc_num")
    refused(call("update_payment_method_m", acct_no=account.pk), 1010, "pay_method_type")
    assert PaymentMethod.objects.count() == 1


def test_a_payment_method_is_added_once_under_a_receipt(acme, call):
    account = an_account(acme)
    asked = {"acct_no": account.pk, "pay_method_type": 13, "bill_agreement_id": "sandbox_approved", "client_receipt_id": "r1"}
    assert call("update_payment_method_m", **asked) == call("update_payment_method_m", **asked)
    assert PaymentMethod.objects.count() == 1


def new_card(account, token="sandbox_approved", **more):
    return {"acct_no": account.pk, "pay_method_type": 13, "bill_agreement_id": token, "do_collect": "true", **more}


def test_what_is_open_is_collected_by_the_new_payment_method(acme, call, process):
    """Another card is the one by which the account is collected otherwise. It is not charged."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    chosen = PaymentMethod.objects.create(account=account, type="card", token="sandbox_declined", is_default=True)
    old, new = bill(account, process, JAN_10), bill(account, process, FEB_10)
    answer = call("update_payment_method_m", **new_card(account, client_receipt_id="c1"))
    assert [(one["invoice_no"], one["collection_error_code"]) for one in answer["collection_info"]] == [
        (old.pk, 0),
        (new.pk, 0),
    ]
    assert all(one["proc_payment_id"] for one in answer["collection_info"])
    assert (due(old), due(new), books()) == (0, 0, [D("30.00"), D("30.00")])
    methods = set(CollectionAttempt.objects.values_list("payment_method", flat=True))
    assert (methods, answer["seq_no"] != chosen.pk) == ({answer["seq_no"]}, True)
    assert call("update_payment_method_m", **new_card(account, client_receipt_id="c1")) == answer
    assert (books(), PaymentMethod.objects.count()) == ([D("30.00"), D("30.00")], 2)


def test_a_payment_method_that_is_declined_stays_and_says_why(acme, call, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    invoice = bill(account, process, JAN_10)
    answer = call("update_payment_method_m", **new_card(account, "sandbox_declined"))
    (row,) = answer["collection_info"]
    assert (answer["error_code"], row["collection_error_code"], due(invoice), books()) == (0, 4011, 30, [])
    assert PaymentMethod.objects.get().pk == answer["seq_no"]


def test_a_stored_payment_method_is_enabled_and_collected_by(acme, call, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    card = PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved", is_disabled=True)
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_declined")
    invoice = bill(account, process, JAN_10)
    named = {"acct_no": account.pk, "payment_method_no": card.pk, "do_collect": "true"}
    refused(call("update_payment_method_m", **named, pay_method_name="Visa"), 7025)
    card.refresh_from_db()
    assert (card.label, due(invoice)) == ("", 30)
    assert call("update_payment_method_m", **named, disabled_ind=0)["collection_info"][0]["collection_error_code"] == 0
    assert (due(invoice), CollectionAttempt.objects.get().payment_method_id) == (0, card.pk)
    assert call("update_payment_method_m", **named)["collection_info"] == []


def test_a_payment_method_that_cannot_collect_is_refused_before_it_is_stored(acme, call, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    bill(account, process, JAN_10)
    before = rows_stored()
    refused(call("update_payment_method_m", **new_card(account, disabled_ind=1)), 1016, "do_collect")
    refused(
        call("update_payment_method_m", acct_no=account.pk, pay_method_type=26, do_collect="true"), 1010, "bill_agreement_id"
    )
    assert rows_stored() == before
    auth_key = create_key(acme, name="clerk", may_change_customers=True, caller=BY_TEST)[1]
    body = {"client_no": acme.pk, "auth_key": auth_key, "rest_call": "update_payment_method_m", **new_card(account)}
    answer = Browser().post("/v1/core", {**body, "output_format": "json"}, content_type="application/json").json()
    assert (answer["error_code"], PaymentMethod.objects.count()) == (90025, 0)


def test_what_is_collected_does_not_depend_on_when_the_call_died(acme, call, process):
    """It died after it had stored the card, and after it had charged the first of two invoices."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    old, new = bill(account, process, JAN_10), bill(account, process, FEB_10)
    asked = new_card(account, client_receipt_id="c1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("invoices.services.collecting.collecting._ask", dying_after(1))
        with pytest.raises(Died):
            call("update_payment_method_m", **asked)
    with time_machine.travel(datetime(2026, 1, 31, 12, 1, tzinfo=UTC), tick=False):
        answer = call("update_payment_method_m", **asked)
    assert [(one["invoice_no"], one["collection_error_code"]) for one in answer["collection_info"]] == [
        (old.pk, 0),
        (new.pk, 0),
    ]
    assert (due(old), due(new), books(), PaymentMethod.objects.count()) == (0, 0, [D("30.00"), D("30.00")], 1)


def dying_after(times):
    """Return a way to ask the gateway that ends the process after so many answers."""
    answers = []

    def ask(attempt, started):
        if len(answers) == times:
            raise Died
        answers.append(ask_to_charge(attempt, started.wanted.account_no))
        return answers[-1]

    return ask


def two_customers(plan, **more_of_second):
    card = {"pay_method_type": 13, "bill_agreement_id": "sandbox_approved"}
    first = person(master_plans_detail=[{"plan_no": plan.pk, "plan_instance_units": 2}], payment_method=[card])
    second = person(**{"client_acct_id": "A-8", "last_name": "Hamilton", **more_of_second})
    return [first, second]


def test_several_customers_are_created_in_one_call(acme, call, process):
    plan = a_plan(acme, {"phone": "30.00"})
    asked = {"acct": two_customers(plan, master_plans_detail=[{"plan_no": plan.pk}]), "client_receipt_id": "n1"}
    first, second = call("create_acct_complete_m", **asked)["out_acct"]
    assert call("create_acct_complete_m", **asked)["out_acct"] == [first, second]
    accounts = {account.client_acct_id: account for account in Account.objects.all()}
    assert (first["acct_no"], second["acct_no"]) == (accounts["A-7"].pk, accounts["A-8"].pk)
    assert [len(one["billing_contact_details"]) for one in (first, second)] == [1, 0]
    assert [one["master_plans_assigned"][0]["plan_units"] for one in (first, second)] == [2.0, 1.0]
    assert bill(accounts["A-7"], process, date(2026, 1, 31)).total_amount == D("60.00")
    assert bill(accounts["A-8"], process, date(2026, 1, 31)).total_amount == D("30.00")


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ({"master_plans_detail": [{"plan_no": 999}]}, 1002, "acct[1]: plan_no 999"),
        ({"email": "nobody"}, 1016, "acct[1].email"),
        ({"client_acct_id": "A-9"}, 1016, "acct[1]: Account with this Client and Client account id already exists"),
        ({"client_acct_id": "A-7"}, 1016, "acct[1].client_acct_id"),
        ({"alt_bill_day": 32}, 1016, "acct[1].alt_bill_day"),
        ({"acct_currency": "eur", "master_plans_detail": [{"client_plan_id": "basic"}]}, 90007, "acct[1]"),
    ],
)
@pytest.mark.parametrize("do_write", ["true", "false"])
def test_no_customer_is_created_if_one_is_refused(acme, call, more, code, said, do_write):
    an_account(acme, client_acct_id="A-9")
    plan = a_plan(acme, client_plan_id="basic")
    before = rows_stored()
    refused(call("create_acct_complete_m", acct=two_customers(plan, **more), do_write=do_write), code, said)
    assert rows_stored() == before
    assert call("create_acct_complete_m", acct=two_customers(plan), do_write="false")["out_acct"][1]["acct_no"] is None
    assert rows_stored() == before


# What only calculates


def estimate(**more):
    return {"country_code": "US", "state_prov_code": "CA", "currency_code": "usd", **more}


def test_taxes_of_charges_are_estimated_at_an_address(acme, call):
    TaxRateFactory(client=acme)
    plan = a_plan(acme)
    service = plan.charges.get().service
    rows = [
        {"plan_item_service_no": service.pk, "plan_item_plan_no": plan.pk, "plan_item_units": 2},
        {"client_plan_item_service_id": "phone", "plan_item_unit_amount": 15.55},
    ]
    before = rows_stored()
    answer = call("pre_calc_invoice_m", **estimate(pre_calc_plan=rows, pre_calc_sku=[{"sku": "phone", "sku_unit_amount": 10}]))
    (tax,) = answer["inv_calc_out"]
    assert (tax["tax_item_desc"], tax["tax_item_amount"]) == ("Sales tax 10 % (US-CA)", 8.56)
    assert call("pre_calc_invoice", **estimate(state_prov_code="NV", pre_calc_plan=rows))["inv_calc_out"] == []
    assert rows_stored() == before
    unknown = estimate(state_prov_code="Kalifornia", pre_calc_plan=rows)
    refused(call("pre_calc_invoice", **unknown), 1016, "state_prov_code")


def test_an_estimate_of_what_does_not_exist_or_has_no_price_is_refused(acme, call):
    plan, other = a_plan(acme), ServiceFactory(client=acme, client_service_id="fax")
    service = plan.charges.get().service
    row = {"plan_item_service_no": service.pk, "plan_item_plan_no": plan.pk}
    refused(
        call("pre_calc_invoice_m", **estimate(pre_calc_plan=[{**row, "plan_item_plan_no": 999}])), 1002, "plan_item_plan_no"
    )
    refused(call("pre_calc_invoice_m", **estimate(pre_calc_plan=[{**row, "plan_item_service_no": other.pk}])), 90011, "fax")
    refused(call("pre_calc_invoice_m", **estimate(currency_code="eur", pre_calc_plan=[row])), 90011, "eur")
    refused(call("pre_calc_invoice_m", **estimate(pre_calc_sku=[{"sku": "x", "sku_unit_amount": 1}])), 1002, "sku x")
    refused(call("pre_calc_invoice_m", **estimate(pre_calc_plan=[row], tax_exempt_cd=3)), 1016, "tax_exempt_cd")
    refused(call("pre_calc_invoice_m", **estimate()), 1010, "pre_calc_plan")


def test_an_estimate_takes_as_many_queries_however_many_lines(acme, call):
    plan = a_plan(acme)
    row = {"client_plan_item_service_id": "phone", "client_plan_item_plan_id": plan.client_plan_id}

    def count(lines):
        with CaptureQueriesContext(connection) as captured:
            call("pre_calc_invoice_m", **estimate(pre_calc_plan=[row] * lines))
        return len(captured)

    count(1)
    assert count(1) == count(7)


@pytest.mark.parametrize("method", ["get_acct_preview_statement", "get_acct_preview_statement_m"])
def test_the_statement_of_the_next_invoice_is_shown_before_it_exists(acme, call, process, method):
    account = an_account(acme)
    bill(account, process, JAN_10)
    answer = call(method, acct_no=account.pk, master_plan_instance_no=account.plan_instances.get().pk)
    assert (answer["mime_type"], "Pro forma" in answer["out_statement"], "30.00" in answer["out_statement"]) == (
        "text/html",
        True,
        True,
    )
    assert ("None" in answer["out_statement"], Invoice.objects.count()) == (False, 1)
    bill(account, process, FEB_10, force_pending=True)
    refused(call(method, acct_no=account.pk), 7006, "")
    refused(call(method, acct_no=account.pk, alt_stmt_template_no=1), 1016, "alt_stmt_template_no")


def test_what_is_due_is_told_for_any_plan_of_the_account(acme, call, process):
    account = an_account(acme)
    bill(account, process, JAN_10)
    number = account.plan_instances.get().pk
    assert call("get_acct_plan_balance_m", acct_no=account.pk, plan_instance_no=number)["current_balance_due"] == "0.00"
    assert call("get_acct_plan_balance", acct_no=account.pk, plan_instance_no=number)["total_balance_due"] == "30.00"
    refused(call("get_acct_plan_balance_m", acct_no=account.pk, plan_instance_no=999), 14046, "plan_instance_no")


def test_refunds_are_listed_with_the_payments_that_they_return(acme, call, process):
    account = an_account(acme)
    by = {"client": acme, "caller": process, "today": JAN_10}
    payment = record_external_payment(account_no=account.pk, amount=D(9), type="check", reference="1042", **by)
    refund = refund_payment(transaction_id=payment.pk, amount=D(2), why=Why(2, "Paid twice"), **by)
    (row,) = call("get_refund_details_m", acct_no=account.pk)["refund_details"]
    assert (row["refund_transaction_id_2"], row["refund_amount"], row["reason_code"]) == (refund.pk, 2.0, 2)
    assert (row["reason_description"], row["ref_payment_amount"], row["ref_payment_ref_code"]) == ("Paid twice", 9.0, "1042")
    assert (row["pay_method_id"], row["pay_method_name"], row["is_voided_ind"]) == (-1, "Cheque", 0)
    call("void_transaction_m", acct_no=account.pk, transaction_id=refund.pk, reason_code=8, comments="Wrong")
    assert call("get_refund_details", acct_no=account.pk)["refund_details"] == []
    (voided,) = call("get_refund_details_m", acct_no=account.pk, include_voided="true")["refund_details"]
    assert voided["is_voided_ind"] == 1
