"""Reports for finance: literal amounts by day, rate, code and reason; voids and memos in their own period."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.callers import Caller
from accounts.models import Account, Client, Contact, Service
from invoices.models import LedgerEntry
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.lists.dashboard import Flow, months
from invoices.services.lists.reports.failed import failed_collections
from invoices.services.lists.reports.flows import amount_in_flow, transactions_of
from invoices.services.lists.reports.journal import JournalAccount, journal_by_gl_code, journal_rows
from invoices.services.lists.reports.taxes import tax_by_rate
from invoices.services.money.ledger.acts import Why
from rebills.services.undoing import undo_rebill
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.credit_memos import net_and_gross
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.memos import memo_of, void
from tests.support.paying import billed
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")
PROCESS = Caller(process="test")
JANUARY, FEBRUARY = (date(2026, 1, 1), JAN_31), (date(2026, 2, 1), date(2026, 2, 28))
RECEIVABLES, REVENUE, TAX = JournalAccount


def taxed(client, percent="10", rate="100.00"):
    TaxRateFactory(client=client, percent=D(percent), name="VAT", region="")
    return an_account(client, a_plan(client, {"phone": rate}))


def taxes(client, period):
    return [(one.authority, one.percent, one.documents, one.taxable, one.tax) for one in tax_by_rate(client, *period)]


def test_tax_is_added_up_by_rate_and_memos_and_voids_count_on_their_own_day(acme, umbra):
    account = taxed(acme)
    first = bill(account, PROCESS, JAN_10)
    second = bill(taxed_again(acme), PROCESS, JAN_10)
    bill(taxed(umbra, percent="7"), PROCESS, JAN_10, force_pending=True)
    memo_of(first, PROCESS, amount="20.00", today=FEB_10)
    void(second, PROCESS, today=FEB_10)
    assert taxes(acme, JANUARY) == [("VAT", 10, 2, D(200), D(20))]
    # 20.00 before tax and 2.00 tax are credited; the second invoice is taken back.
    assert taxes(acme, FEBRUARY) == [("VAT", 10, 2, D(-120), D(-12))]
    assert taxes(acme, (JANUARY[0], FEBRUARY[1])) == [("VAT", 10, 4, D(80), D(8))]
    assert taxes(umbra, JANUARY) == []  # it is pending


def taxed_again(client):
    return an_account(client, a_plan(client, {"phone": "100.00"}))


def test_a_rebill_and_its_memo_leave_the_tax_of_the_new_amount(acme):
    invoice = bill(taxed(acme), PROCESS, JAN_10)
    rebilled(invoice, PROCESS, line(1, rate_per_unit="60.00"), today=FEB_10)
    assert taxes(acme, FEBRUARY) == [("VAT", 10, 2, D(-40), D(-4))]


def untaxed(client, period):
    """Return the category, number of documents and amount of lines without tax."""
    rows = [one for one in tax_by_rate(client, *period) if not one.authority]
    assert {(one.jurisdiction, one.percent, one.tax) for one in rows} <= {("", D(0), D(0))}
    return [(one.vat_category, one.documents, one.taxable) for one in rows]


def test_lines_without_tax_are_in_the_report_by_category(acme):
    """A reverse charge, an exempt service beside a taxed one, a zero rate, and a place without any rate."""
    taxed(acme)
    exempt = taxed_again(acme)
    Account.objects.filter(pk=exempt.pk).update(tax_exemption="reverse_charge")
    bill(exempt, PROCESS, JAN_10)
    bill(an_account(acme, a_plan(acme, {"phone": "100.00", "course": "40.00", "book": "8.00"})), PROCESS, JAN_10)
    Service.objects.filter(client_service_id="course").update(tax_category="exempt")
    Service.objects.filter(client_service_id="book").update(tax_category="zero")
    mixed = an_account(acme, a_plan(acme, {"phone": "100.00", "course": "40.00", "book": "8.00"}))
    bill(mixed, PROCESS, JAN_10)
    nowhere = taxed_again(acme)
    Contact.objects.filter(account=nowhere).update(country="FR", region="")
    Client.objects.update(missing_tax_data="allow")
    bill(nowhere, PROCESS, JAN_10)
    assert untaxed(acme, JANUARY) == [("AE", 1, D(100)), ("E", 1, D(40)), ("O", 1, D(100)), ("Z", 1, D(8))]
    assert taxes(acme, JANUARY)[-1] == ("VAT", 10, 2, D(248), D("24.80"))


def test_lines_without_tax_are_counted_less_coupons_in_memos_rebills_reversals_and_voids(acme):
    """100.00 less 10 percent: 90.00. A memo of 20.00, a rebill at 60.00, and the rebill undone."""
    plan = a_plan(acme, {"phone": "100.00"})
    accounts = [an_account(acme, plan) for _ in range(3)]
    Account.objects.update(tax_exemption="export")
    a_coupon(acme)
    for account in accounts:
        redeem(account)
    first, second, third = (bill(account, PROCESS, JAN_10) for account in accounts)
    assert untaxed(acme, JANUARY) == [("G", 3, D(270))]
    memo_of(first, PROCESS, amount="20.00", today=FEB_10)
    assert untaxed(acme, FEBRUARY) == [("G", 1, D(-20))]
    void(second, PROCESS, today=FEB_10)
    assert untaxed(acme, FEBRUARY) == [("G", 2, D(-110))]
    rebill = rebilled(third, PROCESS, line(1, rate_per_unit="60.00"), carries_unlisted=True, today=FEB_10)
    assert (rebill.memo.net_amount, rebill.net_amount) == (D(-90), D(54))
    assert untaxed(acme, FEBRUARY) == [("G", 4, D(-146))]
    undo_rebill(client=acme, rebill_no=rebill.pk, caller=PROCESS, today=FEB_10, why=Why(1))
    assert untaxed(acme, FEBRUARY) == [("G", 6, D(-110))]


def test_currencies_and_places_are_apart(acme):
    account = taxed(acme)
    yen = an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy")
    bill(account, PROCESS, JAN_10)
    bill(yen, PROCESS, JAN_10)
    assert [(one.currency, one.taxable, one.tax) for one in tax_by_rate(acme, *JANUARY)] == [
        ("jpy", D(1000), D(100)),
        ("usd", D(100), D(10)),
    ]


def test_the_journal_balances_and_takes_included_tax_from_revenue(acme):
    """Phone 30.00 plus taxes; TV 9.99 with its taxes included. Two taxes of 3 and 7.25 percent."""
    account = net_and_gross(acme)
    Service.objects.filter(client_service_id="phone").update(gl_code="4000")
    Service.objects.filter(client_service_id="tv").update(gl_code="4100")
    invoice = bill(account, PROCESS, JAN_10)
    found = journal_by_gl_code(acme, *JANUARY)
    sums = {(one.account, one.code): one.amount for one in found}
    assert sums[RECEIVABLES, ""] == invoice.total_amount
    assert sums[REVENUE, "4000"] == D("-30.00")
    # 9.99 / 1.1025 = 9.0612
    assert sums[REVENUE, "4100"] == D("-9.06")
    assert sum(one.amount for one in found) == 0
    assert sum(amount for (account, _), amount in sums.items() if account is TAX) == -invoice.tax_amount
    lines = [row for chunk in journal_rows(acme, *JANUARY) for row in chunk]
    assert sum(row.amount for row in lines if row.line.gl_code == "4100" and row.line.line_type != 2) == D("-9.06")
    void(invoice, PROCESS, today=FEB_10)
    taken_back = journal_by_gl_code(acme, *FEBRUARY)
    assert {(one.account, one.code): -one.amount for one in taken_back} == sums
    assert journal_by_gl_code(acme, JANUARY[0], FEBRUARY[1]) == []
    rows = [row for chunk in journal_rows(acme, *FEBRUARY) for row in chunk]
    assert {(row.is_void, row.day) for row in rows} == {(True, FEB_10)}


def test_the_transactions_behind_a_month_add_up_to_its_figure(acme, umbra, alice):
    account, invoice = billed(acme, PROCESS, rate="90.00")
    payment = pay(account, PROCESS, "50.00")
    memo_of(invoice, PROCESS, amount="15.00", today=JAN_31)
    voided = bill(taxed_again(acme), PROCESS, JAN_10)
    void(voided, PROCESS, today=JAN_31)
    pay(an_account(umbra), PROCESS, "7.00")
    (january,) = [month for month in months(acme, JAN_31)["usd"] if month.first == JANUARY[0]]
    assert january[1:] == (D(90), D(50), D(15))
    for flow, amount, count in ((Flow.INVOICED, 90, 3), (Flow.COLLECTED, 50, 1), (Flow.CREDITED, 15, 1)):
        rows = transactions_of(acme, flow, *JANUARY).select_related("voids")
        assert (sum(map(amount_in_flow, rows)), len(rows)) == (amount, count), flow
    assert transactions_of(acme, Flow.COLLECTED, *JANUARY).get().pk == payment.pk
    assert transactions_of(acme, None, *JANUARY).count() == LedgerEntry.objects.filter(account__client=acme).count()


def test_failed_collections_are_counted_by_reason_while_they_are_open(acme, umbra):
    declined = [billed(acme, PROCESS, "sandbox_declined", rate) for rate in ("30.00", "12.00", "99.00")]
    unknown = billed(acme, PROCESS, "sandbox_timeout_before", "5.00")
    for account, invoice in (*declined, unknown, billed(umbra, PROCESS, "sandbox_declined")):
        collect_invoices(client=account.client, invoice_nos=[invoice.pk] if invoice else [], caller=PROCESS, today=JAN_31)
    pay(declined[2][0], PROCESS, "99.00")
    found = [(one.currency, one.status, one.method, one.invoices, one.open_amount) for one in failed_collections(acme)]
    assert found == [("usd", "declined", "card", 2, D(42)), ("usd", "unknown", "card", 1, D(5))]
    assert failed_collections(acme)[0].text == "The card was declined"
