"""Acts on ticked rows of lists: approve, discard, collect, send statements, files, a campaign, and a run of accounts."""

import io
import zipfile
from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core import mail

from accounts.models import SavedView
from invoices.models import CollectionAttempt, Decision, DocumentFile, Invoice, Statement
from invoices.services.printing.files import make_owed_files
from rebills.models import RebillCampaign
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import ClientFactory, an_account
from tests.support.invoice_lists import World
from tests.support.invoice_pages import reader
from tests.support.paying import billed
from tests.support.reading_pages import words

RIGHTS = (
    "view_invoice",
    "view_account",
    "approve_invoice",
    "collect_money",
    "send_statement",
    "rebill_invoice",
    "generate_invoice",
)

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def end_of_march():
    with time_machine.travel(datetime(2026, 3, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def signed_in(acme):
    return reader(acme, permissions=RIGHTS)


@pytest.fixture
def world(acme):
    return World(acme)


def ticked(*invoices, **more):
    return {"scope": "ticked", "invoice_no": [one.pk for one in invoices], **more}


def once(form, key):
    return {**form, "confirmed": "yes", "once": key * 32}


def finished(signed_in, answer):
    """Continue a decision until nothing is left, as its page does, and return its page."""
    address = answer.headers["Location"]
    signed_in.post(address)
    return signed_in.get(address)


def test_pending_ones_are_approved_and_the_others_are_named_as_left_out(signed_in, world):
    asked = signed_in.post("/invoices/pending/decide/", ticked(world.pending, world.open, act="approve"))
    assert "1 selected document is left out, because it is not pending." in words(asked)
    form = {"act": "approve", "scope": "ticked", "invoice_no": asked.context["ticked"]}
    finished(signed_in, signed_in.post("/invoices/pending/decide/", once(form, "a")))
    world.pending.refresh_from_db()
    assert world.pending.status == "approved"


def test_only_ticked_ones_are_collected(acme, signed_in, process):
    (_one, first), (_two, second) = (billed(acme, process) for _ in range(2))
    _account, third = billed(acme, process)
    without_card = bill(an_account(acme), process, JAN_10)
    asked = signed_in.post("/invoices/collect/", ticked(first, second, without_card))
    assert "1 selected invoice is left out" in words(asked)
    assert asked.context["ticked"] == [first.pk, second.pk]
    page = finished(signed_in, signed_in.post("/invoices/collect/", once(ticked(first, second), "b")))
    assert "2 of 2 are done" in words(page)
    assert set(CollectionAttempt.objects.values_list("invoice", flat=True)) == {first.pk, second.pk}
    third.refresh_from_db()
    assert third.open_amount == 30


def test_with_nothing_ticked_nothing_is_collected(acme, signed_in, process):
    billed(acme, process)
    answer = signed_in.post("/invoices/collect/", {"scope": "ticked"}, follow=True)
    assert "Nothing of this list can be collected" in words(answer)
    signed_in.post("/invoices/collect/", once({"scope": "ticked"}, "c"))
    assert not Decision.objects.exists()


def test_statements_of_ticked_ones_are_sent_with_a_result_for_each(signed_in, world, mailoutbox):
    world.open.account.contacts.update(email="emma@example.com")
    world.original.account.contacts.update(email="")
    asked = signed_in.post("/invoices/statements/", ticked(world.open, world.original, world.pending))
    assert "Send 2 statements?" in words(asked)
    assert "1 selected document is left out, because it is not issued." in words(asked)
    before = Statement.objects.count()
    page = finished(signed_in, signed_in.post("/invoices/statements/", once(ticked(world.open, world.original), "d")))
    assert [one.to for one in mailoutbox] == [["emma@example.com"]]
    assert Statement.objects.count() == before + 2
    results = dict(Decision.objects.get().outcomes.values_list("invoice", "result"))
    assert results[world.open.pk] == "done"
    assert results[world.original.pk] in ("failed", "refused")
    assert "2 of 2 are done" in words(page)


def test_a_form_that_is_sent_twice_sends_no_statement_twice(signed_in, world, mailoutbox):
    world.open.account.contacts.update(email="emma@example.com")
    form = once(ticked(world.open), "e")
    first, second = (signed_in.post("/invoices/statements/", form) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    finished(signed_in, first)
    finished(signed_in, second)
    assert len(mailoutbox) == 1


def test_what_a_process_that_died_has_sent_is_not_sent_again(signed_in, world, mailoutbox):
    world.open.account.contacts.update(email="emma@example.com")
    answer = signed_in.post("/invoices/statements/", once(ticked(world.open), "f"))
    finished(signed_in, answer)
    decision = Decision.objects.get()
    with time_machine.travel(datetime(2026, 3, 31, 13, tzinfo=UTC), tick=False):
        decision.outcomes.update(result="waiting", taken_at=datetime(2026, 3, 31, 12, tzinfo=UTC))
        signed_in.force_login(get_user_model().objects.get(username="reader"))
        finished(signed_in, answer)
    assert len(mailoutbox) == 1
    assert decision.outcomes.get().result == "done"


@pytest.mark.parametrize("role", ["Viewer", "Approver", "Collector"])
def test_who_may_not_send_statements_sends_none(acme, world, role, django_user_model, client):
    user = django_user_model.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    acme.staff.add(user)
    client.force_login(user)
    assert "Send statements" not in words(client.get("/invoices/"))
    client.post("/invoices/statements/", once(ticked(world.open), "g"))
    assert not Decision.objects.exists() and not mail.outbox


def test_the_files_of_ticked_ones_are_one_zip(signed_in, world):
    make_owed_files(limit=100)
    answer = signed_in.post("/invoices/files/zip/", ticked(world.open, world.paid))
    names = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))).namelist()
    made = DocumentFile.objects.filter(invoice__in=[world.open, world.paid], state="made").count()
    assert made == 2
    assert sum(name.endswith(".pdf") for name in names) == 2
    assert "No invoice is selected." in words(signed_in.post("/invoices/files/zip/", {"scope": "ticked"}, follow=True))


