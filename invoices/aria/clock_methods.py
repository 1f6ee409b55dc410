"""Method calls for the client's clock."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.viewsets import ViewSet

from accounts.api.fields import ReceiptIdField
from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import ClockTime, advance_clock, clock_set_by, clock_time
from accounts.models import Receipt
from accounts.rights import MOVE_CLOCK
from billing_site.common.fields import LongField
from billing_site.common.members import NoArguments
from invoices.kinds import RunState
from invoices.models import BillingRun


class Hours(serializers.Serializer):
    """`offset_hours` is Aria's name for `hours`. Our addition: client_receipt_id."""

    hours = LongField(max_digits=6, required=False)
    offset_hours = LongField(max_digits=6, required=False)
    client_receipt_id = ReceiptIdField()

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        sent = {values[name] for name in ("hours", "offset_hours") if name in values}
        if not sent:
            raise serializers.ValidationError({"hours": _("Give hours or offset_hours.")}, code="required")
        if len(sent) > 1:
            raise serializers.ValidationError({"offset_hours": _("hours and offset_hours differ. Give one of them.")})
        return {**values, "hours": sent.pop()}


CLOCK_MOVED = ("virtual_datetime", "virtual_date", "virtual_time", "system_date", "system_time", "current_offset_hours")
CLOCK_SHOWN = (*CLOCK_MOVED, "is_batch_running")
RUNS_AT_WORK = (RunState.RUNNING, RunState.CANCELLING)
"""A billing run in one of these states is the batch of `is_batch_running`."""


def _set_before(call: Call, receipt: Receipt) -> ClockTime:
    return clock_set_by(call.client, call.caller)


_shows_clock = method_call(NoArguments, outputs=CLOCK_SHOWN, refused_act="clock.refused", writes=never)
_moves_clock = method_call(
    Hours,
    outputs=CLOCK_MOVED,
    refused_act="clock.refused",
    right=MOVE_CLOCK,
    resume=_set_before,
    answer=lambda call, time: _shown(time),
)


class ClockViewSet(ViewSet):
    """The client's virtual clock, for tests and demonstrations."""

    @_shows_clock
    def get_virtual_datetime(self, call: Call) -> Mapping[str, Any]:
        return _clock(call)

    @_shows_clock
    def get_virtual_datetime_m(self, call: Call) -> Mapping[str, Any]:
        return _clock(call)

    @_moves_clock
    def advance_virtual_datetime(self, call: Call) -> ClockTime:
        return _advance(call)

    @_moves_clock
    def advance_virtual_datetime_m(self, call: Call) -> ClockTime:
        return _advance(call)


def _clock(call: Call) -> Mapping[str, Any]:
    is_running = BillingRun.objects.filter(client=call.client, state__in=RUNS_AT_WORK).exists()
    return {**_shown(clock_time(call.client)), "is_batch_running": "true" if is_running else "false"}


def _advance(call: Call) -> ClockTime:
    return advance_clock(call.client, call.arguments["hours"], call.caller)


def _shown(time: ClockTime) -> Mapping[str, Any]:
    """Return Aria's output fields and our addition virtual_datetime."""
    return {
        "virtual_datetime": f"{time.virtual:%Y-%m-%d %H:%M:%S}",
        "virtual_date": f"{time.virtual:%Y-%m-%d}",
        "virtual_time": f"{time.virtual:%H:%M:%S}",
        "system_date": f"{time.system:%Y-%m-%d}",
        "system_time": f"{time.system:%H:%M:%S}",
        "current_offset_hours": time.offset_hours,
    }
