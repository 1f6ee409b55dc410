"""Each index of our tables serves something that no other index serves."""

import pytest
from django.apps import apps
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
