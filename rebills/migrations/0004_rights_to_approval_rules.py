from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from rebills.roles import add_new_rights

MODELS = ("approvalrules", "approvalrule", "givenapproval", "approvalprogress", "standin")


def add_rights(apps, schema_editor):
    """Let the roles see and change approval rules as their table says."""
    create_permissions(installed.get_app_config("invoices"), verbosity=0, using=schema_editor.connection.alias)
    new = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="invoices", content_type__model__in=MODELS
    )
    add_new_rights(apps.get_model("auth", "Group").objects, new)


class Migration(migrations.Migration):
    dependencies = [
        ("rebills", "0003_rights_to_versions"),
        ("invoices", "0006_approval_rules"),
    ]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
