"""A client's own words in the e-mails of statements."""

import json

import pytest
from django.core import mail

from accounts.models import Account, Client
from billing_site.errors import BillingError
from invoices.kinds import MailKind
from invoices.models import MailText
from invoices.services.statements.mail_texts import Words, set_mail_text
from tests.support.billing import JAN_10, bill
from tests.support.factories import ClientFactory
from tests.support.invoice_pages import reader
from tests.support.rebilling import rebilled
from tests.support.sent_statements import account_of, sending

__all__ = ["sending"]
pytestmark = pytest.mark.usefixtures("audited")

WORDS = Words("{seller}: your invoice {number}", "Dear {customer},\n\nplease pay {due} {currency} by {due_date}. {{thanks}}")


def set_words(client, caller, words=WORDS, kind=MailKind.INVOICE, language="en"):
    return set_mail_text(client=client, kind=kind, language=language, words=words, caller=caller)


def test_an_e_mail_has_the_words_of_its_kind_and_language(sending, process):
    set_words(sending, process)
    set_words(sending, process, Words("", "Korrektur von {original} über {total}."), MailKind.REBILL, "de")
    account = account_of(sending)
    invoice = bill(account, process, JAN_10)
    (sent,) = mail.outbox
    assert sent.subject == "Acme Telecom: your invoice INV-000001"
    opening = "Dear Ada Byron,\n\nplease pay 30.00 USD by 2026-01-24. {thanks}"
    assert sent.body.strip().startswith(opening)
    assert "<p>Dear Ada Byron,</p>" in sent.alternatives[0][0]
    Account.objects.filter(pk=account.pk).update(language="de")
    rebilled(invoice, process, 1, today=JAN_10)
    assert "Korrektur von INV-000001 über 30,00." in mail.outbox[-1].body
    assert mail.outbox[-1].subject.startswith("Acme Telecom: Korrigierte Rechnung RB-000001")


def test_words_of_customers_are_not_markup_and_not_commands(sending, process):
    set_words(sending, process, Words("{customer}", "Dear {customer},"))
    account = account_of(sending)
    account.contacts.update(name="<b>{due}</b>\nBcc: x@example.com")
    bill(account, process, JAN_10)
    (sent,) = mail.outbox
    assert sent.subject == "<b>{due}</b> Bcc: x@example.com"
    assert "&lt;b&gt;{due}&lt;/b&gt;" in sent.alternatives[0][0]


@pytest.mark.parametrize(
    ("words", "field", "told"),
    [
        (Words("", "Dear {name}"), "opening", "{name} is not known. Known are {number}, {date}"),
        (Words("{invoice.client}", ""), "subject", "{invoice.client} is not known"),
        (Words("{total!r}", ""), "subject", "{total!r} is not known"),
        (Words("{total:>9}", ""), "subject", "{total:>9} is not known"),
        (Words("{}", ""), "subject", "{} is not known"),
        (Words("", "{total"), "opening", "a brace has no partner"),
        (Words("a\nb", ""), "subject", "it is one line"),
    ],
)
def test_texts_that_no_mail_can_have_are_refused_by_name(acme, process, words, field, told):
    with pytest.raises(BillingError) as refused:
        set_words(acme, process, words)
    assert (refused.value.code.number, refused.value.field, told in refused.value.message) == (1016, field, True)
    assert not MailText.objects.exists()


def test_the_page_previews_tests_and_saves_what_was_typed(sending, process, admin_client):
    address, typed = (
        "/mail-texts/",
        {"kind": "invoice", "language": "de", "subject": "Rechnung {number}", "opening": "Guten Tag"},
    )
    assert "There are no own texts yet" in admin_client.get(address).content.decode()
    none = admin_client.post(address, {**typed, "do": "preview"})
    assert (none.status_code, "there is no issued document of this kind yet" in none.content.decode()) == (422, True)
    bill(account_of(sending), process, JAN_10)
    mail.outbox.clear()
    page = admin_client.post(address, {**typed, "do": "preview"}).content.decode()
    assert ("Rechnung INV-000001" in page, "Guten Tag" in page, "Zu zahlen" in page) == (True, True, True)
    unknown = admin_client.post(address, {**typed, "opening": "{name}", "do": "save"})
    assert (unknown.status_code, "not valid: {name} is not known" in unknown.content.decode()) == (422, True)
    tested = admin_client.post(address, {**typed, "to": "me@acme.example", "do": "test"})
    assert (tested.status_code, [one.to for one in mail.outbox]) == (200, [["me@acme.example"]])
    assert not MailText.objects.exists()
    saved = admin_client.post(address, {**typed, "do": "save"}, follow=True).content.decode()
    assert ("The texts are saved" in saved, "Invoice, German" in saved) == (True, True)
    row = MailText.objects.get()
    assert (row.client, row.subject, row.history.count()) == (sending, "Rechnung {number}", 1)
    admin_client.post(address, {**typed, "subject": "", "opening": "", "do": "save"})
    assert not MailText.objects.exists()


def test_staff_without_the_right_may_preview_only(sending, process):
    client = reader(sending)
    typed = {"kind": "invoice", "language": "en", "subject": "x", "opening": "", "to": "me@acme.example"}
    page = client.get("/mail-texts/").content.decode()
    assert ("Save texts" in page, "because you have no permission to change settings" in page) == (False, True)
    assert client.post("/mail-texts/", {**typed, "do": "save"}).status_code == 403
    client.post("/mail-texts/", {**typed, "do": "test"})
    assert (MailText.objects.exists(), mail.outbox) == (False, [])


def test_the_words_of_another_client_are_not_seen_over_rest(sending, process, admin_client):
    other = ClientFactory()
    mine, theirs = set_words(sending, process), set_words(Client.objects.get(pk=other.pk), process)
    listed = admin_client.get(f"/api/v1/mail-texts/?client_no={sending.pk}").json()["results"]
    assert [one["id"] for one in listed] == [mine.pk]
    assert admin_client.get(f"/api/v1/mail-texts/{theirs.pk}/?client_no={sending.pk}").status_code == 404
    refused = admin_client.post(
        f"/api/v1/mail-texts/?client_no={sending.pk}",
        json.dumps({"kind": "invoice", "language": "en", "subject": "{x}"}),
        content_type="application/json",
    )
    assert (refused.status_code, refused.json()["error_code"], list(refused.json()["errors"])) == (400, 1016, ["subject"])
    assert admin_client.delete(f"/api/v1/mail-texts/{mine.pk}/?client_no={sending.pk}").status_code == 204
    assert list(MailText.objects.values_list("pk", flat=True)) == [theirs.pk]
