"""Documents with a failed collection or statement, which a person must look at."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from invoices.kinds import FAILED_ATTEMPTS, StatementStatus
from invoices.models import CollectionAttempt, Invoice, Statement


def failed_attempts() -> QuerySet[CollectionAttempt]:
    """Select attempts that were declined or whose outcome is not known, and that no later attempt follows."""
    later = CollectionAttempt.objects.filter(invoice=OuterRef("invoice"), attempt_no__gt=OuterRef("attempt_no"))
    return CollectionAttempt.objects.filter(~Exists(later), status__in=FAILED_ATTEMPTS)


def collection_failed(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Select invoices whose last collection failed. They may have an open amount or not."""
    return invoices.filter(pk__in=failed_attempts().values("invoice"))


def statement_failed(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Select documents whose last statement could not be sent."""
    later = Statement.objects.filter(invoice=OuterRef("invoice"), pk__gt=OuterRef("pk"))
    failed = Statement.objects.filter(~Exists(later), status=StatementStatus.FAILED)
    return invoices.filter(pk__in=failed.values("invoice"))
