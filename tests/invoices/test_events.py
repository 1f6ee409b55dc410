"""Events over REST: which there are, in which form, whose, and that none is skipped."""

import threading
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, transaction

from accounts.callers import Caller
from accounts.event_types import EVENT_TYPES, TYPE_OF_ACT
from accounts.models import Event
from accounts.services.events import public_events, settled
from accounts.trail import Act, record_acts
from billing_site.common.guards import lifted
from invoices.audit.kept import audit_and_keep
from invoices.kinds import DecisionAct
from invoices.models import Invoice
from invoices.services.approving.deciding import decide
from invoices.services.lists.event_names import NAMES
from invoices.services.money.ledger.payments import record_external_payment
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.money.overdue import note_overdue
from invoices.services.runs.runs import continue_run, start_run
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.everything import a_row_of_each_model
from tests.support.factories import an_account
from tests.support.money_api import get, with_key
from tests.support.rebilling import rebilled

pytestmark = pytest.mark.django_db


def types_of(client, **filters):
    return list(Event.objects.filter(client=client, **filters).exclude(type="").order_by("pk").values_list("type", flat=True))


def test_every_act_that_is_no_refusal_has_a_public_type():
    acts = {act.replace(".", " ").replace("_", " ") for act in TYPE_OF_ACT}
    untyped = [name for name in NAMES if name not in acts and "refused" not in name]
    # Acts that are never done: the collection is not made, and who adds a credit memo issues a document.
    assert untyped == ["collection not made", "collection requested", "collection started", "credit memo added"]


def test_events_have_the_documented_members_only(acme, process, alice):
    a_row_of_each_model(acme, process)
    seen = set()
    for event in public_events(acme):
        known = EVENT_TYPES[event.type]
        for members, documented in ((event.before, known.before), (event.after, known.after)):
            assert "*" in documented or set(members) <= set(documented), (event.type, members)
        seen.add(event.type)
    assert len(seen) >= 15


def test_what_happens_to_a_document_is_told_by_its_types(acme, umbra, process, alice, audited):
    account, other = an_account(acme), an_account(umbra)
    number = bill(account, process, JAN_10).pk
    assert types_of(acme) == ["invoice.generated", "invoice.issued"]
    rebill = rebilled(Invoice.objects.get(pk=number), process, 1)
    assert types_of(acme, invoice_no=number) == ["invoice.generated", "invoice.issued", "invoice.rebilled"]
    assert types_of(acme, invoice_no=rebill.pk) == ["invoice.generated", "invoice.approved", "invoice.issued"]
    assert types_of(acme, invoice_no=rebill.memo_id) == ["credit_memo.issued"]
    pending = bill(other, process, JAN_10)
    assert types_of(umbra) == ["invoice.pending"]
    decide(DecisionAct.REGENERATE, client=umbra, invoice_nos=[pending.pk], caller=alice, today=JAN_10)
    assert types_of(umbra, invoice_no=pending.pk) == ["invoice.pending", "invoice.regenerated"]
    (anew,) = Invoice.objects.filter(client=umbra, status="pending")
    decide(DecisionAct.DISCARD, client=umbra, invoice_nos=[anew.pk], caller=alice, today=JAN_10)
    assert types_of(umbra, invoice_no=anew.pk) == ["invoice.pending", "invoice.discarded"]


@pytest.fixture
def owed(acme, process):
    return bill(an_account(acme), process, JAN_10)


def pay(invoice, amount, day=JAN_10):
    return record_external_payment(
        client=invoice.client,
        account_no=invoice.account_id,
        caller=Caller(process="test"),
        today=day,
        amount=Decimal(amount),
        type="cash",
    )


def paid_events(client):
    rows = Event.objects.filter(client=client, type="invoice.paid").order_by("pk")
    return [(event.invoice_no, event.before, event.after, event.process) for event in rows]


def test_an_invoice_is_paid_once_however_it_is_paid(acme, process, owed, audited):
    total = owed.total_amount
    pay(owed, "1.00")
    assert paid_events(acme) == []
    last = pay(owed, total - 1)
    first = (owed.pk, {"open_amount": "29.00"}, {"open_amount": "0.00", "total_amount": "30.00", "currency": "usd"}, "test")
    assert paid_events(acme) == [first]
    void_transaction(client=acme, transaction_id=last.pk, reason_code=8, caller=process, today=JAN_10)
    assert len(paid_events(acme)) == 1
    pay(owed, total)  # one more than what is open: the rest pays the next invoice
    assert len(paid_events(acme)) == 2


def test_an_invoice_that_credit_pays_when_it_is_issued_is_issued_and_then_paid(acme, process, audited):
    account = an_account(acme)
    first = bill(account, process, JAN_10)
    pay(first, first.total_amount * 3)
    second = bill(account, process, FEB_10)
    assert types_of(acme, invoice_no=second.pk) == ["invoice.generated", "invoice.issued", "invoice.paid"]
    assert len(paid_events(acme)) == 2


