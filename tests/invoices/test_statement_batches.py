"""Statements that are sent together or again: connections that end, processes that die, and what they are requested by."""

from decimal import Decimal as D
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from billing_site.common.guards import lifted
from invoices.models import Invoice, Statement
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.money.ledger.acts import Why
from invoices.services.statements import statements
from invoices.services.statements.statements import StatementRequest, resend_statement, send_requested, send_unsent
from invoices.services.undoing.voiding import void_invoice
from tests.support.admin_pages import act, texts
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import ContactFactory
from tests.support.money_api import post, with_key
from tests.support.payments import refused_as
from tests.support.repeated_calls import RIGHTS
from tests.support.sent_statements import account_of, sending, sent, standing, waiting

__all__ = ["sending"]

pytestmark = pytest.mark.usefixtures("audited")


class Counted(EmailBackend):
    """A mail server that counts who connects, and ends a connection that has brought `LIMIT` mails."""

    opened: list["Counted"] = []
    LIMIT = 100

    def open(self):
        self.brought = 0
        self.opened.append(self)

    def close(self):
        raise OSError("gone already")

    def send_messages(self, messages):
        if self.brought == self.LIMIT:
            raise SMTPServerDisconnected("too many")
        self.brought += 1
        return super().send_messages(messages)


@pytest.fixture
def counted(settings, monkeypatch):
    monkeypatch.setattr(Counted, "opened", [])
    settings.EMAIL_BACKEND = "tests.invoices.test_statement_batches.Counted"
    return Counted


