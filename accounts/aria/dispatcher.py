"""Aria's single address for all method calls. `rest_call` names the method, `output_format` the format of the answer."""

from collections.abc import Callable, Mapping
from functools import partial

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.viewsets import ViewSetMixin

from accounts.aria.method_calls import envelope, note_missing_method, rendered, sent_parameters
from accounts.aria.parsers import scalar
from accounts.aria.renderers import FORMATS
from accounts.call_log import call_of
from billing_site.errors import BillingError, Detail, ErrorCode

UNNAMED_FORMAT = "wddx"
"""The format for callers that name none."""


SESSION_METHODS = ("set_session", "set_session_m", "set_session_auth_m", "validate_session_m", "kill_session_m")
"""Calls that open or use a session. Each call carries its credentials instead."""

Views = Mapping[str, Callable[[HttpRequest], HttpResponse]]


def dispatcher(methods: Mapping[str, type[ViewSetMixin]]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the view that answers all method calls. `methods` has the viewset of each method name."""
    views = {
        name: viewset.as_view({"post": name, "get": name}, **getattr(viewset, name).kwargs) for name, viewset in methods.items()
    }
    return csrf_exempt(partial(_dispatch, views))


def _dispatch(views: Views, request: HttpRequest) -> HttpResponse:
    """Answer a method call. The HTTP status is always 200. Unknown methods are answered with error code -1."""
    try:
        pairs = sent_parameters(request)
        request.output_format = _format(scalar(pairs, "output_format"))  # type: ignore[attr-defined]
        name = scalar(pairs, "rest_call")
        if name in (None, ""):
            raise BillingError(ErrorCode.MISSING_PARAMETER, field="rest_call")
        if not isinstance(name, str) or name not in views:
            note_missing_method(request, str(name))
            if name in SESSION_METHODS:
                detail = Detail("rest_call {name}: not supported here; send client_no and auth_key with each call", name=name)
                raise BillingError(ErrorCode.INVALID_INPUT, detail, field="rest_call")
            raise BillingError(ErrorCode.API_NOT_FOUND, f"rest_call {name}"[:100], field="rest_call")
        return views[name](request)
    except BillingError as error:
        record = call_of(request)
        record.error_code, record.message = error.code.number, error.message
        return rendered(envelope(error), getattr(request, "output_format", "json"))


def _format(name: object) -> str:
    if name in (None, ""):
        return UNNAMED_FORMAT
    if not isinstance(name, str) or name not in FORMATS:
        names = ", ".join(FORMATS)
        raise BillingError(ErrorCode.INVALID_INPUT, f"output_format: give one of {names}", field="output_format")
    return name
