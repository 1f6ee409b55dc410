"""What the database keeps as it was written: who did what, and each version of master data."""

from django.apps import apps
from django.db import models
from simple_history.models import HistoricalChanges

from accounts.models import Event
from billing_site.common.guards import Guard, append_only


def history_of(app_label: str) -> list[type[models.Model]]:
    """Return the models that hold the versions of an app's rows, and of their links to other rows."""
    return [model for model in apps.get_app_config(app_label).get_models() if issubclass(model, HistoricalChanges)]


def guards_of_history(app_label: str) -> list[Guard]:
    """A version stays as it was. Only the user goes from it when the user is deleted."""
    return append_only(*history_of(app_label), may_be_emptied=("history_user_id",))


def guards() -> list[Guard]:
    return [*append_only(Event), *guards_of_history("accounts")]
