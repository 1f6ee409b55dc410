"""The client's own settings of electronic invoices, with what they say of its company."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from accounts.api.resources import ChangeResource
from accounts.api.serializers import ADDRESS, RowSerializer
from accounts.client_settings import change_settings
from accounts.models import Client
from accounts.models.identities import SELLER_FIELDS
from accounts.rights import CHANGE_SETTINGS, Right
from billing_site.common.fields import LongField


class EInvoiceSettingsSerializer(RowSerializer):
    client_no = LongField(source="pk", read_only=True)
    name = serializers.CharField(read_only=True)

    class Meta:
        model = Client
        fields = (
            "client_no",
            "name",
            "e_invoice",
            "e_invoice_profile",
            "tax_currency",
            "tax_currency_rates",
            "tax_ids",
            *SELLER_FIELDS,
            *ADDRESS,
        )


class OwnSettings(ChangeResource):
    """Settings of the client. One row: the client's."""

    http_method_names = ["get", "patch", "head", "options"]
    queryset = Client.objects.all()
    # A client is not created here, but its base class has the action, and each action names its right.
    rights: Mapping[str, Right] = dict.fromkeys(("create", "partial_update"), CHANGE_SETTINGS)

    def get_queryset(self) -> Any:
        return Client.objects.filter(pk=self.client.pk)

    def perform_change(self, row: Any, values: Mapping[str, Any]) -> int:
        changed = [name for name, value in values.items() if getattr(row, name) != value]
        for name in changed:
            setattr(row, name, values[name])
        row.full_clean()
        change_settings(row, changed, caller=self.caller)
        return int(row.pk)


class EInvoiceSettingsViewSet(OwnSettings):
    """The client's format and profile of electronic invoices, and its company as documents name it. One row: the client's.

    A change holds for documents that are made from then on.
    """

    serializer_class = EInvoiceSettingsSerializer
