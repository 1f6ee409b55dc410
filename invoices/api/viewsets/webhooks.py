"""Webhooks: the addresses that get events, and what was sent to them."""

from collections.abc import Mapping
from typing import Any

from django_filters.filterset import FilterSet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.resources import Operation, ReadResource
from accounts.rights import WEBHOOKS, Right
from billing_site.common.fields import ChoicesFilter, LongFilter
from invoices.api.serializers.webhooks import (
    DeliveryWithLogSerializer,
    EndpointArguments,
    EndpointChanges,
    EndpointWithSecretSerializer,
    SpanArguments,
    SpanSerializer,
    WebhookDeliverySerializer,
    WebhookEndpointSerializer,
)
from invoices.kinds import DeliveryState
from invoices.models import WebhookDelivery, WebhookEndpoint
from invoices.services.webhooks.endpoints import (
    add_endpoint,
    change_endpoint,
    remove_endpoint,
    rotate_secret,
    send_again,
    send_span_again,
    send_test,
)

WITH_SECRET = ("create", "rotate_secret")


class WebhookEndpointViewSet(ReadResource):
    """The addresses that get the client's events, signed as Standard Webhooks says."""

    queryset = WebhookEndpoint.objects.all()
    serializer_class = WebhookEndpointSerializer
    rights: Mapping[str, Right] = dict.fromkeys(
        ("create", "partial_update", "destroy", "rotate_secret", "test", "send_again"), WEBHOOKS
    )
    operations: Mapping[str, Operation] = {
        "create": Operation(EndpointArguments, EndpointWithSecretSerializer, HTTP_201_CREATED),
        "partial_update": Operation(EndpointChanges, WebhookEndpointSerializer),
        "rotate_secret": Operation(None, EndpointWithSecretSerializer),
        "test": Operation(None, WebhookDeliverySerializer),
        "send_again": Operation(SpanArguments, SpanSerializer),
    }

    def get_serializer_class(self) -> Any:
        return EndpointWithSecretSerializer if self.action in WITH_SECRET else super().get_serializer_class()

    def create(self, request: Request) -> Response:
        """Add an address. The answer has its secret; no later one has."""
        return self.answer(add_endpoint(client=self.client, caller=self.caller, **self.arguments()).pk)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change an address, or switch it on or off."""
        arguments = self.arguments()
        return self.answer(change_endpoint(self.get_object(), caller=self.caller, **arguments).pk)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove an address with the log of its deliveries."""
        remove_endpoint(self.get_object(), caller=self.caller)
        return self.answer(None)

    @action(detail=True, methods=["post"])
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Make a new secret. For 24 hours, requests are signed with the old one, too."""
        self.arguments()
        return self.answer(rotate_secret(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send a test event to this address."""
        self.arguments()
        delivery = send_test(self.get_object(), caller=self.caller)
        return Response(WebhookDeliverySerializer(delivery).data)

    @action(detail=True, methods=["post"])
    def send_again(self, request: Request, pk: str) -> Response:
        """Send the events of a span of time once more, under their ids. Receivers know them by these."""
        arguments = self.arguments()
        return Response(SpanSerializer({"events": send_span_again(self.get_object(), caller=self.caller, **arguments)}).data)


class DeliveryFilter(FilterSet):
    endpoint = LongFilter("endpoint")
    event = LongFilter("event")
    state = ChoicesFilter(DeliveryState)

    class Meta:
        model = WebhookDelivery
        fields = ()


class WebhookDeliveryViewSet(ReadResource):
    """What must be sent to the client's addresses, or was, newest first. One alone has its log: each request and answer."""

    queryset = WebhookDelivery.objects.select_related("event")
    serializer_class = WebhookDeliverySerializer
    filterset_class = DeliveryFilter
    client_path = "endpoint__client"
    newest_first = True
    rights: Mapping[str, Right] = {"send_again": WEBHOOKS}
    operations: Mapping[str, Operation] = {"send_again": Operation(None, WebhookDeliverySerializer)}

    def get_serializer_class(self) -> Any:
        return DeliveryWithLogSerializer if self.action == "retrieve" else super().get_serializer_class()

    @action(detail=True, methods=["post"])
    def send_again(self, request: Request, pk: str) -> Response:
        """Send an event once more, under its id."""
        self.arguments()
        return self.answer(send_again(self.get_object(), caller=self.caller).pk)
