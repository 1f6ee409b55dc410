"""Invoices that were approved before there was a ledger enter it, in the order of their approval; and the common reasons."""

from django.db import migrations
from django.utils import timezone

AT_ONCE = 2000
REASONS = {
    "cash_credit": ("Goodwill", "Service failure", "Billing error", "Promotion"),
    "credit_memo": ("Billing error", "Service not provided", "Price correction", "Goods returned", "Goodwill"),
    "write_off": ("Bad debt", "Small balance", "Bankruptcy", "Settlement"),
    "dispute": ("Charge not recognised", "Amount in dispute", "Service quality"),
    "refund": ("Duplicate payment", "Overpayment", "Customer request", "Cancelled service"),
}


def enter_documents(apps, schema_editor):
    Invoice = apps.get_model("invoices", "Invoice")
    LedgerEntry = apps.get_model("invoices", "LedgerEntry")
    rows = Invoice.objects.filter(status="approved").order_by("account_id", "approved_at", "pk")
    columns = ("account_id", "pk", "total_amount", "invoice_date", "approved_at", "approved_by")
    account, entry_no, balance, entries = None, 0, 0, []
    for account_no, invoice_no, total, day, at, by in rows.values_list(*columns).iterator(chunk_size=AT_ONCE):
        if account_no != account:
            account, entry_no, balance = account_no, 0, 0
        entry_no, balance = entry_no + 1, balance + total
        entries.append(
            LedgerEntry(
                account_id=account_no,
                entry_no=entry_no,
                kind="invoice",
                amount=total,
                balance_after=balance,
                invoice_id=invoice_no,
                entry_date=day,
                created_at=at or timezone.now(),
                created_by=by,
            )
        )
        if len(entries) >= AT_ONCE:
            LedgerEntry.objects.bulk_create(entries)
            entries = []
    LedgerEntry.objects.bulk_create(entries)


def add_reasons(apps, schema_editor):
    ReasonCode = apps.get_model("invoices", "ReasonCode")
    ReasonCode.objects.bulk_create(
        ReasonCode(type=kind, code=code, name=name) for kind, names in REASONS.items() for code, name in enumerate(names, 1)
    )


class Migration(migrations.Migration):

    dependencies = [("invoices", "0004_ledger")]

    operations = [
        migrations.RunPython(enter_documents, migrations.RunPython.noop),
        migrations.RunPython(add_reasons, migrations.RunPython.noop),
    ]
