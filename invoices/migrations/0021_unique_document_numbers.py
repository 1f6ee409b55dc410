from django.db import migrations, models
from django.db.models import Count, Min, Q


def check_printed_numbers(apps, schema_editor):
    """An issued document never changes, so a number that was printed twice cannot be mended here."""
    documents = apps.get_model("invoices", "Invoice").objects.exclude(document_number="").order_by()
    twice = documents.values_list("client_id", "document_number").annotate(Count("pk"), Min("pk")).filter(pk__count__gt=1)[:10]
    if found := [f"{number} of client {client_no}, first on invoice {first}" for client_no, number, _, first in twice]:
        raise ValueError(
            "Two documents of a client print the same number: " + "; ".join(found) + ". "
            "Agree with whoever keeps the books which of them gets another number, and change its document_number by SQL."
        )


class Migration(migrations.Migration):
    dependencies = [("invoices", "0020_payment_days_are_unique")]

    operations = [
        migrations.RunPython(check_printed_numbers, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                condition=~Q(document_number=""),
                fields=("client", "document_number"),
                name="one_document_per_printed_number",
            ),
        ),
    ]
