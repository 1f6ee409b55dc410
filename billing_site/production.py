"""What an installation for real money must not have. `check --deploy` finds it; with PRODUCTION=1 nothing starts with it."""

import os
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

EXAMPLE_KEYS = ("django-insecure-", "change-me", "changeme", "a-long-random-text", "of-the-build")
LEAST_KEY = 50


def production_faults(environment: Mapping[str, str], *, debug: bool, virtual_clock: bool) -> dict[str, str]:
    """Return what is wrong with these settings for production, and what to do, by the number of the check."""
    found = {}
    if debug:
        found["E011"] = "DEBUG is on: error pages show settings and data. Take it out of the environment."
    hosts = [name for name in environment.get("ALLOWED_HOSTS", "").split(",") if name]
    if not hosts or "*" in hosts:
        found["E012"] = "ALLOWED_HOSTS does not name the hosts of the site. Set it: ALLOWED_HOSTS=billing.example.com"
    key = environment.get("SECRET_KEY", "")
    if len(key) < LEAST_KEY or key.startswith(EXAMPLE_KEYS):
        found["E013"] = (
            f"SECRET_KEY is not set, is an example, or has less than {LEAST_KEY} letters. "
            "Set a random one, the same for all processes: openssl rand -base64 48"
        )
    if virtual_clock:
        found["E014"] = "VIRTUAL_CLOCK is on: clients' clocks can be moved, and documents get wrong dates. Take it out."
    return found


def check_production(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """The deployment check of all of them."""
    found = production_faults(os.environ, debug=settings.DEBUG, virtual_clock=settings.VIRTUAL_CLOCK)
    return [Error(message, id=f"billing.{number}") for number, message in found.items()]
