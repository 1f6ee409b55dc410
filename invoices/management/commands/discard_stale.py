"""manage.py discard_stale: discard pending invoices that are older than their client's setting."""

from typing import Any

from django.core.management.base import BaseCommand

from accounts import clock
from accounts.callers import Caller
from accounts.models import Client
from invoices.services.approving.deciding import discard_stale
from invoices.services.documents.outcomes import Refused


class Command(BaseCommand):
    help = "Discards invoices that are pending for more days than their client's setting pending_discard_days."

    def handle(self, *args: Any, **options: Any) -> None:
        for client in Client.objects.exclude(pending_discard_days=None):
            outcomes = discard_stale(client=client, caller=Caller(process="discard_stale"), today=clock.today(client))
            for invoice_no, outcome in outcomes.items():
                done = outcome.error.message if isinstance(outcome, Refused) else "discarded"
                self.stdout.write(f"client {client.pk}, invoice {invoice_no}: {done}")
            self.stdout.write(f"{client}: {sum(not isinstance(one, Refused) for one in outcomes.values())} discarded")
