"""A mail server that takes connections and says nothing: it is waited for once, and what was not sent is sent later."""

import json
import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Client
from invoices.models import Statement
from tests.support.admin_pages import act, texts
from tests.support.billing import JAN_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.mail_servers import MailServer

TIMEOUT = 1
"""Seconds, in the place of EMAIL_TIMEOUT's 10."""
pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def server(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    server = MailServer()
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, TIMEOUT
    yield server
    server.silent_at.clear()
    server.listening.close()


@pytest.fixture
def pending(acme, process):
    Client.objects.update(statement_on_issue=True)
    acme.refresh_from_db()
    plan = a_plan(acme, {"phone": "30.00"})
    invoices = []
    for place in range(4):
        account = an_account(acme, plan)
        account.contacts.update(email=f"nora{place}@example.com")
        invoices.append(bill(account, process, JAN_10, force_pending=True))
    return invoices


def approve(admin_client, invoices):
    """Approves all at REST, and says how many seconds that took."""
    body = {"invoice_nos": [one.pk for one in invoices]}
    began = time.monotonic()
    response = admin_client.post("/api/v1/invoices/approve/", json.dumps(body), content_type="application/json")
    assert response.status_code == 200, response.content
    for one in invoices:
        one.refresh_from_db()
    assert {one.status for one in invoices} == {"approved"}
    return time.monotonic() - began


def messages():
    return list(Statement.objects.order_by("pk").values_list("status", "error_code", "message"))


NOT_SENT = ("failed", 90044, "The statement could not be sent: the mail server does not answer")
SENT = ("sent", 0, "")


@pytest.mark.parametrize("silent_at", ["", "EHLO"])
def test_a_silent_mail_server_is_waited_for_once_and_all_is_approved(server, pending, admin_client, acme, silent_at):
    server.silent_at = {silent_at}
    assert TIMEOUT <= approve(admin_client, pending) < len(pending) * TIMEOUT
    assert server.connections == 1
    assert messages() == [NOT_SENT] * 4
    server.silent_at = set()
    one = admin_client.post(f"/api/v1/invoices/{pending[0].pk}/send_statement/", "{}", content_type="application/json")
    assert (one.status_code, len(server.letters)) == (200, 1)
    call_command("send_statements", str(acme.pk), stdout=StringIO())
    # The first was sent by itself, so that its earlier failure is left alone.
    assert messages() == [NOT_SENT, SENT, SENT, SENT, SENT]
    assert len(server.letters) == 4
    call_command("send_statements", str(acme.pk), stdout=StringIO())
    assert len(server.letters) == 4


def test_a_server_that_falls_silent_in_the_middle_of_a_mail_is_waited_for_once(server, pending, admin_client):
    server.silent_at = {"."}
    assert approve(admin_client, pending) < len(pending) * TIMEOUT
    assert server.connections == 1
    assert messages() == [NOT_SENT] * 4


def test_no_server_at_all_is_the_same_and_the_command_waits_once_too(server, pending, admin_client, acme):
    server.silent_at = {""}
    approve(admin_client, pending)
    with pytest.raises(CommandError):
        call_command("send_statements", str(acme.pk), stdout=StringIO())
    assert server.connections == 2
    server.listening.close()
    numbers = Statement.objects.order_by("pk").values_list("pk", flat=True)
    assert {text.split(": ", 1)[1] for text in texts(act(admin_client, Statement, "send_again", *numbers))} == {NOT_SENT[2]}


def test_staff_who_send_many_again_wait_once(server, pending, admin_client):
    server.silent_at = {""}
    approve(admin_client, pending)
    act(admin_client, Statement, "send_again", *Statement.objects.values_list("pk", flat=True))
    assert server.connections == 2
