"""What is printed and mailed of a document: its names, addresses, lines, and what became of it."""

import re
from decimal import Decimal as D

import pytest
from django.template.loader import render_to_string
from django.utils.html import strip_tags

from invoices.models import Invoice
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.money.ledger.acts import Why
from invoices.services.printing.printed import statement_context, statement_parts
from invoices.services.statements.statements import statement_mail
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import JAN_10, JAN_31, bill
from tests.support.factories import an_account
from tests.support.rebilling import line, rebilled
from tests.support.sent_statements import account_of

pytestmark = pytest.mark.usefixtures("audited")


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
    mail_ = statement_mail(invoice, statement_parts([invoice])[invoice.pk], {}, "nora@example.com")
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
    title = "Credit memo CM-000001 for invoice INV-000001 of"
    assert subject == f"Acme Telecom: {title} 2026-01-31"
    # Each paper writes all its dates in one form: e-mails as numbers, others in words.
    for text, day, other in zip(texts, ("2026-01-31", "2026-01-31", "Jan 31, 2026"), ("Jan ", "Jan ", "2026-01"), strict=True):
        assert f"{title} {day}" in text and other not in text and "The line was down in March" in text
        assert "due" not in text.lower().replace("overdue", "")


def test_a_rebilled_invoice_says_what_replaces_it_and_asks_for_no_money(acme, process, admin_client):
    invoice = bill(account_of(acme), process, JAN_10)
    rebilled(invoice, process, line(1, amount="20.00"))
    for text, day in zip(papers(invoice, admin_client)[1:], ("2026-01-31", "2026-01-31", "Jan 31, 2026"), strict=True):
        assert f"Replaced by RB-000001 of {day}." in text
        assert "due date" not in text.lower() and "Amount to pay" not in text and "Due " not in text


def test_a_voided_invoice_says_so_and_asks_for_no_money(acme, process, admin_client):
    invoice = bill(account_of(acme), process, JAN_10)
    void_invoice(client=acme, invoice_no=invoice.pk, caller=process, today=JAN_31, reason_code=5)
    for text in papers(invoice, admin_client)[1:]:
        assert "Voided." in text
        assert "due date" not in text.lower() and "Amount to pay" not in text and "Due " not in text


def words(invoice, admin_client):
    """The texts of the e-mail's text and HTML and of the page to print, each tag a space."""
    mail_ = statement_mail(invoice, statement_parts([invoice])[invoice.pk], {}, "nora@example.com")
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
