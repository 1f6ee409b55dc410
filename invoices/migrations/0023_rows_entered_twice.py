from collections import defaultdict

from django.db import migrations
from django.utils import timezone


def by_key(rows, key):
    """Rows by what identifies them, each list in the order in which they were entered."""
    groups = defaultdict(list)
    for row in rows.order_by("pk"):
        groups[key(row)].append(row)
    return groups.values()


def delete(row, history):
    """Delete a row that was entered twice. Its history keeps what it was."""
    values = {column.attname: getattr(row, column.attname) for column in row._meta.concrete_fields}
    history.objects.create(
        **values, history_date=timezone.now(), history_type="-", history_change_reason="entered twice", history_user_id=None
    )
    row.delete()


def one_tax_rate_per_day(apps, schema_editor):
    """Of tax rates of one name, place and category that begin on one day, keep the one that was entered last."""
    rates, history = apps.get_model("invoices", "TaxRate"), apps.get_model("invoices", "HistoricalTaxRate")

    def key(rate):
        return rate.client_id, rate.name.lower(), rate.country, rate.region.lower(), rate.category, rate.valid_from

    for same in by_key(rates.objects, key):
        for rate in same[:-1]:
            delete(rate, history)


def one_surcharge_per_day(apps, schema_editor):
    """Of surcharges of one name, service and currency: another name for those that count on other services, so that all are
    still charged; of the rest that begin on one day, keep the one that was entered last."""
    surcharges, history = apps.get_model("invoices", "Surcharge"), apps.get_model("invoices", "HistoricalSurcharge")

    def key(surcharge):
        return surcharge.client_id, surcharge.name.lower(), surcharge.service_id, surcharge.currency

    for same in by_key(surcharges.objects, key):
        scopes = defaultdict(list)
        for surcharge in same:
            scopes[frozenset(surcharge.services.values_list("pk", flat=True))].append(surcharge)
        for number, scope in enumerate(scopes.values(), start=1):
            begun = defaultdict(list)
            for surcharge in scope:
                if number > 1:
                    surcharge.name = f"{surcharge.name[:190]} ({number})"
                    surcharge.save(update_fields=["name"])
                begun[surcharge.valid_from].append(surcharge)
            for twice in begun.values():
                for surcharge in twice[:-1]:
                    delete(surcharge, history)


class Migration(migrations.Migration):
    dependencies = [("invoices", "0022_dates_of_before")]

    operations = [
        migrations.RunPython(one_tax_rate_per_day, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(one_surcharge_per_day, migrations.RunPython.noop, elidable=True),
    ]
