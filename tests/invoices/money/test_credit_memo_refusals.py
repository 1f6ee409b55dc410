"""What cannot be credited is refused, and nothing is written."""

from decimal import Decimal as D

import pytest

from accounts.models import Event, Service
from invoices.models import Invoice
from invoices.services.approving.acts import discard_invoices
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo, preview_credit_memo
from invoices.services.money.ledger.acts import Why
from tests.support.billing import JAN_10, JAN_31, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.memos import memo_of, void
from tests.support.paying import WHY, billed
from tests.support.payments import key_with, refused_as, rows, staff_with

pytestmark = pytest.mark.usefixtures("audited")


@pytest.mark.parametrize(
    ("lines", "amount", "refusal"),
    [
        ({1: "30.01"}, None, (90021, "lines")),
        ({1: "30.00", 2: "10.00"}, None, (90021, "lines")),
        ({3: None}, None, (1016, "lines")),
        ({4: "100.00"}, None, (90021, "lines")),
        ({1: None, 2: None, 4: None}, None, (90021, "lines")),
        ({4: "0"}, None, (1016, "lines")),
        ({99: None}, None, (1016, "lines")),
        ({0: "1.00"}, None, (1016, "lines")),
        ({1: "1.00"}, "1.00", (1016, "amount")),
        (None, "39.98", (90021, "amount")),
        ({1: "0"}, None, (1016, "lines")),
        ({1: "-1.00"}, None, (1016, "lines")),
        ({1: "0.001"}, None, (1016, "lines")),
        (None, "0", (1016, "amount")),
        (None, "-1", (1016, "amount")),
        (None, "0.005", (1016, "amount")),
    ],
)
def test_what_cannot_be_credited_is_refused_and_nothing_written(acme, process, lines, amount, refusal):
    """Lines 1 and 2 charge 30.00 and 9.98, line 3 is a coupon of 0.01, line 4 the tax."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "9.98"}))
    TaxRateFactory(client=acme)
    coupon = a_coupon(acme, percent=None, amount=D("0.01"), currency="usd")
    coupon.services.add(Service.objects.get(client=acme, client_service_id="tv"))
    redeem(account)
    invoice = bill(account, process, JAN_10)
    assert [line.line_type for line in invoice.lines.all()] == [1, 1, 4, 2]
    before = rows()
    assert refused_as(memo_of, invoice, process, lines, amount) == refusal
    assert rows() == before


def test_nothing_more_is_credited_once_nothing_is_left(acme, process):
    TaxRateFactory(client=acme)
    _account, invoice = billed(acme, process)
    memo_of(invoice, process)
    before = rows()
    assert refused_as(memo_of, invoice, process) == (90021, "invoice_no")
    assert refused_as(memo_of, invoice, process, None, "0.01") == (90021, "invoice_no")
    assert refused_as(memo_of, invoice, process, {1: "0.01"}) == (90021, "invoice_no")
    assert refused_as(memo_of, invoice, process, {1: None}) == (90021, "invoice_no")
    assert rows() == before


@pytest.mark.parametrize("comments", ["", "   ", "\n"])
def test_a_memo_without_comments_is_refused(acme, process, comments):
    _account, invoice = billed(acme, process)
    before = rows()
    assert refused_as(memo_of, invoice, process, why=Why(1, comments)) == (29007, "comments")
    assert rows() == before


def test_a_pending_or_discarded_invoice_is_not_credited(umbra, process):
    _account, pending = billed(umbra, process)
    assert refused_as(memo_of, pending, process) == (90017, "invoice_no")
    discard_invoices(client=umbra, invoice_nos=[pending.pk], caller=process)
    assert refused_as(memo_of, pending, process) == (90017, "invoice_no")
    assert Invoice.objects.count() == 1


def test_a_voided_invoice_is_not_credited(acme, process):
    _account, invoice = billed(acme, process)
    void(invoice, process)
    assert refused_as(memo_of, invoice, process) == (90017, "invoice_no")


def test_a_memo_is_not_credited_itself(acme, process):
    _account, invoice = billed(acme, process)
    memo = memo_of(invoice, process)
    assert refused_as(memo_of, memo, process) == (90017, "invoice_no")


def test_an_invoice_of_another_client_is_unknown(acme, umbra, process):
    _account, invoice = billed(umbra, process)
    given = {"client": acme, "invoice_no": invoice.pk}
    why = {"caller": process, "today": JAN_31, "why": WHY}
    assert refused_as(create_credit_memo, **given, **why) == (3004, "invoice_no")
    assert refused_as(preview_credit_memo, **given, credit=CreditRequest(), today=JAN_31) == (3004, "invoice_no")


def test_an_invoice_that_is_being_collected_is_not_credited(acme, process):
    _account, invoice = billed(acme, process, "sandbox_timeout_before")
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    assert refused_as(memo_of, invoice, process) == (90018, "invoice_no")


def test_who_may_not_correct_credits_nothing_and_leaves_an_event_only(acme, process):
    _account, invoice = billed(acme, process)
    before, events = rows(), Event.objects.count()
    for caller in (staff_with("collect_money", "approve_invoice"), key_with(acme, may_collect=True, may_approve=True)):
        assert refused_as(memo_of, invoice, caller) == (90026, None)
    assert (rows(), Event.objects.count()) == (before, events + 2)
    assert memo_of(invoice, key_with(acme, may_correct=True)).total_amount == D(-30)
