"""Write customers: the catalogue they use, and their accounts with all that belongs to them.

Rows are written in bulk, without full_clean. Their values were checked when the file was read.
"""

from collections.abc import Mapping, Sequence

from django.db.models import Prefetch

from accounts.callers import Caller
from accounts.importing.telco import CONTRACT_MONTHS, CURRENCY, OFFERS, Customer, Offer
from accounts.kinds import AccountStatus, BillingInterval, ChargeType, ContactRole, RateModel
from accounts.models import Account, Client, Contact, PaymentMethod, Plan, PlanCharge, PlanInstance, RateSchedule, Service
from accounts.rates import RateTerms
from accounts.services.prices import add_price

IMPORT = Caller(process="import_customers")
LIST_PRICES = Prefetch("charges__rates", RateSchedule.objects.filter(plan_instance=None))


class CatalogueDiffers(Exception):
    """The client has a plan with the same id but other charges, so lines at its prices would not add up."""


def plan_id(offer: Offer, term_months: int) -> str:
    """Return the client's identifier of the plan for one service and one contract term."""
    return f"{offer.service_id}-{term_months}"


def charges_on_file(client: Client) -> dict[str, PlanCharge]:
    """Return the catalogue's charges that the client already has, by plan id. Raises CatalogueDiffers."""
    listed = {plan_id(offer, term): offer for offer in OFFERS for term in CONTRACT_MONTHS.values()}
    plans = Plan.objects.filter(client=client, client_plan_id__in=listed).prefetch_related("charges__service", LIST_PRICES)
    charges = {}
    for plan in plans:
        offer = listed[plan.client_plan_id]
        found = [
            (charge.service.client_service_id, charge.line_type, price.currency, price.model, price.rate_per_unit)
            for charge in plan.charges.all()
            for price in charge.rates.all()
        ]
        sold = (offer.service_id, ChargeType.RECURRING, CURRENCY, RateModel.PER_UNIT, offer.list_price)
        if (plan.billing_interval, len(plan.charges.all()), found) != (1, 1, [sold]):
            price = f"{offer.name} at {offer.list_price} {CURRENCY} a month"
            raise CatalogueDiffers(f"plan {plan.client_plan_id} already exists, but does not charge {price}")
        (charges[plan.client_plan_id],) = plan.charges.all()
    return charges


def create_catalogue(client: Client) -> dict[str, PlanCharge]:
    """Add the services and plans that the client does not have yet, and return the charge of each plan by plan id."""
    for offer in OFFERS:
        service, _ = Service.objects.get_or_create(
            client=client,
            client_service_id=offer.service_id,
            defaults={"name": offer.name, "gl_code": offer.gl_code, "tax_category": offer.tax_category},
        )
        for term_months in CONTRACT_MONTHS.values():
            _create_plan(service, offer, term_months)
    return charges_on_file(client)


def _create_plan(service: Service, offer: Offer, term_months: int) -> None:
    term = f"{term_months} months" if term_months else "month to month"
    plan, created = Plan.objects.get_or_create(
        client_id=service.client_id,
        client_plan_id=plan_id(offer, term_months),
        defaults={
            "name": f"{offer.name}, {term}",
            "billing_interval": BillingInterval.MONTHLY,
            "term_months": term_months,
        },
    )
    if created:
        charge = PlanCharge.objects.create(plan=plan, service=service)
        add_price(charge, RateTerms(CURRENCY, offer.list_price), caller=IMPORT)


def known_ids(client: Client, customers: Sequence[Customer]) -> set[str]:
    """Return the ids of these customers who already have an account."""
    ids = [customer.customer_id for customer in customers]
    return set(Account.objects.filter(client=client, client_acct_id__in=ids).values_list("client_acct_id", flat=True))


def write_customers(
    client: Client, customers: Sequence[Customer], charges: Mapping[str, PlanCharge], *, left_as_billable: bool
) -> None:
    """Open an account for each customer, with a contact, a payment method and a plan instance for each service taken."""
    accounts = Account.objects.bulk_create(_account(client, customer, left_as_billable) for customer in customers)
    Contact.objects.bulk_create(
        _contact(client, account, customer) for account, customer in zip(accounts, customers, strict=True)
    )
    PaymentMethod.objects.bulk_create(
        PaymentMethod(account=account, type=customer.payment_type, token=customer.gateway_token)
        for account, customer in zip(accounts, customers, strict=True)
    )
    _write_plan_instances(accounts, customers, charges)


def _account(client: Client, customer: Customer, left_as_billable: bool) -> Account:
    is_gone = customer.has_left and not left_as_billable
    return Account(
        client=client,
        client_acct_id=customer.customer_id,
        status=AccountStatus.CANCELLED if is_gone else AccountStatus.ACTIVE,
        currency=CURRENCY,
        invoice_approval_required=client.invoice_approval_required,
        bill_day=customer.bill_day,
        next_bill_date=customer.first_bill_date,
    )


def _contact(client: Client, account: Account, customer: Customer) -> Contact:
    """Return a contact named after the customer's id, at the client's place. The file has no names or addresses."""
    return Contact(
        account=account,
        contact_no=1,
        role=ContactRole.ACCOUNT,
        name=f"Customer {customer.customer_id}",
        region=client.region,
        country=client.country,
    )


def _write_plan_instances(
    accounts: Sequence[Account], customers: Sequence[Customer], charges: Mapping[str, PlanCharge]
) -> None:
    instances, own_prices = [], []
    for account, customer in zip(accounts, customers, strict=True):
        for place, offer in enumerate(customer.offers):
            charge = charges[plan_id(offer, customer.term_months)]
            instance = PlanInstance(
                account=account,
                plan_id=charge.plan_id,
                start_date=customer.start_date,
                billed_through=customer.billed_through,
                billed_elsewhere_through=customer.billed_through,
            )
            instances.append(instance)
            if place == 0 and customer.own_price is not None:
                own_prices.append(
                    RateSchedule(plan_instance=instance, charge=charge, currency=CURRENCY, rate_per_unit=customer.own_price)
                )
    # Own prices need the primary keys of their plan instances, which bulk_create sets.
    PlanInstance.objects.bulk_create(instances)
    RateSchedule.objects.bulk_create(own_prices)
