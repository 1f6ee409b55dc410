"""Announce old addresses: since when another one takes their place (RFC 9745), and from when on they may be gone (RFC 8594)."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

View = Callable[..., HttpResponse]


def deprecated(view: View, *, instead: str, since: datetime, sunset: datetime) -> View:
    """Return the view of an old address. Its answers name the address to use instead."""

    @wraps(view)
    def announced(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = view(request, *args, **kwargs)
        answer["Deprecation"] = f"@{since.timestamp():.0f}"
        answer["Sunset"] = http_date(sunset.timestamp())
        answer["Link"] = f'<{instead}>; rel="successor-version"'
        return answer

    return announced


def day(year: int, month: int, day_of_month: int) -> datetime:
    return datetime(year, month, day_of_month, tzinfo=UTC)
