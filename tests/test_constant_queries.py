"""Every operation of the resource API and every method call asks the database as often for several rows as for few.

The world of the examples is made larger twice: more lines on documents, payments, contacts, plans and rows of each list. What
each operation asks is counted after the first and after the second time. Statements that PostgreSQL gets in one round trip are
counted one by one, as SQLite gets them.
"""

import json
from collections import Counter
from contextlib import contextmanager
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, reset_queries, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from accounts.models import PaymentMethod, Service, ServiceLocation
from billing_site.api import METHODS
from billing_site.examples import BILLED, CARD, DUE, ISSUED, PAYER, WAITING
from invoices.models import Coupon, CouponRedemption, OneTimeCharge, ServiceCredit, Surcharge
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import add_cash_credit, record_external_payment
from invoices.services.money.ledger.refunds import refund_payment
from tests.support.billing import FEB_10, JAN_10, USAGE, bill
from tests.support.examples import REQUESTS, RESOURCES, example_of, meant, request_of, virtual_clock, world
from tests.support.factories import (
    BY_TEST,
    ContactFactory,
    TaxRateFactory,
    a_charge,
    a_plan,
    an_account,
    an_instance,
    some_usage,
)

__all__ = ["virtual_clock", "world"]

MAR_10 = date(2026, 3, 10)
READS = [name for name in RESOURCES if REQUESTS[name][0] == "get"]
WRITES = [name for name in RESOURCES if REQUESTS[name][0] != "get"]
ONE_BY_ONE = {
    "discard_usage": "each record is a removal of its own, with its lock and event",
    "discard_usage_m": "each record is a removal of its own, with its lock and event",
    "event_retrieve": "PostgreSQL shows an event when its transaction is committed, and this world never is",
}
"""Operations that are not compared, and why."""

BILLED_BY_THEN = ("cancel_unapplied_service_credits_m", "couponredemption_destroy", "onetimecharge_destroy", "usage_destroy")
FOLLOWED_BY_INVOICES = (
    *("invoice_bill_again", "invoice_preview_undo_void", "invoice_undo_void", "invoice_waive_periods"),
    *("closedperiod_approve_reopening", "closedperiod_create", "closedperiod_keep_closed"),
)
OUT_OF_DATE = ("invoice_resume_approval", "pending_adjust")
USED_UP = {
    **dict.fromkeys(BILLED_BY_THEN, "what it removes is on an invoice by then"),
    **dict.fromkeys(FOLLOWED_BY_INVOICES, "its period has other invoices by then"),
    **dict.fromkeys(OUT_OF_DATE, "its pending document is out of date by then"),
    "rebillcampaign_approve_undo": "the open amounts that were previewed are others by then",
}
"""Operations that may be refused in the larger worlds, and why."""


def grown(world, at):
    """Add rows of each kind to the accounts of the examples, and accounts with documents. `at` tells the times apart.

    Returns the world in which the example of an issued document is the newest one, which has more lines each time."""
    client, _, rows = world
    account_no = {name: rows[number] for name, number in (("billed", BILLED), ("payer", PAYER), ("card", CARD), ("due", DUE))}
    accounts = {name: client.accounts.get(pk=number) for name, number in account_no.items()}
    by, why = {"client": client, "caller": BY_TEST, "today": FEB_10}, Why(1, "as agreed")
    plan = a_plan(client, {f"extra{at}a": "5.00", f"extra{at}b": "6.00"})
    a_charge(plan, f"calls{at}", "0.10", USAGE)
    services = list(Service.objects.filter(client=client, client_service_id__startswith=f"extra{at}"))
    for account in (*accounts.values(), client.accounts.get(pk=rows[WAITING])):
        for _ in range(2):
            ContactFactory(account=account, contact_no=account.contacts.count() + 1, role="other")
            PaymentMethod.objects.create(account=account, type="mailed_check", label="By post")
            OneTimeCharge.objects.create(account=account, service=services[0], rate_per_unit=Decimal(1), charge_date=FEB_10)
            ServiceCredit.objects.create(account=account, amount=Decimal(1), reason="Outage")
            some_usage(an_instance(account, plan, FEB_10), f"calls{at}", "3", FEB_10)
    for place in range(2):
        other = an_account(client, plan, start=JAN_10)
        made = bill(other, BY_TEST, JAN_10)
        memo = create_credit_memo(invoice_no=made.pk, why=why, credit=CreditRequest(amount=Decimal(1)), **by)
        assert memo.pk
        write_off(invoice_no=made.pk, amount=Decimal(1), why=why, **by)
        bill(an_account(client, plan, start=JAN_10), BY_TEST, JAN_10, force_pending=True)
        payments = [
            record_external_payment(account_no=accounts["payer"].pk, amount=Decimal(9), type="cash", **by) for _ in "12"
        ]
        refund_payment(transaction_id=payments[0].pk, amount=Decimal(2), why=why, **by)
        add_cash_credit(account_no=accounts["payer"].pk, amount=Decimal(1), why=why, **by)
        coupon = Coupon.objects.create(client=client, code=f"C{at}{place}", name="Off", percent=Decimal(5), valid_from=JAN_10)
        CouponRedemption.objects.create(coupon=coupon, account=accounts["due"], redemption_no=1, redeemed_on=JAN_10)
        Surcharge.objects.create(
            client=client, service=services[1], name=f"Fee {at}{place}", percent=Decimal(2), valid_from=date(2990, 1, 1)
        )
        TaxRateFactory(client=client, name=f"Tax {at}{place}", region="NV")
        ServiceLocation.objects.create(client=client, client_service_location_id=f"l{at}{place}", country="US")
    issued = bill(accounts["billed"], BY_TEST, FEB_10 if at == 1 else MAR_10)
    return client, world[1], {**rows, ISSUED: issued.pk}


