"""Billers may add a contact, for an address that a rebill needs."""

from django.db import migrations


def add_to_billers(apps, schema_editor):
    permission = apps.get_model("auth", "Permission").objects.get(
        content_type__app_label="accounts", codename="add_contact"
    )
    for group in apps.get_model("auth", "Group").objects.filter(name="Biller"):
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [("rebills", "0003_rights_of_roles")]

    operations = [migrations.RunPython(add_to_billers, migrations.RunPython.noop)]
