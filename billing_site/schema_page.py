"""The address of the API's description. Making it takes more than a second, and it changes only with the program."""

from functools import cache
from typing import Any

from django.http import HttpResponse
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request


class SchemaView(SpectacularAPIView):
    """Answers the description in the format that is asked for, made once by each process."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the API's description (OpenAPI 3), as YAML or JSON."""
        media_type = str(request.accepted_renderer.media_type)
        return HttpResponse(_described(media_type), content_type=media_type)


@cache
def _described(media_type: str) -> bytes:
    renderer = next(one for one in SchemaView.renderer_classes if one.media_type == media_type)
    with translation.override("en"):
        described = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        text = renderer().render(described, renderer_context={})
    return text.encode() if isinstance(text, str) else text
