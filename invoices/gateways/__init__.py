"""Payment gateways, by the names that clients choose."""

from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from invoices.gateways.protocol import Gateway, Notifier


def gateway_named(name: str) -> Gateway:
    return cast(Gateway, import_string(settings.GATEWAYS[name])())


def notifier_named(name: str) -> Notifier:
    return cast(Notifier, import_string(settings.GATEWAYS[name])())
