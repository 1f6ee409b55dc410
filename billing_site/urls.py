"""All addresses of the site."""

from django.apps import apps
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from accounts.aria.dispatcher import dispatcher
from billing_site.api import METHODS, no_such_address, router
from billing_site.deprecations import day, deprecated
from billing_site.health import livez, readyz
from billing_site.metrics import metrics
from billing_site.schema_page import SchemaView
from invoices.api.webhooks import stripe_webhook

handler500 = "billing_site.health.server_error"

dispatch = dispatcher(METHODS)
old_health = deprecated(livez, instead="/livez", since=day(2026, 12, 1), sunset=day(2027, 12, 1))

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("invoices.urls")),
    path("", include("rebills.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include(router.urls)),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="docs.html"), name="docs"),
    path("api/v1/<path:address>", no_such_address),
    path("v1/core", dispatch, name="core"),
    path("v1/core/", dispatch),
    path("api/ws/api_ws_class_dispatcher.php", dispatch, name="class-dispatcher"),
    path("webhooks/stripe/", stripe_webhook, name="stripe-webhook"),
    path("livez", livez, name="livez"),
    path("healthz", old_health, name="healthz"),
    path("metrics", metrics, name="metrics"),
    path("readyz", readyz, name="readyz"),
    *([path("anymail/", include("anymail.urls"))] if apps.is_installed("anymail") else []),
    path("favicon.ico", RedirectView.as_view(url=static("backoffice/icon.svg"))),
]
