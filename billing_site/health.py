"""Health checks, and the error page while the database is unreachable or read-only."""

import sys
from functools import cache

from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext
from django.views.decorators.csrf import requires_csrf_token
from django.views.defaults import server_error as unexpected_error

from billing_site.common.database_errors import refusal_of
from billing_site.errors import RETRY_AFTER_SECONDS, ErrorCode


def livez(request: HttpRequest) -> HttpResponse:
    """Answer that this process is alive. Does not use the database. `healthz` is its older name."""
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 if requests can be served, 503 if the database cannot be read or lacks a migration of this release.

    A read-only database counts as ready, and so does one that is already a release ahead.
    """
    try:
        missing = _last_migrations() - {(row.app, row.name) for row in MigrationRecorder(connection).migration_qs}
    except Error as error:
        return _unavailable(refusal_of(error).message, "text/plain")
    if missing:
        names = ", ".join(sorted(f"{app}.{name}" for app, name in missing))
        return _unavailable(gettext("The database lacks migrations: %(names)s.") % {"names": names}, "text/plain")
    return HttpResponse("ok", content_type="text/plain")


@cache
def _last_migrations() -> frozenset[tuple[str, str]]:
    """Return the newest migrations of each app, which say that the database has the tables of this release."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an uncaught exception: 503 while the database is unreachable or read-only, else 500. Does not use the database."""
    error = sys.exc_info()[1]
    refusal = refusal_of(error) if isinstance(error, Error) else None
    if refusal is not None and refusal.code is ErrorCode.TOO_MUCH_ASKED:
        return HttpResponse(render_to_string("503.html", {"message": refusal.message}), status=refusal.code.http_status)
    if refusal is None or refusal.code.http_status != 503:
        return unexpected_error(request)
    return _unavailable(render_to_string("503.html", {"message": refusal.message}), "text/html; charset=utf-8")


def _unavailable(content: str, content_type: str) -> HttpResponse:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return HttpResponse(content, content_type=content_type, status=503, headers=headers)
