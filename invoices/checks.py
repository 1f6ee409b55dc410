"""What `manage.py check` looks at, some of it with `--deploy` only."""

from importlib.util import find_spec
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.utils.translation import gettext as _


def check_pdfs(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn if no PDF can be made. Everything else works without them, and documents can be printed from their print view."""
    from invoices.services.printing.pdf import CannotPrint, check_pango

    try:
        check_pango()
    except CannotPrint as error:
        packages = "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0", "brew install pango"
        hint = _("On Debian: %(debian)s. On a Mac: %(mac)s.") % dict(zip(("debian", "mac"), packages, strict=True))
        return [Warning(str(error), hint=hint, id="invoices.W001")]
    return []


def check_webhook_networks(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Find what is not a network in the setting of webhooks."""
    found: list[CheckMessage] = []
    for one in settings.WEBHOOK_NETWORKS:
        try:
            ip_network(one)
        except ValueError:
            message = _("WEBHOOK_NETWORKS: %(value)s is not a network. Write it as 10.1.0.0/16.")
            found.append(Error(message % {"value": one}, id="invoices.E004"))
    return found


def check_seal_keys(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn if seals are made with a key from SECRET_KEY, and find keys that are not usable."""
    from invoices.services.sealing.keys import SHORTEST_SECRET, wrong_keys

    hint = _("Run: %(command)s") % {"command": "python -c 'import secrets; print(secrets.token_urlsafe(48))'"}
    if wrong := wrong_keys():
        message = _("SEAL_KEYS: %(ids)s. Write keys as id:secret, each with its own id and at least %(count)s characters.")
        return [Error(message % {"ids": ", ".join(wrong), "count": SHORTEST_SECRET}, hint=hint, id="invoices.E005")]
    if not settings.SEAL_KEYS:
        message = _("SEAL_KEYS is not set. Seals are made with a key from SECRET_KEY, and cannot be checked once that is lost.")
        return [Warning(message, hint=hint, id="invoices.W003")]
    return []


EXECUTORS = ("local", "celery")
BROKERS = {"redis": "redis", "rediss": "redis", "amqp": "celery", "amqps": "celery"}
"""The package that each kind of broker's address needs."""


def check_executor(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Find what is missing for the executor that is set, by its name."""
    if settings.EXECUTOR not in EXECUTORS:
        message = _("EXECUTOR is %(value)s. It can be: %(values)s.")
        return [Error(message % {"value": settings.EXECUTOR, "values": ", ".join(EXECUTORS)}, id="invoices.E001")]
    if settings.EXECUTOR == "local":
        return []
    kind = settings.BROKER_URL.partition("://")[0]
    packages = sorted({"celery", BROKERS.get(kind, "celery")})
    found: list[CheckMessage] = [
        Error(
            _("EXECUTOR is celery, but the package %(package)s is not installed.") % {"package": package},
            hint=_("Run: %(command)s") % {"command": "pip install --require-hashes -r requirements/celery.txt"},
            id="invoices.E002",
        )
        for package in packages
        if find_spec(package) is None
    ]
    if kind not in BROKERS:
        message = _("EXECUTOR is celery, but BROKER_URL names no broker of the kinds %(kinds)s.")
        hint = _("For example: %(example)s") % {"example": "BROKER_URL=redis://127.0.0.1:6379/0"}
        found.append(Error(message % {"kinds": ", ".join(BROKERS)}, hint=hint, id="invoices.E003"))
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        found.append(Warning(_("Workers on several machines need PostgreSQL. SQLite is a file of one."), id="invoices.W002"))
    return found
