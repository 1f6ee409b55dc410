"""Serializers of webhooks."""

from typing import Any

from rest_framework import serializers

from billing_site.common.fields import MomentField, ShortListField, TrueFalseField
from invoices.api.serializers.events import EventSerializer
from invoices.models import WebhookDelivery, WebhookEndpoint, WebhookTry
from invoices.services.webhooks.addresses import LONGEST_URL

ENDPOINT_FIELDS = (
    "id",
    "url",
    "event_types",
    "description",
    "is_on",
    "off_because",
    "off_since",
    "failures",
    "rests_until",
    "worked_at",
    "created_at",
    "created_by",
)


class TypesField(ShortListField):
    """Types of events, or their beginnings such as invoice.*. An empty list: all types."""

    child = serializers.CharField(max_length=40)


class EndpointArguments(serializers.Serializer):
    """An address that gets events from now on."""

    url = serializers.CharField(max_length=LONGEST_URL)
    event_types = TypesField(required=False)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)


class EndpointChanges(serializers.Serializer):
    """What to change. One that is switched on goes on where it stopped."""

    url = serializers.CharField(max_length=LONGEST_URL, required=False)
    event_types = TypesField(required=False)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    is_on = TrueFalseField(required=False)


class SpanArguments(serializers.Serializer):
    """Events from `since` on, before `until` or up to now."""

    since = MomentField()
    until = MomentField(required=False)


class SpanSerializer(serializers.Serializer):
    events = serializers.IntegerField(help_text="How many events are sent again.")


class WebhookEndpointSerializer(serializers.ModelSerializer):
    """An address that gets events. `off_because` is empty if a person has switched it off."""

    event_types = TypesField()

    class Meta:
        model = WebhookEndpoint
        fields: Any = ENDPOINT_FIELDS
        read_only_fields: Any = ENDPOINT_FIELDS


class EndpointWithSecretSerializer(WebhookEndpointSerializer):
    """An address with its secret, which no later answer has."""

    class Meta(WebhookEndpointSerializer.Meta):
        fields: Any = (*ENDPOINT_FIELDS, "secret")
        read_only_fields: Any = (*ENDPOINT_FIELDS, "secret")


class WebhookTrySerializer(serializers.ModelSerializer):
    """A request and its answer. `problem` is empty if it was accepted."""

    headers = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = WebhookTry
        fields: Any = ("at", "milliseconds", "address", "headers", "http_status", "answer", "problem")


DELIVERY_FIELDS = ("id", "endpoint", "event", "type", "about", "state", "tries", "first_tried_at", "next_at", "settled_at")


class WebhookDeliverySerializer(serializers.ModelSerializer):
    """An event that must be sent to an endpoint, or was."""

    type = serializers.CharField(source="event.type")

    class Meta:
        model = WebhookDelivery
        fields: Any = DELIVERY_FIELDS
        read_only_fields: Any = DELIVERY_FIELDS


class DeliveryWithLogSerializer(WebhookDeliverySerializer):
    """A delivery with what is sent, and each request with its answer."""

    body = EventSerializer(source="event")
    log = WebhookTrySerializer(many=True)

    class Meta(WebhookDeliverySerializer.Meta):
        fields: Any = (*DELIVERY_FIELDS, "body", "log")
        read_only_fields: Any = (*DELIVERY_FIELDS, "body", "log")
