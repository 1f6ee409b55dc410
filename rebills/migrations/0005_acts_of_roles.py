"""The roles get the permissions that are new: Django makes these when all migrations are over, here they are needed before."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from rebills.roles import add_new_rights

APPS = ("accounts", "invoices", "rebills")


def add_to_roles(apps, schema_editor):
    permissions = apps.get_model("auth", "Permission").objects
    known = list(permissions.values_list("pk", flat=True))
    for name in APPS:
        create_permissions(installed.get_app_config(name), verbosity=0, using=schema_editor.connection.alias)
    add_new_rights(apps.get_model("auth", "Group").objects, permissions.exclude(pk__in=known))


class Migration(migrations.Migration):
    dependencies = [
        ("rebills", "0004_billers_add_contacts"),
        ("accounts", "0020_second_person"),
        ("invoices", "0037_requested_acts"),
    ]

    operations = [migrations.RunPython(add_to_roles, migrations.RunPython.noop)]
