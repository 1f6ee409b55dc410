"""Bill an account in a test, and read its invoice."""

from datetime import date

from accounts.kinds import ChargeType
from invoices.models import Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.factories import PlanFactory, a_charge, an_account

JAN_10, FEB_10, MAR_10, APR_10 = (date(2026, month, 10) for month in (1, 2, 3, 4))
JAN_31, FEB_5, FEB_9, MAR_5, MAR_9 = date(2026, 1, 31), date(2026, 2, 5), date(2026, 2, 9), date(2026, 3, 5), date(2026, 3, 9)
USAGE, ARREARS, ACTIVATION = ChargeType.USAGE, ChargeType.ARREARS, ChargeType.ACTIVATION


def bill(account, caller, day, **request):
    number = generate_invoice(
        client=account.client, account_no=account.pk, request=BillingRequest(day, **request), caller=caller
    )
    account.refresh_from_db()
    return Invoice.objects.filter(pk=number).first()


def charged(invoice, *line_types):
    rows = invoice.lines.filter(line_type__in=line_types) if line_types else invoice.lines.exclude(line_type=2)
    return [(line.description, line.units, line.amount, line.period_start, line.period_end) for line in rows]


def amounts(invoice, *line_types):
    return [amount for _, _, amount, _, _ in charged(invoice, *line_types)]


def metered(client, rate="0.10", start=JAN_10, **terms):
    """Create an account with a plan that charges for calls, and return its plan instance."""
    plan = PlanFactory(client=client)
    a_charge(plan, "calls", None if "tiers" in terms else rate, USAGE, **terms)
    account = an_account(client, plan, start=start)
    return account, account.plan_instances.get()
