"""The reasons that every client has to choose from, and the roles of staff as groups."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from rebills.roles import make_groups

APPS = ("accounts", "invoices", "rebills")
REASONS = {
    "cash_credit": ("Goodwill", "Service failure", "Billing error", "Promotion"),
    "credit_memo": ("Billing error", "Service not provided", "Price correction", "Goods returned", "Goodwill"),
    "write_off": ("Bad debt", "Small balance", "Bankruptcy", "Settlement"),
    "dispute": ("Charge not recognised", "Amount in dispute", "Service quality"),
    "refund": ("Duplicate payment", "Overpayment", "Customer request", "Cancelled service"),
    "rebill": (
        "Wrong price or quantity",
        "PO number missing or changed",
        "Wrong service or tax address",
        "Wrong bill-to",
        "Usage loaded late",
        "Charge left out",
        "Wrong tax",
        "Charged in error",
        "Other",
    ),
}


def add_reasons(apps, schema_editor):
    reason_codes = apps.get_model("invoices", "ReasonCode")
    reason_codes.objects.bulk_create(
        reason_codes(type=kind, code=code, name=name) for kind, names in REASONS.items() for code, name in enumerate(names, 1)
    )


def make_roles(apps, schema_editor):
    """Django makes permissions when all migrations are over: here they are needed before."""
    for name in APPS:
        create_permissions(installed.get_app_config(name), verbosity=0, using=schema_editor.connection.alias)
    make_groups(apps.get_model("auth", "Group").objects, apps.get_model("auth", "Permission").objects)


class Migration(migrations.Migration):
    replaces = [
        ("rebills", "0003_rights_to_runs"),
        ("rebills", "0004_rights_of_files"),
        ("rebills", "0006_rights_to_campaigns"),
        ("rebills", "0007_rights_to_webhooks"),
        ("rebills", "0009_correctors"),
        ("rebills", "0010_rights_to_new_models"),
    ]

    dependencies = [
        ("rebills", "0001_tables"),
        ("accounts", "0001_tables"),
        ("invoices", "0001_tables"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.RunPython(add_reasons, migrations.RunPython.noop),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    ]
