"""A payment that paid the wrong invoice is moved to another one, in the ledger and in the events of both."""

from decimal import Decimal as D

import pytest

from accounts.models import Event
from invoices.models import Allocation
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.money.ledger.moving import move_payment
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.ledger.voids import void_transaction
from tests.support.billing import FEB_10, JAN_10, MAR_10, bill
from tests.support.factories import an_account
from tests.support.money_api import post, with_key
from tests.support.paying import WHY, billed, books, due, ledger, unapplied
from tests.support.payments import key_with, pay, refused_as, rows, three_months

pytestmark = pytest.mark.usefixtures("audited")


def moved(payment, caller, parts, **options):
    invoices = {invoice.pk: D(amount) for invoice, amount in parts.items()}
    client = payment.entry.account.client
    return move_payment(client=client, transaction_id=payment.pk, invoices=invoices, caller=caller, today=MAR_10, **options)


def test_a_card_payment_moves_without_being_charged_again(acme, process):
    account, january = billed(acme, process)
    collect_invoices(client=acme, invoice_nos=[january.pk], caller=process, today=JAN_10)
    february = bill(account, process, FEB_10)
    payment = account.payments.get()
    before = ledger(account)
    moved(payment, process, {february: "30"})
    assert (due(january), due(february), unapplied(account)) == (30, 0, 0)
    assert (ledger(account), books()) == (before, [D(30)])
    events = Event.objects.filter(act="payment.moved").order_by("pk").values_list("invoice_no", "before", "after")
    assert list(events) == [
        (january.pk, {"due": "0"}, {"transaction_id": payment.pk, "amount": "-30", "due": "30"}),
        (february.pk, {"due": "30"}, {"transaction_id": payment.pk, "amount": "30", "due": "0"}),
    ]
    assert set(Allocation.objects.filter(credit=payment.pk, day=MAR_10).values_list("amount", flat=True)) == {D(-30), D(30)}


def test_a_part_moves_from_the_newest_invoice_or_from_the_one_that_is_named(acme, process):
    """50.00 pay January (30.00) and 20.00 of February; March is open."""
    _, january, february, march = three_months(acme, process)
    payment = pay(january.account, process, "50", today=MAR_10)
    moved(payment, process, {march: "5"})
    assert (due(january), due(february), due(march)) == (0, 15, 25)
    moved(payment, process, {march: "7"}, from_invoice=january.pk)
    assert (due(january), due(february), due(march)) == (7, 15, 18)


def test_what_is_unapplied_is_used_first(acme, process):
    account, january = billed(acme, process)
    payment = pay(account, process, "40")
    february = bill(an_account(acme), process, JAN_10)
    march = bill(account, process, FEB_10)
    assert due(march) == 20
    assert refused_as(moved, payment, process, {february: "5"}) == (3004, "invoices")
    moved(payment, process, {march: "20"})
    assert (due(january), due(march)) == (20, 0)


def test_more_than_the_payment_has_left_is_refused_and_says_where_the_rest_is(acme, process):
    account, january = billed(acme, process)
    payment = pay(account, process, "30")
    refund = refund_payment(client=acme, transaction_id=payment.pk, amount=D(10), why=WHY, caller=process, today=FEB_10)
    february = bill(account, process, FEB_10)
    stored = rows()
    answer = post(
        with_key(acme, may_collect=True),
        f"payments/{payment.pk}/move",
        {"invoices": [{"invoice_no": february.pk, "amount": "25"}]},
        409,
    )
    assert answer["error_code"] == 90160
    words = f"at most 20 of transaction {payment.pk}, because refund {refund.pk} returned money of it"
    assert words in answer["error_msg"]
    assert refused_as(moved, payment, process, {february: "1"}, from_invoice=february.pk) == (90160, "invoices")
    assert rows() == stored
    moved(payment, process, {february: "20"})
    assert (due(january), due(february)) == (30, 10)


def test_a_voided_payment_too_much_and_a_caller_without_the_right_are_refused(acme, process):
    account, january, february, _ = three_months(acme, process)
    payment = pay(account, process, "40")
    assert refused_as(moved, payment, process, {february: "20.01"}) == (90021, "invoices")
    assert refused_as(moved, payment, process, {february: "0"}) == (1016, "invoices")
    assert refused_as(moved, payment, key_with(acme), {february: "5"})[0] == 90025
    void_transaction(client=acme, transaction_id=payment.pk, caller=process, today=MAR_10, reason_code=1)
    payment.entry.refresh_from_db()
    assert refused_as(moved, payment, process, {february: "5"}) == (2003, "transaction_id")
    assert due(january) == 30
