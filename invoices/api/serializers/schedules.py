"""Serializers of schedules."""

from datetime import date, datetime
from typing import Any

from rest_framework import serializers

from billing_site.common.fields import LongField
from invoices.kinds import ScheduledAct
from invoices.models import Schedule
from invoices.services.work.schedules import is_late


class ScheduleArguments(serializers.Serializer):
    """The act to do each day from an hour of the client's time zone on."""

    act = serializers.ChoiceField(choices=ScheduledAct.choices)
    hour = LongField(max_digits=9, help_text="From 0 to 23. An hour that a day skips is the next one.")


class ScheduleSerializer(serializers.ModelSerializer):
    """What is done for the client each day. `message` says why it failed the last time, and is empty after a success."""

    next_day = serializers.SerializerMethodField()
    next_at = serializers.SerializerMethodField()
    is_late = serializers.SerializerMethodField()

    class Meta:
        model = Schedule
        fields: Any = ("id", "act", "hour", "is_on", "next_day", "next_at", "last_success_at", "is_late", "message")

    def get_next_day(self, schedule: Schedule) -> date | None:
        """The client's day on which it is done next. null: it is off."""
        return schedule.next_day if schedule.is_on else None

    def get_next_at(self, schedule: Schedule) -> datetime | None:
        """When it is done next, also after a failure. null: it is off."""
        return schedule.next_at if schedule.is_on else None

    def get_is_late(self, schedule: Schedule) -> bool:
        """Whether it should have been done an hour ago."""
        return is_late(schedule)
