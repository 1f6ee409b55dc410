"""Serializers of personal data: what erasing a customer would do, its record, and who has seen the data."""

from typing import Any

from rest_framework import serializers

from accounts.models import PersonalDataAccess
from billing_site.common.fields import LongField
from invoices.models import Erasure
from invoices.services.privacy.erasing import REASON_LENGTH


class ObstacleSerializer(serializers.Serializer[Any]):
    """A reason why a customer cannot be erased now."""

    error_code = serializers.IntegerField(source="code.number", read_only=True)
    error_msg = serializers.CharField(source="message", read_only=True)


class PersonalDataSerializer(serializers.Serializer[Any]):
    """What erasing the customer would blank, by table, what is kept by law until which day, and what stands in its way."""

    acct_no = LongField(read_only=True)
    is_erased = serializers.BooleanField(read_only=True)
    rows = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    documents = serializers.IntegerField(read_only=True)
    kept_until = serializers.DateField(read_only=True, allow_null=True)
    obstacles = ObstacleSerializer(many=True, read_only=True)


class ErasureArguments(serializers.Serializer[Any]):
    """Why the customer is erased, such as the number of the request. It is kept, so it must name nobody."""

    reason = serializers.CharField(max_length=REASON_LENGTH)


class ErasureSerializer(serializers.ModelSerializer[Erasure]):
    """The record of an erasure. `rows` is the number of rows in which data was blanked."""

    erasure_no = LongField(source="pk", read_only=True)
    acct_no = LongField(source="account_id", read_only=True)

    class Meta:
        model = Erasure
        fields = ("erasure_no", "acct_no", "at", "erased_by", "reason", "rows")
        read_only_fields = fields


class PersonalDataAccessSerializer(serializers.ModelSerializer[PersonalDataAccess]):
    """Who has opened or exported the personal data of a customer in an hour."""

    access_no = LongField(source="pk", read_only=True)
    acct_no = LongField(source="account_id", read_only=True)

    class Meta:
        model = PersonalDataAccess
        fields = ("access_no", "acct_no", "by", "kind", "hour")
        read_only_fields = fields
