"""The settings of the caller's client: one row, changed by PATCH as on the settings page."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.e_invoice_settings import OwnSettings
from accounts.api.serializers import RowSerializer
from accounts.client_settings import proposed_change
from accounts.models import Client
from accounts.staff import name_of_user
from billing_site.common.fields import LongField
from invoices.services.lists.settings import SECTIONS

SETTINGS = tuple(name for section in SECTIONS.values() for name in section.effects)
"""The settings of the pages, in their order."""


class ProposedSettingsSerializer(serializers.Serializer):
    """Four-eyes settings that another administrator must confirm."""

    id = LongField(source="pk")
    before = serializers.DictField()
    after = serializers.DictField()
    proposed_by_name = serializers.SerializerMethodField()
    proposed_at = serializers.DateTimeField()

    def get_proposed_by_name(self, change: Any) -> str:
        return name_of_user(change.proposed_by)


class SettingsSerializer(RowSerializer):
    """`proposed` has what is proposed and not confirmed yet: a change of four-eyes settings by one of the staff."""

    client_no = LongField(source="pk", read_only=True)
    tax_engine = serializers.ChoiceField(choices=[(one, one) for one in sorted(settings.TAX_ENGINES)])
    gateway = serializers.ChoiceField(choices=[(one, one) for one in sorted(settings.GATEWAYS)])
    proposed = serializers.SerializerMethodField()

    class Meta:
        model = Client
        fields = ("client_no", *SETTINGS, "proposed")

    @extend_schema_field(ProposedSettingsSerializer(allow_null=True))
    def get_proposed(self, client: Client) -> Any:
        change = proposed_change(client)
        return None if change is None else ProposedSettingsSerializer(change).data


class SettingsViewSet(OwnSettings):
    """The client's settings, with the names of the reference. One row: the client's.

    Settings of the four-eyes rule, and while it is on bank details, are only proposed by staff, and are refused (90331) to
    programs.
    """

    serializer_class = SettingsSerializer
