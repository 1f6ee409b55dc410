"""Reading what plans are made from: a constant number of queries, however many accounts."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Max

from accounts.kinds import ContactRole
from accounts.models import Account, Client, Contact, PlanCharge, PlanInstance, PlanInstancePrice, ServiceLocation
from accounts.periods import InstanceDates
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Invoice
from invoices.plan import AccountFacts, BillingState, ChargeFacts, InstanceFacts
from invoices.tax_engines.protocol import TaxAddress

STATE_FIELDS = ("id", "status", "is_test", "currency", "bill_day", "next_bill_date", "last_bill_date", "plans_version")
PARTY_FIELDS = ("name", "company", "address1", "address2", "city", "region", "postal_code", "country")
BILL_TO_ROLES = (ContactRole.BILLING.value, ContactRole.ACCOUNT.value, ContactRole.STATEMENT.value, ContactRole.OTHER.value)


class ContactFacts(NamedTuple):
    contact_pk: int
    role: str
    party: dict[str, str]

    @property
    def address(self) -> TaxAddress:
        return TaxAddress(*(self.party[name] for name in TaxAddress._fields))


class Documents(NamedTuple):
    """The documents of an account that decide whether it may be billed."""

    pending_invoice_no: int | None = None
    approved_invoice_no: int | None = None
    advance_bill_date: date | None = None


class Facts(NamedTuple):
    """What was read for a batch: the accounts that exist, and the addresses that the tax engine is told."""

    accounts: dict[int, AccountFacts]
    contacts: dict[int, TaxAddress]
    locations: dict[int, TaxAddress]


def read_facts(client: Client, account_nos: Collection[int], replacing: Collection[int] = ()) -> Facts:
    """The facts of a client's accounts. Invoices in `replacing` are about to be discarded, and count as if they were."""
    rows = list(
        Account.objects.filter(client=client, pk__in=account_nos).values_list(
            *STATE_FIELDS, "invoice_approval_required", "payment_terms_days"
        )
    )
    found = [row[0] for row in rows]
    instances = _instances(found)
    documents = _documents(found, replacing)
    contacts = _contacts(found)
    taxed_roles = client.taxable_address_order.split(",")
    accounts, taxed_contacts = {}, {}
    for *state_row, approval_required, terms_days in rows:
        state = BillingState._make(state_row)
        mine = contacts.get(state.account_no, [])
        bill_to = _first(mine, BILL_TO_ROLES)
        taxed = _first(mine, taxed_roles)
        if taxed is not None:
            taxed_contacts[taxed.contact_pk] = taxed.address
        accounts[state.account_no] = AccountFacts(
            state=state,
            approval_required=approval_required,
            payment_terms_days=client.payment_terms_days if terms_days is None else terms_days,
            instances=tuple(instances.get(state.account_no, ())),
            **documents.get(state.account_no, Documents())._asdict(),
            bill_to=bill_to.party if bill_to else {},
            bill_to_contact_no=bill_to.contact_pk if bill_to else None,
            taxed_contact_no=taxed.contact_pk if taxed else None,
        )
    return Facts(accounts, taxed_contacts, _locations(client))


def lock_states(account_nos: Collection[int], *, skip_locked: bool) -> dict[int, BillingState]:
    """Locks accounts, in the order of their numbers, and reads again what their plans stood on.

    Their keys stay free, so that an event of a locked account (a refusal by 3108) can be written meanwhile.
    """
    rows = (
        Account.objects.select_for_update(skip_locked=skip_locked, no_key=True)
        .filter(pk__in=account_nos)
        .order_by("pk")
        .values_list(*STATE_FIELDS)
    )
    return {row[0]: BillingState._make(row) for row in rows}


def pending_invoices(account_nos: Collection[int]) -> dict[int, int]:
    """The pending invoice of each account that has one."""
    rows = Invoice.objects.filter(account__in=account_nos, status=InvoiceStatus.PENDING).values_list("account_id", "pk")
    return dict(rows)


