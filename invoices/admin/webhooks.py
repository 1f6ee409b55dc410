"""Webhooks in the admin, read-only: the page of webhooks changes them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin.rows import ReadOnlyAdmin
from invoices.models import WebhookDelivery, WebhookEndpoint


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Its secrets are not shown."""

    client_path = "client"
    list_display = ["url", "client", "is_on", "failures", "worked_at", "off_since"]
    list_filter = ["client", "is_on"]
    list_select_related = ["client"]
    search_fields = ["url", "description"]
    fieldsets = [
        (None, {"fields": ["client", "url", "description", "event_types", "is_on"]}),
        (_("State"), {"fields": ["off_because", "off_since", "failures", "rests_until", "worked_at", "old_secret_until"]}),
        (_("Made"), {"fields": ["created_at", "created_by"]}),
    ]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    client_path = "endpoint__client"
    list_display = ["event", "endpoint", "state", "tries", "next_at", "settled_at"]
    list_filter = ["state", "endpoint__client"]
    list_select_related = ["event", "endpoint"]
    search_fields = ["event__id__exact", "about"]
    fields = ["endpoint", "event", "about", "state", "tries", "first_tried_at", "next_at", "settled_at"]
