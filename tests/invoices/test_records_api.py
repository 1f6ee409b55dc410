"""Audits and decisions over REST: read by the client that they are of, in a constant number of queries."""

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from accounts.callers import Caller
from invoices.kinds import DecisionAct
from invoices.models import AuditFinding, AuditRun, Invoice
from invoices.services.approving.bulk import start_decision
from invoices.services.documents.remarks import Remarks
from tests.support.billing import JAN_10, bill
from tests.support.factories import an_account
from tests.support.money_api import get, with_key


def an_audit(client, *findings):
    at = timezone.now()
    run = AuditRun.objects.create(
        client=client, asked_by="schedule", started_at=at, finished_at=at, rows=7, findings_count=len(findings)
    )
    for words in findings:
        AuditFinding.objects.create(run=run, audit="Totals are sums", words=words)
    return run


def test_an_audit_and_its_findings_are_those_of_the_client(acme, umbra):
    mine, other, of_all = an_audit(acme, "invoice 1 has 3.00"), an_audit(umbra, "secret"), an_audit(None, "of all")
    api = with_key(acme)
    assert [row["id"] for row in get(api, "audits")["results"]] == [mine.pk]
    shown = get(api, f"audits/{mine.pk}")
    assert (shown["asked_by"], shown["rows"], shown["findings_count"]) == ("schedule", 7, 1)
    (found,) = get(api, f"audits/{mine.pk}/findings")["results"]
    assert (found["rule"], found["finding"]) == ("Totals are sums", "invoice 1 has 3.00")
    for number in (other.pk, of_all.pk):
        for address in (f"audits/{number}", f"audits/{number}/findings"):
            assert api.get(f"/api/v1/{address}/").status_code == 404


@pytest.fixture
def decided(umbra, process):
    """A decision to remark on two pending invoices, which is not carried out yet."""
    for _ in range(2):
        bill(an_account(umbra), process, JAN_10)
    staff = get_user_model().objects.create(username="boss", is_staff=True, is_superuser=True)
    return start_decision(
        client=umbra,
        act=DecisionAct.REMARK,
        invoices=Invoice.objects.filter(client=umbra),
        caller=Caller(staff=staff),
        remarks=Remarks("month end", client_notes="seen"),
    )


def test_a_decision_says_what_became_of_each_document(decided, umbra, acme):
    decided.outcomes.filter(pk=decided.outcomes.first().pk).update(result="refused", error_code=3015, message="not pending")
    api = with_key(umbra)
    (shown,) = get(api, "decisions")["results"]
    assert (shown["act"], shown["decided_by"], shown["reason"]) == ("remark", f"staff:{decided.staff_id}", "month end")
    assert shown["counts"] == {"waiting": 1, "done": 0, "refused": 1, "failed": 0}
    (refused,) = get(api, f"decisions/{decided.pk}/outcomes", result="refused")["results"]
    assert (refused["error_code"], refused["error_msg"], refused["new_invoice_no"]) == (3015, "not pending", None)
    assert len(get(api, f"decisions/{decided.pk}/outcomes")["results"]) == 2
    assert with_key(acme).get(f"/api/v1/decisions/{decided.pk}/outcomes/").status_code == 404


def test_lists_cost_the_same_for_many_rows(acme, django_assert_max_num_queries):
    api = with_key(acme)
    for _ in range(12):
        an_audit(acme, "one", "two")
    get(api, "audits")
    for address in ("audits", f"audits/{AuditRun.objects.first().pk}/findings", "decisions"):
        with django_assert_max_num_queries(7):
            get(api, address)


def test_nothing_is_written_there(acme):
    run = an_audit(acme)
    api = with_key(acme)
    assert [getattr(api, verb)(f"/api/v1/audits/{run.pk}/").status_code for verb in ("put", "patch", "delete")] == [405] * 3