def asked(send):
    """What an operation asks the database, without the savepoints around it. Nothing of it is kept."""
    undone = transaction.atomic()
    undone._from_testcase = True
    reset_queries()  # Django keeps the last 9,000: with all of them kept, none would be counted.
    with undone:
        with CaptureQueriesContext(connection) as captured:
            send()
        transaction.set_rollback(True)
    statements = [one for trip in captured for one in trip["sql"].split("; ")]
    return [one for one in statements if not one.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))]


def sending(name, world):
    """Return a function that sends the example of an operation, and says whether it was done."""
    if name in METHODS:
        client, auth_key, rows = world
        sent = {"rest_call": name, "output_format": "json", **meant(example_of(name), rows)}
        body = json.dumps({**sent, "client_no": client.pk, "auth_key": auth_key})
        return lambda: Browser().post("/v1/core", body, content_type="application/json").json()["error_code"] == 0
    browser, method, address, body = request_of(name, world)

    def read():
        answer = browser.generic(method, address, body, content_type="application/json")
        if answer.streaming:
            list(answer)
        return 200 <= answer.status_code < 300

    return read


def counted(world, names):
    """What each operation asks. Those that are refused are left out."""
    found = {}
    for name in names:
        send, done = sending(name, world), []
        statements = asked(lambda send=send, done=done: done.append(send()))
        if all(done):
            found[name] = statements
    return found


@contextmanager
def kept_nothing():
    undone = transaction.atomic()
    undone._from_testcase = True
    with undone:
        yield
        transaction.set_rollback(True)


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("names", [(*READS, *METHODS), WRITES], ids=["reads and method calls", "writes"])
def test_an_operation_asks_as_often_for_several_rows_as_for_few(world, db, names):
    names = [name for name in names if name not in ONE_BY_ONE]
    with kept_nothing():
        smaller = grown(world, 1)
        few = counted(smaller, names)
        with kept_nothing():
            many = counted(grown(world, 2), names)
        # The first time, a process also asks for what it keeps, such as content types. That may not make up for more queries.
        unlike = [name for name in few if name in many and beginnings(few[name]) != beginnings(many[name])]
        few.update(counted(smaller, unlike))
    assert set(names) - (set(few) & set(many)) <= set(USED_UP)
    more = {name: added(few[name], many[name]) for name in few.keys() & many if len(many[name]) > len(few[name])}
    assert not more, "\n".join(f"{name}: {len(few[name])} -> {len(many[name])}: {what}" for name, what in more.items())


def beginnings(statements):
    """How often statements are asked, without their values, each by its beginning."""
    return Counter(one.partition("WHERE")[0][:60] + one.partition("FROM")[2][:60] for one in statements)


def added(few, many):
    """The statements that are asked more often."""
    counts = beginnings(many)
    counts.subtract(beginnings(few))
    return [f"{count} x {text}" for text, count in counts.items() if count > 0][:4]
