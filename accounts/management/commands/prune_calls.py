"""manage.py prune_calls: delete log rows of API calls that are older than CALL_LOG_DAYS."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts.models import ApiCall

ROWS_AT_ONCE = 10_000


class Command(BaseCommand):
    help = "Deletes entries of the API call log that are older than CALL_LOG_DAYS."

    def handle(self, *args: Any, **options: Any) -> None:
        old = ApiCall.objects.filter(at__lt=timezone.now() - timedelta(days=settings.CALL_LOG_DAYS)).order_by("at")
        deleted = 0
        while numbers := list(old.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
            deleted += ApiCall.objects.filter(pk__in=numbers).delete()[0]
        self.stdout.write(f"deleted {deleted:>10,}")
