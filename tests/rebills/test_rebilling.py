"""Rebilling an issued invoice: memo and rebill together, payments, numbers, dates, and what remains due."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Event, Service
from billing_site.common import storage
from billing_site.errors import BillingError
from invoices.kinds import EntryKind, SeriesKind
from invoices.models import CollectionAttempt, CreditUse, Invoice, NumberSeries, ServiceCredit
from invoices.services.collecting import starting
from invoices.services.money.ledger.entries import account_balance
from rebills.services.rebilling import rebill_invoices
from rebills.services.requests import RefusedRebill
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.credit_memos import with_coupons_and_credits
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.memos import taxes, totals
from tests.support.outcomes import code_of, error_of
from tests.support.paying import books, due, ledger, paying, unapplied
from tests.support.payments import pay, refused_as, rows
from tests.support.rebilling import a_request, amounts_of, line, lines_of, previewed, rebilled
from tests.support.rebilling_pending import used
from tests.support.service_credits import credit as given

pytestmark = pytest.mark.usefixtures("audited")

RATES = {"phone": "30.00", "tv": "20.00", "net": "50.00"}


@pytest.fixture
def taxed(acme):
    """Sales tax of 10 % in California."""
    return TaxRateFactory(client=acme)


@pytest.fixture
def invoice(acme, process, taxed):
    """100.00 and 10.00 of tax, not paid."""
    return bill(an_account(acme, a_plan(acme, RATES)), process, JAN_10)


@pytest.fixture
def halved(acme, process, invoice):
    """The invoice is rebilled: half a month of line 1, another rate of line 3, and line 2 is left out."""
    rebill = rebilled(invoice, process, line(1, units="0.5"), line(3, rate_per_unit="40"), comments="half a month")
    invoice.refresh_from_db()
    return rebill


def test_a_memo_offsets_the_original_to_the_cent(halved, invoice):
    assert totals(invoice) == (D(100), D(10), D(110))
    assert totals(halved.memo) == (D(-100), D(-10), D(-110))
    assert amounts_of(halved.memo) == [-amount for amount in amounts_of(invoice)]
    assert all(left == (0, 0) for left in taxes(invoice, halved.memo).values())


def test_a_rebill_has_the_lines_that_were_requested(halved):
    assert totals(halved) == (D(55), D("5.5"), D("60.5"))
    assert lines_of(halved) == [
        (1, D("0.5"), D(30), D(15), 1),
        (1, D(1), D(40), D(40), 3),
        (2, None, None, D("5.5"), None),
    ]


def test_a_rebill_and_its_memo_are_issued_and_name_their_original(halved, invoice):
    memo = halved.memo
    assert (invoice.status, memo.status, halved.status) == ("approved", "approved", "approved")
    assert (invoice.document_number, memo.document_number, halved.document_number) == ("INV-000001", "CM-000001", "RB-000001")
    assert (halved.corrects, memo.corrects, halved.chain_root, memo.chain_root) == (invoice, invoice, invoice, invoice)
    assert (halved.reason_code, halved.comments, memo.comments) == (1, "half a month", "half a month")
    assert (halved.bill_date, halved.tax_date, halved.invoice_date) == (JAN_10, JAN_10, JAN_31)


def test_a_rebill_takes_the_place_of_its_original_in_the_ledger(halved, invoice):
    assert ledger(invoice.account) == [
        (EntryKind.INVOICE, D(110), D(110)),
        (EntryKind.CREDIT_MEMO, D(-110), D(0)),
        (EntryKind.INVOICE, D("60.5"), D("60.5")),
    ]
    assert (due(invoice), due(halved)) == (0, D("60.5"))


def test_the_trail_tells_of_all_three(invoice, process):
    rebill = rebilled(invoice, process, 1)
    told = Event.objects.filter(invoice_no__in=[invoice.pk, rebill.pk, rebill.memo_id]).order_by("pk")
    assert [(event.act, event.invoice_no) for event in told] == [
        ("invoice.generated", invoice.pk),
        ("invoice.issued", invoice.pk),
        ("invoice.generated", rebill.pk),
        ("invoice.generated", rebill.memo_id),
        ("invoice.issued", rebill.memo_id),
        ("invoice.approved", rebill.pk),
        ("invoice.issued", rebill.pk),
        ("invoice.rebilled", invoice.pk),
    ]
    assert told.last().after == {
        "rebill": rebill.pk,
        "memo": rebill.memo_id,
        "difference": "-77.00",
        "reason_code": 1,
        "comments": "",
    }


@pytest.mark.parametrize(
    ("paid", "rate", "carried", "still_due", "credit"),
    [
        ("110.00", "50.00", "110.00", "0.00", "0.00"),  # nothing changes
        ("110.00", "60.00", "110.00", "11.00", "0.00"),  # dearer: the difference is due
        ("110.00", "40.00", "99.00", "0.00", "11.00"),  # cheaper: the difference is credit
        ("25.00", "40.00", "25.00", "74.00", "0.00"),  # paid in part
        ("150.00", "60.00", "110.00", "0.00", "29.00"),  # what was left of the payment is taken too
    ],
)
def test_what_was_paid_goes_to_the_rebill_first(acme, process, invoice, paid, rate, carried, still_due, credit):
    account = invoice.account
    pay(account, process, paid)
    before = account_balance(account)
    plan = previewed(a_request(invoice, 1, 2, line(3, rate_per_unit=rate)), acme)
    rebill = rebilled(invoice, process, 1, 2, line(3, rate_per_unit=rate), fingerprint=plan.fingerprint)
    assert plan.money.carried == D(carried)
    assert (due(invoice), due(rebill), unapplied(account)) == (0, D(still_due), D(credit))
    assert (plan.money.due, plan.money.balance_after) == (D(still_due), account_balance(account))
    assert account_balance(account) == before + rebill.total_amount - invoice.total_amount


def test_what_the_rebill_does_not_need_goes_to_the_oldest_open_invoice_then_stays_as_credit(acme, process, invoice):
    account = invoice.account
    february = bill(account, process, FEB_10)
    pay(account, process, "110.00")
    plan = previewed(a_request(invoice, 1), acme)
    rebill = rebilled(invoice, process, 1)
    assert (plan.money.carried, plan.money.to_other_invoices, plan.money.left_as_credit) == (D(33), D(77), 0)
    assert (due(rebill), due(february), unapplied(account)) == (0, D(33), 0)


def test_each_series_has_its_own_numbers_with_a_prefix_or_a_suffix(acme, process, invoice):
    NumberSeries.objects.create(client=acme, kind=SeriesKind.REBILL, prefix="", suffix="-R")
    first = rebilled(invoice, process, 1)
    second = rebilled(first, process, 1)
    assert (first.document_number, second.document_number) == ("000001-R", "000002-R")
    assert (first.memo.document_number, second.memo.document_number) == ("CM-000001", "CM-000002")
    assert bill(invoice.account, process, FEB_10).document_number == "INV-000002"


@pytest.mark.parametrize(("original", "expected"), [(True, date(2026, 1, 24)), (False, date(2026, 2, 14))])
def test_a_rebill_is_due_when_its_original_was_or_by_its_own_terms(acme, process, invoice, original, expected):
    acme.original_due_date_on_rebill = original
    acme.save()
    invoice.client.refresh_from_db()
    assert rebilled(invoice, process, 1).due_date == expected


@pytest.mark.parametrize(("kept", "expected"), [(True, date(2026, 1, 24)), (False, date(2026, 2, 14))])
def test_what_is_asked_for_counts_before_the_setting(acme, process, invoice, kept, expected):
    acme.original_due_date_on_rebill = not kept
    acme.save()
    invoice.client.refresh_from_db()
    assert rebilled(invoice, process, 1, keeps_due_date=kept).due_date == expected


def test_a_rebill_is_rebilled_and_an_original_only_once(acme, process, invoice):
    first = rebilled(invoice, process, 1, 2)
    before = rows()
    assert refused_as(rebilled, invoice, process, 1) == (90033, "invoice_no")
    assert rows() == before
    second = rebilled(first, process, line(1, rate_per_unit="10.00"))
    assert (second.corrects, second.chain_root, second.total_amount) == (first, invoice, D(11))
    assert (due(invoice), due(first), due(second)) == (0, 0, D(11))
    refused = Event.objects.get(act="rebill.refused")
    assert (refused.error_code, refused.invoice_no) == (90033, invoice.pk)


def test_lines_that_are_not_named_are_credited_and_not_charged_again(process, invoice):
    rebill = rebilled(invoice, process, 3)
    assert amounts_of(rebill) == [D(50), D(5)]


@pytest.mark.parametrize("by", ["setting", "request"])
def test_unlisted_lines_are_carried_where_that_is_asked_for(acme, process, invoice, by):
    acme.carry_unlisted_lines = by == "setting"
    acme.save()
    invoice.client.refresh_from_db()
    carry = {} if by == "setting" else {"carries_unlisted": True}
    rebill = rebilled(invoice, process, line(2, exclude=True), **carry)
    assert amounts_of(rebill) == [D(30), D(50), D(8)]


def test_a_request_says_exclude_where_the_setting_says_carry(acme, process, invoice):
    acme.carry_unlisted_lines = True
    acme.save()
    invoice.client.refresh_from_db()
    assert amounts_of(rebilled(invoice, process, 1, carries_unlisted=False)) == [D(30), D(3)]


def test_what_is_due_on_the_rebill_is_collected_where_that_is_asked_for(acme, process, taxed):
    account = paying(acme)
    invoice = bill(account, process, JAN_10)
    pay(account, process, "10.00")
    (outcome,) = rebill_invoices(
        client=acme,
        requests=[a_request(invoice, line(1, rate_per_unit="20.00"), collect=True)],
        caller=process,
        today=JAN_31,
    )
    assert (outcome.collection.result.value, outcome.collection.amount) == ("collected", D(12))
    assert books() == [D(12)]
    assert account_balance(account) == 0


@pytest.mark.parametrize(
    ("setting", "said", "collected"), [(True, None, 1), (True, False, 0), (False, None, 0), (False, True, 1)]
)
def test_what_a_call_says_counts_before_autocollect_on_rebill(acme, process, setting, said, collected):
    acme.collect_on_rebill = setting
    acme.save()
    account = paying(acme)
    rebilled(bill(account, process, JAN_10), process, 1, collect=said)
    assert len(books()) == collected


def test_a_collection_that_fails_leaves_the_rebill_issued_and_due_whatever_the_settings(acme, process):
    acme.void_on_collection_failure = True
    acme.save()
    account = paying(acme, "sandbox_declined")
    invoice = bill(account, process, JAN_10)
    rebill = rebilled(invoice, process, 1, collect=True)
    assert (rebill.status, due(rebill)) == ("approved", D(30))
    assert rebill.collection_attempts.get().status == "declined"


def test_a_collection_that_was_only_requested_is_stopped(acme, process, monkeypatch):
    """The process that was to make it died after the invoice was issued."""
    acme.collect_on_approval = True
    acme.save()
    monkeypatch.setattr("invoices.services.issuing.after_issue.collect_issued", lambda client, issued, caller, today: {})
    account = paying(acme)
    invoice = bill(account, process, JAN_10)
    monkeypatch.undo()
    assert invoice.collection_attempts.get().status == "requested"
    rebill = rebilled(invoice, process, line(1, rate_per_unit="5.00"), collect=True)
    attempt = CollectionAttempt.objects.get(invoice=invoice)
    assert (attempt.status, attempt.message) == ("not_made", "The invoice was rebilled.")
    assert books() == [D(5)]
    assert due(rebill) == 0


def test_service_credits_that_are_not_carried_go_back_to_the_account(acme, process):
    account = with_coupons_and_credits(acme)
    invoice = bill(account, process, JAN_10)
    credit = ServiceCredit.objects.get(account=account)
    credit_line = invoice.lines.get(line_type=3)
    assert used(credit) == D("7.77")
    charges = [one.line_no for one in invoice.lines.filter(line_type=1)]
    without = rebilled(invoice, process, *charges)
    assert used(credit) == 0
    assert CreditUse.objects.get(credit=credit).is_given_back
    assert without.lines.filter(line_type__in=[3, 4]).count() == 0
    assert credit_line.amount == D("-7.77")


def test_service_credits_that_are_carried_are_used_by_the_rebill(acme, process):
    account = with_coupons_and_credits(acme)
    invoice = bill(account, process, JAN_10)
    credit = ServiceCredit.objects.get(account=account)
    first = rebilled(invoice, process, carries_unlisted=True)
    assert (totals(first), amounts_of(first)) == (totals(invoice), amounts_of(invoice))
    assert (used(credit), CreditUse.objects.filter(credit=credit, is_given_back=False).get().invoice) == (D("7.77"), first)
    number = first.lines.get(line_type=3).line_no
    second = rebilled(first, process, line(number, amount="-2.00"), carries_unlisted=True)
    assert (used(credit), second.lines.get(line_type=3).amount) == (D(2), D(-2))


def test_an_invoice_that_a_credit_covers_whole_is_rebilled_by_documents_over_nothing(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "5.00"}))
    credit = given(account, "7.00")
    invoice = bill(account, process, JAN_10)
    rebill = rebilled(invoice, process, carries_unlisted=True)
    assert (totals(invoice), totals(rebill.memo), totals(rebill)) == ((0, 0, 0), (0, 0, 0), (0, 0, 0))
    assert amounts_of(rebill) == [D(5), D(-5)]
    assert ledger(account) == [(EntryKind.INVOICE, 0, 0), (EntryKind.CREDIT_MEMO, 0, 0), (EntryKind.INVOICE, 0, 0)]
    assert used(credit) == D(5)


def test_the_text_of_a_tax_line_that_prices_contain_is_as_on_the_original(acme, process, taxed):
    plan = a_plan(acme, {"phone": "11.00"})
    Service.objects.filter(client=acme).update(tax_inclusive=True)
    invoice = bill(an_account(acme, plan), process, JAN_10)
    rebill = rebilled(invoice, process, 1)
    assert invoice.lines.get(line_type=2).description == "Sales tax 10 % (US-CA), 1.00 included in prices"
    assert rebill.lines.get(line_type=2).description == "Sales tax 10 % (US-CA), 1.00 included in prices"


def test_later_generation_never_charges_what_a_rebill_left_out(acme, process, invoice):
    account = invoice.account
    rebilled(invoice, process, 1)
    before = (account.next_bill_date, account.last_bill_date)
    account.refresh_from_db()
    assert (account.next_bill_date, account.last_bill_date) == before
    assert amounts_of(bill(account, process, FEB_10)) == [D(30), D(20), D(50), D(10)]


def test_a_pending_invoice_of_the_account_does_not_block_a_rebill(process, invoice):
    pending = bill(invoice.account, process, FEB_10, force_pending=True)
    assert (pending.status, rebilled(invoice, process, 1).status) == ("pending", "approved")


def test_many_are_rebilled_at_once_and_a_refusal_stops_no_other(acme, process, taxed):
    invoices = [bill(an_account(acme, a_plan(acme, RATES)), process, JAN_10) for _ in range(4)]
    rebilled(invoices[1], process, 1)
    requests = [a_request(one, 1) for one in invoices]
    requests[2] = a_request(invoices[2], 1, line(1, units="2"))
    outcomes = rebill_invoices(client=acme, requests=requests, caller=process, today=JAN_31)
    assert [code_of(one) for one in outcomes] == [0, 90033, 1016, 0]
    assert [Invoice.objects.get(pk=outcomes[place].rebill_no).total_amount for place in (0, 3)] == [D(33), D(33)]
    assert [isinstance(one, RefusedRebill) for one in outcomes] == [False, True, True, False]


def test_two_invoices_of_one_account_are_rebilled_in_one_batch_each_on_what_the_first_has_left(acme, process, taxed):
    account = an_account(acme, a_plan(acme, RATES))
    january, february = bill(account, process, JAN_10), bill(account, process, FEB_10)
    pay(account, process, "110.00")
    outcomes = rebill_invoices(
        client=acme, requests=[a_request(january, 1), a_request(february, 1)], caller=process, today=date(2026, 2, 11)
    )
    assert [error_of(one) for one in outcomes] == [None, None]
    # Of 110.00, 33.00 pay the first rebill and 77.00 went to February; of these 33.00 pay its rebill, and 44.00 are credit.
    assert (account_balance(account), unapplied(account)) == (D(-44), D(44))
    assert [due(Invoice.objects.get(pk=one.rebill_no)) for one in outcomes] == [0, 0]


def test_an_invoice_that_is_named_twice_is_rebilled_once(acme, process, invoice):
    outcomes = rebill_invoices(
        client=acme, requests=[a_request(invoice, 1), a_request(invoice, 2)], caller=process, today=JAN_31
    )
    assert [code_of(one) for one in outcomes] == [0, 90033]


def test_a_batch_takes_a_constant_number_of_queries_whatever_its_size(acme, process, taxed, monkeypatch):
    """PostgreSQL gets a few rows together with other statements: here all batches are written as large ones are."""
    monkeypatch.setattr(storage, "FEW_ROWS", 0)
    plan = a_plan(acme, RATES)
    invoices = [bill(an_account(acme, plan), process, JAN_10) for _ in range(12)]
    counts = []
    rebilled(bill(an_account(acme, plan), process, JAN_10), process, 1)  # makes the series
    for some in (invoices[:2], invoices[2:]):
        with CaptureQueriesContext(connection) as captured:
            outcomes = rebill_invoices(
                client=acme, requests=[a_request(one, 1, 2) for one in some], caller=process, today=JAN_31
            )
        assert all(error_of(one) is None for one in outcomes)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_a_preview_takes_as_many_queries_for_forty_lines_as_for_one(acme, process, taxed):
    few = bill(an_account(acme, a_plan(acme, {"phone": "30.00"})), process, JAN_10)
    many = bill(an_account(acme, a_plan(acme, {f"s{n}": "1.00" for n in range(40)})), process, JAN_10)
    counts = []
    for invoice in (few, many):
        with CaptureQueriesContext(connection) as counted:
            previewed(a_request(invoice, line(1, rate_per_unit="2.00"), carries_unlisted=True), acme)
        counts.append(len(counted))
    assert counts[0] == counts[1]


def test_the_database_refuses_a_second_live_rebill(process, invoice):
    rebill = rebilled(invoice, process, 1)
    twin = Invoice.objects.get(pk=rebill.pk)
    twin.pk, twin.number, twin.document_number, twin.memo, twin.status = None, None, "", None, "pending"
    twin.invoice_date = twin.due_date = None
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save()


def test_nothing_is_written_where_the_tax_engine_fails(acme, process, invoice):
    acme.tax_engine = "failing"
    acme.save()
    invoice.client.refresh_from_db()
    before = rows()
    with pytest.raises(BillingError) as refused:
        rebilled(invoice, process, line(1, units="2"), retax=True)
    assert (refused.value.code.number, refused.value.third_party_errors[0]["error_class"]) == (90004, "taxation")
    assert rows() == before
    assert rebilled(invoice, process, 1, 2, 3).total_amount == D(110)  # nothing to ask: rates are kept


def test_starting_has_no_attempt_of_a_rebilled_invoice(acme, process):
    account = paying(acme)
    invoice = bill(account, process, JAN_10)
    rebilled(invoice, process, 1)
    work = starting.collecting(acme, process, JAN_31)
    with transaction.atomic():
        (started,) = starting.start([starting.CollectRequest(invoice.pk, account.pk)], work)
    assert (started.attempt, started.settled.result.value) == (None, "nothing_due")
