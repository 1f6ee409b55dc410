"""The one state of a document: each state, from what it follows, and lists filtered by it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine

from accounts.callers import Caller
from invoices.kinds import DocumentState, EntryKind
from invoices.models import Invoice
from invoices.services.approving.acts import discard_invoices
from invoices.services.correcting.write_offs import write_off
from invoices.services.documents.states import in_states, with_states
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.refunds import refund_payment
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import a_plan, an_account
from tests.support.invoice_pages import reader
from tests.support.memos import memo_of, void
from tests.support.money_api import with_key
from tests.support.paying import WHY
from tests.support.payments import pay
from tests.support.rebilling import rebilled

pytestmark = pytest.mark.usefixtures("audited")
PROCESS = Caller(process="test")


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


def states_of(today=JAN_31, **which):
    return dict(with_states(Invoice.objects.filter(**which), today).values_list("pk", "state"))


def state_of(invoice, today=JAN_31):
    return states_of(today, pk=invoice.pk)[invoice.pk]


def an_invoice(client, rate="30.00", terms=30, **request):
    """An invoice of 10 January that is due on 9 February, unless other terms are given."""
    account = an_account(client, a_plan(client, {"phone": rate}), payment_terms_days=terms)
    return bill(account, PROCESS, JAN_10, **request)


def written_off(invoice, amount=None, kind=EntryKind.WRITE_OFF):
    part = {"everything": True} if amount is None else {"amount": D(amount)}
    write_off(client=invoice.client, invoice_no=invoice.pk, caller=PROCESS, today=JAN_31, why=WHY, kind=kind, **part)


def test_each_state_and_what_it_follows_from(acme):
    """Worked out by hand: what is open after the due date is overdue, paid in part or not; only money pays."""
    pending, discarded = (an_invoice(acme, force_pending=True) for _ in range(2))
    discard_invoices(client=acme, invoice_nos=[discarded.pk], caller=PROCESS)
    fresh, partly, paid, late, late_partly, nothing = (
        an_invoice(acme, **terms) for terms in ({}, {}, {}, {"terms": 5}, {"terms": 5}, {"rate": "0.00"})
    )
    for invoice, amount in ((partly, "10.00"), (paid, "30.00"), (late_partly, "10.00")):
        pay(invoice.account, PROCESS, amount)
    credited, partly_credited, credited_then_paid, written, disputed = (an_invoice(acme) for _ in range(5))
    memo = memo_of(credited, PROCESS)
    parts = [memo_of(one, PROCESS, amount="10.00") for one in (partly_credited, credited_then_paid)]
    pay(credited_then_paid.account, PROCESS, "20.00")
    written_off(written)
    written_off(disputed, kind=EntryKind.DISPUTE)
    voided, original = an_invoice(acme), an_invoice(acme)
    void(voided, PROCESS)
    rebill = rebilled(original, PROCESS, 1)
    expected = {
        pending: "pending",
        discarded: "discarded",
        fresh: "open",
        partly: "partly_paid",
        paid: "paid",
        late: "overdue",
        late_partly: "overdue",
        nothing: "paid",
        credited: "credited",
        memo: "credited",
        **dict.fromkeys(parts, "credited"),
        partly_credited: "open",
        credited_then_paid: "paid",
        written: "credited",
        disputed: "credited",
        voided: "voided",
        original: "rebilled",
        rebill.memo: "credited",
        rebill: "open",
    }
    assert {one: state_of(one) for one in expected} == expected
    for state in DocumentState:
        found = set(in_states(Invoice.objects.all(), [state], JAN_31).values_list("pk", flat=True))
        assert found == {one.pk for one, its in expected.items() if its == state}, state
    two = in_states(Invoice.objects.all(), [DocumentState.PENDING, DocumentState.OVERDUE], JAN_31)
    assert {one.pk for one in two} == {pending.pk, late.pk, late_partly.pk}


def test_on_its_due_date_an_invoice_is_not_overdue(acme):
    invoice = an_invoice(acme)
    assert invoice.due_date == date(2026, 2, 9)
    assert [state_of(invoice, invoice.due_date + timedelta(days)) for days in (0, 1)] == ["open", "overdue"]


def test_a_refund_that_opens_an_invoice_again_unpays_it(acme):
    invoice = an_invoice(acme)
    payment = pay(invoice.account, PROCESS, "30.00")
    assert state_of(invoice) == "paid"
    why = Why(2, "Paid twice")
    refund_payment(client=acme, transaction_id=payment.pk, caller=PROCESS, today=JAN_31, why=why, everything=True)
    assert state_of(invoice) == "open"


def test_a_rebill_that_is_pending_replaces_nothing_yet(umbra, alice):
    account = an_account(umbra)
    invoice = bill(account, alice, JAN_10)
    assert state_of(invoice) == "pending"


def test_the_api_shows_the_state_and_filters_by_it_for_this_client_only(acme, umbra):
    an_invoice(umbra, force_pending=True)
    late, paid = an_invoice(acme, terms=5), an_invoice(acme)
    pay(paid.account, PROCESS, "30.00")
    api = with_key(acme)

    def listed(**query):
        return [(row["invoice_no"], row["state"]) for row in api.get("/api/v1/invoices/", query).json()["results"]]

    assert listed() == [(paid.pk, "paid"), (late.pk, "overdue")]
    assert listed(state="overdue,pending") == [(late.pk, "overdue")]
    assert listed(state="voided") == []
    assert api.get(f"/api/v1/invoices/{late.pk}/").json()["state"] == "overdue"
    wrong = api.get("/api/v1/invoices/", {"state": "late"})
    assert (wrong.status_code, "state" in wrong.json()["errors"]) == (400, True)
    answer = api.get("/api/v1/invoices/", {"state": "paid"}, HTTP_ACCEPT="text/csv")
    csv = b"".join(answer.streaming_content).decode().splitlines()
    assert len(csv) == 2
    assert dict(zip(csv[0].split(","), csv[1].split(","), strict=True))["state"] == "paid"


def test_pages_show_the_state_everywhere(acme):
    late = an_invoice(acme, terms=5)
    rebill = rebilled(an_invoice(acme), PROCESS, 1)
    browser = reader(acme, permissions=("view_invoice", "view_account"))
    for address in ("/invoices/?state=overdue", f"/invoices/{late.pk}/", f"/accounts/{late.account_id}/"):
        text = browser.get(address).content.decode()
        assert ">Overdue</span>" in text, address
        assert "Approved" not in text, address
    (listed,) = browser.get("/invoices/?state=rebilled").context["pages"].rows
    assert listed.pk == rebill.corrects_id
    assert "· Rebilled" in browser.get(f"/invoices/{rebill.pk}/").content.decode()  # in the chain
    assert ">Open</span>" in browser.get("/rebills/").content.decode()


def test_the_next_cycle_leaves_the_states_of_others_alone(acme):
    invoice = an_invoice(acme)
    bill(invoice.account, PROCESS, FEB_10)
    assert sorted(states_of(FEB_10).values()) == ["open", "overdue"]
