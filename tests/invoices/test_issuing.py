"""Whatever the kind of a document, and however it is issued, the trail has one event of its issue."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Event
from invoices.audit.parts import PARTS
from invoices.services.approving.acts import approve_invoices
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.memos import memo_of
from tests.support.pending import a_pending


def issues(document):
    events = Event.objects.filter(act="invoice.issued", invoice_no=document.pk)
    return list(events.values_list("account", "error_code", "after"))


def test_an_invoice_that_is_issued_at_once_has_one_event_of_that(acme, process):
    invoice = bill(an_account(acme), process, JAN_10)
    terms = {
        "kind": "recurring",
        "document_number": "INV-000001",
        "invoice_date": "2026-01-10",
        "due_date": "2026-01-24",
        "total_amount": "30.00",
        "currency": "usd",
    }
    assert issues(invoice) == [(invoice.account_id, 0, terms)]


def test_a_pending_invoice_has_it_once_it_is_approved(acme, process, alice):
    invoice = a_pending(acme, process)
    assert issues(invoice) == []
    approve_invoices(client=acme, invoice_nos=[invoice.pk], caller=alice, today=date(2026, 1, 14))
    ((account_no, _code, after),) = issues(invoice)
    assert account_no == invoice.account_id
    assert (after["document_number"], after["invoice_date"], after["due_date"]) == ("INV-000001", "2026-01-14", "2026-01-28")


def test_a_credit_memo_has_it(acme, process):
    invoice = bill(an_account(acme), process, JAN_10)
    memo = memo_of(invoice, process, amount="12.00")
    ((_account_no, _code, after),) = issues(memo)
    assert (after["kind"], after["document_number"]) == ("credit_memo", "CM-000001")
    assert (after["total_amount"], after["due_date"]) == ("-12.00", "2026-01-31")


def test_an_invoice_of_nothing_has_it_too(acme, process):
    invoice = bill(an_account(acme, a_plan(acme, {"phone": "0"})), process, JAN_10)
    assert (invoice.total_amount, len(issues(invoice))) == (0, 1)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL looks for missing documents once, at the commit")
def test_documents_are_written_before_what_names_them(acme, process):
    """Else SQLite searches its tables at each document for rows that name it: a run becomes slower with every batch."""
    account = an_account(acme)
    bill(account, process, JAN_10)
    with CaptureQueriesContext(connection) as counted:
        bill(account, process, FEB_10)
    tables = [one["sql"].split('INSERT INTO "')[1].split('"')[0] for one in counted if 'INSERT INTO "' in one["sql"]]
    place = tables.index("invoices_invoice")
    assert set(tables[:place]) <= {part._meta.db_table for part in PARTS}, "their references are not checked"
    assert {"invoices_ledgerentry", "accounts_event"} <= set(tables[place + 1 :])
