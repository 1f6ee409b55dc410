"""manage.py read_bounce: reads a delivery report from standard input, and records that the statement came back.

A mail server can give it each mail to the address that sends statements, for example by a line in its table of aliases.
"""

import sys
from email import message_from_binary_file
from typing import Any

from django.core.management.base import BaseCommand

from accounts.callers import Caller
from invoices.services.statements.bounces import bounces_in, note_bounce, statement_of


class Command(BaseCommand):
    help = "Reads a delivery report (RFC 3464) from standard input. Any other mail is ignored, and it says so."

    def handle(self, *args: Any, **options: Any) -> None:
        bounces = bounces_in(message_from_binary_file(sys.stdin.buffer))
        if not bounces:
            self.stdout.write("This mail is not a report that a mail could not be delivered.")
        for bounce in bounces:
            statement = statement_of(bounce)
            if statement is None:
                self.stdout.write(f"No statement has the Message-ID {bounce.mail_id}.")
            elif note_bounce(statement, bounce.reason, Caller(process="mail")):
                self.stdout.write(f"The statement of {statement.invoice} to {statement.email} came back.")
            else:
                self.stdout.write(f"It is known that the statement of {statement.invoice} to {statement.email} came back.")
