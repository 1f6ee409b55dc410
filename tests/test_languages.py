"""Pages are in the reader's language, statements in the customer's, and what is stored or sent to programs is in English."""

import copy
import html
import pickle
import re
from datetime import date
from decimal import Decimal as D

import pytest
from django.core.management import call_command
from django.utils.translation import get_language, override

from accounts.apps import check_catalogues
from accounts.callers import Caller
from accounts.kinds import FourEyes
from accounts.models import Event
from billing_site.errors import BillingError, Detail, ErrorCode, listed, shown_message, word
from invoices.fingerprints import fingerprint
from invoices.models import Invoice, TaxAnswer
from invoices.services.documents.document_storage import stored_contents
from invoices.services.printing.printed import statement_parts
from invoices.services.runs.runs import cancel_run, plan_run
from invoices.services.statements.written import statement_mail
from tests.support.admin_pages import add_url, change_url, list_url
from tests.support.billing import JAN_10, bill
from tests.support.calling import caller_of, refused
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.money_api import with_key
from tests.support.rebilling import line, rebilled

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.fixture
def german(admin_client):
    """A signed-in administrator whose browser asks for German."""
    admin_client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de-DE,de;q=0.9"
    return admin_client


# Which language.


def test_a_page_is_in_the_browsers_language(acme, admin_client):
    page = admin_client.get("/accounts/", headers=GERMAN)
    assert '<html lang="de"' in page.text and "<h1>Kundenkonten</h1>" in page.text
    assert (page["Content-Language"], "Accept-Language" in page["Vary"]) == ("de", True)
    assert "<h1>Accounts</h1>" in admin_client.get("/accounts/", headers={"Accept-Language": "fr"}).text
    assert "<h1>Accounts</h1>" in admin_client.get("/accounts/").text


def test_a_reader_chooses_a_language_without_scripts_and_keeps_it(acme, admin_client):
    page = admin_client.get("/accounts/?search=ada").text
    assert '<button class="btn btn-sm" name="language" value="de" lang="de" aria-pressed="false">Deutsch</button>' in page
    chosen = admin_client.post("/language/", {"language": "de", "next": "/accounts/?search=ada"})
    assert (chosen.status_code, chosen["Location"]) == (302, "/accounts/?search=ada")
    assert "<h1>Kundenkonten</h1>" in admin_client.get("/accounts/", headers={"Accept-Language": "en"}).text
    assert chosen.cookies["django_language"]["max-age"] == 365 * 24 * 3600


def test_nobody_is_sent_to_another_site_by_choosing(acme, admin_client):
    assert admin_client.post("/language/", {"language": "de", "next": "https://evil.example/"})["Location"] == "/"


def test_the_sign_in_page_offers_the_languages(db, client):
    page = client.get("/login/", headers=GERMAN).text
    assert "Anmelden" in page and 'lang="de" aria-pressed="true">Deutsch</button>' in page and ">English</button>" in page


def test_the_language_ends_with_the_request(acme, admin_client):
    before = get_language()
    admin_client.get("/accounts/", headers=GERMAN)
    assert get_language() == before


def test_who_forgot_to_compile_the_catalogues_is_told(tmp_path, monkeypatch):
    assert check_catalogues(None) == []
    monkeypatch.setattr("accounts.apps.catalogues", lambda: [tmp_path / "django.po"])
    assert [warning.id for warning in check_catalogues(None)] == ["accounts.W001"]


# Pages in German.


def test_money_numbers_and_days_are_written_as_the_language_does(acme, german, process):
    account = an_account(acme, a_plan(acme, {"phone": "1234.50"}))
    invoice = bill(account, process, JAN_10)
    page = german.get(f"/invoices/{invoice.pk}/").text
    assert "1.234,50\xa0$" in page and "10.01.2026" in page
    english = german.get(f"/invoices/{invoice.pk}/", headers={"Accept-Language": "en-GB"}).text
    assert "US$1,234.50" in english and "10 Jan 2026" in english


