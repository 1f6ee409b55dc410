"""Every price that a charge or a plan instance had becomes a rate per unit in the plan's currency."""

from django.db import migrations
from django.db.models import F


def make_rates(apps, schema_editor):
    rates = apps.get_model("accounts", "RateSchedule").objects
    new = apps.get_model("accounts", "RateSchedule")
    charges = apps.get_model("accounts", "PlanCharge").objects.select_related("plan")
    rates.bulk_create(
        (new(charge=one, currency=one.plan.currency, rate_per_unit=one.rate_per_unit) for one in charges.iterator()),
        batch_size=1000,
    )
    own = apps.get_model("accounts", "PlanInstancePrice").objects.select_related("charge__plan")
    rates.bulk_create(
        (
            new(
                charge_id=one.charge_id,
                plan_instance_id=one.plan_instance_id,
                currency=one.charge.plan.currency,
                rate_per_unit=one.rate_per_unit,
            )
            for one in own.iterator()
        ),
        batch_size=1000,
    )
    # Nothing was charged in arrears before, so nothing is due from before.
    apps.get_model("accounts", "Account").objects.update(arrears_due_from=F("last_bill_date"))


class Migration(migrations.Migration):

    dependencies = [("accounts", "0002_rates")]

    operations = [migrations.RunPython(make_rates, migrations.RunPython.noop)]
