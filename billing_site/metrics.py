"""Numbers for a monitoring system, in the text format of Prometheus."""

from collections.abc import Iterable
from hmac import compare_digest

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.decorators.http import require_GET
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from invoices.services.lists.health import broken_guards, measures


class _Installation(Collector):
    def collect(self) -> Iterable[GaugeMetricFamily]:
        for measure in measures():
            yield GaugeMetricFamily(f"billing_{measure.name}", str(measure.title), measure.value)
        yield GaugeMetricFamily(
            "billing_guards_broken", "Tables that are no longer kept from being altered", len(broken_guards())
        )


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer the measures of the installation to whoever sends the token of METRICS_TOKEN; 404 without that setting."""
    sent = request.headers.get("Authorization", "")
    if not settings.METRICS_TOKEN or not compare_digest(sent.encode(), f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponseNotFound()
    collected = CollectorRegistry()
    collected.register(_Installation())
    return HttpResponse(generate_latest(collected), content_type=CONTENT_TYPE_LATEST)
