"""A mail provider reports by webhook that a statement came back."""

import json
import os
import subprocess
import sys

PROGRAM = """
import base64, json, sys
import django
django.setup()
from django.test import Client as Browser
from django.test.utils import setup_test_environment
setup_test_environment()
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, ClientFactory, a_plan, an_account
from invoices.models import Statement
seller = ClientFactory()
invoice = bill(an_account(seller, a_plan(seller, {"phone": "30.00"})), BY_TEST, JAN_10)
Statement.objects.create(
    invoice=invoice, status="sent", email="ada@example.com", provider_id="883953f4-6105", requested_by="x",
    requested_at="2026-01-10T00:00Z", settled_at="2026-01-10T00:00Z",
)
report = {
    "RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "Email": "ada@example.com", "ID": 42,
    "MessageID": "883953f4-6105", "Description": "The server was unable to deliver your message.", "Inactive": True,
    "Details": "550 5.1.1 no such user", "BouncedAt": "2026-01-10T12:00:00Z",
}
def post(secret):
    key = base64.b64encode(secret.encode()).decode()
    headers = {"Authorization": f"Basic {key}"}
    return Browser().post("/anymail/postmark/tracking/", report, content_type="application/json", headers=headers).status_code
print(json.dumps([post("x:y"), post("hook:secret"), post("hook:secret")]))
print(json.dumps(list(Statement.objects.values_list("status", "message"))))
"""


def test_a_bounce_that_a_provider_reports_is_noted_once_and_only_with_the_secret(address_of_migrated_file):
    """In a process of its own, because the provider is chosen when the program starts."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "billing_site.settings",
        "DATABASE_URL": address_of_migrated_file,
        "EMAIL_BACKEND": "anymail.backends.postmark.EmailBackend",
        "ANYMAIL_WEBHOOK_SECRET": "hook:secret",
        "ANYMAIL_POSTMARK_SERVER_TOKEN": "token",
        "DEBUG": "1",
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    statuses, statements = map(json.loads, done.stdout.splitlines())
    assert statuses == [400, 200, 200]
    assert statements == [["bounced", "The e-mail came back: The server was unable to deliver your message."]]
