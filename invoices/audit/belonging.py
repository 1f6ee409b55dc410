"""Nothing reaches across clients, accounts or currencies."""

from django.db.models import Q

from accounts.models import PlanCharge, PlanInstance, RateSchedule
from invoices.audit.rules import Rule, differ
from invoices.models import BilledPeriod, Invoice, InvoiceLine


def _line(column: str, one: str, other: str, what: str) -> Rule:
    return Rule(
        InvoiceLine,
        "invoice__client",
        differ(one, other),
        f"invoice {{invoice_id}}: line {{line_no}} names {what} {{{column}}}, which is not of the same {other.split('__')[1]}",
    )


DOCUMENTS = (
    Rule(
        Invoice,
        "client",
        differ("account__client", "client"),
        "invoice {pk}: is of client {client_id}, but its account {account_id} is of client {account__client_id}",
    ),
    _line("service_id", "service__client", "invoice__client", "service"),
    _line("plan_instance_id", "plan_instance__account", "invoice__account", "plan instance"),
    _line("bill_to_contact_id", "bill_to_contact__account", "invoice__account", "contact"),
    _line("ship_to_contact_id", "ship_to_contact__account", "invoice__account", "contact"),
    _line("bill_from_location_id", "bill_from_location__client", "invoice__client", "service location"),
    _line("ship_from_location_id", "ship_from_location__client", "invoice__client", "service location"),
    Rule(
        BilledPeriod,
        "invoice__client",
        differ("plan_instance__account", "invoice__account"),
        "invoice {invoice_id}: bills plan instance {plan_instance_id}, which is of account {plan_instance__account_id}",
    ),
)

CATALOGUE = (
    Rule(
        PlanInstance,
        "account__client",
        differ("plan__client", "account__client"),
        "account {account_id}: plan instance {pk} has plan {plan_id} of client {plan__client_id}",
    ),
    Rule(
        RateSchedule,
        "plan_instance__account__client",
        differ("charge__plan", "plan_instance__plan"),
        "account {plan_instance__account_id}: plan instance {plan_instance_id} has a price of plan {charge__plan_id}",
        checked=Q(plan_instance__isnull=False),
    ),
    Rule(
        PlanCharge,
        "plan__client",
        differ("service__client", "plan__client"),
        "plan {plan_id}: charges for service {service_id} of client {service__client_id}",
    ),
)

CURRENCIES = (
    Rule(
        Invoice,
        "client",
        differ("currency", "account__currency"),
        "invoice {pk}: is in {currency}, but its account {account_id} is in {account__currency}",
    ),
    Rule(
        RateSchedule,
        "plan_instance__account__client",
        differ("currency", "plan_instance__account__currency"),
        "account {plan_instance__account_id}: is in {plan_instance__account__currency}, but plan instance {plan_instance_id} "
        "has a price of its own in {currency}",
        checked=Q(plan_instance__isnull=False),
    ),
)
