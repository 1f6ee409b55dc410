"""The journal by day: what each act posts, and that each day balances."""

from collections import defaultdict
from datetime import date
from decimal import Decimal as D

import pytest

from invoices.kinds import EntryKind
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.lists.reports.daily_journal import PostedTo, daily_journal
from invoices.services.lists.reports.journal import journal_by_gl_code
from invoices.services.money.ledger.payments import add_cash_credit
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.ledger.voids import void_transaction
from tests.support.billing import FEB_10, JAN_10, JAN_31, MAR_10, bill
from tests.support.factories import ServiceFactory, TaxRateFactory, a_plan, an_account
from tests.support.paying import WHY
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")

REVENUE, TAX, RECEIVABLES = PostedTo.REVENUE, PostedTo.TAX, PostedTo.RECEIVABLES


def posted_on(client, day):
    return [(one.account, one.code, one.debit, one.credit) for one in daily_journal(client, day, day)]


def test_an_invoice_a_memo_a_payment_and_their_voids_are_posted_on_their_days(acme, umbra, process):
    TaxRateFactory(client=acme)
    ServiceFactory(client=acme, client_service_id="tv", gl_code="4100")
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}))
    by = {"client": acme, "caller": process}
    invoice = bill(account, process, JAN_10)
    bill(an_account(umbra), process, JAN_10)
    pay(account, process, "40", type="cash", today=date(2026, 1, 20))
    create_credit_memo(invoice_no=invoice.pk, why=WHY, credit=CreditRequest(amount=D(10)), today=JAN_31, **by)
    off = write_off(invoice_no=invoice.pk, amount=D(1), why=WHY, kind=EntryKind.WRITE_OFF, today=FEB_10, **by)
    void_transaction(transaction_id=off.pk, reason_code=1, today=MAR_10, **by)
    assert posted_on(acme, JAN_10) == [
        (RECEIVABLES, "", 55, 0),
        (REVENUE, "4000", 0, 30),
        (REVENUE, "4100", 0, 20),
        (TAX, "Sales tax", 0, 5),
    ]
    assert posted_on(acme, date(2026, 1, 20)) == [(RECEIVABLES, "", 0, 40), (PostedTo.PAYMENTS, "cash", 40, 0)]
    assert posted_on(acme, JAN_31) == [
        (RECEIVABLES, "", 0, 11),
        (REVENUE, "4000", 6, 0),
        (REVENUE, "4100", 4, 0),
        (TAX, "Sales tax", 1, 0),
    ]
    assert posted_on(acme, FEB_10) == [(RECEIVABLES, "", 0, 1), (PostedTo.WRITE_OFFS, "", 1, 0)]
    assert posted_on(acme, MAR_10) == [(RECEIVABLES, "", 1, 0), (PostedTo.WRITE_OFFS, "", 0, 1)]


def test_a_tax_that_the_price_includes_is_no_revenue(acme, process):
    """33.00 with 10 % inside: 30.00 of revenue and 3.00 of tax."""
    TaxRateFactory(client=acme)
    ServiceFactory(client=acme, client_service_id="phone", tax_inclusive=True)
    bill(an_account(acme, a_plan(acme, {"phone": "33.00"})), process, JAN_10)
    assert posted_on(acme, JAN_10) == [(RECEIVABLES, "", 33, 0), (REVENUE, "4000", 0, 30), (TAX, "Sales tax", 0, 3)]


def test_each_day_balances_and_documents_agree_with_the_journal_by_gl_code(acme, process):
    TaxRateFactory(client=acme)
    account = an_account(acme, a_plan(acme, {"phone": "30.01", "tv": "19.97"}))
    yen = an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy")
    by = {"client": acme, "caller": process}
    invoice = bill(account, process, JAN_10)
    bill(yen, process, JAN_10)
    payment = pay(account, process, "54.98")
    pay(yen, process, "1100")
    rebilled(invoice, process, line(1, rate_per_unit="7.77"), today=FEB_10)
    add_cash_credit(account_no=yen.pk, amount=D(50), why=WHY, today=FEB_10, **by)
    refund_payment(transaction_id=payment.pk, amount=D("3.33"), why=WHY, today=MAR_10, **by)
    rows = daily_journal(acme, JAN_10, MAR_10)
    days = defaultdict(D)
    documents = defaultdict(D)
    for row in rows:
        days[row.day, row.currency] += row.amount
        if row.account in (REVENUE, TAX):
            documents[row.currency, row.account.value, row.code] += row.amount
    assert (len(days), set(days.values())) == (7, {D(0)})
    by_code = journal_by_gl_code(acme, JAN_10, MAR_10)
    assert dict(documents) == {
        (one.currency, one.account.value, one.code): one.amount for one in by_code if one.account.value != "receivables"
    }
    receivables = sum((row.amount for row in rows if row.account is RECEIVABLES and row.currency == "usd"), D(0))
    assert receivables == account.ledger.order_by("-entry_no")[0].balance_after
