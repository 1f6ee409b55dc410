"""How the reader writes money, numbers and days: by the languages that the browser asks for."""

from babel import Locale, UnknownLocaleError
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation.trans_real import parse_accept_lang_header


def locale_of(request: HttpRequest) -> Locale:
    """The first language of the browser that Babel knows; else the server's."""
    for code, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        try:
            return Locale.parse(code, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(settings.LANGUAGE_CODE, sep="-")
