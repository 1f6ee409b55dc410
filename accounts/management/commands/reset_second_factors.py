"""Remove the second factors of a person who has lost them, where no administrator can."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.callers import Caller
from accounts.services.second_factors import record, reset_factors
from accounts.sessions import end_sessions
from billing_site.errors import BillingError


class Command(BaseCommand):
    help = "Remove all second factors and recovery codes of a user, and end the sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", required=True, help="Kept in the events of the clients that the user works for.")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"no user {options['username']}")
        try:
            factors = reset_factors(user)
        except BillingError as refusal:
            raise CommandError(refusal.message) from None
        end_sessions([user.pk])
        caller = Caller(process="reset_second_factors")
        record(user, caller, "person.factors_reset", factors=factors, reason=options["reason"])
        self.stdout.write(f"removed: {', '.join(factors)}")
