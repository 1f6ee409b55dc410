"""Store the findings of the audits, so that they can be read later."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.common.storage import insert_rows
from invoices.audit import AuditReport, run_audits
from invoices.audit.reports import Progress, quiet
from invoices.models import AuditFinding, AuditRun

FINDINGS_KEPT = 1000
"""At most this number of findings is stored for each audit."""


FINDING = "audit.finding"
AUDITOR = Caller(process="audit")

LONGEST_ACT = timedelta(minutes=10)
"""An act is written down with the time of its beginning. None takes longer until its commit."""


def clean_until(client: Client | None) -> datetime | None:
    """Return the moment until which all events of a client, or of all, were covered by a whole audit without findings."""
    whole = AuditRun.objects.filter(findings_count=0).filter(Q(client=None) | Q(client=client))
    newest = whole.order_by("-started_at").values_list("started_at", flat=True).first()
    return None if newest is None else newest - LONGEST_ACT


def last_findings(client: Client) -> int | None:
    """Return how many findings the newest whole audit of the client, or of all clients, had. None: there was none."""
    whole = AuditRun.objects.filter(Q(client=None) | Q(client=client))
    return whole.order_by("-started_at", "-pk").values_list("findings_count", flat=True).first()


def audit_and_keep(client: Client | None, asked_by: str, progress: Progress = quiet) -> tuple[AuditRun, list[AuditReport]]:
    """Run the audits over one client's rows or over all, and store the findings. The audits read outside the writing
    transaction. An audit of one client writes an event for each finding that is stored; one of all clients has nobody to report
    them to."""
    started_at = timezone.now()
    reports = run_audits(client, progress)
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
        if client is not None:
            record_acts(client, AUDITOR, _acts(run, reports))
    return run, reports


def _acts(run: AuditRun, reports: Sequence[AuditReport]) -> list[Act]:
    return [
        Act(FINDING, after={"audit_run": run.pk, "audit": report.name, "finding": words})
        for report in reports
        for words in report.findings[:FINDINGS_KEPT]
    ]