def test_pages_say_what_is_possible_in_german(acme, german, process):
    invoice = bill(an_account(acme), process, JAN_10)
    page = " ".join(re.sub("<[^>]*>", " ", german.get(f"/invoices/{invoice.pk}/").text).split())
    for words in ("Offen", "Positionen", "Menge × Einzelpreis", "Rechnung erzeugt", "Was nicht möglich ist, und warum"):
        assert words in page
    assert "Die Rechnung ist schon" not in page


def text_of(answer):
    return " ".join(re.sub("<[^>]*>", " ", html.unescape(answer.text)).split())


def test_a_refusal_is_shown_in_german_with_its_detail(acme, german, process):
    invoice = bill(an_account(acme), process, JAN_10)
    rebilled(invoice, process, line(1, amount="20.00"))
    page = text_of(german.get(f"/invoices/{invoice.pk}/"))
    wrong = "Die Rechnung ist schon korrigiert: INV-000001 wurde durch RB-000001 ersetzt"
    assert f"{wrong}; korrigieren Sie RB-000001 erneut" in page
    assert f"{wrong}; verwenden Sie stattdessen RB-000001" in page
    assert "already rebilled" not in page and "replaced" not in page


def test_a_pending_invoice_in_the_way_is_named_in_german(acme, german, process):
    account = an_account(acme)
    pending = bill(account, process, JAN_10, force_pending=True)
    page = text_of(german.get(f"/accounts/{account.pk}/"))
    assert f"Das Kundenkonto hat eine Rechnung, die auf Freigabe wartet: Rechnung {pending.pk}" in page
    page = text_of(german.get(f"/invoices/{pending.pk}/"))
    assert f"Der Beleg ist nicht ausgestellt: Rechnung {pending.pk} ist offen zur Freigabe" in page


def test_four_eyes_are_explained_in_german(acme, german, admin_user):
    acme.four_eyes = FourEyes.ANOTHER_PERSON
    acme.save()
    invoice = bill(an_account(acme), Caller(staff=admin_user), JAN_10)
    page = text_of(german.get(f"/invoices/{invoice.pk}/"))
    why = "Sie können Ihren eigenen Beleg oder Antrag nicht freigeben"
    assert f"{why}: Sie oder einer Ihrer API-Schlüssel hat ihn erzeugt. Eine andere Person muss ihn freigeben" in page


def test_an_amount_above_the_open_one_is_refused_in_german(acme, german, process):
    invoice = bill(an_account(acme), process, JAN_10)
    sent = {"amount": "30.01", "reason": "1", "comments": "x", "once": "a" * 32}
    page = text_of(german.post(f"/invoices/{invoice.pk}/write-off/", sent))
    assert f"Der Betrag übersteigt den offenen Betrag: Nur 30 sind auf Rechnung {invoice.pk} offen" in page


def test_a_filter_that_finds_nobody_is_refused_in_german(acme, german):
    an_account(acme)
    page = "/billing-runs/new/"
    for sent, why in (
        ({"bill_days": "31", "once": "a" * 32}, "Der Filter findet kein fälliges Kundenkonto. Ändern Sie den Filter"),
        ({"regions": "Atlantis-1, Utopia-2", "once": "b" * 32}, "Atlantis-1, Utopia-2 sind nicht gültig"),
    ):
        answer = german.post(page, {**sent, "act": "start"}, follow=True, HTTP_REFERER=f"http://testserver{page}")
        assert why in text_of(answer)


def test_a_cancelled_run_is_no_cancelled_contract(acme, german, process):
    an_account(acme)
    cancel_run(plan_run(client=acme, today=JAN_10, caller=process), caller=process)
    page = text_of(german.get("/billing-runs/"))
    assert "Abgebrochen" in page and "Gekündigt" not in page


