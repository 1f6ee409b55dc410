"""A customer is erased: only documents that the law wants kept hold personal data, and the audit is clean."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Account, Contact, Event, PaymentMethod
from accounts.trail import Act, record_acts
from billing_site.common.guards import lifted
from billing_site.errors import BillingError, ErrorCode
from invoices.audit import privacy, run_audits
from invoices.audit.scopes import Scope
from invoices.kinds import SealedRows
from invoices.models import BlankedDocument, BlankedRow, Erasure, Invoice, LedgerEntry, Statement
from invoices.services.privacy.documents import blank_old_documents
from invoices.services.privacy.erasing import erase_person, preview_erasure
from invoices.services.privacy.proven_rows import Blanked, hash_of_row, keep_proof
from invoices.services.sealing.sealing import seal_all
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, AccountFactory, an_account
from tests.support.privacy import FEB_20, PLANTED, pay, planted_customer, planted_in

pytestmark = pytest.mark.django_db

KEPT_BY_LAW = {
    "accounts.event.after",
    "invoices.invoice.bill_to",
    "invoices.invoice.tax_basis",
    "invoices.ledgerentry.comments",
    "invoices.payment.reference",
}


def erase(account, caller=BY_TEST, reason="Request 17", today=FEB_20):
    return erase_person(client=account.client, account_no=account.pk, reason=reason, caller=caller, today=today)


def findings():
    return [finding for report in run_audits() for finding in report.findings]


def test_what_names_the_customer_is_blanked_everywhere_but_on_documents(acme, process, audited):
    account, invoice = planted_customer(acme, process)
    assert {"accounts.contact.name", "accounts.historicalcontact.name", "admin.logentry.object_repr"} <= planted_in()
    printed = invoice.bill_to
    erasure = erase(account)
    assert planted_in() == KEPT_BY_LAW
    assert Invoice.objects.get().bill_to == printed
    account.refresh_from_db()
    assert (account.client_acct_id, account.note, account.status) == (f"erased-{account.pk}", "", -3)
    contact = Contact.objects.get()
    assert (contact.name, contact.email, contact.address1, contact.country) == ("", "", "", "US")
    assert (PaymentMethod.objects.get().label, PaymentMethod.objects.get().is_disabled) == ("", True)
    event = Event.objects.get(act="customer.erased")
    assert (erasure.reason, erasure.erased_by, event.after["rows"]) == ("Request 17", "process:test", erasure.rows)
    assert (event.account_id, len(event.after["digest"])) == (account.pk, 64)


def test_the_preview_counts_what_erasing_would_blank_and_writes_nothing(acme, process):
    account, _ = planted_customer(acme, process)
    preview = preview_erasure(client=acme, account_no=account.pk, today=FEB_20)
    assert (preview.obstacles, preview.documents, preview.kept_until) == ([], 1, date(2036, 12, 31))
    assert (preview.rows["accounts.contact"], preview.rows["admin.logentry"]) == (1, 1)
    assert "accounts.contact.name" in planted_in() and not Erasure.objects.exists()


def test_what_stands_in_the_way_is_named(acme, umbra, process):
    def why(account, today=FEB_20):
        return [one.code.number for one in preview_erasure(client=account.client, account_no=account.pk, today=today).obstacles]

    active = an_account(acme)
    assert why(active) == [90323]
    bill(active, process, JAN_10)
    assert why(active) == [90323, 90321]
    pending = an_account(umbra)
    bill(pending, process, JAN_10)
    assert why(pending) == [90323, 90320]
    with pytest.raises(BillingError) as refused:
        erase(active)
    assert refused.value.code is ErrorCode.STILL_BILLED
    account, _ = planted_customer(acme, process)
    erase(account)
    assert why(account) == [90325]


def test_unused_money_and_work_under_way_stand_in_the_way(acme, process):
    account, invoice = planted_customer(acme, process)
    Statement.objects.update(status="requested")
    pay(account, process, Decimal("5.00"))
    obstacles = preview_erasure(client=acme, account_no=account.pk, today=FEB_20).obstacles
    assert [(one.code.number, str(one.detail)) for one in obstacles] == [(90322, "5 is not applied"), (90324, "statements")]


def test_only_who_handles_personal_data_may_erase_and_says_why(acme, umbra, process):
    account, _ = planted_customer(acme, process)
    key, _ = create_key(acme, name="reader", caller=BY_TEST, may_approve=True)
    with pytest.raises(BillingError) as refused:
        erase(account, Caller(api_key=key))
    assert refused.value.code is ErrorCode.PERMISSION
    with pytest.raises(BillingError) as refused:
        erase(account, reason="  ")
    assert refused.value.code is ErrorCode.INVALID_INPUT
    with pytest.raises(BillingError) as refused:
        erase_person(client=umbra, account_no=account.pk, reason="x", caller=BY_TEST, today=FEB_20)
    assert refused.value.code is ErrorCode.ACCOUNT_NOT_FOUND
    assert "accounts.contact.name" in planted_in()


def test_documents_are_blanked_when_their_years_are_over(acme, process, audited):
    account, invoice = planted_customer(acme, process)
    erase(account)
    assert blank_old_documents(acme, date(2036, 12, 31), process) == 0
    assert blank_old_documents(acme, date(2037, 1, 1), process) == 1
    assert planted_in() == set()
    invoice.refresh_from_db()
    assert (invoice.bill_to["name"], invoice.bill_to["country"], invoice.total_amount) == ("", "US", 30)
    blanked = BlankedDocument.objects.get()
    event = Event.objects.get(act="document.blanked")
    assert (blanked.kept_until, event.after["fingerprint"]) == (date(2036, 12, 31), blanked.fingerprint)
    assert event.after["fingerprint_of_issue"] == invoice.fingerprint
    assert blank_old_documents(acme, date(2037, 1, 2), process) == 0


def test_documents_of_others_are_never_blanked(acme, process, audited):
    other = bill(an_account(acme), process, JAN_10)
    printed = other.bill_to
    assert blank_old_documents(acme, date(2060, 1, 1), process) == 0
    other.refresh_from_db()
    assert other.bill_to == printed


def test_the_audit_accepts_what_was_blanked_and_nothing_else(acme, process):
    account, invoice = planted_customer(acme, process)
    erase(account)
    blank_old_documents(acme, date(2037, 1, 1), process)
    assert findings() == []
    title = f"invoice {invoice.pk} ({invoice.document_number}) of account {account.pk}"
    for column, value, found in (
        ("bill_to", {**invoice.bill_to, "name": "Mallory"}, "parties"),
        ("seller", {**invoice.seller, "name": "Mallory"}, "parties"),
        ("bill_day", 11, "terms"),
    ):
        with transaction.atomic(), lifted():
            Invoice.objects.filter(pk=invoice.pk).update(**{column: value})
        assert any(one.startswith(f"{title}: has changed since it was approved") and found in one for one in findings()), column
        with transaction.atomic(), lifted():
            kept = Invoice.objects.get(pk=invoice.pk)
            Invoice.objects.filter(pk=invoice.pk).update(bill_to=_blank(kept.bill_to), seller=invoice.seller, bill_day=10)
    assert findings() == []
    event = Event.objects.filter(account=account, act="statement.failed").get()
    with transaction.atomic(), lifted():
        Event.objects.filter(pk=event.pk).update(after={**event.after, "email": "m@example.com"})
    assert findings() == [f"Events {event.pk}: has changed since its personal data was blanked"]


def test_the_audit_reads_blanked_rows_page_by_page_and_each_clients_own(acme, umbra, process, monkeypatch):
    """A row that was blanked twice counts once, as it was left the second time."""
    other = AccountFactory(client=umbra)
    record_acts(umbra, process, [Act("statement.failed", account_no=other.pk, after={"email": f"{PLANTED}@example.com"})])
    for account in (planted_customer(acme, process)[0], other):
        erase(account)
        blank_old_documents(account.client, date(2037, 1, 1), process)
    rows = set(BlankedRow.objects.values_list("kind", "row_no"))
    monkeypatch.setattr(privacy, "ROWS_AT_ONCE", 2)
    reports = [privacy.blanked_rows(Scope(client)) for client in (acme, umbra)]
    assert [report.findings for report in reports] == [[], []]
    assert all(report.rows for report in reports)
    assert sum(report.rows for report in reports) == len(rows) == 6
    event = Event.objects.filter(client=acme, act="statement.failed").get()
    with transaction.atomic(), lifted():
        Event.objects.filter(pk=event.pk).update(after={**event.after, "email": "m@example.com"})
    assert [len(privacy.blanked_rows(Scope(client)).findings) for client in (acme, umbra)] == [1, 0]


def _blank(party):
    return {name: value if name in ("country", "region", "e_invoice_profile") else "" for name, value in party.items()}


def test_seals_still_prove_events_and_transactions_that_were_blanked(acme, process, audited):
    account, _ = planted_customer(acme, process)
    seal_all()
    erase(account)
    seal_all()
    blank_old_documents(acme, date(2037, 1, 1), process)
    seal_all()
    assert findings() == []
    event = Event.objects.get(act="statement.failed", account=account)
    with transaction.atomic(), lifted():
        Event.objects.filter(pk=event.pk).update(act="statement.sent")
    said = findings()
    assert f"Events {event.pk}: has changed since its personal data was blanked" in said
    assert any(f"event {event.pk} is the first that was altered" in one for one in said)
    with transaction.atomic(), lifted():
        Event.objects.filter(pk=event.pk).update(act="statement.failed")


def test_a_forged_blanking_is_found(acme, process):
    """Who alters an event, and writes that it was blanked, has no event that says so."""
    account, _ = planted_customer(acme, process)
    seal_all()
    event = Event.objects.get(act="statement.failed", account=account)
    before = hash_of_row(SealedRows.EVENTS, event)
    with transaction.atomic(), lifted():
        Event.objects.filter(pk=event.pk).update(invoice_no=None)
    event.refresh_from_db()
    forged = Blanked("events", event.pk, 1, before, hash_of_row(SealedRows.EVENTS, event))
    keep_proof([forged], None)
    assert [one for one in findings() if one.startswith("blanked rows")] != []


def test_a_document_that_is_blanked_by_sql_alone_is_found(acme, process):
    _, invoice = planted_customer(acme, process)
    with transaction.atomic(), lifted():
        Invoice.objects.filter(pk=invoice.pk).update(bill_to=_blank(invoice.bill_to))
    assert any("has changed since it was approved: parties" in one for one in findings())


def test_an_erasure_is_written_once(acme, process):
    account, _ = planted_customer(acme, process)
    erasure = erase(account)
    for statement in (f"UPDATE invoices_erasure SET reason = 'x' WHERE id = {erasure.pk}", "DELETE FROM invoices_blankedrow"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_ledger_entry_and_its_events_lose_what_was_written_with_the_documents(acme, process, audited):
    account, _ = planted_customer(acme, process)
    erase(account)
    blank_old_documents(acme, date(2037, 1, 1), process)
    assert not LedgerEntry.objects.exclude(comments="").exists()
    assert Event.objects.get(act="customer.texts_blanked").after["rows"] >= 2
    assert Account.objects.get().pk == account.pk and PLANTED not in str(Event.objects.values_list("after", flat=True))
