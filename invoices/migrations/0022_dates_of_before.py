"""Fills in, for what is on file, where the customers' cycles began here, and which one-time charges are due on the date of a
cycle that was billed ahead."""

from datetime import timedelta

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F, Max, Min, Q


def fill_in(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    instance_rows = apps.get_model("accounts", "PlanInstance")._default_manager
    instances = (
        instance_rows.filter(billed_through__isnull=False)
        .annotate(
            first_billed=Min("billed_periods__start_date", filter=Q(billed_periods__invoice__status__in=["approved", "voided"]))
        )
        .filter(Q(first_billed=None) | Q(first_billed__gt=F("start_date")))
    )
    for number, billed_through, first_billed in instances.values_list("pk", "billed_through", "first_billed").iterator():
        through = billed_through if first_billed is None else first_billed - timedelta(days=1)
        instance_rows.filter(pk=number).update(billed_elsewhere_through=through)

    account_rows = apps.get_model("accounts", "Account")._default_manager
    waiting = Q(one_time_charges__isnull=False) & (
        Q(one_time_charges__invoice=None) | Q(one_time_charges__invoice__status="pending")
    )
    for account in account_rows.filter(waiting).distinct().iterator():
        approved = account.invoices.filter(status="approved")
        newest = approved.aggregate(
            advance=Max("bill_date", filter=Q(kind="advance")), recurring=Max("bill_date", filter=Q(kind="recurring"))
        )
        ahead, recurring = newest["advance"], newest["recurring"]
        is_due = ahead is not None and (recurring is None or recurring < ahead)
        open_orders = account.one_time_charges.filter(Q(invoice=None) | Q(invoice__status="pending"))
        if is_due and open_orders.filter(charge_date__lte=ahead).exists():
            account.orders_due = ahead
            account.next_bill_date = min(account.next_bill_date or ahead, ahead)
            account.save(update_fields=["orders_due", "next_bill_date"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0014_dates_of_advance_invoices"),
        ("invoices", "0021_unique_document_numbers"),
    ]

    operations = [migrations.RunPython(fill_in, migrations.RunPython.noop)]
