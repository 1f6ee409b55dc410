"""Documents with a failed collection, statement or file, which a person must look at."""

from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from invoices.kinds import FAILED_ATTEMPTS, FileState, StatementStatus
from invoices.models import CollectionAttempt, DocumentFile, Invoice, Statement
from invoices.services.statements.statements import no_later_one

OWED_FOR_LONG = timedelta(hours=1)


def failed_attempts() -> QuerySet[CollectionAttempt]:
    """Select attempts that were declined or whose outcome is not known, and that no later attempt follows."""
    later = CollectionAttempt.objects.filter(invoice=OuterRef("invoice"), attempt_no__gt=OuterRef("attempt_no"))
    return CollectionAttempt.objects.filter(~Exists(later), status__in=FAILED_ATTEMPTS)


def collection_failed(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Select invoices whose last collection failed. They may have an open amount or not."""
    return invoices.filter(pk__in=failed_attempts().values("invoice"))


def statement_failed(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Select documents whose last statement, or a copy of it, could not be sent or came back."""
    failed = Statement.objects.filter(no_later_one(), status__in=[StatementStatus.FAILED, StatementStatus.BOUNCED])
    return invoices.filter(pk__in=failed.values("invoice"))


def missing_files() -> QuerySet[DocumentFile]:
    """Select files that could not be made, or whose document was issued over an hour ago."""
    late = Q(invoice__approved_at__lt=timezone.now() - OWED_FOR_LONG)
    return DocumentFile.objects.exclude(state=FileState.MADE).filter(Q(state=FileState.FAILED) | late)


def file_missing(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Select documents without their PDF: it could not be made, or is owed for over an hour."""
    return invoices.filter(pk__in=missing_files().values("invoice"))