def test_invoices_of_other_clients_are_left_out(signed_in, world, process):
    theirs = bill(an_account(ClientFactory()), process, JAN_10)
    for address in ("/invoices/statements/", "/invoices/files/zip/", "/invoices/collect/"):
        assert signed_in.post(address, ticked(theirs)).status_code == 302, address


def test_a_campaign_begins_with_the_ticked_ones(signed_in, world):
    page = signed_in.post("/rebills/campaigns/new/", ticked(world.open, world.paid, act="ticked"))
    lines = page.context["form"]["invoices"].value().splitlines()
    assert lines == sorted([world.open.document_number, world.paid.document_number])


CAMPAIGN = {"name": "Too dear", "rule-0-change": "discount", "rule-0-value": "2", "reason_code": "1", "statements": "none"}


def test_a_saved_view_is_the_selection_of_a_campaign(acme, signed_in, world):
    user = signed_in.get("/").wsgi_request.user
    view = SavedView.objects.create(
        client=acme, staff=user, list_name="invoices", name="Open", query="open=true&ordering=-total_amount"
    )
    counted = signed_in.post("/rebills/campaigns/new/", {**CAMPAIGN, "view": view.pk, "act": "count", "once": "h"})
    assert "The selection finds 2 invoices." in words(counted)
    signed_in.post("/rebills/campaigns/new/", {**CAMPAIGN, "view": view.pk, "act": "create", "once": "i"})
    chosen = RebillCampaign.objects.get().selection["invoices"]
    assert chosen == sorted([world.open.pk, world.rebill.pk])


@pytest.mark.parametrize(
    ("query", "more", "message"),
    [
        ("state=pending", {}, "it has no issued invoice that can be corrected"),
        ("bill_date_from=yesterday", {}, "its filters are not valid any more"),
        ("open=true", {"invoices": "INV-000001"}, "Choose a view or name the invoices, not both."),
    ],
)
def test_a_view_that_selects_nothing_is_refused(acme, signed_in, world, query, more, message):
    user = signed_in.get("/").wsgi_request.user
    view = SavedView.objects.create(client=acme, staff=user, list_name="invoices", name="V", query=query)
    answer = signed_in.post("/rebills/campaigns/new/", {**CAMPAIGN, "view": view.pk, "act": "create", "once": "j", **more})
    assert answer.status_code == 422 and message in words(answer)
    assert not RebillCampaign.objects.exists()


def test_a_view_of_another_person_that_is_not_shared_cannot_be_chosen(acme, signed_in, world, django_user_model):
    other = django_user_model.objects.create_user("other", is_staff=True)
    view = SavedView.objects.create(client=acme, staff=other, list_name="invoices", name="V", query="open=true")
    answer = signed_in.post("/rebills/campaigns/new/", {**CAMPAIGN, "view": view.pk, "act": "create", "once": "k"})
    assert answer.status_code == 422
    assert not RebillCampaign.objects.exists()


def test_ticked_accounts_become_the_list_of_a_run_and_nothing_is_started(acme, signed_in, world):
    account = world.open.account
    page = signed_in.post("/billing-runs/new/", {"act": "ticked", "acct_no": [str(account.pk)]})
    assert page.context["form"]["accounts"].value() == str(account.pk)
    assert page.context["look"].due.all == 1
    assert Invoice.objects.filter(account=account, bill_date__gt=FEB_10).count() == 0
    assert "No account is selected." in words(signed_in.post("/billing-runs/new/", {"act": "ticked"}, follow=True))