def test_what_was_typed_is_text_and_no_html(acme, process):
    account = account_of(acme)
    account.contacts.update(name="<b>Ada</b>", address1="2 <i>Side</i> Street")
    invoice = bill(account, process, JAN_10)
    with lifted():
        Invoice.objects.filter(pk=invoice.pk).first().lines.update(description="<script>alert(1)</script>")
    resend_statement(client=acme, invoice_no=invoice.pk, caller=process)
    html, _ = mail.outbox[0].alternatives[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert all(tag not in html for tag in ("<script", "<b>", "<i>"))
    assert "<script>alert(1)</script>" in mail.outbox[0].body
    # The audit would say, rightly, that the document was changed after it was issued.
    with lifted():
        invoice.lines.update(description="Phone")


def test_a_batch_is_brought_by_one_connection(acme, process, counted):
    invoices = waiting(acme, process, *(f"{place}@example.com" for place in range(5)))
    assert {one.status for one in send_requested([invoice.pk for invoice in invoices]).values()} == {"sent"}
    assert (len(sent()), len(counted.opened)) == (5, 1)


def test_a_connection_that_the_server_ends_is_opened_again(acme, process, counted, monkeypatch):
    monkeypatch.setattr(counted, "LIMIT", 2)
    invoices = waiting(acme, process, *(f"{place}@example.com" for place in range(5)))
    assert {one.status for one in send_requested([invoice.pk for invoice in invoices]).values()} == {"sent"}
    assert (len(sent()), len(counted.opened)) == (5, 3)


def test_a_server_that_never_takes_a_mail_is_not_asked_for_ever(acme, process, counted, monkeypatch):
    monkeypatch.setattr(counted, "LIMIT", 0)
    invoices = waiting(acme, process, "a@example.com", "b@example.com")
    assert [one.error_code for one in send_requested([invoice.pk for invoice in invoices]).values()] == [90044, 90044]
    assert (sent(), len(counted.opened)) == ([], 2)


def test_without_any_mail_server_each_fails_by_itself(settings, acme, process):
    settings.EMAIL_BACKEND = "no.such.Backend"
    first, second = waiting(acme, process, "a@example.com", "b@example.com")
    assert [one.status for one in send_requested([first.pk, second.pk]).values()] == ["failed", "failed"]
    assert standing(first) == [("failed", "a@example.com", 90044)]
    assert resend_statement(client=acme, invoice_no=first.pk, caller=process).error_code == 90044


def test_a_document_that_cannot_be_read_stops_no_other(acme, process, monkeypatch):
    first, broken, last = waiting(acme, process, "a@example.com", "broken@example.com", "b@example.com")
    read = statements.statement_parts

    def some(invoices):
        if broken in invoices:
            raise ValueError("unreadable")
        return read(invoices)

    monkeypatch.setattr(statements, "statement_parts", some)
    answers = send_requested([first.pk, broken.pk, last.pk])
    assert [answers[one.pk].status for one in (first, broken, last)] == ["sent", "failed", "sent"]
    assert standing(broken) == [("failed", "broken@example.com", 90044)]


def test_what_a_dying_process_did_not_come_to_still_waits(acme, process, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*given):
        raise Killed

    first, second = waiting(acme, process, "a@example.com", "b@example.com")
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(statements, "statement_mail", killed)
        send_requested([first.pk, second.pk])
    assert [one.statements.get().status for one in (first, second)] == ["sending", "requested"]
    assert [one.invoice_id for one in send_unsent(client=acme)] == [second.pk]


def test_sending_again_while_another_sends_what_waits_sends_once(acme, process, monkeypatch):
    invoice = bill(account_of(acme), process, JAN_10)
    read = statements._read

    def after_another(rows):
        monkeypatch.undo()
        assert send_unsent(client=acme) == []
        return read(rows)

    monkeypatch.setattr(statements, "_read", after_another)
    assert resend_statement(client=acme, invoice_no=invoice.pk, caller=process).status == "sent"
    assert len(sent()) == 1


@pytest.mark.parametrize("resource", ["credit-memos", "invoices"])
def test_a_credit_memo_is_sent_when_it_is_asked_for(acme, process, resource):
    account = account_of(acme)
    invoice = bill(account, process, JAN_10)
    memo = create_credit_memo(
        client=acme,
        invoice_no=invoice.pk,
        caller=process,
        today=JAN_31,
        why=Why(1, "Goodwill"),
        credit=CreditRequest(lines={1: D("4.00")}),
    )
    assert (sent(), Statement.objects.count()) == ([], 0)

    answer = post(with_key(acme, **RIGHTS), f"{resource}/{memo.pk}/send_statement", status=200)

    assert (answer["status"], answer["email"]) == ("sent", "ada@example.com")
    (message,) = mail.outbox
    assert message.subject.endswith("Credit memo CM-000001 for invoice INV-000001 of 2026-01-10")
    assert "Amount to pay" not in message.body


def test_a_voided_credit_memo_is_not_sent(acme, process):
    invoice = bill(account_of(acme), process, JAN_10)
    given = {"client": acme, "caller": process}
    why = Why(1, "Goodwill")
    memo = create_credit_memo(invoice_no=invoice.pk, today=JAN_31, why=why, credit=CreditRequest(lines={1: D("4.00")}), **given)
    void_invoice(invoice_no=memo.pk, today=JAN_31, reason_code=5, **given)
    assert refused_as(resend_statement, invoice_no=memo.pk, **given) == (90017, "invoice_no")
    assert (sent(), Statement.objects.count()) == ([], 0)


def test_requests_are_written_at_once(acme, process, django_assert_num_queries):
    account = account_of(acme)
    invoices = [bill(account, process, day) for day in (JAN_10, FEB_10)]
    stamp = statements.PostedBy(JAN_31, timezone.now(), process.identity)
    with django_assert_num_queries(0):
        statements.request_statements([], stamp)
    with django_assert_num_queries(1):
        statements.request_statements([StatementRequest(invoice.pk) for invoice in invoices], stamp)
    rows = Statement.objects.order_by("pk").values_list("status", "requested_by", "contact")
    assert list(rows) == [("requested", process.identity, None)] * 2


def test_staff_send_again_to_whom_it_went(acme, process, admin_client):
    account = account_of(acme)
    ContactFactory(account=account, contact_no=2, role="other", email="other@example.com")
    invoice = bill(account, process, JAN_10)
    first = resend_statement(client=acme, invoice_no=invoice.pk, caller=process)
    other = resend_statement(client=acme, invoice_no=invoice.pk, caller=process, contact_no=2)
    assert texts(act(admin_client, Statement, "send_again", other.pk, first.pk)) == [
        "INV-000001: sent to other@example.com",
        "INV-000001: sent to ada@example.com",
    ]
    assert len(sent()) == 4
