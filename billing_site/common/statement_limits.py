"""How long one SQL statement of a web request may take. Workers, commands and migrations have no such limit."""

from typing import Any

from django.conf import settings
from django.db.backends.signals import connection_created


def limit_statements() -> None:
    """Let PostgreSQL stop statements of this process after STATEMENT_TIMEOUT seconds. Called by the web application only.

    Behind PgBouncer a connection is shared with workers, so there the limit belongs to a database user of the web processes.
    """
    if settings.STATEMENT_TIMEOUT and not settings.DATABASES["default"].get("DISABLE_SERVER_SIDE_CURSORS"):
        connection_created.connect(_limited, dispatch_uid="statement timeout")


def _limited(sender: Any, connection: Any, **signal: Any) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)", [f"{settings.STATEMENT_TIMEOUT}s"])
