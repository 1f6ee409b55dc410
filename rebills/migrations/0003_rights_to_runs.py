"""Gives the roles their rights to the rows that billing runs have since."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from rebills.roles import add_new_rights

NEW = ("runfilter", "runpart", "schedule", "worker")


def add_rights(apps, schema_editor):
    create_permissions(installed.get_app_config("invoices"), verbosity=0, using=schema_editor.connection.alias)
    permissions = apps.get_model("auth", "Permission").objects
    new = permissions.filter(content_type__app_label="invoices", content_type__model__in=NEW)
    add_new_rights(apps.get_model("auth", "Group").objects, new)


class Migration(migrations.Migration):
    dependencies = [("rebills", "0002_reasons_and_roles"), ("invoices", "0003_billing_runs")]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
