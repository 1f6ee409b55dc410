"""Statements: which documents are sent, to whom, and what happens if sending fails."""

import re
from datetime import timedelta
from decimal import Decimal as D
from io import StringIO
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.models import Client, Contact, Event
from invoices.models import Invoice, Statement
from invoices.services.approving.decide_pending import approve_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.money.ledger.acts import Why
from invoices.services.printing.printed import statement_context, statement_parts
from invoices.services.statements import statements
from invoices.services.statements.statements import (
    StatementRequest,
    resend_statement,
    send_requested,
    send_unsent,
    statement_mail,
)
from invoices.services.undoing.voiding import void_invoice
from tests.support.admin_pages import act, texts
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import ContactFactory, TaxRateFactory, a_plan, an_account
from tests.support.money_api import post, with_key
from tests.support.outcomes import error_of
from tests.support.payments import pay, refused_as
from tests.support.rebilling import line, rebilled
from tests.support.repeated_calls import RIGHTS

pytestmark = pytest.mark.usefixtures("audited")


class Broken(EmailBackend):
    """A mail server that takes nothing for one address."""

    def send_messages(self, messages):
        if any("broken@example.com" in message.to for message in messages):
            raise ConnectionRefusedError("password=secret")
        return super().send_messages(messages)


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
    settings.EMAIL_BACKEND = "tests.invoices.test_statements.Counted"
    return Counted


@pytest.fixture
def sending(acme):
    acme.statement_on_issue = True
    acme.save()
    return acme


def account_of(client, email="ada@example.com", **fields):
    account = an_account(client, a_plan(client, {"phone": "30.00"}), **fields)
    account.contacts.update(email=email)
    return account


def sent():
    return [(message.to, message.subject) for message in mail.outbox]


def standing(invoice):
    return list(invoice.statements.values_list("status", "email", "error_code"))


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
    assert message == "The statement could not be sent: ConnectionRefusedError"


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
        "  1 x The statement could not be sent: ConnectionRefusedError",
    ]
    statuses = [one.statements.get().status for one in (begun, waiting, broken, under_way)]
    assert statuses == ["sent", "sent", "failed", "sending"]
    call_command("send_statements", str(sending.pk), stdout=StringIO())
    assert len(sent()) == 2
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


def waiting(client, caller, *emails):
    """Create issued invoices whose statements are requested and not sent yet."""
    invoices = [bill(account_of(client, email), caller, JAN_10) for email in emails]
    for invoice in invoices:
        Statement.objects.create(invoice=invoice, status="requested", requested_by=caller.identity, requested_at=timezone.now())
    return invoices


