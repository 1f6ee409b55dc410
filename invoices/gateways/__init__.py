"""Payment gateways, by the names that clients choose them by."""

from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from invoices.gateways.protocol import Gateway


def gateway_named(name: str) -> Gateway:
    return cast(Gateway, import_string(settings.GATEWAYS[name])())
