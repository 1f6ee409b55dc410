"""Which form an answer has, by the Accept header."""

from collections.abc import Iterable
from typing import Any

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

PROBLEM_TYPE = "application/problem+json"
REJECTED = ("q=0", "q=0.0", "q=0.00", "q=0.000")


def accepts_problem(request: Any) -> bool:
    """Whether the caller asks for errors as application/problem+json (RFC 9457)."""
    accepted = (part.partition(";") for part in request.headers.get("Accept", "").split(","))
    return any(
        media.strip().lower() == PROBLEM_TYPE and rest.replace(" ", "") not in REJECTED for media, _semicolon, rest in accepted
    )


class ProblemsAreJson(DefaultContentNegotiation):
    """A caller that names only the type of errors gets JSON where there is no error. Otherwise as usual."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        known = list(renderers)
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(request, known, format_suffix)
        except NotAcceptable:
            json = next((one for one in known if isinstance(one, JSONRenderer)), None)
            if json is None or not accepts_problem(request):
                raise
            return json, str(json.media_type)
        return chosen
