"""What goes wrong while PDFs are made undoes no issue: the PDF is owed with its reason, the dashboard says so, and it is made
when the trouble is over."""

import io
from collections.abc import Callable
from typing import NamedTuple

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from accounts.models import Client, Contact
from accounts.models.identities import document_storage
from invoices.models import DocumentFile
from invoices.services.printing.files import FilesMade, make_owed_files, try_files_again
from tests.support.billing import JAN_10, bill
from tests.support.invoice_pages import reader
from tests.support.storages import keep_documents_in

pytestmark = pytest.mark.usefixtures("audited")

LOOP = '{% include "invoices/_foot.html" %}'


class Trouble(NamedTuple):
    """How it begins and ends, given the fixture `world`, and the reason that the file keeps."""

    begin: Callable
    end: Callable
    reason: str


def picture():
    content = io.BytesIO()
    Image.new("RGB", (40, 20), "#1a5fb4").save(content, "PNG")
    return content.getvalue()


class World:
    def __init__(self, seller, settings, folder, monkeypatch):
        self.seller, self.settings, self.folder, self.templates = seller, settings, folder, settings.TEMPLATES
        monkeypatch.setattr(Client._meta.get_field("logo"), "storage", document_storage())

    def loop(self):
        (self.folder / "invoices").mkdir()
        (self.folder / "invoices" / "_foot.html").write_text(LOOP)
        first = {**self.templates[0], "DIRS": [self.folder, *self.templates[0]["DIRS"]]}
        self.settings.TEMPLATES = [first, *self.templates[1:]]

    def unloop(self):
        self.settings.TEMPLATES = self.templates

    def logo(self, content):
        client = Client.objects.get(pk=self.seller.pk)
        client.logo.save("logo.png", ContentFile(content))
        return client.logo

    def missing_logo(self):
        logo = self.logo(picture())
        logo.storage.delete(logo.name)

    def no_logo(self):
        Client.objects.update(logo="")


TROUBLES = {
    "a template that includes itself": Trouble(World.loop, World.unloop, "The file could not be made: RecursionError"),
    "a missing logo": Trouble(World.missing_logo, World.no_logo, "The client's logo cannot be read."),
    "a logo of 10 MB": Trouble(
        lambda world: world.logo(picture() + bytes(10_000_000)), World.no_logo, "The client's logo is larger than 2 MB."
    ),
    "a letter that no font has": Trouble(
        lambda world: Contact.objects.update(company="Shop of \U00012000"), lambda world: None, "The fonts have no glyphs for"
    ),
    "a full disk": Trouble(
        lambda world: keep_documents_in(world.settings, "FullStorage"),
        lambda world: keep_documents_in(world.settings),
        "The storage of documents failed: No space left on device",
    ),
    "a storage that is away": Trouble(
        lambda world: keep_documents_in(world.settings, "AwayStorage"),
        lambda world: keep_documents_in(world.settings),
        "The storage of documents failed: RuntimeError",
    ),
}


@pytest.fixture
def world(seller, settings, tmp_path, monkeypatch):
    return World(seller, settings, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", TROUBLES)
def test_issue_is_not_undone_and_the_file_is_made_later(name, world, seller, account, process):
    trouble = TROUBLES[name]
    trouble.begin(world)
    invoice = bill(account, process, JAN_10)
    assert (invoice.status, invoice.document_number) == ("approved", "INV-000001")
    assert make_owed_files(seller, limit=10)[:2] == (0, 1)
    file = DocumentFile.objects.get()
    assert (file.state, file.why_missing[: len(trouble.reason)]) == ("failed", trouble.reason)
    person = reader(seller, permissions=("view_invoice", "send_statement"))
    tile = next(tile for tile in person.get("/").context["tiles"] if str(tile.title) == "Missing PDFs")
    assert (tile.how_many, tile.address) == (1, "/invoices/?file_missing=true")
    trouble.end(world)
    try_files_again(client=seller, caller=process)
    if "letter" in name:
        # The buyer on the document stays as it was. Its font is what must come.
        assert make_owed_files(seller, limit=10)[:2] == (0, 1)
        return
    assert make_owed_files(seller, limit=10) == FilesMade(1, 0)
    assert "Missing PDFs" not in person.get("/").content.decode()
