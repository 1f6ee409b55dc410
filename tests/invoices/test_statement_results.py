"""What becomes of each e-mail of a statement: tried again for a time, copies to further contacts, and what comes back."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from unittest.mock import patch

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command

from accounts.keys import create_key
from accounts.models import Event
from invoices.models import Invoice, Statement, Worker
from invoices.services.lists.failures import statement_failed
from invoices.services.statements.statement_work import STATEMENTS
from invoices.services.statements.statements import PAUSES, resend_statement, send_unsent
from tests.support.billing import JAN_10, bill
from tests.support.calling import RIGHTS
from tests.support.factories import BY_TEST, ClientFactory, ContactFactory
from tests.support.mail_servers import MailServer
from tests.support.sent_statements import account_of, sending

__all__ = ["sending"]
pytestmark = pytest.mark.usefixtures("audited")
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.fixture
def server(settings):
    server = MailServer()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 1
    yield server
    server.listening.close()


def results():
    return list(Statement.objects.order_by("pk").values_list("email", "status", "message"))


def work(at):
    """Lets a worker do what is due at a time."""
    with time_machine.travel(at, tick=False):
        return STATEMENTS.do_batch(Worker())


@pytest.mark.parametrize("word", ["MAIL", "RCPT", "DATA"])
def test_what_the_mail_server_refuses_for_a_time_is_tried_again_within_three_days(server, sending, process, word):
    server.refusals = {word: "451 4.7.1 greylisted, password=secret"}
    at = NOON
    with time_machine.travel(at, tick=False):
        bill(account_of(sending), process, JAN_10)
    refused = ("ada@example.com", "failed", "The statement could not be sent: the mail server refused it for a time")
    for pause in PAUSES:
        assert (results(), Statement.objects.get().next_try_at) == ([refused], at + pause)
        assert work(at + pause - timedelta(seconds=1)) is False
        at += pause
        assert work(at) is True
    assert (Statement.objects.get().next_try_at, at - NOON < timedelta(days=3)) == (None, True)
    assert send_unsent(client=sending) == []


def test_it_is_sent_once_the_server_takes_it(server, sending, process):
    server.refusals = {"RCPT": "452 4.2.2 full"}
    with time_machine.travel(NOON, tick=False):
        bill(account_of(sending), process, JAN_10)
    server.refusals = {}
    assert work(NOON + PAUSES[0]) is True
    assert (results(), len(server.letters)) == ([("ada@example.com", "sent", "")], 1)
    assert work(NOON + timedelta(days=3)) is False
    assert f"Message-ID: {Statement.objects.get().message_id}" in server.letters[0]


def test_what_the_mail_server_refuses_for_good_is_not_tried_again(server, sending, process):
    server.refusals = {"RCPT": "550 5.1.1 no such user"}
    bill(account_of(sending), process, JAN_10)
    assert results() == [("ada@example.com", "failed", "The statement could not be sent: the mail server refused it")]
    assert (Statement.objects.get().next_try_at, send_unsent(client=sending)) == (None, [])


def test_an_address_that_no_mail_server_takes_is_not_told_as_sent(sending, process):
    bill(account_of(sending, "jörg@example.com"), process, JAN_10)
    why = "The statement could not be sent: the address has letters before the @ that mail servers do not take"
    assert (results(), mail.outbox) == ([("jörg@example.com", "failed", why)], [])


def test_contacts_that_want_copies_get_one_each_with_its_own_result(server, sending, process):
    account = account_of(sending)
    for number, email in enumerate(("boss@example.com", "ada@example.com", ""), 2):
        ContactFactory(account=account, contact_no=number, email=email, copy_of_statements=True)
    ContactFactory(account=account, contact_no=5, email="other@example.com")
    invoice = bill(account, process, JAN_10)
    assert results() == [("ada@example.com", "sent", ""), ("boss@example.com", "sent", "")]
    first, copy = Statement.objects.order_by("pk")
    assert (copy.copy_of, copy.contact.email, first.contact) == (first, "boss@example.com", None)
    assert [letter.split("To: ")[-1].splitlines()[0] for letter in server.letters] == ["ada@example.com", "boss@example.com"]
    resend_statement(client=sending, invoice_no=invoice.pk, caller=process, contact_no=copy.contact.contact_no)
    assert len(server.letters) == 3
    resend_statement(client=sending, invoice_no=invoice.pk, caller=process)
    assert len(server.letters) == 5


@pytest.mark.parametrize(
    ("first", "copy", "statuses"),
    [
        ("ada@example.com", "jörg@example.com", ["sent", "failed"]),
        ("jörg@example.com", "ada@example.com", ["failed", "sent"]),
    ],
)
def test_a_document_is_listed_whichever_of_its_mails_fails(sending, process, first, copy, statuses):
    """A copy that was sent does not hide that the first mail was not, and neither stops the other."""
    account = account_of(sending, first)
    ContactFactory(account=account, contact_no=2, email=copy, copy_of_statements=True)
    invoice = bill(account, process, JAN_10)
    assert [status for _, status, _ in results()] == statuses
    assert list(statement_failed(Invoice.objects.all())) == [invoice]


def a_report(message_id, action="failed", headers_only=False):
    """A delivery report as mail servers send it (RFC 3464)."""
    status = (
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\n"
        f"Final-Recipient: rfc822; ada@example.com\nAction: {action}\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such\n user\n"
    )
    original = f"Message-ID: {message_id}\nSubject: Acme: Invoice INV-000001\n\n"
    kind = "text/rfc822-headers" if headers_only else "message/rfc822"
    parts = ("Content-Type: text/plain\n\nSorry.\n", status, f"Content-Type: {kind}\n\n{original}")
    body = "".join(f"--edge\n{part}\n" for part in parts) + "--edge--\n"
    return (
        "From: MAILER-DAEMON@example.com\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="edge"\n\n{body}'
    )


def read(report):
    printed = StringIO()
    with patch("sys.stdin") as stdin:
        stdin.buffer = BytesIO(report.encode())
        call_command("read_bounce", stdout=printed)
    return printed.getvalue().strip()


CAME_BACK = ("ada@example.com", "bounced", "The e-mail came back: 550 5.1.1 no such user")


@pytest.mark.parametrize("headers_only", [False, True])
def test_a_delivery_report_marks_the_statement_and_the_dashboard_shows_it(sending, process, admin_client, headers_only):
    invoice = bill(account_of(sending), process, JAN_10)
    message_id = Statement.objects.get().message_id
    assert read(a_report(message_id, "delayed")) == "This mail is not a report that a mail could not be delivered."
    assert read("Subject: Hello\n\nPlease call me.") == "This mail is not a report that a mail could not be delivered."
    assert read(a_report("<other@example.com>")) == "No statement has the Message-ID <other@example.com>."
    report = a_report(message_id, headers_only=headers_only)
    assert read(report) == "The statement of INV-000001 to ada@example.com came back."
    assert read(report) == "It is known that the statement of INV-000001 to ada@example.com came back."
    assert results() == [CAME_BACK]
    event = Event.objects.get(act="statement.bounced")
    assert (event.invoice_no, event.error_code, event.after["email"]) == (invoice.pk, 90097, "ada@example.com")
    failed = admin_client.get("/api/v1/invoices/?statement_failed=true", {"client_no": sending.pk}).json()["results"]
    assert [one["invoice_no"] for one in failed] == [invoice.pk]
    assert "The e-mail came back: 550 5.1.1 no such user" in admin_client.get(f"/invoices/{invoice.pk}/").content.decode()


def test_a_mail_that_was_not_sent_cannot_come_back(sending, process, program_of):
    bill(account_of(sending, "jörg@example.com"), process, JAN_10)
    _get, post = program_of(sending)
    refused = post(f"statements/{Statement.objects.get().pk}/bounced/", {"reason": "550"})
    assert (refused.json()["error_code"], refused.json()["error_msg"]) == (90044, "The statement could not be sent")
    assert [status for _, status, _ in results()] == ["failed"]


def test_the_log_is_read_and_a_bounce_is_noted_over_rest(sending, process, program_of):
    bill(account_of(sending), process, JAN_10)
    statement = Statement.objects.get()
    get, post = program_of(sending)
    (row,) = get(f"statements/?message_id={statement.message_id}").json()["results"]
    assert (row["status"], row["email"], row["tries"], row["copy_of"]) == ("sent", "ada@example.com", 1, None)
    answers = [post(f"statements/{statement.pk}/bounced/", {"reason": "550 5.1.1 no such user"}) for _ in range(2)]
    assert [(one.status_code, one.json()["status"]) for one in answers] == [(200, "bounced")] * 2
    assert (results(), Event.objects.filter(act="statement.bounced").count()) == ([CAME_BACK], 1)
    get, post = program_of(ClientFactory())
    assert get("statements/").json()["results"] == []
    assert post(f"statements/{statement.pk}/bounced/", {}).status_code == 404


@pytest.fixture
def program_of(client):
    """Returns functions that read and post with a key of a client."""

    def of(seller):
        auth_key = create_key(seller, name="program", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
        key = {"HTTP_AUTHORIZATION": f"Basic {b64encode(f'{seller.pk}:{auth_key}'.encode()).decode()}"}
        return (
            lambda path: client.get(f"/api/v1/{path}", **key),
            lambda path, body: client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json", **key),
        )

    return of
