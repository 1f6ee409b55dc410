"""Credit memos of before there were chains join that of their invoice; and the common reasons to rebill."""

from django.db import migrations
from django.db.models import F

REASONS = (
    "Wrong price or quantity",
    "PO number missing or changed",
    "Wrong service or tax address",
    "Wrong bill-to",
    "Usage loaded late",
    "Charge left out",
    "Wrong tax",
    "Charged in error",
    "Other",
)


def join_chains(apps, schema_editor):
    Invoice = apps.get_model("invoices", "Invoice")
    Invoice.objects.filter(kind="credit_memo").update(chain_root=F("corrects"))


def add_reasons(apps, schema_editor):
    ReasonCode = apps.get_model("invoices", "ReasonCode")
    ReasonCode.objects.bulk_create(ReasonCode(type="rebill", code=code, name=name) for code, name in enumerate(REASONS, 1))


class Migration(migrations.Migration):

    dependencies = [("invoices", "0008_rebills")]

    operations = [
        migrations.RunPython(join_chains, migrations.RunPython.noop),
        migrations.RunPython(add_reasons, migrations.RunPython.noop),
    ]
