"""The reader's format of money, numbers and dates, from the browser's languages."""

from babel import Locale, UnknownLocaleError
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation.trans_real import parse_accept_lang_header


def locale_of(request: HttpRequest) -> Locale:
    """Return the first browser language that Babel knows, else the server's."""
    for code, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        try:
            return Locale.parse(code, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(settings.LANGUAGE_CODE, sep="-")