def test_what_was_typed_is_text_and_no_html(acme, process):
    account = account_of(acme)
    account.contacts.update(name="<b>Ada</b>", address1="2 <i>Side</i> Street")
    invoice = bill(account, process, JAN_10)
    Invoice.objects.filter(pk=invoice.pk).first().lines.update(description="<script>alert(1)</script>")
    resend_statement(client=acme, invoice_no=invoice.pk, caller=process)
    html, _ = mail.outbox[0].alternatives[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert all(tag not in html for tag in ("<script", "<b>", "<i>"))
    assert "<script>alert(1)</script>" in mail.outbox[0].body
    # The audit would say, rightly, that the document was changed after it was issued.
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
    assert standing(broken) == [("failed", "", 90044)]


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


@pytest.mark.parametrize("name", ["شركة النور للاتصالات (Al-Noor) 123", "חברת אור A4 - 50"])
def test_names_keep_their_own_direction(name, acme, process, admin_client):
    account = an_account(acme)
    account.contacts.update(name=name, company=name)
    invoice = bill(account, process, JAN_10)
    shown = statement_context(invoice, statement_parts([invoice])[invoice.pk])
    assert f"<bdi>{name}</bdi>" in render_to_string("invoices/statement.html", shown)
    for address in (f"/invoices/{invoice.pk}/", f"/invoices/{invoice.pk}/print/"):
        assert f"<bdi>{name}</bdi>" in admin_client.get(address).text


def test_a_document_without_a_buyer_names_none(acme, process, admin_client):
    invoice = bill(an_account(acme, contact=False), process, JAN_10)
    shown = statement_context(invoice, statement_parts([invoice])[invoice.pk])
    for template in ("invoices/statement.html", "invoices/statement.txt"):
        assert "For " not in render_to_string(template, shown)
    assert "None" not in admin_client.get(f"/invoices/{invoice.pk}/print/").text


def papers(invoice, admin_client):
    """What the e-mail (subject, text and HTML) and the page to print say of a document, each without its tags."""
    invoice = Invoice.objects.select_related("client", "account", "corrects").get(pk=invoice.pk)
    mail_ = statement_mail(invoice, statement_parts([invoice])[invoice.pk], "nora@example.com", None)
    printed = admin_client.get(f"/invoices/{invoice.pk}/print/").text
    return [mail_.subject, *(" ".join(strip_tags(text).split()) for text in (mail_.body, mail_.alternatives[0][0], printed))]


def test_a_credit_memo_is_called_one_and_says_of_what_and_why(acme, process, admin_client):
    invoice = bill(account_of(acme), process, JAN_31)
    memo = create_credit_memo(
        client=acme,
        invoice_no=invoice.pk,
        caller=process,
        today=JAN_31,
        why=Why(1, "The line was down in March"),
        credit=CreditRequest(lines={1: D("10.00")}),
    )
    subject, *texts = papers(memo, admin_client)
    title = "Credit memo CM-000001 for invoice INV-000001 of 2026-01-31"
    assert subject == f"Acme Telecom: {title}"
    for text in texts:
        assert title in text and "The line was down in March" in text
        assert "due" not in text.lower().replace("overdue", "")


def test_a_rebilled_invoice_says_what_replaces_it_and_asks_for_no_money(acme, process, admin_client):
    invoice = bill(account_of(acme), process, JAN_10)
    rebilled(invoice, process, line(1, amount="20.00"))
    for text in papers(invoice, admin_client)[1:]:
        assert "Replaced by RB-000001 of 2026-01-31." in text
        assert "due date" not in text.lower() and "Amount to pay" not in text and "Due " not in text


def test_a_voided_invoice_says_so_and_asks_for_no_money(acme, process, admin_client):
    invoice = bill(account_of(acme), process, JAN_10)
    void_invoice(client=acme, invoice_no=invoice.pk, caller=process, today=JAN_31, reason_code=5)
    for text in papers(invoice, admin_client)[1:]:
        assert "Voided." in text
        assert "due date" not in text.lower() and "Amount to pay" not in text and "Due " not in text


def words(invoice, admin_client):
    """The texts of the e-mail's text and HTML and of the page to print, each tag a space."""
    mail_ = statement_mail(invoice, statement_parts([invoice])[invoice.pk], "nora@example.com", None)
    printed = admin_client.get(f"/invoices/{invoice.pk}/print/").text
    return [" ".join(re.sub("<[^>]*>", " ", text).split()) for text in (mail_.body, mail_.alternatives[0][0], printed)]


def test_each_paper_has_the_whole_addresses_of_seller_and_buyer(acme, process, admin_client):
    acme.address2 = "Suite 400"
    acme.save()
    account = account_of(acme)
    account.contacts.update(company="Byron Ltd", address2="Flat 3")
    invoice = bill(account, process, JAN_10)
    for text in words(invoice, admin_client):
        assert "Acme Telecom 1 Main Street Suite 400 Springfield CA 90210 US" in text
        assert "Byron Ltd Ada Byron 2 Side Street Flat 3 Fresno CA 93650 US" in text


def test_each_paper_has_the_line_with_its_period_and_po_number_and_the_totals(acme, process, admin_client):
    account = account_of(acme)
    account.plan_instances.update(po_num="77")
    invoice = bill(account, process, JAN_10)
    text, html, printed = words(invoice, admin_client)
    assert "1. Phone, 2026-01-10 to 2026-02-09: 30.00 (1 x 30) PO 77 Before tax 30.00 USD Tax 0.00 USD Total 30.00 USD" in text
    assert "1. Phone 2026-01-10 to 2026-02-09 PO 77 1 30 30.00 Before tax 30.00 Tax 0.00 Total 30.00" in html
    assert "1. Phone Jan 10, 2026 to Feb 9, 2026 PO 77 1 30 $30.00 Before tax $30.00 Tax $0.00 Total $30.00" in printed
