"""The names of models and columns on pages. Django makes them of the names in the code, in English."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import AppConfig
from django.db.models import Field, Model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalChanges

from billing_site.common.languages import in_english


def translate_labels(app: AppConfig, plain_names: Mapping[str, Any]) -> None:
    """Have the names of an app's models and columns translated that have no marked text of their own.

    `plain_names` has plainer names than those in the code, by these.
    """
    for model in _models(app):
        name, plural = _names(model)
        model._meta.verbose_name, model._meta.verbose_name_plural = _(name), _(plural)
        for column in _unmarked(model):
            column.verbose_name = plain_names.get(column.name) or _(str(column.verbose_name))


def labels(app: AppConfig) -> set[str]:
    """Return the English names that `translate_labels` has translated, and those that have a text of their own."""
    names = {name for model in _models(app) for name in _names(model)}
    return names | {in_english(column.verbose_name) for model in _models(app) for column in _columns(model)}


def _models(app: AppConfig) -> list[type[Model]]:
    """Without those of the versions of rows: pages show the rows that they are versions of."""
    return [model for model in app.get_models() if not issubclass(model, HistoricalChanges)]


def _names(model: type[Model]) -> tuple[str, str]:
    return in_english(model._meta.verbose_name), in_english(model._meta.verbose_name_plural)


def _columns(model: type[Model]) -> list[Field]:
    return [*model._meta.fields, *model._meta.many_to_many]


def _unmarked(model: type[Model]) -> Iterator[Field]:
    for column in _columns(model):
        if not isinstance(column.verbose_name, Promise):
            yield column
