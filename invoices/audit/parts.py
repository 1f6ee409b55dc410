"""Parts of documents (lines, credits, taxes, billed periods, bases) belong to documents that exist. The database does not check
it: they are written before their document."""

from django.db.models import Exists, Model, OuterRef

from accounts.models import Client
from invoices.audit.reports import AuditReport
from invoices.models import BilledPeriod, CreditDetail, Invoice, InvoiceLine, LineBasis, TaxDetail

NAME = "Lines, taxes and periods are of documents that exist"
PARTS: tuple[type[Model], ...] = (InvoiceLine, CreditDetail, TaxDetail, BilledPeriod, LineBasis)
MOST_FINDINGS = 1000
"""So many rows of a model are described at most."""


def parts_without_document(client: Client | None) -> AuditReport:
    """Count the rows of a client, or all, and find those of anybody whose document does not exist: they have no client."""
    rows, findings = 0, []
    for model in PARTS:
        parts = model._default_manager.order_by("pk")
        rows += (parts if client is None else parts.filter(invoice__client=client)).count()
        lost = parts.filter(~Exists(Invoice.objects.filter(pk=OuterRef("invoice_id"))))
        for number, invoice_no in lost.values_list("pk", "invoice_id")[:MOST_FINDINGS]:
            findings.append(f"{model._meta.model_name} {number}: of invoice {invoice_no}, which does not exist")
    return AuditReport(NAME, rows, findings)
