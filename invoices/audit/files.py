"""Files of documents are what they were when they were made."""

from django.db.models import Q

from invoices.audit.reports import AuditReport
from invoices.audit.rules import Rule
from invoices.audit.scopes import Scope, of_client
from invoices.kinds import ISSUED_STATUSES, FileState
from invoices.models import DocumentFile
from invoices.services.printing.files import file_problem

FILES_AT_ONCE = 500

RULES = (
    Rule(
        DocumentFile,
        "invoice__client",
        ~Q(invoice__status__in=ISSUED_STATUSES),
        "file {pk} of invoice {invoice_id}: the document is not issued",
    ),
)


def stored_files(scope: Scope) -> AuditReport:
    """Compare the hash of each file that is made with the file in the storage. One file is in memory at a time."""
    made = of_client(DocumentFile, "invoice__client", scope).filter(state=FileState.MADE).select_related("invoice")
    rows, findings = 0, []
    for file in made.order_by("pk").iterator(chunk_size=FILES_AT_ONCE):
        rows += 1
        if wrong := file_problem(file):
            findings.append(f"{file.get_kind_display()} of invoice {file.invoice_id} ({file.name}): {wrong}")
    return AuditReport("Stored files are as they were made", rows, findings)
