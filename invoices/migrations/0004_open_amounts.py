"""What is open on an issued invoice is stored on it, and the invoices of before get theirs from the ledger."""

from collections import defaultdict
from decimal import Decimal

from django.db import migrations, models
from django.db.models import F, Q

import invoices.models.documents

INVOICES_AT_ONCE = 5000


def fill(apps, schema_editor):
    """Sets the open amounts of issued invoices, some thousand at a time. Done again, it sets the same amounts."""
    Invoice = apps.get_model("invoices", "Invoice")
    Allocation = apps.get_model("invoices", "Allocation")
    issued = Invoice.objects.filter(status="approved", total_amount__gt=0).exclude(kind="credit_memo").order_by("pk")
    last = 0
    while rows := list(issued.filter(pk__gt=last).only("pk", "total_amount")[:INVOICES_AT_ONCE]):
        paid = defaultdict(Decimal)
        taken = Allocation.objects.filter(debit__invoice__in=[row.pk for row in rows], debit__kind="invoice")
        for invoice_no, amount in taken.values_list("debit__invoice", "amount"):
            paid[invoice_no] += amount
        for row in rows:
            row.open_amount = row.total_amount - paid[row.pk]
        Invoice.objects.bulk_update(rows, ["open_amount"], batch_size=500)
        last = rows[-1].pk


class Migration(migrations.Migration):
    dependencies = [("invoices", "0003_billing_runs")]

    operations = [
        migrations.RemoveIndex(model_name="ledgerentry", name="charges_of_invoices"),
        migrations.AddField(
            model_name="invoice",
            name="open_amount",
            field=invoices.models.documents.AmountField(
                db_default=0,
                default=0,
                help_text="What is still due on an issued document. Zero on a credit memo, and before issue.",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=Q(("open_amount__gt", 0)),
                fields=["client", "due_date", "id", "currency", "open_amount"],
                name="open_of_client",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(condition=Q(("open_amount__gt", 0)), fields=["account", "id"], name="open_of_account"),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=Q(open_amount=0)
                | (
                    Q(status="approved", open_amount__gt=0, open_amount__lte=F("total_amount")) & ~Q(kind="credit_memo")
                ),
                name="open_up_to_the_total_of_issued",
            ),
        ),
    ]
