"""Arrears are due from the newest recurring invoice: where a cycle was billed ahead of its date since, the newest of all is not it."""

from django.db import migrations
from django.db.models import F, Max, OuterRef, Subquery


def count_from_recurring_invoices(apps, schema_editor):
    invoices = apps.get_model("invoices", "Invoice").objects.filter(status="approved")
    recurring = (
        invoices.filter(account=OuterRef("pk"), kind="recurring")
        .order_by()
        .values("account")
        .annotate(newest=Max("bill_date"))
        .values("newest")
    )
    ahead = invoices.filter(kind="advance", bill_date=F("account__last_bill_date")).values("account")
    accounts = apps.get_model("accounts", "Account").objects.filter(pk__in=ahead)
    accounts.annotate(newest=Subquery(recurring)).filter(newest__isnull=False).update(arrears_due_from=Subquery(recurring))


class Migration(migrations.Migration):

    dependencies = [("invoices", "0002_rating")]

    operations = [migrations.RunPython(count_from_recurring_invoices, migrations.RunPython.noop)]
