import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invoices", "0023_rows_entered_twice")]

    operations = [
        migrations.AddConstraint(
            model_name="taxrate",
            constraint=models.UniqueConstraint(
                models.F("client"),
                django.db.models.functions.text.Lower("name"),
                models.F("country"),
                django.db.models.functions.text.Lower("region"),
                models.F("category"),
                models.F("valid_from"),
                name="one_tax_rate_per_day_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="surcharge",
            constraint=models.UniqueConstraint(
                models.F("client"),
                django.db.models.functions.text.Lower("name"),
                models.F("service"),
                models.F("currency"),
                models.F("valid_from"),
                name="one_surcharge_per_day_it_begins",
            ),
        ),
    ]
