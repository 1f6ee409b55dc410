"""Reasons and refusals that are recorded: English for programs, the reader's language on pages, and old rows as they are."""

import json
import re
from datetime import date
from decimal import Decimal as D

import pytest
import time_machine
from django.utils.translation import override

from accounts.callers import Caller
from accounts.models import Event
from accounts.trail import record_acts, refusal
from billing_site.errors import (
    BillingError,
    Detail,
    ErrorCode,
    PendingAct,
    error_from_event,
    recorded,
    shown_message,
    stored_detail,
)
from invoices.kinds import EntryKind, ScheduledAct
from invoices.models import BillingRun, DocumentFile, Invoice, RunOutcome, Schedule
from invoices.services.correcting.write_offs import write_off
from invoices.services.printing.files import make_owed_files
from invoices.services.runs.runs import continue_run, pause_run, start_run
from invoices.services.work.schedules import do_next, set_schedule
from invoices.services.work.workers import working
from tests.support.billing import JAN_10, bill
from tests.support.factories import an_account
from tests.support.money_api import with_key
from tests.support.paying import WHY
from tests.support.pending import a_pending
from tests.support.storages import keep_documents_in

pytestmark = pytest.mark.django_db


def text_of(answer):
    return " ".join(re.sub("<[^>]*>", " ", answer.text).replace("&#x27;", "'").split())


@pytest.fixture
def german(admin_client):
    admin_client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de-DE,de;q=0.9"
    return admin_client


def ran(client, process, **options):
    run = start_run(client=client, today=JAN_10, caller=process, **options)
    continue_run(run, caller=process)
    return run


# What is stored.


def test_a_detail_is_read_back_with_its_text_and_values():
    detail = Detail("{count} more, from {day}", count=3, day=date(2026, 1, 10))
    stored = stored_detail(detail)
    assert json.loads(stored) == {"text": "{count} more, from {day}", "values": {"count": 3, "day": "2026-01-10"}}
    again = recorded("as it was recorded", stored)
    assert (str(again), again.shown) == ("as it was recorded", "3 more, from 2026-01-10")
    assert detail.shown == "3 more, from Jan 10, 2026"


def test_a_detail_within_a_detail_is_read_back():
    inner = Detail("invoice {invoice_no}", invoice_no=7)
    outer = Detail("discard {document} first", document=inner)
    with override("de"):
        assert recorded(str(outer), stored_detail(outer)).shown == outer.shown == "verwerfen Sie zuerst Rechnung 7"


def test_a_refusal_is_read_back_with_its_own_words_and_its_code():
    error = BillingError(ErrorCode.INVALID_INPUT, Detail("hour: {hour} is not from 0 to 23", hour=99), field="hour")
    stored = error.stored
    read = error_from_event(1016, error.message, stored)
    assert (read.code, read.message) == (ErrorCode.INVALID_INPUT, "invalid input: hour: 99 is not from 0 to 23")
    with override("de"):
        assert read.shown == error.shown == shown_message(1016, error.message, stored)
        assert read.shown != error.message


def test_old_rows_and_words_of_others_stay_as_they_are_recorded():
    assert recorded("The gateway is down.", "") == "The gateway is down."
    error = BillingError(ErrorCode.NO_DATA, "plan 7")
    assert error.stored == ""
    with override("de"):
        assert error_from_event(error.code.number, error.message).shown == "Nicht gefunden: plan 7"
        assert shown_message(error.code.number, error.message) == "Nicht gefunden: plan 7"


def test_what_a_database_cannot_keep_is_replaced():
    stored = stored_detail(Detail("{country} is not valid", country="a\0b\ud800"))
    assert json.loads(stored)["values"] == {"country": "a?b?"}


# Where it is read.


