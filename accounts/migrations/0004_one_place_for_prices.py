from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("accounts", "0003_prices_become_rates")]

    operations = [
        migrations.DeleteModel(name="PlanInstancePrice"),
        migrations.RemoveField(model_name="plan", name="currency"),
        migrations.RemoveField(model_name="plancharge", name="rate_per_unit"),
    ]
