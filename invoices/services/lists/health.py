"""Whether the installation is well: workers, what waits for them and since when, and what the last audit found.

Each measure reads a partial index or a few rows, at any number of documents. The health page and /metrics show the same ones.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from django.core.checks import CheckMessage
from django.db.models import Count, Min, Model, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing_site.common.guards import check_guards
from invoices.kinds import AttemptStatus, DeliveryState, FileState, InvoiceStatus, StatementStatus
from invoices.models import (
    AuditRun,
    BillingRun,
    CollectionAttempt,
    DocumentFile,
    Invoice,
    Schedule,
    Statement,
    WebhookDelivery,
    WebhookEndpoint,
)
from invoices.services.work.schedules import is_late
from invoices.services.work.workers import live_workers, missing_command

SECONDS_TO_WAIT = 15 * 60
"""What waits for a worker for longer than this is in trouble."""


class Measure(NamedTuple):
    """A number about the installation. `name` is for programs, `title` for people. `is_bad`: a person must look at it."""

    name: str
    title: str | Promise
    value: float
    is_bad: bool = False


def measures() -> list[Measure]:
    """Return all measures, of all clients together. Ages are in seconds; nothing that waits has age 0."""
    return list(_measures())


def broken_guards() -> list[CheckMessage]:
    """Return what the database no longer keeps from being altered: nothing where all is well."""
    return check_guards(None, databases=["default"])


def _measures() -> Iterator[Measure]:
    workers = live_workers().count()
    yield Measure("workers", _("Workers that are running"), workers, bool(missing_command()))
    late = sum(is_late(one) for one in Schedule.objects.filter(is_on=True).select_related("client"))
    yield Measure("schedules_late", _("Tasks that are late"), late, late > 0)
    yield Measure("runs_open", _("Billing runs that are not finished"), BillingRun.objects.filter(finished_at=None).count())
    pending = Invoice.objects.filter(status=InvoiceStatus.PENDING).count()
    yield Measure("invoices_pending", _("Pending documents"), pending)
    unknown = CollectionAttempt.objects.filter(status=AttemptStatus.UNKNOWN).count()
    yield Measure("collections_unknown", _("Collections whose result the gateway has not reported"), unknown, unknown > 0)
    unmade = DocumentFile.objects.exclude(state=FileState.MADE)
    yield from _waiting(
        "files", _("Files to be made"), _("Seconds since the oldest one was owed"), unmade, "invoice__approved_at"
    )
    to_send = Statement.objects.filter(status__in=[StatementStatus.REQUESTED, StatementStatus.SENDING])
    yield from _waiting(
        "statements", _("Statements to be sent"), _("Seconds since the oldest one was asked for"), to_send, "requested_at"
    )
    deliveries = WebhookDelivery.objects.filter(state=DeliveryState.WAITING)
    yield from _waiting("webhooks", _("Events to be delivered"), _("Seconds since the oldest one"), deliveries, "event__at")
    dead = WebhookEndpoint.objects.filter(is_on=False).exclude(off_because="").count()
    yield Measure("webhooks_off", _("Webhooks that were switched off because nobody answered"), dead, dead > 0)
    yield from _audits()


def _waiting(name: str, title: Promise, title_of_age: Promise, rows: QuerySet[Model], since: str) -> Iterator[Measure]:
    found = rows.aggregate(waiting=Count("pk"), oldest=Min(since))
    age = _seconds_since(found["oldest"])
    yield Measure(f"{name}_waiting", title, found["waiting"])
    yield Measure(f"{name}_oldest_seconds", title_of_age, age, age > SECONDS_TO_WAIT)


def _audits() -> Iterator[Measure]:
    newest = AuditRun.objects.order_by("-started_at").first()
    findings = newest.findings_count if newest else 0
    yield Measure("audit_findings", _("Findings of the last audit"), findings, findings > 0)
    yield Measure("audit_age_seconds", _("Seconds since the last audit"), _seconds_since(newest.started_at if newest else None))


def _seconds_since(moment: datetime | None) -> float:
    return 0.0 if moment is None else max((timezone.now() - moment).total_seconds(), 0.0)
