"""manage.py recheck --client CLIENT_NO --from DAY --until DAY: what issued invoices would be today. No document is written."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.callers import Caller
from accounts.models import Client
from billing_site.common.written import day_of
from billing_site.errors import BillingError
from rebills.kinds import ItemState
from rebills.management.commands.rebill_campaign import campaign_summary, carry_out
from rebills.services.campaigns.rechecking import start_recheck
from rebills.services.campaigns.selection import Selection

CALLER = Caller(process="recheck")
MOST_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Compares issued invoices of a span with what they would be by today's prices, tax rates and program, and lists the "
        "differences. No document is written. Exits with 1 if there are differences."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--client", type=int, required=True, dest="client_no")
        parser.add_argument("--from", type=day_of, required=True, dest="first", help="First invoice date.")
        parser.add_argument("--until", type=day_of, required=True, dest="last", help="Last invoice date.")

    def handle(self, *args: Any, client_no: int, first: date, last: date, **options: Any) -> None:
        client = Client.objects.filter(pk=client_no).first()
        if client is None:
            raise CommandError(f"Client {client_no} does not exist.")
        try:
            selection = Selection(dated_from=first, dated_until=last)
            recheck = start_recheck(client=client, selection=selection, caller=CALLER)
        except BillingError as error:
            raise CommandError(str(error)) from error
        carry_out(recheck, "Rechecking")
        for line in campaign_summary(recheck):
            self.stdout.write(line)
        differing = recheck.items.filter(state=ItemState.READY).select_related("invoice").order_by("pk")
        for item in differing[:MOST_SHOWN]:
            self.stdout.write(f"  {item.invoice}  {item.difference.normalize():f} {item.currency.upper()}")
        count = differing.count()
        if count:
            raise CommandError(f"{count:,} invoices would differ today: see campaign {recheck.pk}.")
        self.stdout.write("Every invoice would be the same today.")