def test_why_a_limit_stopped_a_run_is_german_on_its_page_and_english_to_programs(acme, process, german):
    an_account(acme)
    run = ran(acme, process, limits={"stop_above_invoice": D(25)})
    account_no = acme.accounts.get().pk
    english = f"The invoice of account {account_no} is 30.00 USD, above 25."
    assert run.stop_reason == english
    assert with_key(acme).get(f"/api/v1/billing-runs/{run.pk}/").json()["stop_reason"] == english
    page = text_of(german.get(f"/billing-runs/{run.pk}/"))
    assert f"Die Rechnung des Kundenkontos {account_no} beträgt 30,00 USD und liegt damit über 25." in page
    BillingRun.objects.update(stop_detail="")
    assert english in text_of(german.get(f"/billing-runs/{run.pk}/"))


def test_why_an_account_was_refused_is_german_on_the_page_of_the_run(acme, process, german):
    pending = a_pending(acme, process)
    run = ran(acme, process)
    outcome = RunOutcome.objects.get(run=run)
    assert outcome.message.endswith(f"invoice {pending.pk}")
    page = text_of(german.get(f"/billing-runs/{run.pk}/"))
    assert f"wartet: Rechnung {pending.pk}" in page


def test_why_a_schedule_failed_is_german_on_its_page(acme, process, german):
    an_account(acme)
    pause_run(start_run(client=acme, today=JAN_10, caller=process), caller=process)
    run = BillingRun.objects.get()
    with time_machine.travel("2026-01-10T00:00Z", tick=False):
        set_schedule(client=acme, act=ScheduledAct.BILL, hour=6, caller=Caller(process="test"))
    with time_machine.travel("2026-01-11T06:00Z", tick=False), working("test") as worker:
        Schedule.objects.update(next_at="2026-01-10T06:00Z", next_day="2026-01-10")
        assert do_next(worker)
    assert Schedule.objects.get().message == f"Billing run {run.pk} is paused. Resume or cancel it."
    page = text_of(german.get("/schedules/"))
    assert f"Der Abrechnungslauf {run.pk} pausiert. Setzen Sie ihn fort, oder brechen Sie ihn ab." in page


def test_why_a_file_is_missing_is_german_on_the_page_of_the_invoice(acme, process, german, settings):
    keep_documents_in(settings, "AwayStorage")
    invoice = bill(an_account(acme), process, JAN_10)
    assert make_owed_files(acme, limit=1).given_up == "The storage of documents failed: RuntimeError"
    assert DocumentFile.objects.get().reason == "The storage of documents failed: RuntimeError"
    page = text_of(german.get(f"/invoices/{invoice.pk}/"))
    assert "Der Speicher der Belege hat einen Fehler gemeldet: RuntimeError" in page


def test_a_refusal_in_the_trail_is_german_in_the_timeline(acme, process, german):
    invoice = bill(an_account(acme), process, JAN_10)
    why = Detail("invoice {invoice_no} is {status}", invoice_no=invoice.pk, status=Detail("voided"))
    error = BillingError(ErrorCode.NOT_ISSUED, why)
    record_acts(acme, process, [refusal("invoice.refused", error, account_no=invoice.account_id, invoice_no=invoice.pk)])
    assert Event.objects.latest("pk").message.endswith(f"invoice {invoice.pk} is voided")
    page = text_of(german.get(f"/invoices/{invoice.pk}/"))
    assert f"Rechnung {invoice.pk} ist storniert" in page
    assert Invoice.objects.count() == 1


def test_why_a_request_waits_for_another_person_is_german_on_the_page_of_the_queue(acme, process, german, admin_user):
    invoice = bill(an_account(acme), process, JAN_10)
    acme.four_eyes = "another_person"
    acme.save()
    with pytest.raises(PendingAct):
        write_off(
            client=acme,
            invoice_no=invoice.pk,
            caller=Caller(staff=admin_user),
            today=JAN_10,
            why=WHY,
            amount=D(5),
            kind=EntryKind.WRITE_OFF,
        )
    page = text_of(german.get("/invoices/pending/"))
    assert "Sie können Ihren eigenen Beleg oder Antrag nicht freigeben" in page
