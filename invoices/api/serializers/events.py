"""Serializers of events."""

from typing import Any

from rest_framework import serializers

from accounts.event_types import EVENT_TYPES
from accounts.models import Event
from accounts.services.events import event_body


class EventDataSerializer(serializers.Serializer):
    """The values before and after. The documentation lists the members of each type."""

    before = serializers.DictField()
    after = serializers.DictField()


class EventSerializer(serializers.Serializer):
    """What has happened, as a webhook sends it. `by` is staff, key or process, with its number or name."""

    id = serializers.IntegerField()
    type = serializers.ChoiceField(choices=list(EVENT_TYPES))
    timestamp = serializers.DateTimeField()
    client_no = serializers.IntegerField()
    acct_no = serializers.IntegerField(allow_null=True)
    invoice_no = serializers.IntegerField(allow_null=True)
    by = serializers.CharField()
    request_id = serializers.CharField()
    error_code = serializers.IntegerField(help_text="0, or why something outside failed.")
    error_msg = serializers.CharField()
    data = EventDataSerializer()  # type: ignore[assignment]

    def to_representation(self, event: Event) -> dict[str, Any]:
        return {name: value for name, value in event_body(event).items() if name in self.fields}
