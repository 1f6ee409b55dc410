"""A row of each model with admin pages."""

import contextlib
from datetime import date
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import ApiCall, PaymentMethod, Receipt, ServiceLocation, SettingsChange
from accounts.rates import RateTerms
from accounts.services.prices import add_price
from billing_site.errors import PendingAct
from invoices.audit.kept import audit_and_keep
from invoices.kinds import DecisionAct, EntryKind, InvoiceKind
from invoices.models import (
    ApprovalProgress,
    CashCredit,
    ClosedPeriod,
    Coupon,
    CouponRedemption,
    CreditMemo,
    Dispute,
    DocumentFile,
    GatewayEvent,
    GivenApproval,
    Invoice,
    MailText,
    OneTimeCharge,
    ServiceCredit,
    StandIn,
    Statement,
    Surcharge,
    TransactionVoid,
    WriteOff,
)
from invoices.plan.facts import BillingRequest
from invoices.services.approving.bulk import start_decision
from invoices.services.approving.rules import make_rules, switch_on
from invoices.services.billing.generating import generate_invoice
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.documents.remarks import Remarks
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import add_cash_credit, record_external_payment
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.runs.runs import continue_run, start_run
from invoices.services.webhooks.endpoints import add_endpoint, send_test
from tests.support.billing import bill
from tests.support.factories import BY_TEST, TaxRateFactory, an_account, some_usage
from tests.support.rebilling import rebilled

JAN_10 = date(2026, 1, 10)
# Admin pages of a part of the ledger or documents: their rows have these kinds.
KINDS = {
    CashCredit: EntryKind.CASH_CREDIT,
    WriteOff: EntryKind.WRITE_OFF,
    Dispute: EntryKind.DISPUTE,
    TransactionVoid: EntryKind.VOID,
    CreditMemo: InvoiceKind.CREDIT_MEMO,
}


def rows_of(model):
    """Return the rows that a model's pages show."""
    rows = model._default_manager.filter(kind=KINDS[model]) if model in KINDS else model._default_manager.all()
    return rows.order_by("pk")


def a_row_of_each_model(acme, process):
    """Create a row of each model with admin pages, except the client and its keys."""
    TaxRateFactory(client=acme)
    ServiceLocation.objects.create(client=acme, client_service_location_id="HQ")
    Receipt.objects.create(client=acme, receipt_id="r-1", method="gen_invoice", arguments_hash="0", succeeded=True)
    Group.objects.create(name="clerks")
    account = an_account(acme)
    PaymentMethod.objects.create(account=account, type="mailed_check")
    instance = account.plan_instances.get()
    add_price(instance.plan.charges.get(), RateTerms("usd", Decimal(25)), instance, caller=BY_TEST)
    an_account(acme, is_test=True)
    service = instance.plan.charges.get().service
    Surcharge.objects.create(client=acme, service=service, name="Fee", percent=Decimal(2), valid_from=date(2027, 1, 1))
    coupon = Coupon.objects.create(client=acme, code="TEN", name="Ten", percent=Decimal(10), valid_from=date(2027, 1, 1))
    continue_run(start_run(client=acme, today=JAN_10, caller=process), caller=process)
    CouponRedemption.objects.create(coupon=coupon, account=account, redemption_no=1, redeemed_on=JAN_10)
    ServiceCredit.objects.create(account=account, amount=Decimal(20), reason="Outage")
    OneTimeCharge.objects.create(account=account, service=service, rate_per_unit=Decimal(5), charge_date=JAN_10)
    some_usage(instance, "calls", "7", JAN_10)
    acts_on_money(acme, account, process)
    audit_and_keep(acme, "test")
    rebilled(bill(an_account(acme), process, JAN_10), process, 1)
    something_is_decided(acme, process)
    something_needs_a_second_person(acme)
    send_test(add_endpoint(client=acme, caller=BY_TEST, url="https://erp.example.com/hooks"), caller=BY_TEST)
    DocumentFile.objects.get_or_create(invoice=Invoice.objects.first(), kind="pdf")
    rules_and_what_came_of_them(acme)
    ClosedPeriod.objects.create(client=acme, last_day=date(2025, 11, 30), closed_by="test", closed_at=timezone.now())
    MailText.objects.create(client=acme, kind="invoice", language="en", subject="Your invoice {number}")
    Statement.objects.create(invoice=Invoice.objects.first(), status="sent", requested_by="test", requested_at=timezone.now())


def rules_and_what_came_of_them(client):
    version = make_rules(client=client, rules=[{"name": "All"}], caller=BY_TEST)
    switch_on(client=client, version_no=version.pk, caller=BY_TEST)
    invoice, now = Invoice.objects.filter(client=client).first(), timezone.now()
    ApprovalProgress.objects.create(invoice=invoice, stopped_by="process:test", stopped_at=now, reason="Ask sales")
    GivenApproval.objects.create(invoice=invoice, given_by="process:test", given_at=now, fingerprint="3:a")
    away, present = (get_user_model().objects.create(username=name, is_staff=True) for name in ("away", "present"))
    days = {"first_day": JAN_10, "last_day": JAN_10, "set_by": "process:test", "set_at": now}
    StandIn.objects.create(client=client, person=away, stand_in=present, **days)


def something_is_decided(client, caller):
    request = BillingRequest(JAN_10, force_pending=True)
    number = generate_invoice(client=client, account_no=an_account(client).pk, request=request, caller=caller)
    staff = Caller(staff=get_user_model().objects.create(username="decider", is_staff=True, is_superuser=True))
    change = {"before": {"four_eyes": "off"}, "after": {"four_eyes": "another_person"}}
    SettingsChange.objects.create(client=client, proposed_by=staff.staff, **change)
    rows = Invoice.objects.filter(pk=number)
    start_decision(client=client, act=DecisionAct.REMARK, invoices=rows, caller=staff, remarks=Remarks())


def something_needs_a_second_person(client):
    """Create a pending cash credit."""
    client.four_eyes, client.second_person_for = "another_person", "cash_credits"
    with contextlib.suppress(PendingAct):
        by = {"client": client, "caller": BY_TEST, "today": JAN_10}
        add_cash_credit(account_no=client.accounts.first().pk, amount=Decimal(3), why=Why(1, "as agreed"), **by)
    client.four_eyes = "off"


def acts_on_money(client, account, caller):
    by, why = {"client": client, "caller": caller, "today": JAN_10}, Why(1, "as agreed")
    invoice = Invoice.objects.get(account=account).pk
    payment = record_external_payment(account_no=account.pk, amount=Decimal(9), type="cash", **by)
    refund_payment(transaction_id=payment.pk, amount=Decimal(2), why=why, **by)
    credit = add_cash_credit(account_no=account.pk, amount=Decimal(1), why=why, **by)
    create_credit_memo(invoice_no=invoice, why=why, credit=CreditRequest(amount=Decimal(3)), **by)
    for kind in (EntryKind.WRITE_OFF, EntryKind.DISPUTE):
        write_off(invoice_no=invoice, amount=Decimal(1), why=why, kind=kind, **by)
    void_transaction(transaction_id=credit.pk, reason_code=8, **by)
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_declined")
    collect_invoices(invoice_nos=[invoice], **by)
    ApiCall.objects.create(
        client=client, at=timezone.now(), method="gen_invoice", http_status=200, milliseconds=9, request_id="r-1"
    )
    GatewayEvent.objects.create(gateway="stripe", event_id="evt_1", type="payment_intent.succeeded", received_at=timezone.now())
