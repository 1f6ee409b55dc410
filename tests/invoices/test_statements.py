"""Statements: which documents are sent, to whom, and what happens if sending fails."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Client, Contact, Event
from invoices.models import Invoice, Statement
from invoices.services.approving.acts import approve_invoices
from invoices.services.statements import statements
from invoices.services.statements.statements import resend_statement, send_requested
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import ContactFactory, TaxRateFactory, a_plan, an_account
from tests.support.outcomes import error_of
from tests.support.payments import pay, refused_as
from tests.support.rebilling import line, rebilled
from tests.support.sent_statements import account_of, sending, sent, standing

__all__ = ["sending"]

pytestmark = pytest.mark.usefixtures("audited")


class Broken(EmailBackend):
    """A mail server that takes nothing for one address."""

    def send_messages(self, messages):
        if any("broken@example.com" in message.to for message in messages):
            raise ConnectionRefusedError("password=secret")
        return super().send_messages(messages)


def test_an_invoice_is_sent_when_it_is_issued_by_the_clients_setting(sending, process):
    invoice = bill(account_of(sending), process, JAN_10)
    assert sent() == [(["ada@example.com"], "Acme Telecom: Invoice INV-000001")]
    assert standing(invoice) == [("sent", "ada@example.com", 0)]


def test_nothing_is_sent_without_the_setting(acme, process):
    bill(account_of(acme), process, JAN_10)
    assert (sent(), Statement.objects.count()) == ([], 0)


def test_a_pending_invoice_is_sent_when_it_is_approved(sending, process):
    pending = bill(account_of(sending), process, JAN_10, force_pending=True)
    assert (sent(), Statement.objects.count()) == ([], 0)
    (outcome,) = approve_invoices(client=sending, invoice_nos=[pending.pk], caller=process, today=JAN_31)
    assert outcome.statement.status == "sent"
    assert sent() == [(["ada@example.com"], "Acme Telecom: Invoice INV-000001")]


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (["account", "billing", "statement"], "statement"),
        (["other", "account", "billing"], "billing"),
        (["other", "account"], "account"),
        (["other"], "other"),
    ],
)
def test_it_goes_to_the_first_contact_that_has_an_address(sending, process, roles, expected):
    account = account_of(sending, email="")
    for number, role in enumerate(roles, 2):
        ContactFactory(account=account, contact_no=number, role=role, email=f"{role}@example.com")
        ContactFactory(account=account, contact_no=number + 10, role=role, email=f"second-{role}@example.com")
    bill(account, process, JAN_10)
    assert [to for to, _ in sent()] == [[f"{expected}@example.com"]]


def test_what_a_statement_says(acme, process):
    TaxRateFactory(client=acme)
    account = account_of(acme)
    invoice = bill(account, process, JAN_10)
    pay(account, process, "3.00")
    resend_statement(client=acme, invoice_no=invoice.pk, caller=process)
    message = mail.outbox[0]
    html, kind = message.alternatives[0]
    assert kind == "text/html"
    for text in ("INV-000001", "Ada Byron", "Phone", "2026-01-10 to 2026-02-09", "30.00", "3.00", "33.00", "USD"):
        assert (text in html, text in message.body) == (True, True), text
    assert "<strong>30.00 USD</strong>" in html
    assert "Amount to pay: 30.00 USD" in message.body


def test_a_rebill_says_what_it_replaces_and_why(acme, process):
    account = account_of(acme)
    rebill = rebilled(
        bill(account, process, JAN_10),
        process,
        line(1, amount="20.00", comments="half <b>price</b>"),
        comments="As agreed & told",
    )
    resend_statement(client=acme, invoice_no=rebill.pk, caller=process)
    message = mail.outbox[0]
    html, _ = message.alternatives[0]
    assert message.subject == "Acme Telecom: Corrected invoice RB-000001"
    assert "replaces INV-000001 of 2026-01-10, which had the total 30.00 USD. The difference is -10.00 USD." in message.body
    assert "half <b>price</b>" in message.body
    for text in (
        "INV-000001 of 2026-01-10, which had the total 30.00 USD",
        "-10.00 USD",
        "half &lt;b&gt;price&lt;/b&gt;",
        "As agreed &amp; told",
    ):
        assert text in html, text


def test_a_name_cannot_add_headers(acme, process):
    Client.objects.update(name="Acme\nBcc: all@example.com")
    acme.refresh_from_db()
    account = account_of(acme)
    invoice = bill(account, process, JAN_10)
    resend_statement(client=acme, invoice_no=invoice.pk, caller=process)
    assert (mail.outbox[0].subject, mail.outbox[0].bcc) == ("Acme Bcc: all@example.com: Invoice INV-000001", [])


def test_what_fails_is_on_record_without_secrets_and_stops_no_other(settings, sending, process):
    settings.EMAIL_BACKEND = "tests.invoices.test_statements.Broken"
    emails = ("a@example.com", "broken@example.com", "", "b@example.com")
    pending = [bill(account_of(sending, email), process, JAN_10, force_pending=True) for email in emails]
    numbers = [one.pk for one in pending]
    outcomes = approve_invoices(client=sending, invoice_nos=numbers, caller=process, today=JAN_31)
    assert [error_of(one) for one in outcomes] == [None] * 4
    assert [standing(one) for one in pending] == [
        [("sent", "a@example.com", 0)],
        [("failed", "broken@example.com", 90044)],
        [("failed", "", 90043)],
        [("sent", "b@example.com", 0)],
    ]
    message = Statement.objects.get(error_code=90044).message
    assert message == "The statement could not be sent: the connection to the mail server failed"


def test_what_failed_is_sent_again_to_the_same_or_to_another(settings, sending, process):
    settings.EMAIL_BACKEND = "tests.invoices.test_statements.Broken"
    account = account_of(sending, "broken@example.com")
    ContactFactory(account=account, contact_no=2, role="other", email="other@example.com")
    invoice = bill(account, process, JAN_10)
    given = {"client": sending, "invoice_no": invoice.pk, "caller": process}
    assert resend_statement(**given).status == "failed"
    assert resend_statement(**given, contact_no=2).status == "sent"
    account.contacts.filter(contact_no=1).update(email="mended@example.com")
    assert resend_statement(**given).email == "mended@example.com"
    told = Event.objects.filter(act__startswith="statement.").order_by("pk").values_list("act", "error_code")
    assert list(told) == [("statement.failed", 90044), ("statement.sent", 0), ("statement.sent", 0)]


def test_what_is_not_issued_or_not_there_is_not_sent(acme, umbra, process):
    account = account_of(acme)
    invoice = bill(account, process, JAN_10)
    pending = bill(account, process, FEB_10, force_pending=True)
    given = {"client": acme, "caller": process}
    assert refused_as(resend_statement, invoice_no=pending.pk, **given) == (90017, "invoice_no")
    assert refused_as(resend_statement, invoice_no=10**9, **given) == (3004, "invoice_no")
    assert refused_as(resend_statement, client=umbra, caller=process, invoice_no=invoice.pk) == (3004, "invoice_no")
    assert refused_as(resend_statement, invoice_no=invoice.pk, contact_no=9, **given) == (1016, "statement_address_seq")
    assert Statement.objects.count() == 0


def test_two_that_send_the_same_statement_send_it_once(sending, process, monkeypatch):
    """The other process has begun to send it between our reading and our claiming."""
    monkeypatch.setattr("invoices.services.issuing.after_issue.send_requested", lambda numbers: {})
    invoice = bill(account_of(sending), process, JAN_10)
    claim = statements._claim

    def after_another(statement):
        monkeypatch.undo()
        assert send_requested([invoice.pk])[invoice.pk].status == "sent"
        return claim(statement)

    monkeypatch.setattr(statements, "_claim", after_another)
    assert send_requested([invoice.pk]) == {}
    assert len(sent()) == 1


def test_the_command_sends_what_an_interrupted_process_did_not(settings, sending, process, monkeypatch):
    settings.EMAIL_BACKEND = "tests.invoices.test_statements.Broken"
    monkeypatch.setattr("invoices.services.issuing.after_issue.send_requested", lambda numbers: {})
    begun, waiting, broken, under_way = (
        bill(account_of(sending, email), process, JAN_10)
        for email in ("a@example.com", "b@example.com", "broken@example.com", "c@example.com")
    )
    now = timezone.now()
    begun.statements.update(status="sending", settled_at=now - timedelta(minutes=61))
    under_way.statements.update(status="sending", settled_at=now - timedelta(minutes=59))
    printed = StringIO()
    with pytest.raises(CommandError):
        call_command("send_statements", str(sending.pk), stdout=printed)
    assert printed.getvalue().splitlines() == [
        "sent            2",
        "failed          1",
        "  1 x The statement could not be sent: the connection to the mail server failed",
    ]
    statuses = [one.statements.get().status for one in (begun, waiting, broken, under_way)]
    assert statuses == ["sent", "sent", "failed", "sending"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    for _ in range(2):
        call_command("send_statements", str(sending.pk), stdout=StringIO())
    assert [to for to, _ in sent()] == [["a@example.com"], ["b@example.com"], ["broken@example.com"]]
    with pytest.raises(CommandError, match="Client 999 does not exist"):
        call_command("send_statements", "999")


def test_many_are_read_in_as_many_queries_as_one(sending, process, monkeypatch):
    monkeypatch.setattr("invoices.services.issuing.after_issue.send_requested", lambda numbers: {})
    plan = a_plan(sending, {"phone": "30.00"})
    invoices = []
    for place in range(5):
        account = an_account(sending, plan)
        account.contacts.update(email=f"{place}@example.com")
        invoices.append(bill(account, process, JAN_10).pk)
    counts = []
    for some in (invoices[:1], invoices[1:]):
        with CaptureQueriesContext(connection) as captured:
            assert len(send_requested(some)) == len(some)
        writes = sum(query["sql"].startswith("UPDATE") for query in captured.captured_queries)
        assert writes == 2 * len(some)  # Each is claimed, and its result is written.
        counts.append(len(captured) - writes)
    assert counts[0] == counts[1]
    assert Contact.objects.count() == Invoice.objects.count() == 5
