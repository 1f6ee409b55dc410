"""Traces by OpenTelemetry, if its packages are installed (`pip install .[otel]`) and an OTEL_ variable names a receiver.

A span of each request has the client, the act and the request id, and never an address with its parameters, a body or a name.
"""

import os
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.call_log import call_of

RECEIVERS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE = "billing-back-office"


def is_traced() -> bool:
    """Whether the environment asks for traces, by the standard variables."""
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not is_off and any(os.environ.get(name) for name in RECEIVERS)


@cache
def provider_of_process() -> Any:
    """Return what collects and sends spans, made on the first request of each process: its thread does not survive a fork."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": SERVICE}).merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


@cache
def tracer_of_process() -> Any:
    """Return the tracer, or None if nothing is traced."""
    return provider_of_process().get_tracer(SERVICE) if is_traced() else None


class TracingMiddleware:
    """Traces requests. It is inside the call log, whose record says who called what."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        tracer = tracer_of_process()
        if tracer is None:
            return self.get_response(request)
        from opentelemetry.trace import SpanKind, Status, StatusCode

        with tracer.start_as_current_span(str(request.method), kind=SpanKind.SERVER, record_exception=False) as span:
            response = self.get_response(request)
            act = act_of(request)
            span.update_name(f"{request.method} {act}")
            span.set_attributes(_attributes(request, act, response.status_code))
            if response.status_code >= 500:
                span.set_status(Status(StatusCode.ERROR))
            return response


def act_of(request: HttpRequest) -> str:
    """Return what a request does: the method call, or the pattern of its address without numbers and names."""
    match = request.resolver_match
    route = match.route if match is not None else "unknown"
    return call_of(request).method or re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", route).replace("^", "").removesuffix("$")


def _attributes(request: HttpRequest, act: str, status: int) -> dict[str, str | int]:
    record = call_of(request)
    found: dict[str, str | int | None] = {
        "http.request.method": str(request.method),
        "http.response.status_code": status,
        "billing.act": act,
        "billing.request_id": record.request_id,
        "billing.client_no": record.client_no or getattr(getattr(request, "client", None), "pk", None),
        "billing.error_code": record.error_code or None,
    }
    return {name: value for name, value in found.items() if value is not None}
