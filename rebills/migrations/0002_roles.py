"""The roles of staff as groups. Permissions are made by Django when all migrations are over: here they are needed before."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from rebills.roles import make_groups

APPS = ("accounts", "invoices", "rebills")


def make_roles(apps, schema_editor):
    for name in APPS:
        create_permissions(installed.get_app_config(name), verbosity=0, using=schema_editor.connection.alias)
    make_groups(apps.get_model("auth", "Group").objects, apps.get_model("auth", "Permission").objects)


class Migration(migrations.Migration):
    dependencies = [
        ("rebills", "0001_initial"),
        ("accounts", "0012_history"),
        ("invoices", "0015_history"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
