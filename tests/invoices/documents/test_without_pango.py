"""Where the library that PDFs need is missing, only PDFs are missing, and it is said what to do."""

import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from accounts.callers import Caller
from invoices.models import DocumentFile
from invoices.services.printing import pdf
from invoices.services.work.executor import work
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.documentation import OF_THE_TESTS
from tests.support.factories import an_account
from tests.support.invoice_pages import reader
from tests.support.money_api import with_key
from tests.support.no_pango import NoPango

PROCESS = Caller(process="test")
WHY = (
    "PDFs need the library Pango, which is not installed on the server. The command manage.py check --deploy says how to "
    "install it. Until then, use the print view."
)


@pytest.fixture
def without_pango(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoPango(), *sys.meta_path])
    pdf._engine.cache_clear()
    yield
    pdf._engine.cache_clear()


def test_the_check_warns_and_says_how_to_install_it():
    environment = {name: value for name, value in os.environ.items() if name not in OF_THE_TESTS}
    checked = subprocess.run(
        [sys.executable, "-m", "tests.support.no_pango", "check", "--deploy"],
        env={**environment, "DATABASE_URL": "sqlite://:memory:", "SECRET_KEY": "x" * 60, "ALLOWED_HOSTS": "billing.example"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    said = " ".join(checked.stderr.split())
    assert f"(invoices.W001) {WHY} HINT: On Debian: apt-get install libpango-1.0-0" in said


@pytest.mark.django_db
def test_documents_are_issued_and_printed_without_it(acme, without_pango, caplog):
    account = an_account(acme)
    invoice = bill(account, PROCESS, JAN_10)
    bill(account, PROCESS, FEB_10)
    assert invoice.status == "approved"
    browser = reader(acme)
    page = browser.get(f"/invoices/{invoice.pk}/pdf/", follow=True)
    assert page.redirect_chain == [(f"/invoices/{invoice.pk}/print/", 302)]
    assert WHY in page.content.decode()
    assert "Invoice INV-000001" in page.content.decode()
    refused = with_key(acme).get(f"/api/v1/invoices/{invoice.pk}/pdf/")
    assert (refused.status_code, refused.json()["error_code"]) == (409, 90096)
    assert WHY in refused.json()["error_msg"]
    work(once=True)
    assert f"work: files cannot go on: {WHY}" in caplog.messages
    assert list(DocumentFile.objects.order_by("pk").values_list("state", "tries")) == [("failed", 2), ("failed", 1)]
    with pytest.raises(CommandError, match="stay owed"):
        call_command("make_files")


@pytest.mark.django_db
def test_what_is_owed_is_made_when_it_is_there(acme, without_pango, monkeypatch):
    bill(an_account(acme), PROCESS, JAN_10)
    with pytest.raises(CommandError):
        call_command("make_files")
    monkeypatch.undo()
    call_command("make_files")
    assert DocumentFile.objects.get().state == "made"
