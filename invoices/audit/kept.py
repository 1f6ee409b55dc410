"""Store the findings of the audits, so that they can be read later."""

from django.db import transaction
from django.utils import timezone

from accounts.models import Client
from billing_site.common.storage import insert_rows
from invoices.audit import AuditReport, run_audits
from invoices.models import AuditFinding, AuditRun

FINDINGS_KEPT = 1000
"""At most this number of findings is stored for each audit."""


def audit_and_keep(client: Client | None, asked_by: str) -> tuple[AuditRun, list[AuditReport]]:
    """Run the audits over one client's rows or over all, and store the findings. The audits read outside the writing
    transaction."""
    started_at = timezone.now()
    reports = run_audits(client)
    with transaction.atomic():
        run = AuditRun.objects.create(
            client=client,
            asked_by=asked_by,
            started_at=started_at,
            finished_at=timezone.now(),
            rows=sum(report.rows for report in reports),
            findings_count=sum(len(report.findings) for report in reports),
        )
        insert_rows(
            AuditFinding,
            ("run_id", "audit", "words"),
            [(run.pk, report.name[:200], words) for report in reports for words in report.findings[:FINDINGS_KEPT]],
        )
    return run, reports
