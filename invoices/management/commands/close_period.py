"""manage.py close_period CLIENT_NO MONTH: close a month of a client. With --check, only show what is to be done first."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rest_framework.exceptions import ValidationError

from accounts.callers import Caller
from accounts.clock import today
from accounts.models import Client
from billing_site.errors import BillingError
from invoices.api.serializers.periods import MonthField
from invoices.closing import Period, checklist, close_period, next_period


class Command(BaseCommand):
    help = "Closes a month of a client: nothing is dated, numbered or changed in it any more. Exits with 1 if it is not ready."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client", metavar="CLIENT_NO", type=int)
        parser.add_argument("month", metavar="MONTH", help="The month to close, such as 2026-11.")
        parser.add_argument("--check", action="store_true", help="Show the checklist only.")

    def handle(self, *args: Any, **options: Any) -> None:
        client = Client.objects.filter(pk=options["client"]).first()
        if client is None:
            raise CommandError(f"Client {options['client']} does not exist.")
        try:
            last_day = MonthField().run_validation(options["month"])
        except ValidationError:
            raise CommandError(f"{options['month']} is not a month. Give it as 2026-11.") from None
        day = today(client)
        if options["check"]:
            self._check(client, Period(next_period(client, day).first_day, last_day))
            return
        try:
            close_period(client=client, last_day=last_day, caller=Caller(process="close_period"), today=day)
        except BillingError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"Client {client.pk} is closed through {last_day}.")

    def _check(self, client: Client, period: Period) -> None:
        checks = checklist(client, period)
        for one in checks:
            self.stdout.write(f"{'done' if one.is_done else 'open'}  {one.title}{'' if one.is_done else f': {one.next_step}'}")
        if not all(one.is_done for one in checks):
            raise CommandError(f"The period through {period.last_day} cannot be closed yet.")
