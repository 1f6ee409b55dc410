"""What all resources share: rows are found, created and shown for the client whose key is calling, and for no other."""

from typing import Any, cast

from django.db.models import QuerySet
from django.http import Http404
from rest_framework.mixins import CreateModelMixin, ListModelMixin, RetrieveModelMixin
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from accounts.callers import Caller
from accounts.models import ApiKey, Client
from billing_site.errors import BillingError, ErrorCode


class ClientResource(GenericViewSet):
    """Rows of the caller's client. Another client's rows do not exist, so they are never said to be forbidden."""

    client_path = "client"
    not_found = ErrorCode.NO_DATA

    @property
    def key(self) -> ApiKey:
        return cast(ApiKey, self.request.auth)

    @property
    def client(self) -> Client:
        return self.key.client

    @property
    def caller(self) -> Caller:
        return Caller(api_key=self.key)

    def asked(self, arguments: type[Serializer]) -> dict[str, Any]:
        """The body, read as the arguments of an act."""
        serializer = arguments(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(**{self.client_path: self.client})

    def get_object(self) -> Any:
        try:
            return super().get_object()
        except Http404 as error:
            raise BillingError(self.not_found) from error


class ReadResource(ListModelMixin, RetrieveModelMixin, ClientResource):
    """List and retrieve."""


class CreateReadResource(CreateModelMixin, ReadResource):
    """Create, list and retrieve. What documents may stand on is not changed or deleted here."""
