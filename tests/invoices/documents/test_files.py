"""Files of documents: owed when a document is issued, made once after it, and never changed."""

import base64
import html
import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.utils import timezone
from PIL import Image
from pypdf import PdfReader

from accounts.models import Account
from accounts.models.identities import document_storage
from billing_site.errors import BillingError, ErrorCode
from invoices.audit.files import stored_files
from invoices.audit.scopes import Scope
from invoices.models import DocumentFile, Invoice
from invoices.services.printing.files import FilesMade, file_of_document, make_owed_files
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.calling import caller_of
from tests.support.invoice_pages import reader
from tests.support.money_api import with_key
from tests.support.rebilling import line, rebilled
from tests.support.storages import keep_documents_in

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def invoice(account, process):
    return bill(account, process, JAN_10)


def folder(settings):
    return Path(settings.STORAGES["documents"]["OPTIONS"]["location"])


def text_of(content):
    """The words of all pages, one space between them."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())


def embedded_fonts(content):
    """The names of the fonts of a PDF, each of which must be in the file as a subset of its letters."""
    names = set()
    for page in PdfReader(io.BytesIO(content)).pages:
        for font in page["/Resources"]["/Font"].values():
            descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            assert "/FontFile2" in descriptor or "/FontFile3" in descriptor
            assert descriptor["/FontName"][7] == "+"
            names.add(descriptor["/FontName"][1:])
    return names


def test_a_file_is_owed_at_issue_made_once_and_downloaded_as_it_is(invoice, seller, settings):
    file = DocumentFile.objects.get()
    assert (file.invoice, file.kind, file.state, file.sha256, file.tries) == (invoice, "pdf", "owed", "", 0)
    assert make_owed_files(seller, limit=10) == FilesMade(1, 0)
    assert make_owed_files(seller, limit=10) == FilesMade(0, 0)
    file.refresh_from_db()
    assert (file.state, file.reason, file.media_type, file.template_version) == ("made", "", "application/pdf", "7")
    stored = (folder(settings) / file.name).read_bytes()
    assert file.name == f"client-{seller.pk}/2026/01/inv-000001-{invoice.pk}.pdf"
    assert (file.size, file.tries) == (len(stored), 1)
    api = with_key(seller)
    answer = api.get(f"/api/v1/invoices/{invoice.pk}/pdf/", HTTP_ACCEPT="application/pdf")
    assert (answer.status_code, answer["Content-Type"], answer.content) == (200, "application/pdf", stored)
    assert answer["Content-Disposition"] == 'attachment; filename="INV-000001.pdf"'
    assert answer["ETag"] == f'"{file.sha256}"'
    call = {"acct_no": invoice.account_id, "invoice_no": invoice.pk, "mime_type": "application/pdf"}
    shown = caller_of(seller)("get_statement_for_invoice_m", **call)
    assert shown["error_code"] == 0, shown
    assert (shown["mime_type"], base64.b64decode(shown["out_statement"])) == ("application/pdf", stored)
    assert stored_files(Scope(seller)).rows == 1


def test_the_pdfs_of_a_rebill_say_what_each_is(invoice, seller, process, admin_client):
    assert "Draft" not in text_of(file_of_document(seller, invoice.pk).content)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="90"), comments="A price was wrong")
    memo = Invoice.objects.get(kind="credit_memo")
    of_rebill, of_memo = (text_of(admin_client.get(f"/invoices/{one.pk}/pdf/").content) for one in (rebill, memo))
    for part in (
        "Acme Telekom GmbH 1 Main Street Springfield 90210 DE Tax id ATU57194903 Registration HRB 98765 B",
        "Corrected invoice RB-000001",
        "Date Jan 31, 2026",
        "Ötzi & Söhne Ada Byron 2 Side Street Wien 93650 AT Tax id ATU57194903",
        "Your reference: Abt. 7",
        "This invoice replaces INV-000001 of Jan 10, 2026, which had the total 120.00 EUR. The difference is -12.00 EUR.",
        "The new total is 108.00 EUR. A price was wrong",
        "1. Phone Jan 10, 2026 to Feb 9, 2026 1 90 €90.00",
        "Tax €18.00 Total €108.00",
        "Bank: Commerzbank, IBAN DE89 3704 0044 0532 0130 00, BIC COBADEFFXXX",
        "Directors: A. Lovelace",
        "Page 1 of 2",
    ):
        assert part in of_rebill, (part, of_rebill)
    assert "Credit memo CM-000001 for invoice INV-000001 of Jan 10, 2026" in of_memo
    assert "Total -€120.00" in of_memo
    assert "IBAN" not in of_memo
    # What the customer got of the original stays as it was; the print view says what has become of it.
    assert "Replaced" not in text_of(file_of_document(seller, invoice.pk).content)
    assert "Replaced by RB-000001 of Jan 31, 2026." in admin_client.get(f"/invoices/{invoice.pk}/print/").content.decode()


def test_a_pdf_is_in_the_language_of_the_customer(invoice, account, seller):
    Account.objects.filter(pk=account.pk).update(language="de")
    text = text_of(file_of_document(seller, invoice.pk).content)
    assert "Rechnung INV-000001" in text
    assert "1. Phone 10.01.2026 bis 09.02.2026 1 100 100,00 €" in text
    assert "Seite 1 von 1" in text


def test_a_pdf_is_an_archive_with_tags_fonts_and_a_payment_code(invoice, seller):
    document = PdfReader(io.BytesIO(file_of_document(seller, invoice.pk).content))
    root = document.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    metadata = root["/Metadata"].get_object().get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part>" in metadata or 'pdfaid:part="3"' in metadata
    assert document.metadata.title == "Invoice INV-000001"
    fonts = [font.get_object() for font in document.pages[0]["/Resources"]["/Font"].values()]
    descriptors = [font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object() for font in fonts]
    assert len(descriptors) == 2
    assert all("/FontFile2" in one or "/FontFile3" in one for one in descriptors)
    assert "Pay with the app of your bank" in text_of(file_of_document(seller, invoice.pk).content)


def test_a_pending_document_is_a_draft_that_is_not_kept(account, seller, process):
    pending = bill(account, process, JAN_10, force_pending=True)
    api = with_key(seller)
    answer = api.get(f"/api/v1/invoices/{pending.pk}/pdf/")
    text = text_of(answer.content)
    assert f"Pro forma {pending.pk} Not issued" in text
    assert "Draft" in text
    assert answer["Content-Disposition"] == f'attachment; filename="draft-{pending.pk}.pdf"'
    assert not DocumentFile.objects.exists()
    Invoice.objects.filter(pk=pending.pk).update(status="discarded")
    refused = api.get(f"/api/v1/invoices/{pending.pk}/pdf/")
    assert (refused.status_code, refused.json()["error_code"]) == (409, 90017)
    Invoice.objects.filter(pk=pending.pk).update(status="pending")
    assert api.get("/api/v1/invoices/999999/pdf/").status_code == 404


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        ("FullStorage", "The storage of documents failed: No space left on device"),
        ("AwayStorage", "The storage of documents failed: RuntimeError"),
    ],
)
def test_a_file_that_cannot_be_stored_stays_owed_with_its_reason(
    storage, reason, account, seller, process, settings, capsys, admin_client
):
    keep_documents_in(settings, storage)
    invoice = bill(account, process, JAN_10)
    assert invoice.status == "approved"
    with pytest.raises(CommandError, match="stay owed"):
        call_command("make_files", client=seller.pk)
    assert reason in capsys.readouterr().out
    file = DocumentFile.objects.get()
    assert (file.state, file.reason) == ("failed", reason)
    assert make_owed_files(seller, limit=10) == FilesMade(0, 0), "it is tried again later, not at once"
    refused = with_key(seller).get(f"/api/v1/invoices/{invoice.pk}/pdf/")
    assert (refused.status_code, refused.json()["error_code"]) == (409, 90096)
    page = admin_client.get(f"/invoices/{invoice.pk}/pdf/", follow=True)
    assert page.redirect_chain == [(f"/invoices/{invoice.pk}/print/", 302)]
    assert reason in page.content.decode()
    keep_documents_in(settings)
    call_command("make_files")
    assert "made            1" in capsys.readouterr().out
    assert DocumentFile.objects.get().state == "made"


def test_logos_are_printed_and_a_wrong_one_is_the_reason(invoice, seller, settings):
    storage = type(seller)._meta.get_field("logo").storage
    picture = io.BytesIO()
    Image.new("RGB", (40, 20), "#1a5fb4").save(picture, "PNG")
    seller.logo.storage = storage
    for content, reason in ((b"x" * 10, "The client's logo cannot be read."), (b"x" * 2_000_001, "larger than 2 MB")):
        seller.logo.save("wrong.png", ContentFile(content))
        with pytest.raises(BillingError, match=reason):
            file_of_document(seller, invoice.pk)
        seller.logo.delete()
    assert DocumentFile.objects.get().state == "failed"
    seller.document_color = "#1a5fb4"
    seller.logo.save("right.png", ContentFile(picture.getvalue()))
    try:
        document = PdfReader(io.BytesIO(file_of_document(seller, invoice.pk).content))
    finally:
        storage.delete(seller.logo.name)
    sizes = {image.image.size for image in document.pages[0].images}
    assert (40, 20) in sizes


def test_a_file_that_another_process_makes_is_not_made_twice(invoice, seller):
    DocumentFile.objects.update(tried_at=timezone.now())
    with pytest.raises(BillingError) as refused:
        file_of_document(seller, invoice.pk)
    assert refused.value.code == ErrorCode.FILE_BEING_MADE
    assert make_owed_files(limit=10) == FilesMade(0, 0)
    DocumentFile.objects.update(tried_at=timezone.now() - timedelta(minutes=6))
    assert make_owed_files(limit=10) == FilesMade(1, 0), "the process has died"


def test_the_audit_finds_files_that_were_changed_or_are_gone(account, invoice, seller, process, settings):
    bill(account, process, FEB_10)
    make_owed_files(limit=10)
    first, second = DocumentFile.objects.order_by("pk")
    assert stored_files(Scope(seller)).findings == []
    kept = [(folder(settings) / one.name).read_bytes() for one in (first, second)]
    (folder(settings) / first.name).write_bytes(kept[0] + b" ")
    (folder(settings) / second.name).unlink()
    assert stored_files(Scope(seller)).findings == [
        f"PDF of invoice {first.invoice_id} ({first.name}): the stored file has changed since it was made",
        f"PDF of invoice {second.invoice_id} ({second.name}): the storage of documents does not have it",
    ]
    with pytest.raises(BillingError, match="changed since it was made"):
        file_of_document(seller, first.invoice_id)
    for one, content in zip((first, second), kept, strict=True):
        (folder(settings) / one.name).write_bytes(content)


def test_files_of_a_filter_come_as_a_zip(account, invoice, seller, process, admin_client):
    make_owed_files(limit=10)
    later = bill(account, process, FEB_10)
    api = with_key(seller)
    for answer in (api.get("/api/v1/invoices/files/?status=approved"), admin_client.get("/invoices/?format=zip")):
        archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
        assert archive.namelist() == [f"{invoice.pk}-INV-000001.pdf", "missing.txt"]
        assert archive.read("missing.txt") == b"1 files are not made yet.\n"
        assert archive.testzip() is None
    answer = api.get(f"/api/v1/invoices/files/?acct_no={account.pk}&bill_date_from={later.bill_date}")
    assert zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))).namelist() == ["missing.txt"]
    assert api.get("/api/v1/invoices/files/?cursor=1").status_code == 400


def test_the_logo_is_downloaded_in_the_admin_by_whoever_sees_the_client(seller, umbra, admin_client, monkeypatch):
    monkeypatch.setattr(type(seller)._meta.get_field("logo"), "storage", document_storage())
    seller.refresh_from_db()
    picture = io.BytesIO()
    Image.new("RGB", (4, 2), "#1a5fb4").save(picture, "PNG")
    address = f"/admin/accounts/client/{seller.pk}/logo/"
    assert admin_client.get(address).status_code == 404, "there is none yet"
    seller.logo.save("mark.png", ContentFile(picture.getvalue()))
    assert f'href="{address}"' in admin_client.get(f"/admin/accounts/client/{seller.pk}/change/").content.decode()
    viewer = reader(seller, permissions=("view_client",), name="viewer")
    assert address in viewer.get(f"/admin/accounts/client/{seller.pk}/change/").content.decode()
    answer = viewer.get(address)
    assert (answer["Content-Disposition"], answer["X-Content-Type-Options"]) == ('attachment; filename="mark.png"', "nosniff")
    assert b"".join(answer.streaming_content) == picture.getvalue()
    assert reader(umbra, permissions=("view_client",), name="other").get(address).status_code == 404
    assert reader(seller, name="no rights").get(address).status_code == 403
    seller.logo.storage.delete(seller.logo.name)
    assert viewer.get(address).status_code == 404


def test_a_file_that_is_made_late_shows_the_document_as_it_was_issued(invoice, seller, account, process):
    february = bill(account, process, FEB_10)
    void_invoice(client=seller, invoice_no=february.pk, caller=process, today=FEB_10, reason_code=1)
    rebilled(invoice, process, line(1, rate_per_unit="20.00"))
    for one in (invoice, february):
        text = text_of(file_of_document(seller, one.pk).content)
        assert "Pay with the app of your bank" in text
        assert "due date" in text
        assert "Replaced" not in text
        assert "Voided" not in text
    february.refresh_from_db()
    assert february.status == "voided"


def test_a_letter_that_no_font_has_is_told_and_its_pdf_made_when_one_has(account, seller, process, admin_client):
    """Sumerian cuneiform. The document is issued all the same; the dashboard counts its PDF, its page says why."""
    account.contacts.update(company="Shop of \U00012000\U00012009")
    strange = bill(account, process, JAN_10)
    account.contacts.update(company="Shop")
    plain = bill(account, process, FEB_10)
    assert (strange.status, make_owed_files(seller, limit=10)) == ("approved", FilesMade(1, 1))
    file = strange.files.get()
    reason = "The fonts have no glyphs for \U00012000 \U00012009. Install one that has them, such as"
    assert (file.state, file.why_missing[: len(reason)]) == ("failed", reason)
    assert plain.files.get().state == "made"
    assert reason in html.unescape(admin_client.get(f"/invoices/{strange.pk}/").content.decode())
    assert "file_missing=true" in admin_client.get("/").content.decode()


def test_names_in_other_scripts_and_symbols_without_a_glyph_are_printed(account, seller, process):
    """Greek, Cyrillic, Hebrew, Arabic, Chinese, Japanese and Korean; a symbol that no font has is a box."""
    account.contacts.update(
        company="Ωμέγα, Почта",
        **{"address1": "שלום בית", "address2": "شركة الهاتف", "city": "广东电信 繁體", "name": "株式会社 テレコム 한국통신"},
    )
    content = file_of_document(seller, bill(account, process, JAN_10).pk).content
    text = text_of(content)
    for words in ("Ωμέγα, Почта", "广东电信 繁體", "株式会社 テレコム 한국통신"):
        assert words in text
    # Text that is read from right to left is found in either order, by the program that reads it.
    for word in ("שלום", "בית"):
        assert word in text or word[::-1] in text
    assert {name.partition("+")[2].partition("-")[0] for name in embedded_fonts(content)} == {"Document", "Han", "Hangul"}
    account.contacts.update(company="Shop \U0001fae8")
    assert file_of_document(seller, bill(account, process, FEB_10).pk).content.startswith(b"%PDF")
