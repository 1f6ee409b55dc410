"""Check that no row refers to another client, account or currency."""

from django.db.models import Q

from accounts.models import PlanCharge, PlanInstance, RateSchedule
from invoices.audit.rules import Rule, differ
from invoices.models import (
    BilledPeriod,
    Coupon,
    CouponRedemption,
    CouponUse,
    CreditUse,
    Invoice,
    InvoiceLine,
    OneTimeCharge,
    ServiceCredit,
    Surcharge,
    Usage,
)


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

USAGE_AND_ORDERS = (
    Rule(
        Usage,
        "client",
        differ("account__client", "client"),
        "usage {record_id}: is of client {client_id}, but its account {account_id} is of client {account__client_id}",
    ),
    Rule(
        Usage,
        "client",
        differ("plan_instance__account", "account"),
        "usage {record_id}: is of account {account_id}, but its plan instance {plan_instance_id} is of account "
        "{plan_instance__account_id}",
    ),
    Rule(
        Usage,
        "client",
        differ("service__client", "client"),
        "usage {record_id}: is of client {client_id}, but its service {service_id} is of client {service__client_id}",
    ),
    Rule(
        Usage,
        "client",
        differ("invoice__account", "account"),
        "usage {record_id}: is of account {account_id}, but is billed to account {invoice__account_id} by invoice {invoice_id}",
    ),
    Rule(
        OneTimeCharge,
        "account__client",
        differ("service__client", "account__client"),
        "order {pk} of account {account_id}: is of service {service_id} of client {service__client_id}",
    ),
    Rule(
        OneTimeCharge,
        "account__client",
        differ("invoice__account", "account"),
        "order {pk} of account {account_id}: is billed to account {invoice__account_id} by invoice {invoice_id}",
    ),
)

CREDITS = (
    Rule(
        CouponRedemption,
        "account__client",
        differ("coupon__client", "account__client"),
        "account {account_id}: has redeemed coupon {coupon_id} of client {coupon__client_id}",
    ),
    Rule(
        CouponRedemption,
        "account__client",
        ~Q(coupon__currency="") & differ("coupon__currency", "account__currency"),
        "account {account_id}: is in {account__currency}, but has redeemed coupon {coupon_id} in {coupon__currency}",
    ),
    Rule(
        CouponUse,
        "invoice__client",
        differ("redemption__account", "invoice__account"),
        "invoice {invoice_id}: uses coupon redemption {redemption_id} of account {redemption__account_id}",
    ),
    Rule(
        ServiceCredit,
        "account__client",
        differ("service__client", "account__client"),
        "account {account_id}: has service credit {pk} for service {service_id} of client {service__client_id}",
    ),
    Rule(
        CreditUse,
        "invoice__client",
        differ("credit__account", "invoice__account"),
        "invoice {invoice_id}: uses service credit {credit_id} of account {credit__account_id}",
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
    Rule(
        Surcharge,
        "client",
        differ("service__client", "client"),
        "surcharge {pk}: is of service {service_id} of client {service__client_id}",
    ),
    Rule(
        Surcharge.services.through,
        "surcharge__client",
        differ("service__client", "surcharge__client"),
        "surcharge {surcharge_id}: is added to service {service_id} of client {service__client_id}",
    ),
    Rule(
        Coupon.services.through,
        "coupon__client",
        differ("service__client", "coupon__client"),
        "coupon {coupon_id}: reduces service {service_id} of client {service__client_id}",
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
