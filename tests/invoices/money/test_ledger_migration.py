"""The migration that enters into the ledger what was approved before there was one, and adds the common reasons."""

from datetime import timedelta
from decimal import Decimal as D
from importlib import import_module

import pytest
from django.apps import apps

from invoices.kinds import EntryKind, ReasonType
from invoices.models import Invoice, LedgerEntry, ReasonCode
from invoices.services.balances import account_balance
from invoices.services.pending import approve_invoices, discard_invoices
from tests.factories import TaxRateFactory
from tests.invoices.billing import FEB_10, JAN_31, MAR_10, bill
from tests.invoices.money.paying import billed, due, ledger, paying, unapplied
from tests.invoices.money.test_payments import pay

pytestmark = pytest.mark.usefixtures("audited")

migration = import_module("invoices.migrations.0005_documents_of_before_the_ledger")


def as_before_the_ledger():
    LedgerEntry.objects.all().delete()


def entries():
    """All that a row of the ledger says, but for its key."""
    fields = (
        "account_id",
        "entry_no",
        "kind",
        "amount",
        "balance_after",
        "invoice_id",
        "entry_date",
        "created_at",
        "created_by",
    )
    return list(LedgerEntry.objects.order_by("account_id", "entry_no").values_list(*fields))


def enter_documents():
    migration.enter_documents(apps, None)


def test_approved_invoices_enter_as_if_the_ledger_had_always_been_there(acme, process):
    TaxRateFactory(client=acme)
    account, _january = billed(acme, process)
    other, _invoice = billed(acme, process, rate="12.34")
    bill(account, process, FEB_10)
    bill(other, process, FEB_10)
    written = entries()
    as_before_the_ledger()
    enter_documents()
    assert [entry[:7] + entry[8:] for entry in entries()] == [entry[:7] + entry[8:] for entry in written]
    approved = Invoice.objects.order_by("account_id", "pk").values_list("approved_at", flat=True)
    assert [entry[7] for entry in entries()] == list(approved)
    assert ledger(account) == [(EntryKind.INVOICE, D(33), D(33)), (EntryKind.INVOICE, D(33), D(66))]
    assert account_balance(other) == D("27.14")  # Twice 12.34 and ten percent, rounded to 1.23.


def test_they_enter_in_the_order_of_their_approval_not_of_their_numbers(acme, process):
    account, january = billed(acme, process)
    february = bill(account, process, FEB_10)
    Invoice.objects.filter(pk=february.pk).update(approved_at=january.approved_at - timedelta(hours=1))
    as_before_the_ledger()
    enter_documents()
    assert list(LedgerEntry.objects.order_by("entry_no").values_list("invoice_id", flat=True)) == [february.pk, january.pk]
    assert ledger(account) == [(EntryKind.INVOICE, D(30), D(30)), (EntryKind.INVOICE, D(30), D(60))]


def test_what_was_never_issued_does_not_enter(umbra, process):
    _account, pending = billed(umbra, process)
    _other, discarded = billed(umbra, process)
    discard_invoices(client=umbra, invoice_nos=[discarded.pk], caller=process)
    _third, approved = billed(umbra, process)
    approve_invoices(client=umbra, invoice_nos=[approved.pk], caller=process, today=JAN_31)
    as_before_the_ledger()
    enter_documents()
    entry = LedgerEntry.objects.get()
    assert (entry.invoice_id, entry.entry_date, entry.created_by) == (approved.pk, JAN_31, "process:test")
    assert pending.status == "pending"


def test_an_invoice_of_zero_enters_too(acme, process):
    account = paying(acme, rate="0.00")
    bill(account, process, JAN_31)
    as_before_the_ledger()
    enter_documents()
    assert ledger(account) == [(EntryKind.INVOICE, D(0), D(0))]


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 6])
def test_an_account_whose_documents_lie_in_two_chunks_keeps_its_count_and_balance(acme, process, monkeypatch, at_once):
    accounts = [billed(acme, process)[0] for _ in range(2)]
    for account in accounts:
        bill(account, process, FEB_10)
        bill(account, process, MAR_10)
    as_before_the_ledger()
    monkeypatch.setattr(migration, "AT_ONCE", at_once)
    enter_documents()
    for account in accounts:
        assert [row[1:] for row in ledger(account)] == [(D(30), D(30)), (D(30), D(60)), (D(30), D(90))]


def test_without_documents_nothing_enters(acme):
    enter_documents()
    assert not LedgerEntry.objects.exists()


def test_what_has_entered_is_paid_like_any_other(acme, process):
    account, january = billed(acme, process)
    february = bill(account, process, FEB_10)
    as_before_the_ledger()
    enter_documents()
    pay(account, process, "70.00", today=FEB_10)
    assert (due(january), due(february), unapplied(account)) == (0, 0, D(10))
    assert due(bill(account, process, MAR_10)) == D(20)


def test_every_kind_of_act_has_common_reasons(db):
    assert {type: ReasonCode.objects.filter(client=None, type=type).count() for type in ReasonType} == {
        ReasonType.CASH_CREDIT: 4,
        ReasonType.CREDIT_MEMO: 5,
        ReasonType.WRITE_OFF: 4,
        ReasonType.DISPUTE: 3,
        ReasonType.REFUND: 4,
        ReasonType.REBILL: 9,
    }
    assert list(ReasonCode.objects.filter(type="refund").values_list("code", "name", "is_active")) == [
        (1, "Duplicate payment", True),
        (2, "Overpayment", True),
        (3, "Customer request", True),
        (4, "Cancelled service", True),
    ]
