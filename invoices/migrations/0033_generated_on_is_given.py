from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invoices", "0032_generated_on")]

    operations = [
        migrations.AlterField(
            model_name="invoice",
            name="generated_on",
            field=models.DateField(help_text="The client's day when it was generated."),
        ),
    ]
