"""Aria's method calls of accounts: balance, payments, statements, contacts, status and plans."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, PlanInstance
from tests.support.billing import FEB_10, bill
from tests.support.calling import caller_of, refused, rows_stored
from tests.support.factories import ClientFactory, a_plan
from tests.support.paying import billed, paying

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def call(acme):
    return caller_of(acme)


@pytest.fixture
def owed(acme, process):
    return billed(acme, process, client_acct_id="A1", contact=True)


@pytest.mark.parametrize("suffix", ["", "_m"])
def test_the_balance_is_text_and_of_the_whole_account(call, owed, suffix):
    account, _ = owed
    call("record_external_payment_m", acct_no=account.pk, payment_amount=12.5, reference_code="x")
    answer = call(f"get_acct_balance{suffix}", client_acct_id="A1")
    assert (answer["acct_balance"], answer["currency_cd"]) == ("17.50", "usd")
    (row,) = answer["master_plan_instances"]
    assert row["master_plan_instance_no"] == PlanInstance.objects.get().pk
    refused(call(f"get_acct_balance{suffix}", acct_no=999), 1009)


@pytest.mark.parametrize("suffix", ["", "_m"])
def test_the_payments_of_an_account(call, owed, suffix):
    account, _ = owed
    call("record_external_payment_m", acct_no=account.pk, payment_amount=12.5, reference_code="x")
    call("collect_from_account_m", acct_no=account.pk, amount_to_collect=10)
    call("record_external_payment_m", acct_no=account.pk, payment_amount=9, reference_code="y")
    answer = call(f"get_acct_payment_history{suffix}", acct_no=account.pk)
    rows = answer["acct_payment_history"]
    assert [(one["payment_amount"], one["payment_amount_left_to_apply"]) for one in rows] == [(9, 1.5), (10, 0), (12.5, 0)]
    assert (answer["unapplied_payment_summary"], rows[1]["proc_status_code"], rows[1]["voidable_flag"]) == (1.5, "approved", 0)
    number = rows[2]["transaction_id"]
    void = call("void_transaction_m", account_no=account.pk, transaction_id=number, reason_code=1, comments="twice")
    row = call(f"get_acct_payment_history{suffix}", acct_no=account.pk)["acct_payment_history"][2]
    assert (row["payment_status"], row["voiding_event_no"]) == ("voided", void["new_transaction_id"])
    some = call(f"get_acct_payment_history{suffix}", acct_no=account.pk, limit_records=1)["acct_payment_history"]
    assert [one["payment_amount"] for one in some] == [9]
    assert call(f"get_acct_payment_history{suffix}", acct_no=account.pk, start_date="2026-02-01")["acct_payment_history"] == []
    refused(call(f"get_acct_payment_history{suffix}", acct_no=account.pk, limit_records=0), 1016, "limit_records")


@pytest.mark.parametrize("suffix", ["", "_m"])
def test_each_issued_document_is_a_statement(call, owed, process, suffix):
    account, old = owed
    new = bill(account, process, FEB_10)
    call("record_external_payment_m", acct_no=account.pk, payment_amount=30, reference_code="x")
    rows = call(f"get_acct_statement_history{suffix}", user_id="A1")["statements_history"]
    assert [(one["invoice_no"], one["total_amount"], one["is_paid_ind"]) for one in rows] == [(new.pk, 30, 0), (old.pk, 30, 1)]
    assert rows[1]["seq_statement_id"] == old.document_number


@pytest.mark.parametrize("name", ["get_acct_payment_history_m", "get_acct_statement_history_m", "get_acct_plans_all_m"])
def test_lists_of_an_account_take_as_many_queries_however_long(acme, call, owed, process, name):
    account, _ = owed

    def count():
        with CaptureQueriesContext(connection) as captured:
            answer = call(name, acct_no=account.pk)
        (rows,) = [value for value in answer.values() if isinstance(value, list)]
        return len(captured), len(rows)

    call("record_external_payment_m", acct_no=account.pk, payment_amount=1, reference_code="a")
    few = count()
    for place in range(3):
        call("record_external_payment_m", acct_no=account.pk, payment_amount=1, reference_code=f"n{place}")
        call("assign_acct_plan_m", acct_no=account.pk, new_plan_no=a_plan(acme, {f"s{place}": "5.00"}).pk)
    call("gen_invoice", acct_no=account.pk, invoice_mode=1)
    many = count()
    assert (many[0], few[1]) == (few[0], 1)
    assert many[1] > 1


# Accounts


@pytest.mark.parametrize("suffix", ["", "_m"])
def test_the_number_of_an_account_by_its_own_id(call, owed, suffix):
    assert call(f"get_acct_no_from_user_id{suffix}", user_id="A1")["acct_no"] == owed[0].pk
    refused(call(f"get_acct_no_from_user_id{suffix}", user_id="B1"), 1009, "user_id B1")


def test_an_account_of_another_client_is_not_found(call):
    Account.objects.create(client=ClientFactory(), client_acct_id="B1", currency="usd")
    refused(call("get_acct_no_from_user_id_m", user_id="B1"), 1009)


def test_contacts_are_in_the_rows_of_their_role(call, owed):
    account, _ = owed
    account.contacts.create(contact_no=7, role="billing", name="Ada Mary Byron", country="US", city="Salem")
    answer = call("get_acct_contacts_m", acct_no=account.pk)
    (row,) = answer["billing_contacts"]
    assert (row["bill_contact_no"], row["bill_first_name"], row["bill_last_name"]) == (7, "Ada Mary", "Byron")
    assert (row["bill_city"], row["bill_country"], answer["other_contacts"]) == ("Salem", "US", [])
    assert [one["contact_no"] for one in answer["account_contact"]] == [1]


@pytest.mark.parametrize("suffix", ["", "_m"])
def test_the_status_of_an_account_is_changed(call, owed, suffix):
    account, _ = owed
    asked = {"account_no": account.pk, "status_cd": -2, "client_receipt_id": "r1"}
    assert call(f"update_acct_status{suffix}", **asked) == call(f"update_acct_status{suffix}", **asked)
    account.refresh_from_db()
    assert account.status == -2
    refused(call(f"update_acct_status{suffix}", account_no=account.pk, status_cd=77), 1016, "status_cd")
    refused(call(f"update_acct_status{suffix}", account_no=account.pk, status_cd=1, queue_days=3), 1016, "queue_days")
    refused(call(f"update_acct_status{suffix}", account_no=999, status_cd=1), 1009, "account_no 999")


# Plans


def test_a_plan_is_assigned_replaced_and_ended(acme, call):
    account, first, second = paying(acme), a_plan(acme, {"tv": "20.00"}), a_plan(acme, {"radio": "5.00"})
    asked = {"acct_no": account.pk, "new_client_plan_id": first.client_plan_id, "plan_units": 2, "client_receipt_id": "r1"}
    made = call("assign_acct_plan_m", **asked)
    assert call("assign_acct_plan_m", **asked) == made
    instance = PlanInstance.objects.get(pk=made["plan_instance_no"])
    assert (instance.plan, instance.units, str(instance.start_date)) == (first, 2, "2026-01-31")
    named = {"acct_no": account.pk, "plan_instance_no": instance.pk}
    new = call("replace_acct_plan_m", **named, new_plan_no=second.pk, effective_date="2026-02-10")["plan_instance_no"]
    instance.refresh_from_db()
    assert (str(instance.end_date), PlanInstance.objects.get(pk=new).plan) == ("2026-02-09", second)
    ended = {"acct_no": account.pk, "plan_instance_no": new, "effective_date": "2026-03-01"}
    assert call("cancel_acct_plan_m", **ended)["plan_instance_no"] == new
    rows = call("get_acct_plans_all_m", acct_no=account.pk)["all_acct_plans_m"]
    assert [(one["plan_deprovisioned_date"], one["plan_units"]) for one in rows][1:] == [("2026-02-09", 2), ("2026-02-28", 2)]


def test_a_plan_that_is_not_the_clients_or_accounts_is_refused(acme, call):
    account, other = paying(acme), paying(acme)
    theirs = a_plan(ClientFactory(), {"tv": "20.00"})
    refused(call("assign_acct_plan_m", acct_no=account.pk, new_plan_no=theirs.pk), 1002, f"new_plan_no {theirs.pk}")
    refused(call("assign_acct_plan_m", acct_no=account.pk), 1010, "new_plan_no")
    instance = other.plan_instances.get()
    refused(call("cancel_acct_plan_m", acct_no=account.pk, plan_instance_no=instance.pk), 14046, "plan_instance_no")
    refused(call("assign_acct_plan_m", acct_no=account.pk, new_plan_no=1, coupon_codes=[{"coupon_codes": "x"}]), 1016)


@pytest.mark.parametrize("units", ["0", -1, 0.00001])
def test_a_plan_of_no_units_is_refused(acme, call, units):
    account, plan = paying(acme), a_plan(acme, {"tv": "20.00"})
    instance = account.plan_instances.get()
    for write in ("true", "false"):
        asked = {"acct_no": account.pk, "new_plan_no": plan.pk, "plan_units": units, "do_write": write}
        refused(call("assign_acct_plan_m", **asked), 1016, "plan_units")
        replaced = {**asked, "plan_instance_no": instance.pk, "effective_date": "2026-02-10"}
        refused(call("replace_acct_plan_m", **replaced), 1016, "plan_units")
    assert list(account.plan_instances.values_list("plan", "units")) == [(instance.plan_id, 1)]


AMOUNTS = ("total_charges_before_tax", "total_credit_before_tax", "total_tax_credit", "proration_result_amount")


def amounts_of(answer):
    return tuple(answer[name] for name in AMOUNTS)


def test_an_assigned_plan_is_previewed_with_what_the_next_invoice_has_for_it(acme, call, owed):
    account, _ = owed
    plan = a_plan(acme, {"tv": "20.00"})
    asked = {"acct_no": account.pk, "new_plan_no": plan.pk, "plan_units": 2, "effective_date": "2026-02-10"}
    before = rows_stored()
    seen = call("assign_acct_plan_m", **asked, do_write="false")
    assert (seen["plan_instance_no"], rows_stored(), amounts_of(seen)) == (None, before, (40.0, 0.0, 0.0, 40.0))
    (line,) = seen["acct_plan_line_items"]
    assert (line["line_amount"], line["line_units"], line["plan_no"], line["client_service_id"]) == (40.0, 2.0, plan.pk, "tv")
    assert (line["date_range_start"], line["date_range_end"]) == ("2026-02-10", "2026-03-09")
    made = call("assign_acct_plan_m", **asked)
    assert (made["plan_instance_no"], amounts_of(made)) == (PlanInstance.objects.latest("pk").pk, amounts_of(seen))


def test_an_ended_plan_is_previewed_with_what_is_credited(acme, call, owed):
    account, _ = owed
    type(acme).objects.filter(pk=acme.pk).update(credit_unused_on_end=True)
    asked = {"acct_no": account.pk, "plan_instance_no": PlanInstance.objects.get().pk, "effective_date": "2026-01-26"}
    before = rows_stored()
    seen = call("cancel_acct_plan_m", **asked, do_write="false")
    assert (seen["plan_instance_no"], rows_stored(), amounts_of(seen)) == (None, before, (0.0, 14.52, 0.0, -14.52))
    assert PlanInstance.objects.get().end_date is None
    made = call("cancel_acct_plan_m", **asked)
    assert (made["plan_instance_no"], amounts_of(made)) == (asked["plan_instance_no"], amounts_of(seen))
    assert str(PlanInstance.objects.get().end_date) == "2026-01-25"


def test_a_replaced_plan_is_previewed_with_its_charge_and_the_credit_of_the_old_one(acme, call, owed):
    account, _ = owed
    type(acme).objects.filter(pk=acme.pk).update(credit_unused_on_change=True)
    plan = a_plan(acme, {"phone": "60.00"})
    asked = {
        "acct_no": account.pk,
        "plan_instance_no": PlanInstance.objects.get().pk,
        "new_plan_no": plan.pk,
        "effective_date": "2026-02-10",
    }
    seen = call("replace_acct_plan_m", **asked, do_write="false")
    assert (amounts_of(seen), PlanInstance.objects.count()) == ((60.0, 0.0, 0.0, 60.0), 1)
    refused(call("replace_acct_plan_m", **{**asked, "new_plan_no": 999}, do_write="false"), 1002, "new_plan_no")
