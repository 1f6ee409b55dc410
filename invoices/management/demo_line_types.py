"""The part of the demonstration in which one account is charged in every way that an invoice supports.

An architect's office: a telephone line with support, calls in two price bands, a fibre connection that begins in the second
month with installation and a router, a surcharge, a coupon, and a credit for an outage. All data goes through the services.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.callers import Caller
from accounts.clock import local_time
from accounts.kinds import ChargeType, ContactRole
from accounts.models import Account, Client, Contact, Plan, PlanCharge, Service
from accounts.periods import bill_date_months_on
from accounts.rates import RateTerms, TierTerms
from accounts.services.accounts import create_account
from accounts.services.plans import assign_plan
from accounts.services.prices import add_price
from invoices.kinds import LineType
from invoices.models import Coupon, Invoice, Surcharge
from invoices.plan.facts import BillingRequest
from invoices.services.billing.coupons import redeem_coupon
from invoices.services.billing.generating import generate_invoice
from invoices.services.billing.one_time_charges import add_one_time_charge
from invoices.services.billing.service_credits import add_service_credit
from invoices.services.usage.loading import load_usage
from invoices.services.usage.targets import UsageRecord

CURRENCY = "usd"
DEMO = Caller(process="demo")
CALLS = TierTerms(Decimal(0), Decimal("0.10")), TierTerms(Decimal(100), Decimal("0.05"))
EXPECTED_LINES = (
    (LineType.RECURRING, "30.00"),
    (LineType.ARREARS, "12.00"),
    (LineType.USAGE, "10.00"),
    (LineType.USAGE, "3.03"),
    (LineType.ACTIVATION, "99.00"),
    (LineType.RECURRING, "50.00"),
    (LineType.ORDER, "79.90"),
    (LineType.SURCHARGE, "0.86"),
    (LineType.COUPON, "-28.48"),
    (LineType.SERVICE_CREDIT, "-20.00"),
    (LineType.TAX, "1.09"),
    (LineType.TAX, "0.72"),
)
"""Calculated by hand: the coupon is 10 % of 284.79, the surcharge 2 % of 43.03. Coupon and credit take 7.47 off the lines
that are taxed at 3 % (43.89), and 2.04 off those taxed at 7.25 % (12.00)."""


def open_account(client: Client, today: date, caller: Caller) -> Account:
    """Create an account that took its first plan a month ago, was billed for it then, and has usage and orders since."""
    start = bill_date_months_on(today, -1, today.day)
    account = create_account(client=client, client_acct_id="NINE-LINE-TYPES", currency=CURRENCY, caller=caller)
    Contact.objects.create(
        account=account, contact_no=1, role=ContactRole.ACCOUNT, name="Ada Byron", region=client.region, country=client.country
    )
    assign_plan(account=account, plan=_office_plan(client), start_date=start, caller=caller)
    bill(account, today, caller)
    assign_plan(account=account, plan=_fibre_plan(client), start_date=today, caller=caller)
    _load_calls(account, start, caller)
    _order_and_credit(account, today, caller)
    return account


def bill(account: Account, today: date, caller: Caller) -> Invoice:
    """Bill the account's oldest unbilled cycle."""
    number = generate_invoice(client=account.client, account_no=account.pk, request=BillingRequest(today), caller=caller)
    return account.invoices.get(pk=number or 0)


def _office_plan(client: Client) -> Plan:
    plan = Plan.objects.create(client=client, client_plan_id="demo-office", name="Office")
    _charge(plan, "office-line", "Office line", "telecom", ChargeType.RECURRING, RateTerms(CURRENCY, Decimal("30.00")))
    _charge(plan, "support", "Support", "digital", ChargeType.ARREARS, RateTerms(CURRENCY, Decimal("12.00")))
    _charge(plan, "calls", "Calls", "telecom", ChargeType.USAGE, RateTerms(CURRENCY, model="tiered", tiers=CALLS))
    return plan


def _fibre_plan(client: Client) -> Plan:
    plan = Plan.objects.create(client=client, client_plan_id="demo-fibre", name="Fibre 500")
    terms = RateTerms(CURRENCY, Decimal("99.00"), "flat")
    _charge(plan, "installation", "Installation", "exempt", ChargeType.ACTIVATION, terms)
    _charge(plan, "fibre-500", "Fibre 500", "exempt", ChargeType.RECURRING, RateTerms(CURRENCY, Decimal("50.00")))
    return plan


def _charge(plan: Plan, service_id: str, name: str, category: str, charge_type: ChargeType, terms: RateTerms) -> None:
    service = _service(plan.client, service_id, name, category)
    add_price(PlanCharge.objects.create(plan=plan, service=service, line_type=charge_type), terms, caller=DEMO)


def _service(client: Client, service_id: str, name: str, category: str) -> Service:
    return Service.objects.create(client=client, client_service_id=service_id, name=name, gl_code="4900", tax_category=category)


def _load_calls(account: Account, start: date, caller: Caller) -> None:
    """Load 160.5 minutes of calls in the first month, in three records."""
    noon = datetime(start.year, start.month, start.day, 12, tzinfo=ZoneInfo(account.client.time_zone))
    records = [
        UsageRecord(f"call-{number}", Decimal(units), noon + timedelta(number), account.pk, client_service_id="calls")
        for number, units in enumerate(("80", "40.25", "40.25"))
    ]
    load_usage(client=account.client, records=records, now=local_time(account.client), caller=caller)


def _order_and_credit(account: Account, today: date, caller: Caller) -> None:
    client = account.client
    add_one_time_charge(
        client=client,
        account_no=account.pk,
        caller=caller,
        service=_service(client, "router", "Router", "exempt"),
        rate_per_unit=Decimal("79.90"),
        today=today,
        client_order_id="demo-1",
    )
    surcharge = Surcharge.objects.create(
        client=client,
        name="Recovery fee",
        service=_service(client, "recovery-fee", "Recovery fee", "telecom"),
        percent=Decimal(2),
        valid_from=today,
    )
    surcharge.services.set(Service.objects.filter(client=client, client_service_id__in=["office-line", "calls"]))
    Coupon.objects.create(
        client=client, code="WELCOME", name="Welcome, 10 % off", percent=Decimal(10), valid_from=today, cycles=1
    )
    redeem_coupon(client=client, account_no=account.pk, caller=caller, code="WELCOME", today=today)
    add_service_credit(
        client=client,
        account_no=account.pk,
        caller=caller,
        today=today,
        amount=Decimal("20.00"),
        reason="Outage in the first month",
    )