def test_a_rebilled_invoice_is_not_paid_but_rebilled(acme, process, owed, audited):
    pay(owed, owed.total_amount)
    rebilled(owed, process, 1)
    assert types_of(acme, invoice_no=owed.pk) == ["invoice.generated", "invoice.issued", "invoice.paid", "invoice.rebilled"]


def test_an_invoice_is_overdue_once_from_the_day_after_its_due_date_on(acme, process, owed):
    assert owed.due_date == date(2026, 1, 24)
    for day in (date(2026, 1, 24), date(2026, 1, 25), date(2026, 1, 25), date(2026, 1, 26)):
        note_overdue(acme, day)
    events = Event.objects.filter(type="invoice.overdue")
    assert [(event.invoice_no, event.after["due_date"], event.after["open_amount"]) for event in events] == [
        (owed.pk, "2026-01-24", "30.00")
    ]


def test_a_run_that_is_finished_says_what_it_did(acme, process):
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    continue_run(run, caller=process)
    event = Event.objects.get(type="run.finished")
    assert event.after == {"run": run.pk, "state": "finished", "reason": "", "is_dry_run": False, "outcomes": {"invoiced": 1}}


def test_each_finding_of_an_audit_is_an_event(acme, process, owed):
    with lifted():
        Invoice.objects.filter(pk=owed.pk).update(total_amount=Decimal(1), open_amount=Decimal(1))
    run, _ = audit_and_keep(acme, "test")
    events = Event.objects.filter(type="audit.finding")
    assert run.findings_count == events.count() > 0
    assert {event.after["audit_run"] for event in events} == {run.pk}


def test_events_are_read_by_type_object_and_time_and_after_the_last_one(acme, umbra, process):
    api = with_key(acme)
    first, second = (bill(an_account(acme), process, JAN_10) for _ in range(2))
    bill(an_account(umbra), process, JAN_10)
    rows = get(api, "events")["results"]
    assert [row["type"] for row in rows] == ["invoice.generated", "invoice.issued"] * 2
    assert rows[1] == {
        "id": rows[1]["id"],
        "type": "invoice.issued",
        "timestamp": rows[1]["timestamp"],
        "client_no": acme.pk,
        "acct_no": first.account_id,
        "invoice_no": first.pk,
        "by": "process:test",
        "request_id": "",
        "error_code": 0,
        "error_msg": "",
        "data": {
            "before": {},
            "after": {
                "kind": "recurring",
                "document_number": first.document_number,
                "invoice_date": "2026-01-10",
                "due_date": "2026-01-24",
                "total_amount": "30.00",
                "currency": "usd",
            },
        },
    }
    ids = [row["id"] for row in rows]

    def found(query):
        return [row["id"] for row in api.get(f"/api/v1/events/?{query}").json()["results"]]

    assert found("type=invoice.issued") == ids[1::2]
    assert found("type=invoice.generated,invoice.issued") == found("type=invoice.*") == ids
    assert found(f"object=invoice:{second.pk}") == found(f"invoice_no={second.pk}") == ids[2:]
    assert found(f"object=account:{first.account_id}") == ids[:2]
    assert found(f"after={ids[0]}&limit=2") == ids[1:3]
    assert found("since=2990-01-01T00:00:00Z") == []
    assert found("since=2020-01-01T00:00:00+01:00") == ids
    assert get(api, f"events/{ids[0]}")["id"] == ids[0]


@pytest.mark.parametrize("query", ["type=invoice.bought", "object=7", "object=invoice:x", "until=1"])
def test_a_filter_that_is_not_understood_is_refused(acme, query):
    answer = with_key(acme).get(f"/api/v1/events/?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, 1016)


@pytest.mark.parametrize("since", ["yesterday", "2026-01-01T00:00:00", "2026-01-01"])
def test_a_moment_that_is_none_is_refused_as_other_dates_are(acme, since):
    answer = with_key(acme).get("/api/v1/events/", {"since": since})
    assert (answer.status_code, answer.json()["error_code"], list(answer.json()["errors"])) == (400, 1024, ["since"])


def test_events_of_another_client_do_not_exist(acme, umbra, process):
    bill(an_account(umbra), process, JAN_10)
    theirs = Event.objects.filter(client=umbra).first()
    api = with_key(acme)
    assert get(api, "events")["results"] == []
    assert api.get(f"/api/v1/events/{theirs.pk}/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_committed_late_is_not_skipped(acme):
    """One process takes a number, another takes the next one and commits first: the second is not shown before the first."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    written, finish = threading.Event(), threading.Event()

    def slow():
        try:
            with transaction.atomic():
                record_acts(acme, Caller(process="slow"), [Act("run.paused")])
                written.set()
                assert finish.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(30)
    record_acts(acme, Caller(process="quick"), [Act("run.stopped")])
    assert public_events(acme).count() == 1
    assert list(settled(public_events(acme))) == []
    finish.set()
    thread.join()
    record_acts(acme, Caller(process="quick"), [Act("run.running")])
    assert [event.process for event in settled(public_events(acme))] == ["slow", "quick", "quick"]
