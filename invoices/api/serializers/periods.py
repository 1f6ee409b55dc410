"""Serializers of closed periods."""

import re
from typing import Any

from rest_framework import serializers

from accounts.api.fields import IdentityName
from accounts.api.serializers import RowSerializer
from billing_site.common.limits import COMMENTS_LENGTH
from invoices.closing import Check, month_ending
from invoices.models import ClosedPeriod


class MonthField(serializers.CharField):
    """A month, as 2026-11. It is read as its last day."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        if not re.fullmatch(r"[12][0-9]{3}-(0[1-9]|1[0-2])", text):
            raise serializers.ValidationError("Give a month as 2026-11.")
        return month_ending(int(text[:4]), int(text[5:]))


class ClosingArguments(serializers.Serializer):
    """The month to close: the one after the closed ones. The first time, everything before is closed with it."""

    month = MonthField()


class ReopeningArguments(serializers.Serializer):
    """Why the period is reopened."""

    comments = serializers.CharField(max_length=COMMENTS_LENGTH)


class ChecklistArguments(serializers.Serializer):
    month = MonthField(required=False)


class ClosedPeriodSerializer(RowSerializer):
    """A closed period. `first_day` is null for the first one: everything before is closed with it."""

    closed_by = IdentityName()
    reopening_asked_by = IdentityName()
    reopened_by = IdentityName()

    class Meta:
        model = ClosedPeriod
        fields = (
            "id",
            "first_day",
            "last_day",
            "state",
            "closed_by",
            "closed_at",
            "reopening_asked_by",
            "reopening_asked_at",
            "comments",
            "reopened_by",
            "reopened_at",
        )


class CheckSerializer(serializers.Serializer):
    """A condition for closing. `in_the_way` counts what is to be done first; it is null for an audit that was never run.
    `next_step` says how."""

    name = serializers.CharField()
    title = serializers.CharField()
    done = serializers.BooleanField(source="is_done")
    in_the_way = serializers.IntegerField(allow_null=True)
    next_step = serializers.SerializerMethodField()

    def get_next_step(self, check: Check) -> str:
        return "" if check.is_done else str(check.next_step)


class ChecklistSerializer(serializers.Serializer):
    """The conditions for closing the period that ends on `last_day`."""

    first_day = serializers.DateField(allow_null=True)
    last_day = serializers.DateField()
    ready = serializers.BooleanField()
    checks = CheckSerializer(many=True)
