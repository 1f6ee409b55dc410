"""Serializers of usage: records as sent (JSON or text of a file), their results, and stored records."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.api.fields import NO_ACCOUNT
from accounts.api.input_errors import messages_by_field, refusal_of, wrong_inputs
from accounts.models import Client
from accounts.validators import validate_billing_day
from billing_site.common.fields import LongField, UnitsNumberField
from billing_site.common.members import check_members
from billing_site.common.units import MOST_UNITS
from billing_site.errors import ErrorCode
from invoices.api.serializers.documents import PlainDecimalField
from invoices.api.serializers.money import AmountField
from invoices.document import columns_of
from invoices.models import Usage
from invoices.services.planning.previewing import UnbilledUsage
from invoices.services.usage.loading import RECORDS_AT_ONCE, LoadResult, UsageResult, refused
from invoices.services.usage.targets import UsageRecord

ISO_8601 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?")


class UsedUnitsField(UnitsNumberField):
    """Units above 0."""

    default_error_messages = {"none": _("The units must be above 0.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_value=MOST_UNITS, **options)

    def to_internal_value(self, data: Any) -> Decimal:
        units = super().to_internal_value(data)
        if units <= 0:
            self.fail("none")
        return units


class UsedAtField(serializers.Field):
    """A date and time, by the client's clock if it has no offset.

    An hour that occurs twice when summer time ends means the first one. An hour that is skipped is refused.
    """

    default_error_messages = {
        "not_a_date": _(
            "This is not a date and time. Write yyyy-mm-ddThh:mm:ss, with or without an offset such as Z or +hh:mm."
        ),
        "skipped": _("This time does not exist in {time_zone}, because the clock is set forward."),
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not ISO_8601.fullmatch(data):
            self.fail("not_a_date")
        zone: ZoneInfo = self.context["time_zone"]
        try:
            moment = datetime.fromisoformat(data)
            used_at = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
            in_utc = used_at.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("not_a_date")
        validate_billing_day(used_at.date())
        if in_utc.astimezone(zone).replace(tzinfo=None) != used_at.replace(tzinfo=None):
            self.fail("skipped", time_zone=zone.key)
        return used_at


class UsageRecordSerializer(serializers.Serializer):
    """One record. An optional value that is null or empty counts as not sent."""

    record_id = serializers.CharField(max_length=100)
    acct_no = LongField(no_such=NO_ACCOUNT, required=False, allow_null=True)
    client_acct_id = serializers.CharField(max_length=50, required=False, allow_null=True, allow_blank=True)
    service = LongField(required=False, allow_null=True)
    client_service_id = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)
    plan_instance = LongField(required=False, allow_null=True)
    units = UsedUnitsField()
    used_at = UsedAtField()
    description = serializers.CharField(max_length=200, required=False, allow_null=True, allow_blank=True)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        unnamed = _unnamed(data) if isinstance(data, Mapping) else {}
        try:
            values: dict[str, Any] = super().to_internal_value(data)
        except ValidationError as error:
            raise ValidationError({**dict(error.detail), **unnamed}) from error  # type: ignore[arg-type]
        if unnamed:
            raise ValidationError(unnamed)
        return values


def _unnamed(data: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
    """Return errors if account or service is not named by number or by the client's own id."""
    pairs = (("acct_no", "client_acct_id"), ("service", "client_service_id"))
    return {
        number: [ErrorDetail(_("Give %(number)s or %(client_id)s.") % {"number": number, "client_id": client_id}, "required")]
        for number, client_id in pairs
        if data.get(number) is None and data.get(client_id) in (None, "")
    }


def record_reader(client: Client) -> Callable[[Any], UsageRecord | UsageResult]:
    """Return a function that reads one sent record, and returns it or its refusal. All records share the same fields."""
    return partial(_read_record, UsageRecordSerializer(context={"time_zone": ZoneInfo(client.time_zone)}))


