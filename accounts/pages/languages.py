"""In which language a page is, and how it writes money, numbers and days."""

from collections.abc import Callable

from babel import Locale, UnknownLocaleError
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language, get_language_from_request, override
from django.utils.translation.trans_real import parse_accept_lang_header

from billing_site.common.languages import ENGLISH

FOR_PROGRAMS = ("/api/", "/v1/", "/webhooks/stripe/", "/healthz", "/readyz")
"""What the addresses begin with that programs call. Their answers are in English, whatever the caller's language."""


def language_middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer in the language that the reader has chosen, else in the first one of the browser's that the pages have.

    The language ends with the request, so nothing that the process does later depends on who was served.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        for_programs = request.path_info.startswith(FOR_PROGRAMS)
        language = ENGLISH if for_programs else get_language_from_request(request)
        with override(language):
            request.LANGUAGE_CODE = language
            response = get_response(request)
        response.headers.setdefault("Content-Language", language)
        if not for_programs:
            patch_vary_headers(response, ("Accept-Language",))
        return response

    return answer


def locale_of(request: HttpRequest) -> Locale:
    """The locale of the page's language. Its country is the browser's: de-AT, en-GB."""
    language = get_language() or ENGLISH
    for code, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        try:
            locale = Locale.parse(code, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
        if locale.language == language:
            return locale
    return Locale.parse(language, sep="-")