def test_a_detail_is_english_as_a_text_and_german_where_it_is_shown():
    names = listed([word("lines"), Detail("invoice {invoice_no}", invoice_no=7)])
    detail = Detail("{names} and {count} more are", names=names, count=2)
    refusal = BillingError(ErrorCode.DATABASE_AWAY, detail).within("plan")
    with override("de"):
        assert str(detail) == "lines, invoice 7 and 2 more are"
        assert detail.shown == "Positionen, Rechnung 7 und 2 weitere sind"
        assert refusal.message.startswith("The database cannot be reached at the moment: lines, invoice 7 and 2 more are. Try")
        assert refusal.shown.startswith(
            "Die Datenbank ist zurzeit nicht erreichbar: Positionen, Rechnung 7 und 2 weitere sind. V"
        )
        assert copy.copy(detail).shown == pickle.loads(pickle.dumps(detail)).shown == detail.shown
    assert refusal.shown == refusal.message


@pytest.mark.parametrize(
    ("code", "detail", "shown"),
    [
        (ErrorCode.NOT_ISSUED, "", "Der Beleg ist nicht ausgestellt"),
        (ErrorCode.NOT_ISSUED, "plan 7", "Der Beleg ist nicht ausgestellt: plan 7"),
        (ErrorCode.DATABASE_AWAY, "x", "Die Datenbank ist zurzeit nicht erreichbar: x. Versuchen Sie es gleich noch einmal"),
    ],
)
def test_a_detail_that_is_a_text_of_others_is_kept(code, detail, shown):
    refusal = BillingError(code, detail)
    with override("de"):
        assert refusal.shown == shown_message(code.number, refusal.message) == shown
    assert refusal.shown == refusal.message


def test_the_page_of_webhooks_is_in_the_readers_language(german):
    page = german.get("/webhooks/")
    assert page.headers["Content-Language"] == "de"
    assert '<html lang="de"' in page.content.decode()


def test_a_missing_parameter_is_named_in_german():
    with override("de"):
        assert BillingError(ErrorCode.MISSING_PARAMETER, field="acct_no").shown == "Eine Angabe fehlt: acct_no"
        assert shown_message(1010, "Something else.") == "Something else."


def test_the_admin_names_columns_and_lists_in_german(acme, german):
    account = an_account(acme)
    assert "Abrechnungstag" in german.get(change_url(account)).text
    page = german.get(list_url(Invoice)).text
    assert (
        "Rechnungen" in page and "Abrechnungsdatum" in page and "Nummernkreise" not in german.get(add_url(type(account))).text
    )


# What is typed.


def test_a_form_is_read_as_in_english(acme, german):
    """Browsers send numbers with a point, and days as 2026-01-31, whatever the page's language."""
    german.post(add_url(type(an_account(acme))), {"client": acme.pk, "client_acct_id": "NEU", "status": 1, "currency": "eur"})
    assert "NEU" in german.get("/accounts/?search=NEU").text
    assert german.get("/invoices/?bill_date_from=2026-01-01&total_amount_min=12.50").status_code == 200


# Statements.


def test_a_statement_is_in_the_language_of_its_account(acme, process, german):
    account = an_account(acme, a_plan(acme, {"phone": "1234.50"}), language="de")
    invoice = bill(account, process, JAN_10)
    message = statement_mail(invoice, statement_parts([invoice])[invoice.pk], {}, "nora@example.com")
    assert message.subject == "Acme Telecom: Rechnung INV-000001"
    for words in (
        "Datum 10.01.2026, fällig am 24.01.2026",
        "Netto 1234,50 USD",
        "Gesamtbetrag 1234,50 USD",
        "Zu zahlen: 1234,50 USD",
    ):
        assert words in " ".join(message.body.split())
    html = message.alternatives[0][0]
    assert '<html lang="de">' in html and '<th scope="col">Position</th>' in html and "Netto" in html


def test_a_statement_is_english_for_an_english_customer_of_a_german_clerk(acme, process):
    invoice = bill(an_account(acme), process, JAN_10)
    with override("de"):
        message = statement_mail(invoice, statement_parts([invoice])[invoice.pk], {}, "ada@example.com")
    assert message.subject == "Acme Telecom: Invoice INV-000001"
    assert "Date 2026-01-10, due date 2026-01-24" in message.body and "Amount to pay: 30.00 USD" in message.body


