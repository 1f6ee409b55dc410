from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.models import Q

from rebills.roles import add_new_rights


def add_rights(apps, schema_editor):
    """Let administrators export and erase personal data, and see who has seen it."""
    for app in ("accounts", "invoices"):
        create_permissions(installed.get_app_config(app), verbosity=0, using=schema_editor.connection.alias)
    new = apps.get_model("auth", "Permission").objects.filter(
        Q(codename="handle_personal_data") | Q(content_type__model__in=["personaldataaccess", "erasure", "blankeddocument"])
    )
    add_new_rights(apps.get_model("auth", "Group").objects, new)


class Migration(migrations.Migration):
    dependencies = [
        ("rebills", "0006_refunds_of_corrections"),
        ("accounts", "0012_personal_data"),
        ("invoices", "0012_erasures"),
    ]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
