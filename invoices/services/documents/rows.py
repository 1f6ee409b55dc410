"""From a plan to the rows that are stored. The one builder feeds COPY and bulk_create, and the fingerprint."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from accounts.models import Client, Contact
from billing_site.common.storage import insert_rows
from invoices.basis import BASIS_FIELDS, basis_of, basis_rows
from invoices.fingerprints import (
    CREDIT_FIELDS,
    LINE_FIELDS,
    PARTY_FIELDS,
    PERIOD_FIELDS,
    TAX_FIELDS,
    TERM_FIELDS,
    Content,
    Correction,
    DocumentLine,
    fingerprint,
)
from invoices.kinds import InvoiceStatus
from invoices.models import BilledPeriod, CreditDetail, Invoice, InvoiceLine, LineBasis, TaxDetail
from invoices.plan import InvoicePlan
from invoices.plan.drafts import LineDraft
from invoices.services.documents.remarks import NO_REMARKS, Remarks
from invoices.tax_basis import read_basis

STANDING_FIELDS = (
    "id",
    "status",
    "fingerprint",
    "generated_by",
    "generated_at",
    "generated_on",
    "approved_by",
    "approved_at",
    "custom_status_label",
    "client_notes",
)
CORRECTION_FIELDS = ("corrects_id", "reason_code", "comments")
NO_CORRECTION = (None, None, "")
INVOICE_LINE_FIELDS = ("invoice_id", *LINE_FIELDS, "source_line_no", "comments")
CREDIT_DETAIL_FIELDS = ("invoice_id", *CREDIT_FIELDS)
TAX_DETAIL_FIELDS = ("invoice_id", *TAX_FIELDS)
BILLED_PERIOD_FIELDS = ("invoice_id", *PERIOD_FIELDS)
LINE_BASIS_FIELDS = ("invoice_id", *BASIS_FIELDS)


class Links(NamedTuple):
    """What stands on a document beside its content: the chain that it is part of, and what was asked for when it is issued."""

    chain_root_id: int | None = None
    collect_when_issued: bool | None = None
    statement_contact_id: int | None = None
    keeps_due_date: bool | None = None
    bills_again_id: int | None = None


INVOICE_FIELDS = (*TERM_FIELDS, *PARTY_FIELDS, *CORRECTION_FIELDS, "tax_basis", *Links._fields, *STANDING_FIELDS)
NO_LINKS = Links()


def content_of(client: Client, plan: InvoicePlan) -> Content:
    """The document as it is stored while it is pending: without number and dates."""
    facts = plan.facts
    starts = [line.period_start for line in plan.lines if line.period_start]
    ends = [line.period_end for line in plan.lines if line.period_end]
    terms = (
        plan.kind.value,
        facts.state.currency,
        plan.bill_date,
        plan.bill_day,
        min(starts, default=plan.bill_date),
        max(ends, default=plan.bill_date),
        plan.tax_date,
        None,
        facts.payment_terms_days,
        None,
        plan.net_amount,
        plan.tax_amount,
        plan.total_amount,
        "",
        None,
        "",
    )
    return Content(
        terms=terms,
        parties=(client.pk, plan.account_no, seller_of(client), facts.bill_to),
        lines=[_line(plan, line) for line in plan.lines],
        credits=plan.credits,
        taxes=plan.taxes,
        periods=plan.periods,
        basis=plan.basis,
        tax_basis=plan.tax_basis,
    )


def seller_of(client: Client) -> dict[str, str]:
    """The client as it is printed."""
    return {
        "name": client.name,
        "address1": client.address1,
        "address2": client.address2,
        "city": client.city,
        "region": client.region,
        "postal_code": client.postal_code,
        "country": client.country,
    }


def _line(plan: InvoicePlan, line: LineDraft) -> tuple[Any, ...]:
    charged = line.service_no is not None
    return (
        line.line_no,
        line.line_type,
        line.service_no,
        line.plan_instance_no,
        line.description,
        line.plan_name,
        line.gl_code,
        line.tax_category,
        line.units,
        line.rate_per_unit,
        line.list_rate_per_unit,
        line.rate_schedule_no,
        line.tier_no,
        line.tier_from,
        line.tier_to,
        line.percent,
        line.base_amount,
        line.explanation,
        line.order_no,
        line.coupon_code,
        line.proration_factor,
        line.proration_text,
        line.period_total_days,
        line.proration_remaining_days,
        line.amount,
        line.period_start,
        line.period_end,
        line.po_num,
        line.location_no,
        line.location_no,
        plan.facts.bill_to_contact_no if charged else None,
        plan.facts.taxed_contact_no if charged else None,
    )


def insert_documents(
    contents: Sequence[tuple[int, Content]],
    *,
    generated_by: str,
    at: datetime,
    today: date,
    status: InvoiceStatus = InvoiceStatus.PENDING,
    remarks: Remarks = NO_REMARKS,
    links: Mapping[int, Links] | None = None,
) -> None:
    """Writes documents with their lines, credits, taxes and periods, and what the lines were counted from: six statements,
    however many documents. One that is issued as it is written has its number, dates and fingerprint from then on."""
    links = links or {}
    is_issued = status == InvoiceStatus.APPROVED
    insert_rows(
        Invoice,
        INVOICE_FIELDS,
        [
            (
                *content.terms,
                *content.parties,
                *(content.correction[:3] if content.correction else NO_CORRECTION),
                content.tax_basis.stored if content.tax_basis else None,
                *links.get(invoice_no, NO_LINKS),
                invoice_no,
                status.value,
                fingerprint(content) if is_issued else "",
                generated_by,
                at,
                today,
                generated_by if is_issued else "",
                at if is_issued else None,
                remarks.custom_status_label or "",
                remarks.client_notes or "",
            )
            for invoice_no, content in contents
        ],
    )
    insert_rows(
        InvoiceLine,
        INVOICE_LINE_FIELDS,
        [(no, *row, *beside) for no, content in contents for row, beside in zip(content.lines, _beside(content), strict=True)],
    )
    insert_rows(CreditDetail, CREDIT_DETAIL_FIELDS, [(no, *row) for no, content in contents for row in content.credits])
    insert_rows(TaxDetail, TAX_DETAIL_FIELDS, [(no, *row) for no, content in contents for row in content.taxes])
    insert_rows(BilledPeriod, BILLED_PERIOD_FIELDS, [(no, *row) for no, content in contents for row in content.periods])
    insert_rows(LineBasis, LINE_BASIS_FIELDS, [(no, *row) for no, content in contents for row in basis_rows(content.basis)])


def _beside(content: Content) -> Sequence[tuple[int | None, str]]:
    """The source of each line, and the comments on it."""
    if content.correction is None:
        return [(None, "")] * len(content.lines)
    comments = content.correction.line_comments or [""] * len(content.lines)
    return list(zip(content.correction.source_line_nos, comments, strict=True))


def stored_contents(invoice_nos: Sequence[int]) -> dict[int, Content]:
    """Documents as they are in the database: six queries, however many."""
    headers = Invoice.objects.filter(pk__in=invoice_nos).order_by("pk")
    contents: dict[int, Content] = {}
    corrections: dict[int, tuple[Any, ...]] = {}
    for number, tax_basis, *row in headers.values_list("pk", "tax_basis", *TERM_FIELDS, *PARTY_FIELDS, *CORRECTION_FIELDS):
        terms, parties = row[: len(TERM_FIELDS)], row[len(TERM_FIELDS) : -len(CORRECTION_FIELDS)]
        contents[number] = Content(tuple(terms), tuple(parties), [], [], [], [], tax_basis=read_basis(tax_basis))
        corrections[number] = tuple(row[-len(CORRECTION_FIELDS) :])
    read = _read_lines(contents)
    children = (
        ("credits", CreditDetail, CREDIT_FIELDS, ("credit_line_no", "credited_line_no")),
        ("taxes", TaxDetail, TAX_FIELDS, ("tax_line_no", "taxed_line_no")),
        ("periods", BilledPeriod, PERIOD_FIELDS, ("plan_instance",)),
    )
    for part, model, fields, order in children:
        rows = model._default_manager.filter(invoice__in=invoice_nos).order_by("invoice", *order)
        for number, *row in rows.values_list("invoice_id", *fields):
            getattr(contents[number], part).append(tuple(row))
    bases = _read_bases(invoice_nos)
    return {
        number: content._replace(
            correction=None
            if corrections[number] == NO_CORRECTION
            else Correction._make((*corrections[number], *read[number])),
            basis=basis_of(bases.get(number, [])),
        )
        for number, content in contents.items()
    }


def _read_bases(invoice_nos: Sequence[int]) -> dict[int, list[tuple[Any, ...]]]:
    bases: dict[int, list[tuple[Any, ...]]] = {}
    rows = LineBasis.objects.filter(invoice__in=invoice_nos).order_by("invoice", "place")
    for number, *row in rows.values_list(*LINE_BASIS_FIELDS):
        bases.setdefault(number, []).append(tuple(row))
    return bases


def _read_lines(contents: dict[int, Content]) -> dict[int, tuple[tuple[int | None, ...], tuple[str, ...]]]:
    """Fills in the lines, and gives the source of each, the line of another document that it credits or replaces, with the
    comments of each."""
    read: dict[int, list[tuple[int | None, str]]] = {number: [] for number in contents}
    rows = InvoiceLine.objects.filter(invoice__in=contents).order_by("invoice", "line_no")
    for number, *row, source, comments in rows.values_list(*INVOICE_LINE_FIELDS):
        contents[number].lines.append(tuple(row))  # type: ignore[attr-defined]
        read[number].append((source, comments))
    return {number: (tuple(one for one, _ in rows), tuple(one for _, one in rows)) for number, rows in read.items()}


def contact_numbers(lines: Iterable[DocumentLine]) -> dict[int, int]:
    """The numbers that contacts of lines have on their accounts, by their keys."""
    keys = {key for line in lines for key in (line.bill_to_contact_id, line.ship_to_contact_id) if key is not None}
    return dict(Contact.objects.filter(pk__in=keys).values_list("pk", "contact_no"))
