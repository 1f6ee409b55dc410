"""The database refuses to alter what is written once: issued documents, ledger, events, versions, answers of gateways."""

from datetime import date

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from accounts.models import Event, LiftedGuard, Service
from billing_site.common.guards import LIFTED, check_guards, lifted, put_on_guards, registered_guards
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice, InvoiceLine, LedgerEntry
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.billing import bill
from tests.support.everything import a_row_of_each_model
from tests.support.factories import an_account

JAN_10 = date(2026, 1, 10)


def refusal_of(act):
    """Return what the database says to an act, in words, or nothing if it lets it pass."""
    try:
        with transaction.atomic():
            act()
    except IntegrityError as error:
        return str(error)
    return ""


@pytest.fixture
def issued(acme, process):
    return bill(an_account(acme), process, JAN_10)


@pytest.fixture
def pending(acme, process):
    account = an_account(acme)
    generate_invoice(client=acme, account_no=account.pk, request=BillingRequest(JAN_10, force_pending=True), caller=process)
    return Invoice.objects.get(account=account)


def test_each_guard_keeps_rows_where_it_stands(acme, process):
    """Walks every guard: the row of its table that it is about can be neither rewritten nor deleted."""
    a_row_of_each_model(acme, process)
    bill(an_account(acme), process, JAN_10)
    for model in apps.get_models():
        if hasattr(model, "history") and model.objects.exists():
            model.objects.first().save()
    let_through, tried = [], set()
    for guard in registered_guards():
        rows = guard.model._base_manager.all()
        if guard.only_if:
            rows = rows.filter(invoice__status__in=[InvoiceStatus.APPROVED, InvoiceStatus.VOIDED])
        elif guard.while_old and guard.model is Invoice:
            rows = rows.filter(status__in=[InvoiceStatus.APPROVED, InvoiceStatus.VOIDED])
        row = rows.first()
        if row is None:
            continue
        tried.add(guard.table)
        key = row._meta.pk.column
        statement = {
            "UPDATE": f"UPDATE {guard.table} SET {key} = -{key} WHERE {key} = %s",
            "DELETE": f"DELETE FROM {guard.table} WHERE {key} = %s",
        }[guard.operation]
        if guard.message not in refusal_of(lambda sql=statement, key=row.pk: connection.cursor().execute(sql, [key])):
            let_through.append(guard.name)
    assert let_through == []
    assert tried >= MUST_BE_TRIED


MUST_BE_TRIED = {
    "accounts_event",
    "accounts_historicalaccount",
    "invoices_allocation",
    "invoices_auditrun",
    "invoices_billedperiod",
    "invoices_collectionattempt",
    "invoices_historicaltaxrate",
    "invoices_invoice",
    "invoices_invoiceline",
    "invoices_ledgerentry",
    "invoices_payment",
    "invoices_refund",
    "invoices_taxdetail",
}
"""The world has rows of these. Links of old versions and the like may have none."""


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("total_amount", 0),
        ("document_number", "INV-999999"),
        ("number", 999999),
        ("bill_to", {}),
        ("invoice_date", date(2025, 1, 1)),
        ("approved_by", "nobody"),
        ("fingerprint", ""),
        ("status", InvoiceStatus.PENDING),
        ("status", InvoiceStatus.DISCARDED),
    ],
)
def test_the_content_of_an_issued_document_stays(issued, column, value):
    said = refusal_of(lambda: Invoice.objects.filter(pk=issued.pk).update(**{column: value}))
    assert "rows of invoices_invoice may not be changed" in said
    assert getattr(Invoice.objects.get(pk=issued.pk), column) == getattr(issued, column)


def test_what_is_beside_an_issued_document_may_change(issued):
    Invoice.objects.filter(pk=issued.pk).update(client_notes="Called on Monday", custom_status_label="Asked", open_amount=0)
    assert Invoice.objects.get(pk=issued.pk).client_notes == "Called on Monday"


def test_lines_of_an_issued_document_can_be_neither_changed_nor_deleted(issued):
    lines = InvoiceLine.objects.filter(invoice=issued)
    assert "may not be changed" in refusal_of(lambda: lines.update(amount=F("amount") + 1))
    assert "may not be deleted" in refusal_of(lines.delete)


def test_a_pending_document_and_its_lines_may_change(pending):
    assert refusal_of(lambda: InvoiceLine.objects.filter(invoice=pending).update(description="Fibre")) == ""
    assert refusal_of(lambda: Invoice.objects.filter(pk=pending.pk).update(net_amount=F("net_amount"))) == ""


def test_guards_open_within_one_transaction_only(issued):
    with lifted():
        assert refusal_of(lambda: LedgerEntry.objects.update(comments="Corrected by hand")) == ""
    assert not LiftedGuard.objects.exists()
    assert "may not be changed" in refusal_of(lambda: LedgerEntry.objects.update(comments="Again"))


def test_a_failure_within_lifted_guards_leaves_nothing(issued):
    with pytest.raises(ZeroDivisionError), lifted():
        LedgerEntry.objects.update(comments="Corrected by hand")
        raise ZeroDivisionError
    assert not LedgerEntry.objects.filter(comments="Corrected by hand").exists()
    assert not LiftedGuard.objects.exists()


def test_a_deleted_user_goes_from_versions_and_nothing_else_does(acme):
    user = User.objects.create_user("ida")
    service = Service.objects.create(client=acme, client_service_id="fibre", name="Fibre")
    versions = Service.history.filter(id=service.pk)
    with lifted():
        versions.update(history_user=user)
    assert "may not be changed" in refusal_of(lambda: versions.update(name="Copper"))
    user.delete()
    assert versions.get().history_user_id is None
    other = User.objects.create_user("eve")
    assert "may not be changed" in refusal_of(lambda: versions.update(history_user=other))


def test_what_the_check_finds(db):
    assert check_guards(None, databases=["default"]) == []
    with connection.cursor() as cursor:
        name = next(guard.name for guard in registered_guards() if guard.model is Event and guard.operation == "DELETE")
        if connection.vendor == "postgresql":
            cursor.execute(f"DROP TRIGGER {name} ON accounts_event")
        else:
            cursor.execute(f"DROP TRIGGER {name}")
        [missing] = check_guards(None, databases=["default"])
        assert "accounts_event" in missing.msg
        put_on_guards()
        assert check_guards(None, databases=["default"]) == []
        cursor.execute(f"INSERT INTO {LIFTED} (id) VALUES (1)")
    [stored] = check_guards(None, databases=["default"])
    assert "accounts_liftedguard has a row" in stored.msg


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL never makes a table anew")
@pytest.mark.django_db(transaction=True)
def test_a_table_that_sqlite_makes_anew_is_found_and_guarded_again():
    with connection.schema_editor() as editor:
        editor._remake_table(Event)
    [missing] = check_guards(None, databases=["default"])
    assert "accounts_event" in missing.msg
    call_command("migrate", verbosity=0)
    assert check_guards(None, databases=["default"]) == []