def test_the_language_of_the_client_is_that_of_its_accounts(acme, process, admin_client):
    acme.language = "de"
    acme.save()
    invoice = bill(an_account(acme), process, JAN_10)
    printed = admin_client.get(f"/invoices/{invoice.pk}/print/").text
    assert '<article class="paper" lang="de">' in printed and "Rechnung INV-000001" in printed and "30,00\xa0$" in printed
    assert '<html lang="en"' in printed


def test_a_credit_memo_and_a_rebill_are_called_so_in_german(acme, process):
    acme.language = "de"
    acme.save()
    invoice = bill(an_account(acme), process, JAN_10)
    rebill = rebilled(invoice, process, line(1, amount="20.00"))
    subjects = [
        statement_mail(one, statement_parts([one])[one.pk], {}, "nora@example.com").subject for one in (rebill.memo, rebill)
    ]
    assert subjects == [
        "Acme Telecom: Gutschrift CM-000001 zur Rechnung INV-000001 vom 10.01.2026",
        "Acme Telecom: Korrigierte Rechnung RB-000001",
    ]


# What is stored, and what programs are answered.


def test_programs_are_answered_in_english(acme, client):
    call = caller_of(acme)
    with override("de"):
        refused(call("gen_invoice", acct_no=4711), ErrorCode.ACCOUNT_NOT_FOUND.number)
    unknown = {"rest_call": "gen_invoice", "output_format": "json"}
    answers = [
        client.post("/v1/core", unknown, content_type="application/json", headers=GERMAN).json(),
        client.get("/api/v1/accounts/", headers=GERMAN).json(),
        client.get("/api/v1/nowhere/", headers=GERMAN).json(),
    ]
    assert [answer["error_msg"] for answer in answers] == [
        "authentication error",
        "authentication error",
        "no data found: /api/v1/nowhere/ is not an address of the API",
    ]


def test_the_resources_and_their_description_are_in_english(acme, client):
    api = with_key(acme)
    answer = api.post("/api/v1/accounts/", {"client_acct_id": "A-1", "currency": "qqq"}, format="json", headers=GERMAN)
    assert answer.json()["errors"]["currency"] == ["qqq is not a currency code such as usd."]
    assert answer["Content-Language"] == "en"
    assert b"Test accounts are never billed." in client.get("/api/schema/", headers=GERMAN).content


def test_a_german_clerk_generates_what_an_english_one_would(acme, process, german):
    """The texts of a document are a part of its fingerprint. Here tax data is missing, which the document says in words."""
    TaxRateFactory(client=acme, name="State", percent=D("7.25"))
    acme.missing_tax_data = "allow"
    acme.save()
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=date(2026, 1, 10), contact=False)
    pages = [
        german.get(f"/accounts/{account.pk}/generate/?mode=now", headers={"Accept-Language": code}) for code in ("de", "en")
    ]
    german_print, english_print = (re.findall(r'name="fingerprint" value="([^"]+)"', page.text) for page in pages)
    assert german_print == english_print != []
    with override("de"):
        invoice = bill(account, process, JAN_10)
    assert TaxAnswer.objects.get(invoice=invoice).missing == "the account has no contact"
    with override("en"):
        assert fingerprint(stored_contents([invoice.pk])[invoice.pk]) == invoice.fingerprint


def test_events_are_written_in_english(acme, process, german):
    invoice = bill(an_account(acme), process, JAN_10)
    german.post(f"/invoices/{invoice.pk}/void/", {"reason_code": 5, "once": "a"})
    german.post(f"/invoices/{invoice.pk}/void/", {"reason_code": 5, "once": "b"})
    messages = Event.objects.exclude(message="").values_list("message", flat=True)
    assert [message for message in messages if not message.isascii()] == []


def test_commands_speak_english_on_a_german_server(acme, process, settings, capsys):
    settings.LANGUAGE_CODE = "de"
    call_command("audit")
    assert "finding" in capsys.readouterr().out
