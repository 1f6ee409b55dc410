"""The page of the settings where the logo of documents is seen, uploaded and removed."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from pypdf import PdfReader

from accounts.models import Client
from accounts.models.identities import document_storage
from invoices.services.printing.files import file_of_document
from tests.support.billing import JAN_10, bill
from tests.support.invoice_pages import reader
from tests.support.storages import AwayStorage, FullStorage

PAGE, IMAGE = "/settings/logo/", "/settings/logo/image/"


@pytest.fixture
def page(seller, admin_client, monkeypatch):
    monkeypatch.setattr(Client._meta.get_field("logo"), "storage", document_storage())
    return admin_client


def picture(kind="PNG", size=(40, 20)):
    content = io.BytesIO()
    Image.new("RGB", size, "#1a5fb4").save(content, kind)
    return content.getvalue()


def sent(page, content, name="mark.png", once="1"):
    return page.post(PAGE, {"logo": SimpleUploadedFile(name, content), "act": "upload", "once": once})


def test_a_logo_is_uploaded_seen_printed_replaced_and_removed(
    page, seller, account, process, django_capture_on_commit_callbacks
):
    assert "Documents have no logo." in page.get(PAGE).content.decode()
    assert page.get(IMAGE).status_code == 404
    assert sent(page, picture())["Location"] == PAGE
    logo = Client.objects.get().logo
    assert f'<img class="logo-preview" src="{IMAGE}" alt="Logo of Acme Telecom">' in page.get(PAGE).content.decode()
    answer = page.get(IMAGE)
    assert (answer["Content-Type"], b"".join(answer.streaming_content)) == ("image/png", picture())
    seller.refresh_from_db()
    document = PdfReader(io.BytesIO(file_of_document(seller, bill(account, process, JAN_10).pk).content))
    assert (40, 20) in {image.image.size for image in document.pages[0].images}
    with django_capture_on_commit_callbacks(execute=True):
        sent(page, picture("JPEG"), "other.jpg", "2")
    assert not logo.storage.exists(logo.name), "the one before is deleted"
    assert page.get(IMAGE)["Content-Type"] == "image/jpeg"
    assert page.post(PAGE, {"act": "remove", "once": "3"})["Location"] == PAGE
    assert Client.objects.get().logo.name == ""
    assert [one.logo for one in Client.history.order_by("-history_id")[:1]] == [""]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (picture() + bytes(10_000_000), "The logo is larger than 2 MB."),
        (picture(size=(4001, 1)), "more than 4,000 pixels"),
        (picture("GIF"), "not a PNG or JPEG image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG or JPEG image"),
        (picture()[:40], "not a PNG or JPEG image"),
        (b"", "empty"),
    ],
)
def test_what_cannot_be_printed_is_refused_with_its_reason(page, content, reason):
    answer = sent(page, content)
    assert (answer.status_code, reason in answer.content.decode()) == (400, True)
    assert Client.objects.get().logo.name == ""


@pytest.mark.parametrize(("storage", "why"), [(FullStorage, "No space left on device"), (AwayStorage, "RuntimeError")])
def test_a_storage_that_fails_leaves_the_logo_before(page, monkeypatch, storage, why):
    sent(page, picture())
    before = Client.objects.get().logo.name
    monkeypatch.setattr(Client._meta.get_field("logo"), "storage", storage())
    answer = page.post(PAGE, {"logo": SimpleUploadedFile("new.png", picture()), "act": "upload", "once": "2"}, follow=True)
    assert why in answer.content.decode()
    assert Client.objects.get().logo.name == before


def test_who_may_not_change_settings_only_sees_it(page, seller):
    sent(page, picture())
    viewer = reader(seller, permissions=("view_client",))
    text = viewer.get(PAGE).content.decode()
    assert "logo-preview" in text
    assert "Save logo" not in text
    assert "Remove logo" not in text
    assert viewer.post(PAGE, {"act": "remove", "once": "9"})["Location"] == "/"
    assert Client.objects.get().logo.name
