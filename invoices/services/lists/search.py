"""Find customers and documents by whatever a person has at hand: a name, an id, a number, an amount, a PO number, a reference.

Each question is answered from an index and gives a few rows, so it is quick with a million documents. Texts are found by their
beginning; names also by their parts on PostgreSQL.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Client, Contact, PlanInstance
from billing_site.common.currencies import LARGEST_AMOUNT
from billing_site.common.prefixes import begins_with, is_text
from billing_site.common.written import decimal_of
from invoices.kinds import SeriesKind
from invoices.models import Invoice, InvoiceLine, Payment

MOST = 8
"""Rows of each question, and of each kind in the answer."""

YEARS = 12
"""Years back in which a document is found by its number alone, if its series begins again each year."""

LARGEST_NUMBER = 10**18
PART_LENGTH = 3
"""Letters from which on parts of names are found: PostgreSQL's index is of three letters each."""


class FoundAccount(NamedTuple):
    """A customer, and what of it was found."""

    account: Account
    what: str
    text: str


class FoundInvoice(NamedTuple):
    """A document, and what of it was found."""

    invoice: Invoice
    what: str
    text: str


class Found(NamedTuple):
    """At most `MOST` customers and documents, the best first."""

    accounts: list[FoundAccount]
    invoices: list[FoundInvoice]


def search(client: Client, text: str, today: date, *, accounts: bool = True, invoices: bool = True) -> Found:
    """Return the client's customers and documents that a text may mean. An empty text finds nothing. At most 12 queries."""
    text = text.replace("\0", "").strip()
    if not text:
        return Found([], [])
    return Found(
        _first(_accounts(client, text), lambda one: one.account.pk) if accounts else [],
        _first(_invoices(client, text, today), lambda one: one.invoice.pk) if invoices else [],
    )


def customers_like(client: Client, *, email: str = "", company: str = "", tax_id: str = "") -> list[FoundAccount]:
    """Return customers with the same e-mail address, company or tax id: probably the same customer. At most `MOST`."""
    return _first(_alike(client, email, company, tax_id), lambda one: one.account.pk)


def _alike(client: Client, email: str, company: str, tax_id: str) -> Iterator[FoundAccount]:
    contacts = Contact.objects.filter(account__client=client).select_related("account")
    for column, text, what in (("email", email, _("E-mail")), ("company", company, _("Company"))):
        if text:
            rows = contacts.filter(is_text(column, text), ~Q(**{column: ""}))[:MOST]
            yield from (FoundAccount(one.account, str(what), getattr(one, column)) for one in rows)
    if tax_id:
        accounts = Account.objects.filter(is_text("tax_id", tax_id.replace(" ", "")), ~Q(tax_id=""), client=client)[:MOST]
        yield from (FoundAccount(one, str(_("Tax id")), one.tax_id) for one in accounts)


def _first(found: Iterator[Any], number_of: Any) -> list[Any]:
    """Return the first `MOST`, each row once."""
    rows: dict[int, Any] = {}
    for one in found:
        rows.setdefault(number_of(one), one)
        if len(rows) == MOST:
            break
    return list(rows.values())


def _accounts(client: Client, text: str) -> Iterator[FoundAccount]:
    accounts = Account.objects.filter(client=client)
    yield from (FoundAccount(one, "", "") for one in accounts.filter(begins_with("client_acct_id", text))[:MOST])
    if (number := _number(text)) is not None:
        yield from (FoundAccount(one, str(_("Account no.")), str(one.pk)) for one in accounts.filter(pk=number))
    for column, what in (("name", _("Name")), ("company", _("Company")), ("email", _("E-mail"))):
        for contact in _contacts(client, column, text)[:MOST]:
            yield FoundAccount(contact.account, str(what), getattr(contact, column))
    tax_ids = accounts.filter(begins_with("tax_id", text.replace(" ", "")), ~Q(tax_id=""))[:MOST]
    yield from (FoundAccount(one, str(_("Tax id")), one.tax_id) for one in tax_ids)
    plans = PlanInstance.objects.filter(begins_with("po_num", text), ~Q(po_num=""), account__client=client)
    for plan in plans.select_related("account")[:MOST]:
        yield FoundAccount(plan.account, str(_("PO number")), plan.po_num)
    payments = Payment.objects.filter(begins_with("reference", text), ~Q(reference=""), account__client=client)
    for payment in payments.select_related("account").order_by()[:MOST]:
        yield FoundAccount(payment.account, str(_("Payment reference")), payment.reference)


