"""The rows that the examples of the API's description refer to, by the numbers of the examples."""

from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import PaymentMethod, PlanInstance, ServiceLocation
from billing_site.examples import DRY_RUN, NOT_BILLED, PAUSED_RUN, PLANNED_RUN, ROWS, RUNNING_RUN
from invoices.kinds import EntryKind, ScheduledAct
from invoices.models import Coupon, CouponRedemption, OneTimeCharge, ReasonCode, RequestedAct, ServiceCredit, Surcharge
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import add_cash_credit, record_external_payment
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.runs.filters import AccountFilter, save_filter
from invoices.services.runs.runs import continue_run, pause_run, plan_run, start_run
from invoices.services.work.schedules import set_schedule
from tests.support.billing import FEB_10, JAN_10, USAGE, bill
from tests.support.calling import RIGHTS
from tests.support.factories import (
    BY_TEST,
    ClientFactory,
    TaxRateFactory,
    a_charge,
    a_plan,
    an_account,
    an_instance,
    some_usage,
)
from tests.support.rebilling import rebilled


@contextmanager
def kept_for_a_module(unblocked):
    """Keep what the block writes for all tests of a module. Each test may roll back its own changes."""
    with unblocked:
        whole = transaction.atomic()
        whole._from_testcase = True
        with whole:
            yield
            transaction.set_rollback(True)


def described_world():
    """Create the client, a key with all rights, and the rows by their numbers in the examples."""
    client, caller = ClientFactory(), Caller(process="test")
    auth_key = create_key(client, name="program", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    tax_rate = TaxRateFactory(client=client)
    plan = a_plan(client, {"phone": "30.00", "tv": "20.00"})
    a_charge(plan, "calls", "0.10", USAGE)
    accounts = [an_account(client, plan) for _ in range(5)]
    billed, due, waiting, card, busy = accounts
    for account in accounts:
        account.contacts.update(email="ada@example.com")
    by, why = {"client": client, "caller": caller, "today": JAN_10}, Why(1, "as agreed")
    issued, collectable = bill(billed, caller, JAN_10), bill(card, caller, JAN_10)
    pending = bill(waiting, caller, JAN_10, force_pending=True)
    method = PaymentMethod.objects.create(account=card, type="card", token="sandbox_approved")
    wrong = bill(an_account(client, plan, contact=True), caller, JAN_10)
    wrong.account.contacts.update(email="ada@example.com")
    rebill = rebilled(wrong, caller, 1)
    bill(busy, caller, JAN_10)
    invoice = bill(busy, caller, FEB_10)
    memo = create_credit_memo(invoice_no=invoice.pk, why=why, credit=CreditRequest(amount=Decimal(3)), **by)
    off, disputed = (
        write_off(invoice_no=invoice.pk, amount=Decimal(1), why=why, kind=kind, **by)
        for kind in (EntryKind.WRITE_OFF, EntryKind.DISPUTE)
    )
    credit = add_cash_credit(account_no=busy.pk, amount=Decimal(4), why=why, **by)
    payment, refundable, refunded = (
        record_external_payment(account_no=busy.pk, amount=Decimal(9), type="cash", **by) for _ in range(3)
    )
    refund = refund_payment(transaction_id=refunded.pk, amount=Decimal(2), why=why, **by)
    an_account(client, plan, is_test=True)
    run = start_run(client=client, today=JAN_10 - timedelta(days=1), caller=caller)
    continue_run(run, caller=caller)
    runs = runs_of_examples(client, plan, caller)
    (attempted,) = collect_invoices(invoice_nos=[_declined(client, plan, caller).pk], **by)
    instance = PlanInstance.objects.get(account=billed)
    charge = plan.charges.get(service__client_service_id="phone")
    coupon = Coupon.objects.create(client=client, code="TEN", name="Ten", percent=Decimal(10), valid_from=JAN_10)
    order = OneTimeCharge.objects.create(account=billed, service=charge.service, rate_per_unit=Decimal(5), charge_date=JAN_10)
    surcharge = Surcharge.objects.create(
        client=client, service=charge.service, name="Fee", percent=Decimal(2), valid_from=FEB_10
    )
    redemption = CouponRedemption.objects.create(coupon=coupon, account=billed, redemption_no=1, redeemed_on=JAN_10)
    rows = {
        **dict(zip(range(1001, 1006), accounts, strict=True)),
        **dict(zip(range(2001, 2006), (issued, pending, rebill, memo, collectable), strict=True)),
        **dict(zip(range(3001, 3007), (payment, refund, credit, off, disputed, refundable), strict=True)),
        **dict(zip(range(4001, 4005), (charge.service, plan, charge, instance), strict=True)),
        NOT_BILLED: an_instance(accounts[1], plan, date(2990, 1, 1)),
        ROWS["billingrun"]: run,
        ROWS["collectionattempt"]: attempted.attempt,
        ROWS["contact"]: billed.contacts.get(),
        ROWS["coupon"]: coupon,
        ROWS["couponredemption"]: redemption,
        ROWS["onetimecharge"]: order,
        ROWS["paymentmethod"]: method,
        ROWS["rateschedule"]: charge.rates.get(),
        ROWS["reasoncode"]: ReasonCode.objects.filter(client=None).first(),
        **runs,
        ROWS["requestedact"]: a_requested_act(billed),
        ROWS["schedule"]: set_schedule(client=client, act=ScheduledAct.SEND_STATEMENTS, hour=7, caller=caller),
        ROWS["servicecredit"]: ServiceCredit.objects.create(account=billed, amount=Decimal(20), reason="Outage"),
        ROWS["servicelocation"]: ServiceLocation.objects.create(client=client, client_service_location_id="HQ"),
        ROWS["surcharge"]: surcharge,
        ROWS["taxrate"]: tax_rate,
        ROWS["usage"]: some_usage(instance, "calls", "7", JAN_10),
    }
    return client, auth_key, {number: row.pk for number, row in rows.items()}


def runs_of_examples(client, plan, caller):
    """Create a planned, a running and a paused run over one account each, a finished dry run, and a saved filter."""
    by = {"client": client, "today": JAN_10, "caller": caller}

    def one_account():
        return AccountFilter(accounts=(an_account(client, plan).pk,))

    planned, running, paused = (plan_run(chosen=one_account(), **by), *(start_run(chosen=one_account(), **by) for _ in "12"))
    dry_run = start_run(chosen=one_account(), is_dry_run=True, **by)
    continue_run(dry_run, caller=caller)
    saved = save_filter(client=client, name="Cards", chosen=AccountFilter(payment_methods=("card",)), caller=caller)
    return {
        PLANNED_RUN: planned,
        RUNNING_RUN: running,
        PAUSED_RUN: pause_run(paused, caller=caller),
        DRY_RUN: dry_run,
        ROWS["runfilter"]: saved,
    }


def a_requested_act(account):
    """Create a requested cash credit of 7.00."""
    wanted = {"account_no": account.pk, "amount": "7.00", "invoices": [], "reason_code": 1, "comments": "Outage"}
    return RequestedAct.objects.create(
        client=account.client,
        account=account,
        kind="cash_credits",
        amount=Decimal(7),
        currency=account.currency,
        arguments=wanted,
        arguments_hash="0",
        requested_by="process:test",
        requested_at=timezone.now(),
    )


def _declined(client, plan, caller):
    account = an_account(client, plan)
    invoice = bill(account, caller, JAN_10)
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_declined")
    return invoice
