"""All nine line types on one invoice, by the services, with literal amounts."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.kinds import ChargeType
from invoices.audit import run_audits
from invoices.models import (
    Coupon,
    CouponRedemption,
    Invoice,
    OneTimeCharge,
    ServiceCredit,
    Surcharge,
)
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.factories import ServiceFactory, TaxRateFactory, a_charge, a_plan, an_account, an_instance, some_usage

JAN_15, FEB_15 = date(2026, 1, 15), date(2026, 2, 15)


def bill(account, caller, day, **request):
    number = generate_invoice(
        client=account.client, account_no=account.pk, request=BillingRequest(day, **request), caller=caller
    )
    account.refresh_from_db()
    return Invoice.objects.get(pk=number)


@pytest.fixture
def account(acme, process):
    """Bill day 15. A plan of every sort of charge, billed once, and a fibre line that begins with the second cycle."""
    TaxRateFactory(client=acme, percent=D("10"))
    plan = a_plan(acme, {"line": "30.00"}, name="Office")
    a_charge(plan, "support", "12.00", ChargeType.ARREARS)
    a_charge(plan, "calls", None, ChargeType.USAGE, tiers={"0": "0.10", "100": "0.05"})
    account = an_account(acme, plan, start=JAN_15)
    fibre = a_plan(acme, {"fibre": "50.00"}, name="Fibre")
    a_charge(fibre, "installation", "99.00", ChargeType.ACTIVATION)
    bill(account, process, JAN_15)
    an_instance(account, fibre, FEB_15)
    instance = account.plan_instances.earliest("pk")
    some_usage(instance, "calls", "120", date(2026, 1, 20), "R-1")
    some_usage(instance, "calls", "40.5", date(2026, 2, 14), "R-2")
    some_usage(instance, "calls", "7", FEB_15, "R-3")
    OneTimeCharge.objects.create(
        account=account,
        service=ServiceFactory(client=acme, client_service_id="router"),
        rate_per_unit=D("79.90"),
        charge_date=FEB_15,
    )
    fee = ServiceFactory(client=acme, client_service_id="fee")
    Surcharge.objects.create(client=acme, service=fee, name="Recovery fee", percent=D("2"), valid_from=JAN_15)
    coupon = Coupon.objects.create(client=acme, code="TEN", name="Ten percent off", percent=D(10), valid_from=JAN_15, cycles=1)
    CouponRedemption.objects.create(coupon=coupon, account=account, redemption_no=1, redeemed_on=JAN_15)
    ServiceCredit.objects.create(account=account, amount=D("20.00"), reason="Outage in January")
    return account


def test_one_invoice_has_all_nine_line_types_in_their_order(account, process):
    invoice = bill(account, process, FEB_15)
    lines = [(one.line_no, one.line_type, one.description, one.amount, one.explanation) for one in invoice.lines.all()]
    assert lines == [
        (1, 1, "Line", D("30.00"), ""),
        (2, 7, "Support", D("12.00"), ""),
        (3, 6, "Calls", D("10.00"), ""),
        (4, 6, "Calls", D("3.03"), ""),
        (5, 5, "Installation", D("99.00"), ""),
        (6, 1, "Fibre", D("50.00"), ""),
        (7, 8, "Router", D("79.90"), "order 1 of 2026-02-15".replace(" 1 ", f" {OneTimeCharge.objects.get().pk} ")),
        (8, 9, "Recovery fee", D("5.68"), "2 % of 283.93"),
        (9, 4, "Ten percent off", D("-28.96"), "10 % of 289.61"),
        (10, 3, "Outage in January", D("-20.00"), "of 20.00, 0.00 left"),
        (11, 2, "Sales tax 10 % (US-CA)", D("24.07"), ""),
    ]
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D("240.65"), D("24.07"), D("264.72"))
    assert [report for report in run_audits() if report.findings] == []
