from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from rebills.roles import add_new_rights


def add_rights(apps, schema_editor):
    """Let the roles see versions and adjustments of pending documents as their table says."""
    create_permissions(installed.get_app_config("invoices"), verbosity=0, using=schema_editor.connection.alias)
    permissions = apps.get_model("auth", "Permission").objects
    new = permissions.filter(content_type__app_label="invoices", content_type__model__in=("documentversion", "adjustment"))
    add_new_rights(apps.get_model("auth", "Group").objects, new)


class Migration(migrations.Migration):
    dependencies = [
        ("rebills", "0002_reasons_and_roles"),
        ("invoices", "0005_versions_of_pending_documents"),
    ]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
