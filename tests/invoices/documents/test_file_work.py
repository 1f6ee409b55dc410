"""Files made by workers: after the issue, again after growing pauses, and never in the way of other work."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Client, Event
from billing_site.common.guards import lifted
from invoices.kinds import FileState, RunResult
from invoices.models import DocumentFile, Invoice
from invoices.services.printing.files import FilesMade, make_owed_files, try_files_again
from invoices.services.runs.figures import count_results
from invoices.services.runs.runs import start_run
from invoices.services.work.executor import work
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import ClientFactory, an_account
from tests.support.invoice_pages import reader
from tests.support.storages import keep_documents_in

pytestmark = pytest.mark.django_db
PROCESS = Caller(process="test")


def files():
    return list(DocumentFile.objects.order_by("pk").values_list("state", "tries", "reason"))


def let_pass(**time):
    """Let this time pass since the last tries."""
    DocumentFile.objects.update(tried_at=F("tried_at") - timedelta(**time))


def test_an_issued_invoice_has_its_pdf_after_work(acme):
    bill(an_account(acme), PROCESS, JAN_10)
    bill(an_account(acme), PROCESS, JAN_10, force_pending=True)
    assert files() == [("owed", 0, "")]
    call_command("work", "--once")
    assert files() == [("made", 1, "")]


def test_a_storage_that_fails_leaves_files_owed_and_other_work_goes_on(acme, umbra, settings, caplog):
    keep_documents_in(settings, "FullStorage")
    account = an_account(acme)
    for day in (JAN_10, FEB_10):
        bill(account, PROCESS, day)
    an_account(umbra)
    run = start_run(client=umbra, today=JAN_10, caller=PROCESS)
    assert work(once=True) > 0
    full = "The storage of documents failed: No space left on device"
    assert files() == [("failed", 1, full), ("owed", 0, "")], "the other one would have failed too"
    assert f"work: files cannot go on: {full}" in caplog.messages
    assert count_results(run) == {RunResult.INVOICED: 1}
    keep_documents_in(settings)
    assert work(once=True) > 0
    assert files() == [("failed", 1, full), ("made", 1, "")]
    let_pass(minutes=6)
    assert work(once=True) > 0
    assert files()[0] == ("made", 2, "")


def test_pauses_grow(acme, settings):
    bill(an_account(acme), PROCESS, JAN_10)
    Client.objects.filter(pk=acme.pk).update(logo="gone.png")
    assert make_owed_files(limit=10) == FilesMade(0, 1)
    for pause in ({"minutes": 5}, {"minutes": 15}, {"hours": 1}, {"hours": 6}, {"days": 1}, {"days": 1}):
        let_pass(**pause | {"seconds": -30})
        assert make_owed_files(limit=10) == FilesMade(), pause
        let_pass(seconds=31)
        assert make_owed_files(limit=10) == FilesMade(0, 1), pause
    assert files() == [("failed", 7, "The client's logo cannot be read.")]
    assert make_owed_files(limit=10, failed_before=timezone.now()) == FilesMade(0, 1), "a person need not wait"


def test_files_that_failed_come_after_new_ones(acme):
    Client.objects.filter(pk=acme.pk).update(logo="gone.png")
    bill(an_account(acme), PROCESS, JAN_10)
    make_owed_files(limit=1)
    let_pass(hours=1)
    bill(an_account(ClientFactory()), PROCESS, JAN_10)
    assert make_owed_files(limit=1) == FilesMade(1, 0)
    assert [state for state, *_ in files()] == [FileState.FAILED, FileState.MADE]


def test_a_batch_ends_after_its_time(acme):
    bill(an_account(acme), PROCESS, JAN_10)
    bill(an_account(acme), PROCESS, JAN_10)
    assert make_owed_files(limit=10, seconds=0.001) == FilesMade(1, 0)


def test_missing_files_are_on_the_dashboard_and_tried_again(acme, umbra, settings):
    keep_documents_in(settings, "FullStorage")
    account = an_account(acme)
    failed, owed = bill(account, PROCESS, JAN_10), bill(account, PROCESS, FEB_10)
    bill(an_account(umbra), PROCESS, JAN_10)
    make_owed_files(limit=1)
    biller = reader(acme, permissions=("view_invoice", "send_statement"))
    tile = next(tile for tile in biller.get("/").context["tiles"] if str(tile.title) == "Missing PDFs")
    assert (tile.how_many, tile.address) == (1, "/invoices/?file_missing=true")
    shown = biller.get(f"/invoices/{failed.pk}/").content.decode()
    assert "The storage of documents failed: No space left on device" in shown
    with lifted():
        Invoice.objects.filter(pk=owed.pk).update(approved_at=timezone.now() - timedelta(minutes=61))
    assert [one.pk for one in biller.get(tile.address).context["pages"].rows] == [owed.pk, failed.pk]
    assert "Try missing PDFs again" in biller.get(tile.address).content.decode()
    assert "Try missing PDFs again" not in biller.get("/invoices/").content.decode()
    page = biller.post("/invoices/files/try-again/", {"once": "a" * 32}, follow=True)
    assert page.redirect_chain == [("/invoices/?file_missing=true", 302)]
    assert "A worker makes 2 PDFs now." in page.content.decode()
    assert "No worker is running. Start one on the server: manage.py work." in page.content.decode()
    assert [(state, tries) for state, tries, _ in files()] == [("owed", 0), ("owed", 0)]
    assert Event.objects.get(act="files.tried_again").after == {"files": 2}
    keep_documents_in(settings)
    assert make_owed_files(limit=10) == FilesMade(2, 0)
    assert "Missing PDFs" not in biller.get("/").content.decode()


def test_who_may_not_make_files_is_not_offered_it(acme):
    bill(an_account(acme), PROCESS, JAN_10)
    DocumentFile.objects.update(state="failed", tried_at=timezone.now(), tries=3, reason="x")
    viewer = reader(acme)
    assert "Try missing PDFs again" not in viewer.get("/invoices/?file_missing=true").content.decode()
    page = viewer.post("/invoices/files/try-again/", {"once": "a" * 32}, follow=True)
    assert "making PDFs" in page.content.decode()
    assert files() == [("failed", 3, "x")]


def test_a_file_that_is_being_made_is_left_to_its_process(acme, alice):
    bill(an_account(acme), PROCESS, JAN_10)
    DocumentFile.objects.update(tried_at=timezone.now(), tries=1)
    assert try_files_again(client=acme, caller=PROCESS) == 0
    assert (files(), Event.objects.filter(act="files.tried_again").exists()) == ([("owed", 1, "")], True)
