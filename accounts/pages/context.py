"""Context of every back-office page: the client, and the reader's number format."""

from typing import Any

from django.http import HttpRequest

from accounts.pages.languages import locale_of

THEMES = ("auto", "light", "dark")


def back_office(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("theme", "")
    return {
        "client": getattr(request, "client", None),
        "clients": getattr(request, "clients", ()),
        "locale": locale_of(request),
        "theme": theme if theme in THEMES else "auto",
    }
