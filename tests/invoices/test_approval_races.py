"""Several people, and a worker, at the same moment on PostgreSQL: the last missing approval issues the document once."""

from datetime import date

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from accounts.callers import Caller
from accounts.models import Event
from billing_site.errors import BillingError
from invoices.kinds import DecisionAct
from invoices.models import GivenApproval
from invoices.services.approving.automatic import approve_due, stop_approval
from invoices.services.approving.deciding import decide_on_one
from invoices.services.approving.rules import make_rules, switch_on
from tests.support.factories import BY_TEST, ClientFactory
from tests.support.money_races import at_once, no_findings
from tests.support.pending import a_pending

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
    pytest.mark.django_db(transaction=True),
]
JAN_10 = date(2026, 1, 10)
ROUNDS = 5


def ruled(**rule):
    client = ClientFactory()
    version = make_rules(client=client, rules=[{"name": "all", **rule}], caller=BY_TEST)
    switch_on(client=client, version_no=version.pk, caller=BY_TEST)
    return client


@pytest.mark.parametrize("needed", [2, 3])
def test_the_last_of_six_people_at_once_issues_the_document_once(needed):
    client = ruled(approvers=needed)
    people = [Caller(staff=get_user_model().objects.create_superuser(f"p{n}")) for n in range(6)]
    for _ in range(ROUNDS):
        invoice = a_pending(client, BY_TEST)

        def approving(caller, number=invoice.pk):
            def act():
                outcome = decide_on_one(DecisionAct.APPROVE, client=client, invoice_no=number, caller=caller, today=JAN_10)
                return outcome.recorded.approvals_missing

            return act

        answers = at_once(*map(approving, people))
        assert answers.count(0) == 1, answers
        assert sorted(one for one in answers if one not in (3015, 3108)) == list(range(needed)), answers
        invoice.refresh_from_db()
        assert invoice.status == "approved"
        assert Event.objects.filter(invoice_no=invoice.pk, act="invoice.issued").count() == 1
        approved = Event.objects.get(invoice_no=invoice.pk, act="invoice.approved")
        assert len(set(approved.after["approvers"])) == needed
        assert GivenApproval.objects.filter(invoice=invoice).count() == needed - 1
    no_findings()


def test_a_document_is_stopped_or_approved_never_both():
    client = ruled(approves_after_hours=0)
    for _ in range(ROUNDS):
        invoice = a_pending(client, BY_TEST)

        def stop(number=invoice.pk):
            try:
                return stop_approval(client=client, invoice_no=number, caller=BY_TEST)
            except BillingError as error:
                return error.code.number

        stopped, approved, again = at_once(stop, lambda: approve_due(client), lambda: approve_due(client))
        invoice.refresh_from_db()
        assert (stopped is None) == (invoice.status == "pending"), (stopped, approved, again)
        assert approved + again <= 1
    no_findings()
