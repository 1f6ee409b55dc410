"""Each index of our tables serves something that no other index serves, and the migrated database has all that models name."""

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import ForeignKey, UniqueConstraint

MODELS = [model for label in ("accounts", "invoices", "rebills") for model in apps.get_app_config(label).get_models()]


def begun_by(model):
    """The first columns of the model's whole indexes of several columns: each can find rows by its first column alone."""
    unique = [one.fields for one in model._meta.constraints if isinstance(one, UniqueConstraint) and one.condition is None]
    others = [[name.removeprefix("-") for name in one.fields] for one in model._meta.indexes if one.condition is None]
    return {fields[0] for fields in (*unique, *others, *model._meta.unique_together) if fields}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_foreign_key_has_an_index_that_another_index_begins_with(model):
    keys = [
        field.name
        for field in model._meta.local_fields
        if isinstance(field, ForeignKey) and field.db_index and not field.unique
    ]
    assert [name for name in keys if name in begun_by(model)] == []


NAMES = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE tbl_name = %s AND sql IS NOT NULL",
    "postgresql": """
        SELECT '"' || indexname || '"' FROM pg_indexes WHERE tablename = %s
        UNION SELECT '"' || conname || '"' FROM pg_constraint WHERE conrelid = %s::regclass
    """,
}
"""What names the constraints and indexes of a table. Django's introspection cannot read all of ours on SQLite."""


@pytest.mark.django_db
@pytest.mark.parametrize("model", [model for model in MODELS if not model._meta.proxy], ids=lambda model: model._meta.label)
def test_the_database_has_each_constraint_and_index_of_the_model(model):
    """Django loses a unique constraint with a condition where a foreign key in it gives up its own index (PostgreSQL)."""
    query = NAMES[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(query, [model._meta.db_table] * query.count("%s"))
        found = " ".join(row[0] for row in cursor.fetchall())
    names = [one.name for one in (*model._meta.constraints, *model._meta.indexes)]
    assert [name for name in names if f'"{name}"' not in found] == []