def _read_record(fields: UsageRecordSerializer, raw: Any) -> UsageRecord | UsageResult:
    try:
        check_members(fields, raw)
        values = fields.run_validation(raw)
    except ValidationError as error:
        wrong = wrong_inputs(error)
        return refused(_readable_id(fields, raw), refusal_of(wrong), messages_by_field(wrong))
    return UsageRecord(**{name: value for name, value in values.items() if value is not None})


def _readable_id(record: UsageRecordSerializer, raw: Any) -> str | None:
    """Return the id of a record that has other errors."""
    try:
        return str(record.fields["record_id"].run_validation(raw.get("record_id"))) if isinstance(raw, Mapping) else None
    except ValidationError:
        return None


class LoadArguments(serializers.Serializer):
    """Records are read one by one, so that a bad one is refused alone."""

    records = serializers.ListField(allow_empty=False, max_length=RECORDS_AT_ONCE)


class LoadedUsageSerializer(serializers.Serializer):
    # Only describes the answer. `load_answer` writes it many times faster for thousands of records.
    created = serializers.IntegerField()
    already_there = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = serializers.ListField(child=serializers.DictField())


def load_answer(results: list[UsageResult]) -> dict[str, Any]:
    """Return how many records were created, existed already or were refused, and the result of each in the order sent."""
    counts = {result.value: sum(one.result is result for one in results) for result in LoadResult}
    return {**counts, "results": [_result_row(one) for one in results]}


def _result_row(result: UsageResult) -> dict[str, Any]:
    code = result.error.code if result.error else ErrorCode.OK
    return {
        "record_id": result.record_id,
        "result": result.result.value,
        "id": result.usage_no,
        "error_code": code.number,
        "error_msg": result.error.message if result.error else code.message,
        "errors": result.messages,
    }


class UsageSerializer(serializers.ModelSerializer):
    """A stored record. `invoice_no` is the pending or approved invoice that holds it."""

    acct_no = serializers.ReadOnlyField(source="account_id")
    plan_instance = serializers.ReadOnlyField(source="plan_instance_id")
    service = serializers.ReadOnlyField(source="service_id")
    units = PlainDecimalField()
    invoice_no = serializers.ReadOnlyField(source="invoice_id")

    class Meta:
        model = Usage
        fields = (
            "id",
            "record_id",
            "acct_no",
            "plan_instance",
            "service",
            "units",
            "used_at",
            "used_on",
            "description",
            "loaded_at",
            "invoice_no",
        )
        read_only_fields = fields


class UnbilledArguments(serializers.Serializer):
    acct_no = LongField(no_such=NO_ACCOUNT)


class UnbilledLineSerializer(serializers.Serializer):
    plan_instance = serializers.IntegerField(read_only=True, allow_null=True, source="plan_instance_id")
    service = serializers.IntegerField(read_only=True, allow_null=True, source="service_id")
    description = serializers.CharField(read_only=True)
    period_start = serializers.DateField(read_only=True, allow_null=True)
    period_end = serializers.DateField(read_only=True, allow_null=True)
    units = PlainDecimalField()
    rate_per_unit = PlainDecimalField()
    tier_no = serializers.IntegerField(read_only=True, allow_null=True)
    tier_from = PlainDecimalField()
    tier_to = PlainDecimalField()
    amount = AmountField()
    explanation = serializers.CharField(read_only=True)


class UnbilledSerializer(serializers.Serializer):
    acct_no = serializers.IntegerField(read_only=True, source="account_no")
    currency = serializers.CharField(read_only=True)
    through = serializers.DateField(read_only=True, allow_null=True)
    lines = UnbilledLineSerializer(many=True)
    total_amount = AmountField(source="amount")


def unbilled_answer(unbilled: UnbilledUsage) -> dict[str, Any]:
    lines = [{**columns_of(line), "currency": unbilled.currency} for line in unbilled.lines]
    return dict(UnbilledSerializer({**unbilled._asdict(), "lines": lines}).data)
