from django.db import migrations, models
from django.db.models import Case, F, Q, When
from django.db.models.functions import TruncDate


def fill(apps, schema_editor):
    """A cycle's document is taxed as of the day it was generated; a memo or rebill that was issued at once has that day as its
    invoice date. Of a pending rebill only the moment is known."""
    apps.get_model("invoices", "Invoice").objects.update(
        generated_on=Case(
            When(~Q(kind__in=["rebill", "credit_memo"]), then=F("tax_date")),
            When(invoice_date__isnull=False, then=F("invoice_date")),
            default=TruncDate("generated_at"),
        )
    )


class Migration(migrations.Migration):
    dependencies = [("invoices", "0031_orders_below_zero")]

    operations = [
        migrations.AddField(model_name="invoice", name="generated_on", field=models.DateField(null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
