"""Editors, approvers and recalculations at the same moment, and processes that die: one wins, and nothing is half done."""

import pytest
from django.db import connection

from accounts.callers import Caller
from billing_site.errors import BillingError
from invoices.audit import run_audits
from invoices.fingerprints import fingerprint
from invoices.models import Adjustment, DocumentVersion, Invoice
from invoices.services.documents.document_storage import stored_contents
from rebills.services.adjusting import adjust_document
from tests.support.adjusting import a_line, a_request, adjusted, approved, planned, recalculated
from tests.support.factories import ClientFactory, TaxRateFactory, a_plan, an_account
from tests.support.money_races import at_once
from tests.support.pending import a_pending

CALLER = Caller(process="test")
ROUNDS = 5
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pending(transactional_db):
    """Phone 30.00, tv 20.00, net 50.00 and 10.00 of tax."""
    client = ClientFactory()
    TaxRateFactory(client=client)
    return a_pending(client, CALLER, an_account(client, a_plan(client, {"phone": "30.00", "tv": "20.00", "net": "50.00"})))


def adjusting(invoice, *lines):
    """Return the act of adjusting as previewed now: its total, or the code of its refusal."""
    request = a_request(invoice, *lines, fingerprint=planned(invoice, *lines).fingerprint)
    return answering(lambda: adjust_document(client=invoice.client, request=request, caller=CALLER, today=invoice.tax_date))


def answering(act):
    def answered():
        try:
            act()
        except BillingError as error:
            return error.code.number
        return 0

    return answered


def no_findings():
    assert [finding for report in run_audits() for finding in report.findings] == []


@on_postgresql
def test_of_two_editors_one_wins_and_the_other_is_told(pending):
    acts = [adjusting(pending, a_line(1, rate_per_unit=str(rate))) for rate in range(10, 20)]
    answers = sorted(at_once(*acts))
    assert answers == [0, *[90003] * 9]
    assert Invoice.objects.get().version == 2
    assert Adjustment.objects.count() == 1
    no_findings()


@on_postgresql
def test_an_edit_and_an_approval_that_saw_the_other_document_do_not_mix(transactional_db):
    for number in range(ROUNDS):
        client = ClientFactory(name=f"Client {number}")
        invoice = a_pending(client, CALLER, an_account(client))
        seen = fingerprint(stored_contents([invoice.pk])[invoice.pk])
        edit = adjusting(invoice, a_line(1, amount="1.00"))
        approve = answering(lambda invoice=invoice, seen=seen: approved(invoice, CALLER, seen=seen))
        edited, decided = at_once(edit, approve)
        assert (edited, decided) in {(0, 90003), (3015, 0)}
        stored = Invoice.objects.get(pk=invoice.pk)
        assert (stored.status, stored.version) == (("pending", 2) if edited == 0 else ("approved", 1))
    no_findings()


@on_postgresql
def test_an_edit_and_a_recalculation_follow_each_other_or_one_is_told(pending):
    edit = adjusting(pending, a_line(1, rate_per_unit="27"))
    edited, again = at_once(edit, answering(lambda: recalculated(pending, CALLER)))
    assert (edited, again) in {(0, 0), (0, 3108), (90003, 0)}
    no_findings()


class Died(BaseException):
    """The death of the process: no product code catches this."""


def dying_at(statement):
    """Return a wrapper of statements that dies before the n-th."""
    left = iter(range(statement))

    def execute(call, sql, params, many, context):
        if next(left, None) is None:
            raise Died
        return call(sql, params, many, context)

    return execute


@pytest.mark.parametrize("act", ["adjust", "recalculate"])
def test_a_process_that_dies_leaves_it_absent_or_whole(pending, act):
    if act == "recalculate":
        adjusted(pending, CALLER, a_line(1, rate_per_unit="27"))
    do = adjusting(pending, a_line(2, exclude=True)) if act == "adjust" else answering(lambda: recalculated(pending, CALLER))
    before = Invoice.objects.get().version
    for statement in range(0, 200, 3):
        try:
            with connection.execute_wrapper(dying_at(statement)):
                do()
        except Died:
            assert Invoice.objects.get().version in (before, before + 1)
            if Invoice.objects.get().version == before + 1:
                break
            continue
        break
    assert statement > 15
    invoice = Invoice.objects.get()
    assert (invoice.version, DocumentVersion.objects.count()) == (before + 1, before + 1)
    assert invoice.total_amount == (88 if act == "adjust" else invoice.total_amount)
    no_findings()
