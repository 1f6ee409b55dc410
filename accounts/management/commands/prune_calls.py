"""manage.py prune_calls: delete log rows of API calls that are older than CALL_LOG_DAYS."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts.call_log import prune_calls


class Command(BaseCommand):
    help = "Deletes entries of the API call log that are older than CALL_LOG_DAYS."

    def handle(self, *args: Any, **options: Any) -> None:
        deleted = prune_calls(timezone.now() - timedelta(days=settings.CALL_LOG_DAYS))
        self.stdout.write(f"deleted {deleted:>10,}")
