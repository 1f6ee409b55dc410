"""Read the facts that plans are made from. The number of queries does not depend on the number of accounts."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple, TypeVar

from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.utils import timezone

from accounts.kinds import ContactRole
from accounts.models import Account, Client, Contact, ServiceLocation
from accounts.models.identities import BUYER_FIELDS, PAYER_FIELDS
from accounts.models.places import EXEMPTION_FIELDS
from accounts.services.accounts import electronic_methods
from billing_site.common.compiled_reads import compiled_read, read_ahead
from billing_site.common.currencies import currency_of
from invoices.kinds import CYCLE_KINDS, LIVE_STATUSES, InvoiceKind, InvoiceStatus
from invoices.models import Invoice
from invoices.plan.facts import AccountFacts, BillingState
from invoices.plan.tax_answers import Exemption
from invoices.services.planning.charged_days import read_charged_days
from invoices.services.planning.extras import (
    read_coupons,
    read_credits,
    read_orders,
    read_surcharges,
    surcharge_rows,
    with_extras,
)
from invoices.services.planning.instance_facts import UsageReading, charge_rows, instance_rows, read_instances
from invoices.tax_engines.protocol import TaxAddress

STATE_FIELDS = (
    "id",
    "status",
    "is_test",
    "currency",
    "bill_day",
    "next_bill_date",
    "last_bill_date",
    "arrears_due_from",
    "billing_version",
)
PARTY_FIELDS = ("name", "company", "address1", "address2", "city", "region", "postal_code", "country")
BUYER_COLUMNS = (*BUYER_FIELDS, *(f"account__{name}" for name in BUYER_FIELDS))
BILL_TO_ROLES = (ContactRole.BILLING.value, ContactRole.ACCOUNT.value, ContactRole.STATEMENT.value, ContactRole.OTHER.value)


class ContactFacts(NamedTuple):
    contact_pk: int
    contact_no: int
    role: str
    party: dict[str, str]
    exemption: Exemption

    @property
    def address(self) -> TaxAddress:
        return TaxAddress(*(self.party[name] for name in TaxAddress._fields))


class Documents(NamedTuple):
    """The documents of an account that decide whether it may be billed."""

    pending_invoice_no: int | None = None
    pending_recurring_date: date | None = None
    approved_invoice_no: int | None = None
    advance_bill_date: date | None = None


class Facts(NamedTuple):
    """The facts of a batch: the accounts that exist, and the addresses for the tax engine."""

    accounts: dict[int, AccountFacts]
    contacts: dict[int, TaxAddress]
    locations: dict[int, TaxAddress]


def read_facts(
    client: Client,
    account_nos: Collection[int],
    replacing: Collection[int] = (),
    *,
    alt_bill_day: int | None = None,
    past_pending: bool = False,
    all_usage: bool = False,
) -> Facts:
    """Return the facts of a client's accounts. Invoices in `replacing` count as discarded.

    Usage is read up to the bill date, with `all_usage` all that is not billed. `past_pending` does too, and treats a pending
    invoice as approved; use it only to show what is not billed yet. Accounts of other clients are left out.
    """
    account_nos = sorted(set(account_nos))
    with read_ahead(
        _account_rows.of(client.pk, account_nos, replacing),
        _document_rows.of(account_nos, replacing),
        instance_rows.of(account_nos),
        charge_rows.of(account_nos),
        surcharge_rows.of(client.pk),
        contact_rows.of(account_nos),
    ):
        reading = UsageReading(alt_bill_day, all_days=past_pending or all_usage)
        return _read_facts(client, account_nos, replacing, reading, past_pending=past_pending)


def _read_facts(
    client: Client, account_nos: Sequence[int], replacing: Collection[int], reading: UsageReading, *, past_pending: bool
) -> Facts:
    read_at = timezone.now()
    rows = _account_rows(client.pk, account_nos, replacing)
    states = {row["id"]: _state(row[name] for name in STATE_FIELDS) for row in rows}
    documents = _documents(sorted(states), replacing)
    if past_pending:
        states = {number: _past_pending(state, documents.get(number, Documents())) for number, state in states.items()}
    instances = read_instances(states, replacing, reading)
    surcharges = read_surcharges(client)
    orders = read_orders([row["id"] for row in rows if row["has_orders"]], replacing)
    coupons = read_coupons([row["id"] for row in rows if row["has_coupons"]], replacing)
    credits = read_credits([row["id"] for row in rows if row["has_credits"]], replacing)
    charged_days = read_charged_days([row["id"] for row in rows if row["has_unused_days"]], replacing)
    contacts = read_contacts(sorted(states))
    accounts: dict[int, AccountFacts] = {}
    addresses: dict[int, TaxAddress] = {}
    for row in rows:
        number, terms_days = row["id"], row["payment_terms_days"]
        mine = contacts.get(number, [])
        bill_to = billing_contact(mine)
        taxed = taxed_contact(mine, client)
        addresses |= {one.contact_pk: one.address for one in (bill_to, taxed) if one is not None}
        accounts[number] = AccountFacts(
            state=states[number],
            approval_required=row["invoice_approval_required"],
            payment_terms_days=client.payment_terms_days if terms_days is None else terms_days,
            instances=tuple(instances.get(number, ())),
            orders=tuple(orders.get(number, ())),
            surcharges=surcharges,
            coupons=tuple(coupons.get(number, ())),
            credits=tuple(credits.get(number, ())),
            charged_days=tuple(charged_days.get(number, ())),
            **documents.get(number, Documents())._asdict(),
            bill_to=bill_to.party if bill_to else {},
            bill_to_contact_no=bill_to.contact_pk if bill_to else None,
            taxed_contact_no=taxed.contact_pk if taxed else None,
            exemptions=(Exemption(*(row[name] for name in EXEMPTION_FIELDS)), *([taxed.exemption] if taxed else [])),
            read_at=read_at,
        )
    return Facts(accounts, addresses, locations_of(accounts.values()))


@compiled_read
def _account_rows(client_no: int, account_nos: Collection[int], replacing: Collection[int]) -> QuerySet[Any, dict[str, Any]]:
    rows = with_extras(Account.objects.filter(client=client_no, pk__in=account_nos), replacing)
    has_extras = ("has_orders", "has_coupons", "has_credits", "has_unused_days")
    columns = (*STATE_FIELDS, "invoice_approval_required", "payment_terms_days", *has_extras, *EXEMPTION_FIELDS)
    named: QuerySet[Any, dict[str, Any]] = rows.values(*columns)
    return named


def _state(row: Iterable[Any]) -> BillingState:
    """The state of an account in the columns of STATE_FIELDS."""
    state = BillingState._make(row)
    return state._replace(currency=currency_of(str(state.currency)))


def _past_pending(state: BillingState, documents: Documents) -> BillingState:
    return state._replace(arrears_due_from=documents.pending_recurring_date or state.arrears_due_from)


def lock_states(account_nos: Collection[int], *, skip_locked: bool) -> dict[int, BillingState]:
    """Lock accounts in the order of their numbers, and return the state that their plans depend on.

    With `skip_locked`, accounts that another transaction locks are left out. The lock leaves keys free, so that another call
    can write an event of a locked account (the refusal 3108).
    """
    return {row[0]: _state(row) for row in _locked_rows(sorted(account_nos), skip_locked)}


@compiled_read
def _locked_rows(account_nos: Collection[int], skip_locked: bool) -> QuerySet[Any, tuple[Any, ...]]:
    return (
        Account.objects.select_for_update(skip_locked=skip_locked, no_key=True)
        .filter(pk__in=account_nos)
        .order_by("pk")
        .values_list(*STATE_FIELDS)
    )


@compiled_read
def _document_rows(account_nos: Collection[int], replacing: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    return (
        Invoice.objects.filter(account__in=account_nos, status__in=LIVE_STATUSES, kind__in=CYCLE_KINDS)
        .exclude(pk__in=replacing)
        .order_by()
        .values_list("account_id", "status", "kind")
        .annotate(Max("pk"), Max("bill_date"))
    )


def _documents(account_nos: Collection[int], replacing: Collection[int]) -> dict[int, Documents]:
    documents: dict[int, Documents] = defaultdict(Documents)
    for account_no, status, kind, invoice_no, bill_date in _document_rows(account_nos, replacing):
        mine = documents[account_no]
        if status == InvoiceStatus.PENDING:
            recurring_date = bill_date if kind == InvoiceKind.RECURRING else None
            mine = mine._replace(pending_invoice_no=invoice_no, pending_recurring_date=recurring_date)
        else:
            mine = mine._replace(approved_invoice_no=max(invoice_no, mine.approved_invoice_no or 0))
            if kind == InvoiceKind.ADVANCE:
                mine = mine._replace(advance_bill_date=bill_date)
        documents[account_no] = mine
    return documents


@compiled_read
def contact_rows(account_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    """Read what `read_contacts` returns. The payment method is the one by which the account is collected."""
    methods = electronic_methods().filter(account=OuterRef("account")).order_by("-is_default", "-pk")
    payer = Subquery(methods.values(named=JSONObject(**{name: name for name in PAYER_FIELDS}))[:1])
    return (
        Contact.objects.filter(account__in=account_nos)
        .annotate(payer=payer)
        .order_by("account_id", "contact_no")
        .values_list("account_id", "pk", "contact_no", "role", *EXEMPTION_FIELDS, *PARTY_FIELDS, *BUYER_COLUMNS, "payer")
    )


def read_contacts(account_nos: Collection[int]) -> dict[int, list[ContactFacts]]:
    contacts: dict[int, list[ContactFacts]] = defaultdict(list)
    for account_no, number, contact_no, role, *row in contact_rows(sorted(set(account_nos))):
        exemption, party = Exemption(*row[: len(EXEMPTION_FIELDS)]), row[len(EXEMPTION_FIELDS) :]
        contacts[account_no].append(ContactFacts(number, contact_no, role, _party(party), exemption))
    return contacts


def _party(row: Sequence[Any]) -> dict[str, str]:
    """Return a contact as printed. What it lacks of the company's values is its account's. Empty ones are left out."""
    *texts, payer = row
    named = dict(zip((*PARTY_FIELDS, *BUYER_COLUMNS), texts, strict=True))
    company = {name: named[name] or named[f"account__{name}"] for name in BUYER_FIELDS}
    company |= payer or {}
    return {**{name: named[name] for name in PARTY_FIELDS}, **{name: text for name, text in company.items() if text}}


def locations_of(accounts: Iterable[AccountFacts]) -> dict[int, TaxAddress]:
    """Return the addresses of the locations of charged services. Most services have no location."""
    services = {
        service
        for account in accounts
        for service in (
            *(charge.service for instance in account.instances for charge in instance.charges),
            *(order.service for order in account.orders),
            *(surcharge.service for surcharge in account.surcharges),
        )
    }
    numbers = {service.location_no for service in services if service.location_no is not None}
    if not numbers:
        return {}
    return _addresses(ServiceLocation.objects.filter(pk__in=numbers).values_list("pk", *TaxAddress._fields))


def read_locations(client: Client) -> dict[int, TaxAddress]:
    return _addresses(location_rows(client.pk))


@compiled_read
def location_rows(client_no: int) -> QuerySet[Any, tuple[Any, ...]]:
    """Read the service locations of a client."""
    return ServiceLocation.objects.filter(client=client_no).values_list("pk", *TaxAddress._fields)


def _addresses(rows: Iterable[tuple[Any, ...]]) -> dict[int, TaxAddress]:
    return {number: TaxAddress(*address) for number, *address in rows}


AContact = TypeVar("AContact", ContactFacts, Contact)
"""A contact as it is read, or its row."""


def billing_contact(contacts: Sequence[AContact]) -> AContact | None:
    """Return the contact that is printed as the bill-to. The contacts are in the order of their numbers."""
    return _first(contacts, BILL_TO_ROLES)


def taxed_contact(contacts: Sequence[AContact], client: Client) -> AContact | None:
    """Return the contact whose address decides the tax. The contacts are in the order of their numbers."""
    return _first(contacts, client.taxable_address_order.split(","))


def _first(contacts: Sequence[AContact], roles: Iterable[str]) -> AContact | None:
    """Return the contact with the first of these roles, and of several the one with the lowest number."""
    for role in roles:
        for contact in contacts:
            if contact.role == role:
                return contact
    return None
