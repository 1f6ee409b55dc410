"""The audits of rebills find planted damage, and nothing without damage."""

from decimal import Decimal as D

import pytest

from accounts.models import Event
from invoices.audit import run_audits
from invoices.models import (
    Allocation,
    CollectionAttempt,
    CouponUse,
    CreditUse,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    ServiceCredit,
    TaxDetail,
)
from tests.support.audits import names
from tests.support.billing import JAN_10, bill
from tests.support.credit_memos import with_coupons_and_credits
from tests.support.payments import pay
from tests.support.rebilling import rebilled


@pytest.fixture
def chain(acme, process):
    """Create a paid invoice with coupons and a service credit, its rebill, the rebill of that, and a pending one."""
    account = with_coupons_and_credits(acme)
    invoice = bill(account, process, JAN_10)
    pay(account, process, "10.00")
    first = rebilled(invoice, process, carries_unlisted=True)
    second = rebilled(first, process, 1)
    acme.rebill_approval_required = True
    acme.save()
    second.client.refresh_from_db()
    rebilled(second, process, 1)
    assert findings() == {}
    return invoice, first, second


def findings():
    return {report.name: report.findings for report in run_audits() if report.findings}


def test_every_row_of_a_chain_is_counted(chain):
    rows = {report.name: report.rows for report in run_audits()}
    lines = InvoiceLine.objects.filter(invoice__kind="credit_memo").count()
    taxes = TaxDetail.objects.filter(invoice__kind="credit_memo").count()
    # Two issued rebills, each counted twice with its corrections in one table; lines and taxes of their memos.
    assert rows[names.PAID_ORIGINALS] == 2
    uses = CreditUse.objects.count() + CouponUse.objects.count()
    assert rows[names.REBILLED] == CollectionAttempt.objects.count() + uses == 6
    assert rows[names.REBILLS] >= lines + taxes


def test_a_memo_line_that_is_not_the_negative(chain):
    memo = chain[1].memo
    InvoiceLine.objects.filter(invoice=memo, line_no=1).update(amount=D("-29.99"))
    assert (
        findings()[names.REBILLS]
        == [f"document {memo.pk}: line 1 of -29.9900 is not the negative of that of the document that it offsets"]
        or "line 1 of -29.99" in findings()[names.REBILLS][0]
    )


def test_a_memo_tax_that_is_not_the_negative(chain):
    memo = chain[1].memo
    tax = TaxDetail.objects.filter(invoice=memo).first()
    TaxDetail.objects.filter(pk=tax.pk).update(amount=tax.amount - 1)
    (finding,) = findings()[names.REBILLS]
    assert finding.startswith(f"document {memo.pk}: the tax of line {tax.tax_line_no} on line {tax.taxed_line_no}")


def test_a_memo_of_another_amount_or_of_another_document(chain):
    invoice, first, second = chain
    Invoice.objects.filter(pk=first.memo_id).update(total_amount=D(-1))
    assert any(f"rebill {first.pk} of invoice {invoice.pk}" in one for one in findings()[names.REBILLS])
    Invoice.objects.filter(pk=second.memo_id).update(corrects=invoice)
    assert any(f"rebill {second.pk} of invoice {first.pk}" in one for one in findings()[names.REBILLS])


def test_a_document_in_another_chain(chain):
    invoice, first, second = chain
    Invoice.objects.filter(pk=second.pk).update(chain_root=first)
    assert f"document {second.pk}: corrects {first.pk}, but is in the chain of {first.pk}" in findings()[names.REBILLS]


def test_a_rebill_that_the_trail_does_not_tell_of(chain):
    invoice, first, _ = chain
    Event.objects.filter(act="invoice.rebilled", invoice_no=invoice.pk).delete()
    assert findings()[names.REBILLS] == [
        f"rebill {first.pk}: the audit trail has no event that it replaced invoice {invoice.pk}"
    ]


def test_an_open_collection_of_what_was_rebilled(chain):
    invoice, *_ = chain
    CollectionAttempt.objects.create(
        invoice=invoice,
        attempt_no=1,
        status="requested",
        at_issue=True,
        idempotency_key="k",
        currency="usd",
        requested_by="test",
        requested_on=JAN_10,
        requested_at=invoice.approved_at,
    )
    assert findings()[names.REBILLED] == [f"invoice {invoice.pk}: was rebilled, but attempt 1 is requested"]


@pytest.mark.parametrize("given_back", [True, False])
def test_a_service_credit_that_is_given_back_wrongly(chain, given_back):
    credit = ServiceCredit.objects.get()
    CreditUse.objects.create(
        invoice=chain[2] if given_back else chain[0],
        credit=credit_of(chain[0]),
        line_no=1,
        amount=D(1),
        is_given_back=given_back,
    )
    assert names.REBILLED in findings()
    assert credit.amount == D("7.77")


@pytest.mark.parametrize("given_back", [True, False])
def test_a_coupon_that_is_given_back_wrongly(chain, given_back):
    if given_back:
        redemption = CouponUse.objects.filter(invoice=chain[0])[0].redemption
        CouponUse.objects.create(invoice=chain[2], redemption=redemption, line_no=1, is_given_back=True)
    else:
        CouponUse.objects.filter(invoice=chain[0]).update(is_given_back=False)
    assert any("its use of coupon redemption" in found for found in findings()[names.REBILLED])


def credit_of(invoice):
    return ServiceCredit.objects.create(account=invoice.account, amount=D(5), reason="Another")


def test_a_payment_that_stays_on_what_was_rebilled(chain):
    invoice, *_ = chain
    payment = LedgerEntry.objects.get(kind="payment")
    debit = LedgerEntry.objects.get(invoice=invoice, kind="invoice")
    Allocation.objects.create(
        credit=payment, debit=debit, kind="applied", amount=D(2), day=invoice.invoice_date, created_at=invoice.approved_at
    )
    assert findings()[names.PAID_ORIGINALS] == [
        f"invoice {invoice.pk}: was rebilled, but 2 of payments and credits still pay it"
    ]


def test_a_due_date_that_is_neither_the_originals_nor_by_its_terms(chain):
    first = chain[1]
    Invoice.objects.filter(pk=first.pk).update(due_date=first.due_date.replace(year=2031))
    assert [one for one in findings()[names.DUE_DATES] if f"invoice {first.pk}" in one]


def test_a_service_credit_line_without_its_use(chain):
    first = chain[1]
    CreditUse.objects.filter(invoice=first).delete()
    number = first.lines.get(line_type=3).line_no
    assert [one for one in findings()[names.USES] if f"line {number} shows 0 uses" in one]
