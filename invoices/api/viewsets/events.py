"""Events: what has happened, for programs."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django_filters.filterset import FilterSet

from accounts.api.resources import ReadResource
from accounts.event_types import unknown_patterns
from accounts.models import Event
from accounts.services.events import events_about, settled
from billing_site.common.fields import LARGEST_LONG, LongFilter, TextFilter, ValueFilter
from billing_site.common.written import NO_MOMENT, moment_of
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.api.serializers.events import EventSerializer

PLUS_AS_SPACE = re.compile(r" (\d\d:\d\d)$")
"""A plus in an address that was not encoded."""


class MomentInput(forms.Field):
    """A moment as yyyy-mm-ddThh:mm:ss with its offset, or Z."""

    def to_python(self, value: Any) -> Any:
        if not value:
            return None
        try:
            return moment_of(PLUS_AS_SPACE.sub(r"+\1", value))
        except ValueError:
            raise ValidationError(NO_MOMENT, code="not_a_date") from None


class MomentFilter(ValueFilter):
    field_class: type[forms.Field] = MomentInput


class EventFilter(FilterSet):
    type = TextFilter("type", method="filter_type", max_length=1000)
    object = TextFilter("pk", method="filter_object")
    acct_no = LongFilter("account")
    invoice_no = LongFilter("invoice_no")
    since = MomentFilter("at", "gte")
    after = LongFilter("id", "gt")

    class Meta:
        model = Event
        fields = ()

    def filter_type(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep events of these types."""
        patterns = [one.strip() for one in value.split(",")]
        unknown = unknown_patterns(patterns)
        if unknown:
            raise BillingError(
                ErrorCode.INVALID_INPUT, Detail("type: {name} is not a type of event", name=unknown[0]), field="type"
            )
        wanted = Q()
        for one in patterns:
            wanted |= Q(type__startswith=one[:-1]) if one.endswith(".*") else Q(type=one)
        return rows.filter(wanted)

    def filter_object(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep events about `invoice:NUMBER`, or about `account:NUMBER` and its documents."""
        kind, _, number = value.partition(":")
        if kind not in ("invoice", "account") or not (number.isascii() and number.isdecimal() and len(number) < 23):
            raise BillingError(ErrorCode.INVALID_INPUT, Detail("object: give invoice:NUMBER or account:NUMBER"), field="object")
        return events_about(rows, kind, min(int(number), LARGEST_LONG))


class EventViewSet(ReadResource):
    """What has happened to the client's documents, money and settings: by number, oldest first, kept for ever.

    `after` gives the events after the last one that you have seen. None is skipped: events whose predecessors are not committed
    yet come with the next call."""

    queryset = Event.objects.exclude(type="")
    serializer_class = EventSerializer
    filterset_class = EventFilter

    def listed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return settled(rows)
