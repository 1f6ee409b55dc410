"""A decision has an outcome for each requested document, in the requested order."""

from datetime import date

import pytest

from invoices.kinds import DecisionAct
from invoices.models import Invoice
from invoices.services.approving.deciding import decide, decide_on_one, discard_stale
from invoices.services.documents.remarks import Remarks
from tests.support.factories import an_account
from tests.support.outcomes import code_of
from tests.support.pending import a_pending

JAN_14 = date(2026, 1, 14)


@pytest.fixture
def by(acme, process):
    return {"client": acme, "caller": process, "today": JAN_14}


def results(outcomes):
    return {number: code_of(one) or one.invoice_no for number, one in outcomes.items()}


def test_outcomes_are_in_the_order_that_was_asked_for(acme, process, by):
    first, second = (a_pending(acme, process).pk for _ in range(2))
    outcomes = decide(DecisionAct.APPROVE, invoice_nos=[second, 999_999, first, second], **by)
    assert list(results(outcomes).items()) == [(second, second), (999_999, 3015), (first, first)]


def test_a_regeneration_is_found_by_the_old_number_also_beside_an_older_document_of_the_account(acme, process, by):
    account = an_account(acme)
    discarded = a_pending(acme, process, account)
    decide_on_one(DecisionAct.DISCARD, invoice_no=discarded.pk, **by)
    old = a_pending(acme, process, account)
    outcomes = decide(DecisionAct.REGENERATE, invoice_nos=[old.pk, discarded.pk], **by)
    new = Invoice.objects.get(status="pending")
    assert results(outcomes) == {old.pk: new.pk, discarded.pk: 3015}


def test_nothing_asked_for_is_nothing_done(acme, by):
    assert decide(DecisionAct.DISCARD, invoice_nos=[], **by) == {}
    assert discard_stale(**by) == {}


@pytest.mark.parametrize("act", [DecisionAct.APPROVE, DecisionAct.DISCARD, DecisionAct.REMARK])
def test_an_empty_note_leaves_what_stands_there_and_another_replaces_it(acme, process, by, act):
    invoice = a_pending(acme, process)
    Invoice.objects.update(client_notes="Ask sales.", custom_status_label="Late")
    decide_on_one(act, invoice_no=invoice.pk, remarks=Remarks(client_notes="", custom_status_label="Seen"), **by)
    invoice.refresh_from_db()
    assert (invoice.client_notes, invoice.custom_status_label) == ("Ask sales.", "Seen")
