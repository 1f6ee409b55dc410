"""Write documents to the database and read them back."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from accounts.company_numbers import tax_id_for
from accounts.models import Client, Contact
from accounts.models.identities import SELLER_FIELDS
from accounts.tax_currencies import exchange_rate
from billing_site.common.compiled_reads import Reading, compiled_read, read_ahead
from billing_site.common.storage import insert_rows, update_rows
from invoices.basis import BASIS_FIELDS, basis_of, basis_rows
from invoices.calculation import ZERO
from invoices.document import (
    CORRECTION_FIELDS,
    CREDIT_FIELDS,
    LINE_FIELDS,
    PARTY_FIELDS,
    PERIOD_FIELDS,
    TAX_FIELDS,
    TERM_FIELDS,
    Correction,
    Credit,
    Document,
    Line,
    Parties,
    Period,
    Tax,
    Terms,
    period_of,
)
from invoices.kinds import InvoiceStatus
from invoices.models import BilledPeriod, CreditDetail, Invoice, InvoiceLine, LineBasis, TaxDetail
from invoices.plan import InvoicePlan
from invoices.services.documents.remarks import NO_REMARKS, Remarks
from invoices.tax_basis import read_basis

Part = TypeVar("Part")

STANDING_FIELDS = (
    "id",
    "status",
    "open_amount",
    "fingerprint",
    "generated_by",
    "generated_at",
    "generated_on",
    "approved_by",
    "approved_at",
    "custom_status_label",
    "client_notes",
)
NO_CORRECTION = (None, None, "")
INVOICE_LINE_FIELDS = ("invoice_id", *LINE_FIELDS)
CREDIT_DETAIL_FIELDS = ("invoice_id", *CREDIT_FIELDS)
TAX_DETAIL_FIELDS = ("invoice_id", *TAX_FIELDS)
BILLED_PERIOD_FIELDS = ("invoice_id", *PERIOD_FIELDS)
LINE_BASIS_FIELDS = ("invoice_id", *BASIS_FIELDS)


class Links(NamedTuple):
    """What is stored with a document beside its content: its chain, and what was requested for its issue."""

    chain_root_id: int | None = None
    collect_when_issued: bool | None = None
    statement_contact_id: int | None = None
    keeps_due_date: bool | None = None
    bills_again_id: int | None = None
    credit_to: str = ""


class Header(NamedTuple):
    """A document to be written. With a fingerprint it is issued, and has its number and dates."""

    invoice_no: int
    content: Document
    links: Links
    fingerprint: str = ""

    @property
    def is_issued(self) -> bool:
        return bool(self.fingerprint)


INVOICE_FIELDS = (*TERM_FIELDS, *PARTY_FIELDS, *CORRECTION_FIELDS, "tax_basis", *Links._fields, *STANDING_FIELDS)
NO_LINKS = Links()


def content_of(client: Client, plan: InvoicePlan) -> Document:
    """Return the document of a plan as it is stored while pending, without number and dates."""
    facts = plan.facts
    period_start, period_end = period_of(plan.lines, (plan.bill_date, plan.bill_date))
    terms = Terms(
        kind=plan.kind.value,
        currency=facts.state.currency.code,
        bill_date=plan.bill_date,
        bill_day=plan.bill_day,
        period_start=period_start,
        period_end=period_end,
        tax_date=plan.tax_date,
        payment_terms_days=facts.payment_terms_days,
        net_amount=plan.net_amount,
        tax_amount=plan.tax_amount,
        total_amount=plan.total_amount,
        **plan.tax_answer.exemption_columns,
    )
    return Document(
        terms=terms,
        parties=Parties(
            client_id=client.pk,
            account_id=plan.account_no,
            seller=seller_of(client, facts.bill_to, terms.currency),
            bill_to=facts.bill_to,
        ),
        lines=plan.lines,
        credits=plan.credits,
        taxes=plan.taxes,
        periods=plan.periods,
        basis=plan.basis,
        tax_basis=plan.tax_basis,
    )


def seller_of(client: Client, bill_to: Mapping[str, str], currency: str) -> dict[str, str]:
    """Return the client as printed for a customer. Values of the company that are empty are left out.

    If its VAT accounts are in another currency than the document, that currency and the rate are among them.
    """
    names = ("name", "address1", "address2", "city", "region", "postal_code", "country")
    countries = (bill_to.get("country", ""), client.country)
    company = {"tax_id": tax_id_for(client.tax_ids, countries), **{name: getattr(client, name) for name in SELLER_FIELDS}}
    if client.tax_currency not in ("", currency):
        company["tax_currency"] = client.tax_currency
        company["tax_currency_rate"] = exchange_rate(client.tax_currency_rates, currency)
    return {**{name: getattr(client, name) for name in names}, **{name: text for name, text in company.items() if text}}


def insert_documents(
    contents: Sequence[tuple[int, Document]],
    *,
    generated_by: str,
    at: datetime,
    today: date,
    remarks: Remarks = NO_REMARKS,
    links: Mapping[int, Links] = MappingProxyType({}),
) -> None:
    """Write pending documents with their lines, credits, taxes, periods and basis. Six statements. Must be called in a
    transaction."""
    insert_headers(
        [Header(number, content, links.get(number, NO_LINKS)) for number, content in contents],
        generated_by=generated_by,
        at=at,
        today=today,
        remarks=remarks,
    )
    insert_parts(contents)


def insert_headers(
    headers: Iterable[Header], *, generated_by: str, at: datetime, today: date, remarks: Remarks = NO_REMARKS
) -> None:
    """Write documents without their lines, credits, taxes, periods and basis: issued if they have a fingerprint, else pending.
    One statement."""
    insert_rows(
        Invoice,
        INVOICE_FIELDS,
        [
            (
                *_terms_of(one.content.terms),
                *_parties_of(one.content.parties),
                *(_correction_of(one.content.correction) if one.content.correction else NO_CORRECTION),
                one.content.tax_basis.stored if one.content.tax_basis else None,
                *one.links,
                one.invoice_no,
                (InvoiceStatus.APPROVED if one.is_issued else InvoiceStatus.PENDING).value,
                one.content.terms.owed if one.is_issued else ZERO,
                one.fingerprint,
                generated_by,
                at,
                today,
                generated_by if one.is_issued else "",
                at if one.is_issued else None,
                remarks.custom_status_label or "",
                remarks.client_notes or "",
            )
            for one in headers
        ],
    )


def replace_documents(contents: Sequence[tuple[int, Document]]) -> None:
    """Replace pending documents by others with the same numbers. Who generated them, and what was requested, stays.

    Must be called in a transaction, under the locks of accounts and invoices.
    """
    numbers = [number for number, _ in contents]
    update_rows(
        Invoice,
        (*TERM_FIELDS, *PARTY_FIELDS, "tax_basis"),
        [
            (
                *(number, *_terms_of(content.terms), *_parties_of(content.parties)),
                content.tax_basis.stored if content.tax_basis else None,
            )
            for number, content in contents
        ],
    )
    for part in (InvoiceLine, CreditDetail, TaxDetail, BilledPeriod, LineBasis):
        part._default_manager.filter(invoice__in=numbers).delete()
    insert_parts(contents)


def insert_parts(contents: Sequence[tuple[int, Document]]) -> None:
    """Write lines, credits, taxes, periods and basis of documents, which may be written later in the transaction. Five
    statements."""
    insert_rows(InvoiceLine, INVOICE_LINE_FIELDS, [(no, *_line_of(one)) for no, content in contents for one in content.lines])
    insert_rows(
        CreditDetail, CREDIT_DETAIL_FIELDS, [(no, *_credit_of(one)) for no, content in contents for one in content.credits]
    )
    insert_rows(TaxDetail, TAX_DETAIL_FIELDS, [(no, *_tax_of(one)) for no, content in contents for one in content.taxes])
    insert_rows(
        BilledPeriod, BILLED_PERIOD_FIELDS, [(no, *_period_of(one)) for no, content in contents for one in content.periods]
    )
    insert_rows(LineBasis, LINE_BASIS_FIELDS, [(no, *row) for no, content in contents for row in basis_rows(content.basis)])


_terms_of = attrgetter(*TERM_FIELDS)
_parties_of = attrgetter(*PARTY_FIELDS)
_correction_of = attrgetter(*CORRECTION_FIELDS)
_line_of = attrgetter(*LINE_FIELDS)
_credit_of = attrgetter(*CREDIT_FIELDS)
_tax_of = attrgetter(*TAX_FIELDS)
_period_of = attrgetter(*PERIOD_FIELDS)


def stored_contents(invoice_nos: Collection[int]) -> dict[int, Document]:
    """Return stored documents by number, in the order of their numbers. Six queries, in one round trip."""
    with read_ahead(*content_readings(invoice_nos)):
        return _stored_contents(invoice_nos)


def content_readings(invoice_nos: Collection[int]) -> list[Reading]:
    """Return the reads of `stored_contents`, to be read ahead with others."""
    return [read.of(invoice_nos) for read in (_header_rows, _line_rows, _credit_rows, _tax_rows, _period_rows, _basis_rows)]


def _stored_contents(invoice_nos: Collection[int]) -> dict[int, Document]:
    rows = _header_rows(invoice_nos)
    lines = _by_document(_line_rows(invoice_nos), Line)
    credits = _by_document(_credit_rows(invoice_nos), Credit)
    taxes = _by_document(_tax_rows(invoice_nos), Tax)
    periods = _by_document(_period_rows(invoice_nos), Period)
    bases = _read_bases(invoice_nos)
    return {
        row["pk"]: Document(
            terms=Terms(**{name: row[name] for name in TERM_FIELDS}),
            parties=Parties(**{name: row[name] for name in PARTY_FIELDS}),
            lines=tuple(lines.get(row["pk"], ())),
            credits=tuple(credits.get(row["pk"], ())),
            taxes=tuple(taxes.get(row["pk"], ())),
            periods=tuple(periods.get(row["pk"], ())),
            correction=_correction(row),
            basis=basis_of(bases.get(row["pk"], [])),
            tax_basis=read_basis(row["tax_basis"]),
        )
        for row in rows
    }


def _correction(row: Mapping[str, Any]) -> Correction | None:
    values = {name: row[name] for name in CORRECTION_FIELDS}
    return None if tuple(values.values()) == NO_CORRECTION else Correction(**values)


@compiled_read
def _header_rows(invoice_nos: Collection[int]) -> Any:
    headers = Invoice.objects.filter(pk__in=invoice_nos).order_by("pk")
    return headers.values("pk", "tax_basis", *TERM_FIELDS, *PARTY_FIELDS, *CORRECTION_FIELDS)


@compiled_read
def _line_rows(invoice_nos: Collection[int]) -> Any:
    return InvoiceLine.objects.filter(invoice__in=invoice_nos).order_by("invoice", "line_no").values(*INVOICE_LINE_FIELDS)


@compiled_read
def _credit_rows(invoice_nos: Collection[int]) -> Any:
    rows = CreditDetail.objects.filter(invoice__in=invoice_nos).order_by("invoice", "credit_line_no", "credited_line_no")
    return rows.values(*CREDIT_DETAIL_FIELDS)


@compiled_read
def _tax_rows(invoice_nos: Collection[int]) -> Any:
    rows = TaxDetail.objects.filter(invoice__in=invoice_nos).order_by("invoice", "tax_line_no", "taxed_line_no")
    return rows.values(*TAX_DETAIL_FIELDS)


@compiled_read
def _period_rows(invoice_nos: Collection[int]) -> Any:
    rows = BilledPeriod.objects.filter(invoice__in=invoice_nos).order_by("invoice", "plan_instance")
    return rows.values(*BILLED_PERIOD_FIELDS)


@compiled_read
def _basis_rows(invoice_nos: Collection[int]) -> Any:
    return LineBasis.objects.filter(invoice__in=invoice_nos).order_by("invoice", "place").values_list(*LINE_BASIS_FIELDS)


def _by_document(rows: Iterable[dict[str, Any]], shape: Callable[..., Part]) -> dict[int, list[Part]]:
    found: dict[int, list[Part]] = {}
    for row in rows:
        found.setdefault(row.pop("invoice_id"), []).append(shape(**row))
    return found


def _read_bases(invoice_nos: Collection[int]) -> dict[int, list[tuple[Any, ...]]]:
    bases: dict[int, list[tuple[Any, ...]]] = {}
    for number, *row in _basis_rows(invoice_nos):
        bases.setdefault(number, []).append(tuple(row))
    return bases


def contact_numbers(lines: Iterable[Line]) -> dict[int, int]:
    """Return the contact numbers of the contacts on lines, by key."""
    return dict(_contact_numbers(_contacts_on(lines)))


def contact_number_reading(lines: Iterable[Line]) -> Reading:
    """Return what `contact_numbers` reads, to be read ahead with others."""
    return _contact_numbers.of(_contacts_on(lines))


def _contacts_on(lines: Iterable[Line]) -> list[int]:
    keys = {key for line in lines for key in (line.bill_to_contact_id, line.ship_to_contact_id) if key is not None}
    return sorted(keys)


@compiled_read
def _contact_numbers(contact_nos: Collection[int]) -> Any:
    return Contact.objects.filter(pk__in=contact_nos).values_list("pk", "contact_no")
