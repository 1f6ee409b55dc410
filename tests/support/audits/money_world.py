"""A client whose account has payments, credits and corrections of every kind, for audits of money."""

from datetime import date
from decimal import Decimal as D
from types import SimpleNamespace

from accounts.callers import Caller
from accounts.models import PaymentMethod
from invoices.kinds import EntryKind, PaymentType
from invoices.models import CollectionAttempt
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import add_cash_credit, record_external_payment
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.undoing.voiding import void_invoice
from tests.support.factories import ClientFactory, TaxRateFactory, a_plan, an_account

DAYS = [date(2026, month, 10) for month in (1, 2, 3, 4, 5)]
CALLER = Caller(process="test")
WHY = Why(1, "as agreed")


def build_money_world():
    """Create five months of 30.00 and 3.00 tax.

    January is paid by cheque and partly refunded. February is collected. March is credited by a third of its line, partly
    written off and disputed. April is declined. May is voided.
    """
    bank = ClientFactory(name="Bank Street")
    TaxRateFactory(client=bank)
    payer, other = (an_account(bank, a_plan(bank), client_acct_id=name) for name in ("B-payer", "B-other"))
    by = {"client": bank, "caller": CALLER, "today": DAYS[-1]}
    january, february, march, april, may = (_bill(payer, day) for day in DAYS)
    other_january = _bill(other, DAYS[0])
    cheque = record_external_payment(
        account_no=payer.pk, amount=D(40), type=PaymentType.CHECK, reference="77", invoices={january: D(33)}, **by
    )
    refund = refund_payment(transaction_id=cheque.pk, amount=D(10), why=WHY, **by)
    PaymentMethod.objects.create(account=payer, type="card", token="sandbox_approved")
    (collected,) = collect_invoices(invoice_nos=[february], **by)
    memo = create_credit_memo(invoice_no=march, why=WHY, credit=CreditRequest(lines={1: D(10)}), **by)
    off = write_off(invoice_no=march, amount=D(2), why=WHY, **by)
    dispute = write_off(invoice_no=march, amount=D(3), why=WHY, kind=EntryKind.DISPUTE, **by)
    credit = add_cash_credit(account_no=other.pk, amount=D(5), why=WHY, **by)
    wrong = add_cash_credit(account_no=other.pk, amount=D(1), why=WHY, **by)
    void = void_transaction(transaction_id=wrong.pk, reason_code=8, **by)
    PaymentMethod.objects.create(account=payer, type="card", token="sandbox_declined")
    collect_invoices(invoice_nos=[april], **by)
    void_invoice(invoice_no=may, reason_code=5, **by)
    return SimpleNamespace(
        bank=bank.pk,
        payer=payer.pk,
        other=other.pk,
        january=january,
        february=february,
        march=march,
        april=april,
        may=may,
        other_january=other_january,
        cheque=cheque.pk,
        refund=refund.pk,
        collected=collected.attempt.payment_id,
        attempt=CollectionAttempt.objects.get(invoice=february).pk,
        declined=CollectionAttempt.objects.get(invoice=april).pk,
        memo=memo.pk,
        off=off.pk,
        dispute=dispute.pk,
        credit=credit.pk,
        wrong=wrong.pk,
        void=void.pk,
    )


def _bill(account, day):
    return generate_invoice(client=account.client, account_no=account.pk, request=BillingRequest(day), caller=CALLER)
