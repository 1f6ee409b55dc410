"""Aria's method calls as viewset actions: one JSON object in, credentials among its members, and always HTTP 200 out.

The order of refusals: a body that cannot be read (1012); credentials that cannot be a pair (1016, 1012) or are not one
(1004), so that a stranger learns nothing else; missing parameters, all named (1010); the first wrong value; then whatever
the service says. Once the client is known, a refusal of its input leaves one event; services record their own.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple, cast

from django.core.exceptions import RequestDataTooBig
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import authenticated_key
from accounts.callers import Caller
from accounts.fields import LongField
from accounts.input_errors import refusal_of, unreadable_body, wrong_inputs
from accounts.models import ApiKey, Client
from accounts.trail import record_acts, refusal
from billing_site.errors import BillingError, ErrorCode

logger = logging.getLogger(__name__)


class Credentials(serializers.Serializer):
    client_no = LongField()
    auth_key = serializers.CharField(max_length=32)


class Qualifier(serializers.Serializer):
    qualifier_name = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)
    qualifier_value = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)


class CallerFields(serializers.Serializer):
    """What any call may say of its sender. Kept for the record as it was given."""

    alt_caller_id = serializers.CharField(max_length=30, required=False, trim_whitespace=False)
    application_id = serializers.CharField(max_length=300, required=False, trim_whitespace=False)
    application_date = serializers.CharField(max_length=300, required=False, trim_whitespace=False)
    optional_transaction_qualifiers = Qualifier(many=True, required=False)


class Call(NamedTuple):
    """A call whose credentials and input are good."""

    client: Client
    caller: Caller
    arguments: Mapping[str, Any]


class JsonWhateverIsAccepted(DefaultContentNegotiation):
    """Answers in JSON whatever the Accept header says: a 406 would not be the HTTP 200 that callers rely on."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


def method_call(
    arguments: type[serializers.Serializer], *, outputs: Sequence[str], refused_act: str
) -> Callable[[Callable[[Any, Call], Mapping[str, Any]]], Callable[[Any, Request], Response]]:
    """Makes a viewset's method a method call of the same name: it gets a `Call` and gives the output fields.

    On failure every output field is present, as null; the tax engine's own errors where the call has a field for them.
    """

    def decorate(method: Callable[[Any, Call], Mapping[str, Any]]) -> Callable[[Any, Request], Response]:
        @action(
            detail=False,
            methods=["post"],
            authentication_classes=[],
            permission_classes=[],
            content_negotiation_class=JsonWhateverIsAccepted,
        )
        @wraps(method)
        def answer(view: Any, request: Request) -> Response:
            try:
                output = method(view, _read_call(request, arguments, refused_act))
                return Response({**_envelope(BillingError(ErrorCode.OK), outputs), **output})
            except BillingError as error:
                return Response(_envelope(error, outputs))
            except Exception:
                logger.exception("method call %s failed", method.__name__)
                return Response(_envelope(BillingError(ErrorCode.UNEXPECTED), outputs))

        return answer

    return decorate


def _envelope(error: BillingError, outputs: Sequence[str]) -> dict[str, Any]:
    """The fields that every answer has, and its outputs as null. Some callers split messages at bars, so they have none."""
    envelope = {
        "error_code": error.code.number,
        "error_msg": error.message.replace("|", "/"),
        **dict.fromkeys(outputs),
    }
    if "third_party_errors" in outputs and error.third_party_errors:
        envelope["third_party_errors"] = list(error.third_party_errors)
    return envelope


def _read_call(request: Request, arguments: type[serializers.Serializer], refused_act: str) -> Call:
    given = _given(request)
    key = _key(given)
    sender = CallerFields(data=given)
    caller = Caller(api_key=key, declared=sender.validated_data if sender.is_valid() else {})
    asked = arguments(data=given)
    if not asked.is_valid() or sender.errors:
        wrong = wrong_inputs(serializers.ValidationError({**asked.errors, **sender.errors}))
        error = refusal_of(wrong)
        record_acts(key.client, caller, [refusal(refused_act, error)])
        raise error
    return Call(key.client, caller, asked.validated_data)


def _given(request: Request) -> dict[str, Any]:
    """The members of the body. An empty text or null is the same as none."""
    try:
        body = cast(dict[str, Any], request.data)
    except (ParseError, UnsupportedMediaType, RequestDataTooBig) as error:
        raise unreadable_body() from error
    return {name: value for name, value in body.items() if value not in (None, "")}


def _key(given: Mapping[str, Any]) -> ApiKey:
    if "client_no" not in given or "auth_key" not in given:
        raise BillingError(ErrorCode.AUTHENTICATION)
    credentials = Credentials(data=given)
    if not credentials.is_valid():
        raise refusal_of(wrong_inputs(serializers.ValidationError(credentials.errors)))
    key = authenticated_key(**credentials.validated_data)
    if key is None:
        raise BillingError(ErrorCode.AUTHENTICATION)
    return key
