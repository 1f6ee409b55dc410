"""Search accounts, and read what a list shows of them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from accounts.models import Account, Client, Contact, PlanInstance
from accounts.models.tags import tagged
from billing_site.common.fields import LARGEST_LONG
from invoices.kinds import CYCLE_KINDS, InvoiceStatus
from invoices.models import Invoice, LedgerEntry
from invoices.services.money.ledger.entries import AccountPosition, account_positions
from invoices.services.planning.facts import ContactFacts, billing_contact, read_contacts


class AccountFilters(NamedTuple):
    """Filters of a list of accounts. None or an empty text means no filter."""

    search: str = ""
    status: int | None = None
    currency: str = ""
    is_due: bool | None = None
    owes: bool | None = None
    has_pending_invoice: bool | None = None
    approval_required: bool | None = None
    is_test: bool | None = None
    tag: str = ""


class AccountRow(NamedTuple):
    """One row of a list of accounts. `plans` are those that have not ended."""

    acct_no: int
    client_acct_id: str
    name: str
    company: str
    status: int
    status_text: str
    currency: str
    is_test: bool
    approval_required: bool
    plans: tuple[str, ...]
    next_bill_date: date | None
    is_due: bool
    balance: Decimal
    pending_invoice: int | None


def find_accounts(client: Client, wanted: AccountFilters, today: date) -> QuerySet[Account]:
    """Select the client's accounts that match the filters."""
    rows = Account.objects.filter(client=client)
    if wanted.search:
        rows = rows.filter(_named(wanted.search))
    if wanted.status is not None:
        rows = rows.filter(status=wanted.status)
    if wanted.currency:
        rows = rows.filter(currency=wanted.currency.lower())
    if wanted.is_due is not None:
        due = Q(next_bill_date__lte=today)
        rows = rows.filter(due if wanted.is_due else ~due | Q(next_bill_date=None))
    if wanted.owes is not None:
        newest = LedgerEntry.objects.filter(account=OuterRef("pk")).order_by("-entry_no")
        owing = rows.annotate(owed=Subquery(newest.values("balance_after")[:1]))
        rows = owing.filter(owed__gt=0) if wanted.owes else owing.filter(Q(owed__lte=0) | Q(owed=None))
    if wanted.has_pending_invoice is not None:
        pending = Exists(Invoice.objects.filter(account=OuterRef("pk"), status=InvoiceStatus.PENDING, kind__in=CYCLE_KINDS))
        rows = rows.filter(pending if wanted.has_pending_invoice else ~pending)
    if wanted.approval_required is not None:
        rows = rows.filter(invoice_approval_required=wanted.approval_required)
    if wanted.is_test is not None:
        rows = rows.filter(is_test=wanted.is_test)
    if wanted.tag.strip():
        rows = rows.filter(tagged(wanted.tag))
    return rows


def _named(text: str) -> Q:
    """Match the number, the beginning of the id, or part of a contact's name or company."""
    named = Contact.objects.filter(Q(name__icontains=text) | Q(company__icontains=text))
    found = Q(client_acct_id__istartswith=text) | Q(pk__in=named.values("account"))
    return found | Q(pk=int(text)) if text.isdecimal() and int(text) <= LARGEST_LONG else found


def account_rows(accounts: Sequence[Account], today: date) -> list[AccountRow]:
    """Return the rows of these accounts, in the order given. Three queries."""
    numbers = [account.pk for account in accounts]
    contacts, plans, positions = read_contacts(numbers), _plans(numbers, today), account_positions(numbers)
    return [
        _row(account, contacts.get(account.pk, []), plans.get(account.pk, []), positions[account.pk], today)
        for account in accounts
    ]


def _row(
    account: Account, contacts: list[ContactFacts], plans: list[str], position: AccountPosition, today: date
) -> AccountRow:
    billed = billing_contact(contacts)
    return AccountRow(
        acct_no=account.pk,
        client_acct_id=account.client_acct_id,
        name=billed.party["name"] if billed else "",
        company=billed.party["company"] if billed else "",
        status=account.status,
        status_text=account.get_status_display(),
        currency=account.currency,
        is_test=account.is_test,
        approval_required=account.invoice_approval_required,
        plans=tuple(plans),
        next_bill_date=account.next_bill_date,
        is_due=account.next_bill_date is not None and account.next_bill_date <= today,
        balance=position.balance,
        pending_invoice=position.pending_invoice_no,
    )


def _plans(account_nos: Collection[int], today: date) -> dict[int, list[str]]:
    running = PlanInstance.objects.filter(Q(end_date=None) | Q(end_date__gte=today), account__in=account_nos, taken_off_on=None)
    plans: dict[int, list[str]] = defaultdict(list)
    for account_no, name in running.order_by("account_id", "pk").values_list("account_id", "plan__name"):
        plans[account_no].append(name)
    return plans
