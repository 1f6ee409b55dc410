from django.db import migrations, models
from django.db.models import Exists, OuterRef, Subquery


def copy_days_and_voids(apps, schema_editor):
    """Copy the day of each payment's ledger entry, and whether that entry was voided."""
    payments = apps.get_model("invoices", "Payment").objects
    entries = apps.get_model("invoices", "LedgerEntry").objects
    payments.update(
        received_on=Subquery(entries.filter(pk=OuterRef("pk")).values("entry_date")[:1]),
        is_voided=Exists(entries.filter(voids=OuterRef("pk"))),
    )


class Migration(migrations.Migration):
    dependencies = [("invoices", "0018_due_dates_of_rebills")]

    operations = [
        migrations.RemoveConstraint(model_name="payment", name="one_payment_per_reference"),
        migrations.AlterField(
            model_name="payment",
            name="reference",
            field=models.CharField(
                blank=True, help_text="Of the cheque or transfer. An account has one such payment per day.", max_length=100
            ),
        ),
        migrations.AddField(model_name="payment", name="received_on", field=models.DateField(null=True)),
        migrations.AddField(
            model_name="payment",
            name="is_voided",
            field=models.BooleanField(default=False, help_text="Set when its ledger entry is voided."),
        ),
        migrations.RunPython(copy_days_and_voids, migrations.RunPython.noop, elidable=True),
    ]