def _contacts(client: Client, column: str, text: str) -> QuerySet[Contact]:
    contacts = Contact.objects.filter(account__client=client).select_related("account").order_by()
    if connection.vendor == "postgresql" and column != "email" and len(text) >= PART_LENGTH:
        return contacts.filter(**{f"{column}__icontains": text})
    return contacts.filter(begins_with(column, text), ~Q(**{column: ""}))


def _invoices(client: Client, text: str, today: date) -> Iterator[FoundInvoice]:
    invoices = Invoice.objects.filter(client=client).select_related("account")
    yield from (FoundInvoice(one, "", "") for one in invoices.filter(document_number__in={text, text.upper()})[:MOST])
    if (number := _number(text)) is not None:
        years = (0, *range(today.year, today.year - YEARS, -1))
        numbered = invoices.filter(series__in=SeriesKind.values, number_year__in=years, number=number)
        yield from (FoundInvoice(one, "", "") for one in numbered[:MOST])
        yield from (FoundInvoice(one, str(_("Invoice no.")), str(one.pk)) for one in invoices.filter(pk=number))
    if (amount := _amount(text)) is not None:
        for one in invoices.filter(total_amount__in={amount, -amount}).order_by("-pk")[:MOST]:
            yield FoundInvoice(one, str(_("Total")), "")
    lines = InvoiceLine.objects.filter(begins_with("po_num", text), ~Q(po_num=""), invoice__client=client)
    for line in lines.select_related("invoice__account").order_by()[:MOST]:
        yield FoundInvoice(line.invoice, str(_("PO number")), line.po_num)


MOST_NUMBERED = 1000
"""Up to so many documents, a list reads those that a text names by their numbers."""


def documents_named(client: Client, text: str) -> Q:
    """Return a condition on documents: by the beginning of the document number, account id or custom status, by PO number, or
    by a part of a contact's name (its beginning, if the text has one or two letters). At most five queries.

    Few documents are found by indexes, and named by their numbers. Many are looked for row by row, which ends soon.
    """
    numbers: set[int] = set()
    for part in _named(client, text):
        numbers.update(part[: MOST_NUMBERED + 1])
        if len(numbers) > MOST_NUMBERED:
            return _named_in_row(text)
    return Q(pk__in=numbers)


def _named(client: Client, text: str) -> Iterator[QuerySet[Any, int]]:
    """Yield the numbers of documents that a text names, each part from an index."""
    invoices = Invoice.objects.filter(client=client).order_by()
    accounts = Account.objects.filter(begins_with("client_acct_id", text), client=client)
    contacts = Contact.objects.filter(_has_name(text), account__client=client)
    lines = InvoiceLine.objects.filter(is_text("po_num", text), ~Q(po_num=""), po_num=text, invoice__client=client)
    for column in ("document_number", "custom_status_label"):
        yield invoices.filter(begins_with(column, text), ~Q(**{column: ""})).values_list("pk", flat=True)
    yield lines.order_by().values_list("invoice_id", flat=True).distinct()
    yield invoices.filter(account__in=accounts).values_list("pk", flat=True)
    yield invoices.filter(account__in=contacts.values("account")).values_list("pk", flat=True)


def _has_name(text: str) -> Q:
    """Return a condition on contacts: a part of the name, or its beginning if the text is too short for the index of parts."""
    return begins_with("name", text) if len(text) < PART_LENGTH else Q(name__icontains=text)


def _named_in_row(text: str) -> Q:
    named = Contact.objects.filter(_has_name(text), account=OuterRef("account"))
    ordered = InvoiceLine.objects.filter(invoice=OuterRef("pk"), po_num=text)
    begins = Q(document_number__istartswith=text) | Q(account__client_acct_id__istartswith=text)
    return begins | Q(custom_status_label__istartswith=text) | Q(Exists(named)) | Q(Exists(ordered))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and int(text) < LARGEST_NUMBER else None


def _amount(text: str) -> Decimal | None:
    """Read an amount: 1234.50, 1,234.50 or 1.234,50. The last point or comma that is followed by at most 3 digits parts the
    decimals."""
    digits = text.replace(" ", "")
    if "," in digits and "." in digits:
        digits = digits.replace(min(",.", key=digits.rindex), "")
    try:
        amount = abs(decimal_of(digits.replace(",", ".")))
    except ValueError:
        return None
    return amount if amount <= LARGEST_AMOUNT else None
