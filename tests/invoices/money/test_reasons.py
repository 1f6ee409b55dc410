"""Reason codes: a list for each kind of act, common to all clients, and what each has made of it for itself."""

from decimal import Decimal as D

import pytest
from django.db import IntegrityError, transaction

from invoices.kinds import EntryKind, ReasonType, VoidReason
from invoices.models import ReasonCode
from invoices.services.credit_memos import create_credit_memo
from invoices.services.ledger.acts import Why, check_reason
from invoices.services.ledger.payments import add_cash_credit
from invoices.services.ledger.refunds import refund_payment
from invoices.services.ledger.voids import void_transaction
from invoices.services.ledger.write_offs import write_off
from invoices.services.voiding import void_invoice
from tests.invoices.billing import JAN_31
from tests.invoices.money.memos import ALL
from tests.invoices.money.paying import billed
from tests.invoices.money.test_payments import pay, refused_as, rows
from tests.rebills.rebilling import rebilled

pytestmark = pytest.mark.usefixtures("audited")


def acts(account, invoice, payment, caller, why):
    """Every act that asks for a reason of its own list, and that list."""
    given = {"client": account.client, "caller": caller, "today": JAN_31, "why": why}
    return {
        ReasonType.CASH_CREDIT: lambda: add_cash_credit(account_no=account.pk, amount=D(1), **given),
        ReasonType.CREDIT_MEMO: lambda: create_credit_memo(invoice_no=invoice.pk, asked=ALL, **given),
        ReasonType.WRITE_OFF: lambda: write_off(invoice_no=invoice.pk, amount=D(1), **given),
        ReasonType.DISPUTE: lambda: write_off(invoice_no=invoice.pk, amount=D(1), kind=EntryKind.DISPUTE, **given),
        ReasonType.REFUND: lambda: refund_payment(transaction_id=payment.pk, amount=D(1), **given),
        ReasonType.REBILL: lambda: rebilled(invoice, caller, 1, reason_code=why.reason_code),
    }


@pytest.mark.parametrize("type", list(ReasonType))
@pytest.mark.parametrize("code", [0, -1, 9999, 99999999])
def test_an_unknown_code_is_refused_by_every_act(acme, process, type, code):
    account, invoice = billed(acme, process)
    payment = pay(account, process, "5.00")
    before = rows()
    assert refused_as(acts(account, invoice, payment, process, Why(code, "so"))[type]) == (3024, "reason_code")
    assert rows() == before


@pytest.mark.parametrize("type", list(ReasonType))
def test_a_code_of_another_list_is_refused(acme, process, type):
    account, invoice = billed(acme, process)
    payment = pay(account, process, "5.00")
    others = set(ReasonType) - {type}
    for other in others:
        ReasonCode.objects.create(client=acme, type=other, code=77, name="Of another list")
    assert refused_as(acts(account, invoice, payment, process, Why(77, "so"))[type]) == (3024, "reason_code")


@pytest.mark.parametrize("type", list(ReasonType))
def test_a_clients_own_reason_can_be_given_by_it_and_by_no_other(acme, umbra, process, type):
    account, invoice = billed(acme, process)
    payment = pay(account, process, "5.00")
    mine = ReasonCode.objects.create(client=umbra, type=type, code=77, name="Of the house")
    act = acts(account, invoice, payment, process, Why(77, "so"))[type]
    assert refused_as(act) == (3024, "reason_code")
    ReasonCode.objects.filter(pk=mine.pk).update(client=acme)
    before = rows()
    act()
    assert rows() != before


def test_a_clients_own_row_stands_in_place_of_the_common_one(acme, umbra, process):
    """One that may not be given takes the common reason away from this client, and from nobody else."""
    account, invoice = billed(acme, process)
    own = ReasonCode.objects.create(client=acme, type="write_off", code=1, name="Never", is_active=False)
    given = {"client": acme, "invoice_no": invoice.pk, "caller": process, "today": JAN_31, "amount": D(1), "why": Why(1, "so")}
    assert refused_as(write_off, **given) == (3024, "reason_code")
    check_reason(umbra, ReasonType.WRITE_OFF, Why(1))
    own.is_active = True
    own.save()
    assert write_off(**given).reason_code == 1


def test_an_own_row_brings_back_a_common_reason_that_is_not_active(acme, process):
    ReasonCode.objects.filter(client=None, type="cash_credit", code=4).update(is_active=False)
    account, _invoice = billed(acme, process)
    given = {"client": acme, "account_no": account.pk, "caller": process, "today": JAN_31, "amount": D(1), "why": Why(4)}
    assert refused_as(add_cash_credit, **given) == (3024, "reason_code")
    ReasonCode.objects.create(client=acme, type="cash_credit", code=4, name="Spring promotion")
    assert add_cash_credit(**given).amount == D(-1)


def test_a_reason_that_is_no_longer_given_stays_on_what_has_it(acme, process):
    account, _invoice = billed(acme, process)
    given = {"client": acme, "account_no": account.pk, "caller": process, "today": JAN_31, "amount": D(1), "why": Why(2)}
    entry = add_cash_credit(**given)
    ReasonCode.objects.filter(type="cash_credit", code=2).update(is_active=False)
    entry.refresh_from_db()
    assert entry.reason_code == 2
    assert refused_as(add_cash_credit, **given) == (3024, "reason_code")


@pytest.mark.parametrize("code", [0, 13, -1, 99])
def test_a_void_has_arias_reasons_and_no_others(acme, process, code):
    account, invoice = billed(acme, process)
    payment = pay(account, process, "5.00")
    before = rows()
    given = {"client": acme, "caller": process, "today": JAN_31, "reason_code": code}
    assert refused_as(void_invoice, invoice_no=invoice.pk, **given) == (3024, "reason_code")
    assert refused_as(void_transaction, transaction_id=payment.pk, **given) == (3024, "reason_code")
    assert (rows(), len(VoidReason)) == (before, 12)


def test_the_database_keeps_one_row_for_each_code_of_a_list(acme):
    ReasonCode.objects.create(client=acme, type="refund", code=1, name="Own")
    for client in (acme, None):
        with pytest.raises(IntegrityError), transaction.atomic():
            ReasonCode.objects.create(client=client, type="refund", code=1, name="Twice")