def _documents(account_nos: list[int], replacing: Collection[int]) -> dict[int, Documents]:
    live = (
        Invoice.objects.filter(account__in=account_nos, status__in=[InvoiceStatus.PENDING, InvoiceStatus.APPROVED])
        .exclude(pk__in=replacing)
        .order_by()
        .values_list("account_id", "status", "kind")
        .annotate(Max("pk"), Max("bill_date"))
    )
    documents: dict[int, Documents] = defaultdict(Documents)
    for account_no, status, kind, invoice_no, bill_date in live:
        mine = documents[account_no]
        if status == InvoiceStatus.PENDING:
            mine = mine._replace(pending_invoice_no=invoice_no)
        else:
            mine = mine._replace(approved_invoice_no=max(invoice_no, mine.approved_invoice_no or 0))
            if kind == InvoiceKind.ADVANCE:
                mine = mine._replace(advance_bill_date=bill_date)
        documents[account_no] = mine
    return documents


def _instances(account_nos: list[int]) -> dict[int, list[InstanceFacts]]:
    rows = list(
        PlanInstance.objects.filter(account__in=account_nos)
        .order_by("account_id", "pk")
        .values_list(
            "account_id",
            "pk",
            "start_date",
            "end_date",
            "billed_through",
            "plan_id",
            "units",
            "po_num",
            "plan__name",
            "plan__billing_interval",
            "plan__currency",
        )
    )
    charges = _charges({row[5] for row in rows})
    own_prices = _own_prices(account_nos)
    instances: dict[int, list[InstanceFacts]] = defaultdict(list)
    for account_no, number, start, end, billed_through, plan_no, units, po_num, plan_name, interval, currency in rows:
        prices = own_prices.get(number)
        listed = charges.get(plan_no, ())
        instances[account_no].append(
            InstanceFacts(
                number,
                InstanceDates(start, end, billed_through),
                plan_name,
                interval,
                currency,
                units,
                po_num,
                tuple(_at_own_price(charge_no, charge, prices) for charge_no, charge in listed)
                if prices
                else tuple(charge for _, charge in listed),
            )
        )
    return instances


def _charges(plan_nos: Iterable[int]) -> dict[int, list[tuple[int, ChargeFacts]]]:
    rows = (
        PlanCharge.objects.filter(plan__in=plan_nos)
        .order_by("plan_id", "pk")
        .values_list(
            "plan_id",
            "pk",
            "service_id",
            "service__name",
            "service__gl_code",
            "service__tax_category",
            "service__tax_inclusive",
            "service__location_id",
            "rate_per_unit",
        )
    )
    charges: dict[int, list[tuple[int, ChargeFacts]]] = defaultdict(list)
    for plan_no, charge_no, *row in rows:
        charges[plan_no].append((charge_no, ChargeFacts._make([*row, None])))
    return charges


def _own_prices(account_nos: list[int]) -> dict[int, dict[int, Decimal]]:
    rows = PlanInstancePrice.objects.filter(plan_instance__account__in=account_nos).values_list(
        "plan_instance_id", "charge_id", "rate_per_unit"
    )
    prices: dict[int, dict[int, Decimal]] = defaultdict(dict)
    for instance_no, charge_no, rate in rows:
        prices[instance_no][charge_no] = rate
    return prices


def _at_own_price(charge_no: int, charge: ChargeFacts, prices: dict[int, Decimal]) -> ChargeFacts:
    if charge_no not in prices:
        return charge
    return charge._replace(rate=prices[charge_no], list_rate=charge.rate)


def _contacts(account_nos: list[int]) -> dict[int, list[ContactFacts]]:
    rows = (
        Contact.objects.filter(account__in=account_nos)
        .order_by("account_id", "contact_no")
        .values_list("account_id", "pk", "role", *PARTY_FIELDS)
    )
    contacts: dict[int, list[ContactFacts]] = defaultdict(list)
    for account_no, number, role, *party in rows:
        contacts[account_no].append(ContactFacts(number, role, dict(zip(PARTY_FIELDS, party, strict=True))))
    return contacts


def _locations(client: Client) -> dict[int, TaxAddress]:
    rows = ServiceLocation.objects.filter(client=client).values_list("pk", *TaxAddress._fields)
    return {number: TaxAddress(*address) for number, *address in rows}


def _first(contacts: list[ContactFacts], roles: Iterable[str]) -> ContactFacts | None:
    """The contact of the first role that any of them has, the lowest number first."""
    for role in roles:
        for contact in contacts:
            if contact.role == role:
                return contact
    return None
