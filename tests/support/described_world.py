"""The rows that the examples of the API's description refer to, by the numbers of the examples."""

from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Account, BillingPause, Event, PaymentMethod, PlanInstance, ServiceLocation
from accounts.rates import RateTerms
from accounts.services.prices import add_price
from billing_site.examples import (
    APPROVED_CAMPAIGN,
    CAMPAIGN,
    DRY_RUN,
    FINISHED_CAMPAIGN,
    NOT_BILLED,
    PAUSED_CAMPAIGN,
    PAUSED_RUN,
    PLANNED_RUN,
    RECHECK,
    ROWS,
    RULES_ON,
    RUNNING_CAMPAIGN,
    RUNNING_RUN,
    SEEN_CAMPAIGN,
    UNDO_CAMPAIGN,
    UNUSED,
    UNUSED_CREDIT,
    UNUSED_PAYMENT,
)
from invoices.kinds import EntryKind, ScheduledAct
from invoices.models import (
    AuditRun,
    ClosedPeriod,
    Coupon,
    CouponRedemption,
    Decision,
    MailText,
    OneTimeCharge,
    ReasonCode,
    RequestedAct,
    ServiceCredit,
    Statement,
    Surcharge,
)
from invoices.services.approving.rules import make_rules, set_stand_in, switch_on
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import add_cash_credit, record_external_payment
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.runs.filters import AccountFilter, save_filter
from invoices.services.runs.runs import continue_run, pause_run, plan_run, start_run
from invoices.services.undoing.voiding import void_invoice
from invoices.services.webhooks.endpoints import add_endpoint, send_test
from invoices.services.work.schedules import set_schedule
from rebills.models import RebillCampaign
from rebills.services.campaigns.campaigns import approve_campaign, ask_for_undo, pause_campaign, start_campaign
from rebills.services.campaigns.rechecking import start_recheck
from rebills.services.campaigns.selection import Selection
from tests.support.billing import FEB_10, JAN_10, USAGE, bill
from tests.support.calling import RIGHTS
from tests.support.campaigns import a_campaign
from tests.support.campaigns import previewed as previewed_now
from tests.support.campaigns import run as run_campaign
from tests.support.factories import (
    BY_TEST,
    AccountFactory,
    ClientFactory,
    ContactFactory,
    ServiceFactory,
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
    client, caller = ClientFactory(tax_ids="US123456789"), Caller(process="test")
    auth_key = create_key(client, name="program", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    tax_rate = TaxRateFactory(client=client)
    plan = a_plan(client, {"phone": "30.00", "tv": "20.00"})
    a_charge(plan, "calls", "0.10", USAGE)
    accounts = [an_account(client, plan) for _ in range(5)]
    billed, due, waiting, card, busy = accounts
    Account.objects.filter(pk=card.pk).update(client_acct_id="shop-7")
    for account in accounts:
        account.contacts.update(email="ada@example.com")
    BillingPause.objects.create(account=waiting, first_day=date(2026, 6, 1))
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
        **dict(zip(range(2001, 2007), (issued, pending, rebill, memo, collectable, invoice), strict=True)),
        **dict(zip(range(3001, 3007), (payment, refund, credit, off, disputed, refundable), strict=True)),
        **unused_money(client, plan, caller),
        **dict(zip(range(4001, 4005), (charge.service, plan, charge, instance), strict=True)),
        NOT_BILLED: an_instance(accounts[1], plan, date(2990, 1, 1)),
        **unused_rows(billed, charge),
        ROWS["billingrun"]: run,
        ROWS["closedperiod"]: a_closed_period(client),
        ROWS["personaldata"]: AccountFactory(client=client),
        **rules_of_examples(client, caller),
        ROWS["collectionattempt"]: attempted.attempt,
        ROWS["einvoicesettings"]: client,
        ROWS["settings"]: client,
        ROWS["contact"]: billed.contacts.get(contact_no=1),
        ROWS["coupon"]: coupon,
        ROWS["couponredemption"]: redemption,
        ROWS["onetimecharge"]: order,
        ROWS["paymentmethod"]: method,
        ROWS["rateschedule"]: charge.rates.get(currency="usd"),
        ROWS["reasoncode"]: ReasonCode.objects.filter(client=None).first(),
        **runs,
        **campaigns_of_examples(client, plan),
        ROWS["requestedact"]: a_requested_act(billed),
        ROWS["event"]: Event.objects.filter(client=client).exclude(type="").first(),
        ROWS["auditrun"]: AuditRun.objects.create(
            client=client, asked_by="test", started_at=timezone.now(), finished_at=timezone.now(), rows=9, findings_count=0
        ),
        ROWS["decision"]: Decision.objects.create(
            client=client, act="approve", staff=get_user_model().objects.create(username="decides")
        ),
        ROWS["schedule"]: set_schedule(client=client, act=ScheduledAct.SEND_STATEMENTS, hour=7, caller=caller),
        ROWS["servicecredit"]: ServiceCredit.objects.create(account=billed, amount=Decimal(20), reason="Outage"),
        ROWS["servicelocation"]: ServiceLocation.objects.create(client=client, client_service_location_id="HQ"),
        ROWS["mailtext"]: MailText.objects.create(client=client, kind="rebill", language="en", subject="Corrected: {number}"),
        ROWS["statement"]: a_statement(issued),
        ROWS["surcharge"]: surcharge,
        ROWS["taxrate"]: tax_rate,
        **webhooks_of_examples(client, caller),
        ROWS["usage"]: some_usage(instance, "calls", "7", JAN_10),
    }
    return client, auth_key, {number: row.pk for number, row in rows.items()}


def unused_money(client, plan, caller):
    """Create a payment and a credit of an invoice that is voided since, while another one is open."""
    by, owing = {"client": client, "caller": caller, "today": FEB_10}, an_account(client, plan)
    bill(owing, caller, JAN_10)
    voided = bill(owing, caller, FEB_10)
    invoices = {voided.pk: Decimal(5)}
    payment = record_external_payment(account_no=owing.pk, amount=Decimal(5), type="cash", invoices=invoices, **by)
    credit = add_cash_credit(account_no=owing.pk, amount=Decimal(5), why=Why(1, "as agreed"), invoices=invoices, **by)
    void_invoice(invoice_no=voided.pk, reason_code=5, **by)
    return {UNUSED_PAYMENT: payment, UNUSED_CREDIT: credit}


def webhooks_of_examples(client, caller):
    """Add an endpoint with a delivery that waits."""
    endpoint = add_endpoint(client=client, caller=caller, url="https://erp.example.com/events")
    return {ROWS["webhookendpoint"]: endpoint, ROWS["webhookdelivery"]: send_test(endpoint, caller=caller)}


def unused_rows(account, charge):
    """Create rows that nothing uses, so that they can be removed."""
    client = account.client
    rows = {
        "contact": ContactFactory(account=account, contact_no=9),
        "paymentmethod": PaymentMethod.objects.create(account=account, type="check"),
        "service": ServiceFactory(client=client, client_service_id="fax"),
        "plan": a_plan(client, {"radio": "5.00"}),
        "taxrate": TaxRateFactory(client=client, name="City tax", region="NV"),
        "coupon": Coupon.objects.create(client=client, code="OLD", name="Old", percent=Decimal(5), valid_from=JAN_10),
        "rateschedule": add_price(charge, RateTerms("eur", Decimal(9)), caller=BY_TEST),
    }
    return {UNUSED[name]: row for name, row in rows.items()}


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


def a_statement(invoice):
    """Create a statement that was sent."""
    times = dict.fromkeys(("requested_at", "settled_at"), timezone.now())
    return Statement.objects.create(
        invoice=invoice,
        status="sent",
        email="ada@example.com",
        message_id="<1@example.com>",
        requested_by="process:test",
        **times,
    )


def campaigns_of_examples(client, plan):
    """Create a previewed, an approved, a running, a paused and a finished campaign, and one document of the first."""
    builder, approver = Caller(process="builder"), Caller(process="approver")
    invoice, done, wrong = (bill(an_account(client, plan), builder, JAN_10) for _ in "123")
    finished, unwanted = (a_campaign(client, builder, invoices=[one]) for one in (done, wrong))
    previewed, approved, running, paused = (a_campaign(client, builder, invoices=[invoice]) for _ in range(4))
    for campaign in (approved, running, paused):
        approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=approver)
    for campaign in (running, paused):
        start_campaign(campaign, caller=builder)
    pause_campaign(paused, caller=builder)
    for campaign in (finished, unwanted):
        run_campaign(campaign, builder, approver)
    ask_for_undo(unwanted, caller=builder)
    recheck = previewed_now(start_recheck(client=client, selection=Selection(invoices=(invoice.pk,)), caller=builder))
    recheck.items.update(state="ready", fingerprint="x", difference=1)
    RebillCampaign.objects.filter(pk=previewed.pk).update(fingerprint=SEEN_CAMPAIGN)
    return {
        CAMPAIGN: previewed,
        APPROVED_CAMPAIGN: approved,
        RUNNING_CAMPAIGN: running,
        PAUSED_CAMPAIGN: paused,
        FINISHED_CAMPAIGN: finished,
        UNDO_CAMPAIGN: unwanted,
        RECHECK: recheck,
        ROWS["campaignitem"]: previewed.items.get(),
    }


def rules_of_examples(client, caller):
    """Make two versions of approval rules, of which the first is on, and let Ben stand in for Ann."""
    rules = [{"name": "All", "approves_after_hours": 24}]
    is_on, is_off = (make_rules(client=client, rules=rules, caller=caller) for _ in range(2))
    switch_on(client=client, version_no=is_on.pk, caller=caller)
    client.staff.add(*(get_user_model().objects.create_user(name, is_staff=True) for name in ("ann", "ben")))
    days = {"first_day": JAN_10, "last_day": date(2990, 1, 10), "today": JAN_10}
    row = set_stand_in(client=client, person="ben", stand_in="ann", caller=caller, **days)
    return {RULES_ON: is_on, ROWS["approvalrules"]: is_off, ROWS["standin"]: row}


def a_closed_period(client):
    """Close everything through 2025."""
    last_day = date(2025, 12, 31)
    type(client).objects.filter(pk=client.pk).update(closed_through=last_day)
    return ClosedPeriod.objects.create(client=client, last_day=last_day, closed_by="process:test", closed_at=timezone.now())


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
