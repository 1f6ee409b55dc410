"""Parts of documents (lines, credits, taxes, billed periods, bases) belong to documents that exist. The database does not check
it: they are written before their document."""

from typing import Any

from django.db.models import Exists, Model, OuterRef

from accounts.models import Client
from billing_site.common.compiled_reads import CompiledRead, compiled_read
from invoices.audit.reads import ScopeRead, scope_read
from invoices.audit.reports import AuditReport
from invoices.audit.scopes import Scope, of_client
from invoices.models import BilledPeriod, CreditDetail, Invoice, InvoiceLine, LineBasis, TaxDetail

NAME = "Lines, taxes and periods are of documents that exist"
PARTS: tuple[type[Model], ...] = (InvoiceLine, CreditDetail, TaxDetail, BilledPeriod, LineBasis)
MOST_FINDINGS = 1000
"""So many rows of a model are described at most."""


def parts_without_document(client: Client | None) -> AuditReport:
    """Count the rows of a client, or all, and find those of anybody whose document does not exist: they have no client."""
    scope = Scope(client)
    rows, findings = 0, []
    for model in PARTS:
        rows += _OF_CLIENT[model].count(scope)
        for number, invoice_no in _LOST[model]():
            findings.append(f"{model._meta.model_name} {number}: of invoice {invoice_no}, which does not exist")
    return AuditReport(NAME, rows, findings)


def _of_client(model: type[Model]) -> ScopeRead[Any]:
    return scope_read(lambda scope: of_client(model, "invoice__client", scope).order_by().values("pk"))


def _lost(model: type[Model]) -> CompiledRead[[], Any]:
    lost = model._default_manager.filter(~Exists(Invoice.objects.filter(pk=OuterRef("invoice_id"))))
    return compiled_read(lambda: lost.order_by("pk").values_list("pk", "invoice_id")[:MOST_FINDINGS])


_OF_CLIENT = {model: _of_client(model) for model in PARTS}
_LOST = {model: _lost(model) for model in PARTS}
