"""manage.py rotate_key KEY_NO [--revoke]: create an API key with the rights and limits of another."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.callers import Caller
from accounts.keys import revoke_key, rotate_key
from accounts.models import ApiKey
from accounts.models.history import changing_as


class Command(BaseCommand):
    help = "Creates a new API key with the rights and limits of another one. Both keys work until the old one is revoked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key_no", type=int)
        parser.add_argument("--revoke", action="store_true", help="only revoke the key, without creating a new one")

    @changing_as("rotate_key")
    def handle(self, *args: Any, key_no: int, revoke: bool, **options: Any) -> None:
        key = ApiKey.objects.select_related("client").filter(pk=key_no, revoked_at=None).first()
        if key is None:
            raise CommandError(f"API key {key_no} does not exist or is revoked.")
        if revoke:
            revoke_key(key)
            self.stdout.write(f"API key {key_no} is revoked.")
            return
        new, auth_key = rotate_key(key, caller=Caller(process="rotate_key"))
        self.stdout.write(f"client_no {new.client_id}\nkey_no    {new.pk}\nauth_key  {auth_key}")
