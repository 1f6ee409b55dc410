"""Credit memos in tests: create and void them, and add documents up."""

from decimal import Decimal as D

from invoices.kinds import VoidReason
from invoices.models import TaxDetail
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import JAN_31
from tests.support.paying import WHY

ALL = CreditRequest(everything=True)


def memo_of(invoice, caller, lines=None, amount=None, *, why=WHY, today=JAN_31):
    credit = CreditRequest(
        {number: None if part is None else D(part) for number, part in (lines or {}).items()},
        None if amount is None else D(amount),
        everything=lines is None and amount is None,
    )
    return create_credit_memo(client=invoice.client, invoice_no=invoice.pk, caller=caller, today=today, why=why, credit=credit)


def void(document, caller, today=JAN_31):
    reason = VoidReason.ERRONEOUS_ENTRY.value
    return void_invoice(client=document.client, invoice_no=document.pk, caller=caller, today=today, reason_code=reason)


def totals(document):
    return document.net_amount, document.tax_amount, document.total_amount


def credited(memo):
    """Return the number and credited amount of each line."""
    return list(memo.lines.values_list("source_line_no", "amount"))


def taxes(*documents):
    """Return the sums of taxable amounts and taxes of all documents, by tax and taxed line of the first."""
    sums = {}
    for document in documents:
        source = dict(document.lines.values_list("line_no", "source_line_no"))
        for tax in TaxDetail.objects.filter(invoice=document):
            names = tuple(source[no] or no for no in (tax.tax_line_no, tax.taxed_line_no))
            taxable, amount = sums.get(names, (D(0), D(0)))
            sums[names] = (taxable + tax.taxable_amount, amount + tax.amount)
    return sums


def exactly_undone(invoice, *memos):
    """Check that nothing is left of an invoice: totals, charges after coupons and credits, and each tax."""
    assert [sum(amounts) for amounts in zip(totals(invoice), *(totals(memo) for memo in memos), strict=True)] == [0, 0, 0]
    assert all(left == (0, 0) for left in taxes(invoice, *memos).values())
    by_line = {line.line_no: line.amount for line in invoice.lines.all()}
    for detail in invoice.credit_details.all():
        by_line[detail.credited_line_no] -= detail.amount
        by_line[detail.credit_line_no] += detail.amount
    for memo in memos:
        assert memo.lines.exclude(source_line_no=None).count() == memo.lines.count()
        assert sum(line.amount for line in memo.lines.all()) == memo.total_amount
        for number, amount in credited(memo):
            by_line[number] += amount
    assert set(by_line.values()) == {0}
