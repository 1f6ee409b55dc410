"""The e-mail of a statement with the document's PDF, and where its answers go."""

import io
from datetime import timedelta

import pytest
from django.core import mail
from pypdf import PdfReader

from accounts.models import Client
from invoices.models import DocumentFile, Statement, Worker
from invoices.services.printing.files import make_owed_files
from invoices.services.statements.statement_work import STATEMENTS
from invoices.services.statements.statements import resend_statement, send_unsent
from tests.support.billing import JAN_10, bill
from tests.support.factories import ContactFactory, an_account
from tests.support.invoice_pages import reader
from tests.support.storages import keep_documents_in

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def seller(acme):
    Client.objects.filter(pk=acme.pk).update(statement_on_issue=True, attach_pdf=True, reply_to="billing@acme.example")
    acme.refresh_from_db()
    return acme


@pytest.fixture
def account(seller):
    account = an_account(seller, contact=False)
    ContactFactory(account=account, email="nora@example.com")
    return account


def states():
    return list(Statement.objects.order_by("pk").values_list("status", "error_code"))


def test_the_pdf_that_is_kept_is_attached(seller, account, process):
    invoice = bill(account, process, JAN_10)
    (sent,) = mail.outbox
    ((name, content, media_type),) = sent.attachments
    file = DocumentFile.objects.get()
    assert (name, media_type, file.state, len(content)) == ("INV-000001.pdf", "application/pdf", "made", file.size)
    assert "Total $30.00" in " ".join(PdfReader(io.BytesIO(content)).pages[0].extract_text().split())
    assert (sent.to, sent.reply_to) == (["nora@example.com"], ["billing@acme.example"])
    resend_statement(client=seller, invoice_no=invoice.pk, caller=process)
    assert mail.outbox[1].attachments[0].content == content
    assert states() == [("sent", 0), ("sent", 0)]


def test_nothing_is_attached_and_answered_elsewhere_unless_the_client_wants_it(seller, account, process):
    Client.objects.update(attach_pdf=False, reply_to="")
    account.client.refresh_from_db()
    bill(account, process, JAN_10)
    (sent,) = mail.outbox
    assert (sent.attachments, sent.reply_to) == ([], [])
    assert DocumentFile.objects.get().state == "owed"


def test_a_statement_whose_pdf_cannot_be_made_is_sent_when_it_is_there(seller, account, process, settings):
    keep_documents_in(settings, "FullStorage")
    invoice = bill(account, process, JAN_10)
    assert (len(mail.outbox), states()) == (0, [("failed", 90096)])
    page = reader(seller).get(f"/invoices/{invoice.pk}/").content.decode()
    assert "The file is not available at the moment" in page
    assert send_unsent(client=seller) == []
    keep_documents_in(settings)
    DocumentFile.objects.update(tried_at=None)
    make_owed_files(seller, limit=1)
    assert [statement.status for statement in send_unsent(client=seller)] == ["sent"]
    assert (len(mail.outbox[0].attachments), states()) == (1, [("sent", 0)])
    assert send_unsent(client=seller) == []


def test_a_statement_waits_while_another_process_makes_its_pdf(seller, account, process):
    Client.objects.update(statement_on_issue=False)
    account.client.refresh_from_db()
    invoice = bill(account, process, JAN_10)
    make_owed_files(seller, limit=0)
    DocumentFile.objects.update(state="owed", tried_at=invoice.approved_at, tries=1)
    assert resend_statement(client=seller, invoice_no=invoice.pk, caller=process).status == "requested"
    Statement.objects.update(requested_at=invoice.approved_at - timedelta(hours=1))
    assert not STATEMENTS.do_batch(Worker())
    assert mail.outbox == []
    DocumentFile.objects.update(tried_at=None)
    make_owed_files(seller, limit=1)
    send_unsent(client=seller)
    assert (len(mail.outbox[0].attachments), states()) == (1, [("sent", 0)])
