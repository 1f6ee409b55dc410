from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("invoices", "0019_payments_per_reference_and_day")]

    operations = [
        migrations.AlterField(
            model_name="payment",
            name="received_on",
            field=models.DateField(help_text="The day of its ledger entry, copied so that the database can compare it."),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=~Q(reference="") & Q(is_voided=False),
                fields=("account", "type", "reference", "received_on"),
                name="one_payment_per_reference_and_day",
            ),
        ),
    ]
