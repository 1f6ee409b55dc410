"""Each column that can hold text is in one list of personal data or in the other, and no list names what does not exist."""

from django.apps import apps
from django.db import models
from simple_history.models import HistoricalChanges

from invoices.services.privacy.columns import NOT_PERSONAL, PERSONAL

TEXTS = (
    models.CharField,
    models.TextField,
    models.JSONField,
    models.FileField,
    models.BinaryField,
    models.GenericIPAddressField,
)


def columns_with_text():
    """The columns of our models that can hold text, without choices, by model. Versions repeat their rows."""
    found = {}
    for app in ("accounts", "invoices", "rebills"):
        for model in apps.get_app_config(app).get_models():
            if model._meta.proxy or issubclass(model, HistoricalChanges):
                continue
            names = {one.name for one in model._meta.concrete_fields if isinstance(one, TEXTS) and not one.choices}
            if names:
                found[model._meta.label_lower] = names
    return found


def test_each_column_with_text_is_in_one_of_the_two_lists():
    columns = columns_with_text()
    listed = {label: set(one.columns) for label, one in PERSONAL.items()}
    others = {label: set(names.split()) for label, names in NOT_PERSONAL.items()}
    missing = {
        f"{label}.{name}"
        for label, names in columns.items()
        for name in names - listed.get(label, set()) - others.get(label, set())
    }
    assert missing == set(), "say in invoices/services/privacy/columns.py whether these can hold personal data of a customer"
    assert {(label, name) for label in listed for name in listed[label] & others.get(label, set())} == set()
    unknown = {
        f"{label}.{name}" for lists in (listed, others) for label in lists for name in lists[label] - columns.get(label, set())
    }
    assert unknown == set()


def test_what_is_blanked_belongs_to_an_account():
    for label, personal in PERSONAL.items():
        model = apps.get_model(label)
        assert str(model._default_manager.filter(**{personal.path: 1}).query)
