"""manage.py create_client NAME: create a client and an API key for its programs."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.callers import Caller
from accounts.models.history import changing_as
from accounts.services.accounts import create_client

SETTINGS = ("time_zone", "country", "region")


class Command(BaseCommand):
    help = "Creates a client and prints its client_no and auth_key. The auth_key is shown only once and is not stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--time-zone", help="Time zone that decides the client's date: America/New_York. Default: UTC.")
        parser.add_argument("--country", help="Country of the client's own address, as ISO 3166-1 alpha-2 code: US.")
        parser.add_argument("--region", help="State or province, as named in the tax table: CA.")

    @changing_as("create_client")
    def handle(self, *args: Any, **options: Any) -> None:
        settings = {name: options[name] for name in SETTINGS if options[name] is not None}
        try:
            client, _, auth_key = create_client(name=options["name"], caller=Caller(process="create_client"), **settings)
        except ValidationError as error:
            raise CommandError(
                "; ".join(f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items())
            ) from error
        self.stdout.write(f"client_no {client.pk}")
        self.stdout.write(f"auth_key  {auth_key}")
