from django.db import migrations

from rebills.roles import add_new_rights

RIGHTS = ("change_onetimecharge", "delete_onetimecharge", "delete_couponredemption")


def add_rights(apps, schema_editor):
    """Let billers change and cancel one-time charges, and withdraw coupons, as the table of roles says."""
    found = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="invoices", codename__in=RIGHTS)
    add_new_rights(apps.get_model("auth", "Group").objects, found)


class Migration(migrations.Migration):
    dependencies = [("rebills", "0004_rights_to_approval_rules")]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
