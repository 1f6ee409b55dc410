"""Aria's method calls for usage: recorded, read, summed up before it is billed, and discarded."""

import secrets
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from accounts.api.fields import NO_ACCOUNT, NO_PLAN_INSTANCE, ReceiptIdField
from accounts.api.serializers import AccountArguments
from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import local_time, today
from accounts.models import Account
from accounts.rights import ROW_RIGHTS, check_may
from billing_site.common.fields import DayField, GivenSerializer, LongField, rows_of
from billing_site.errors import BillingError
from invoices.api.account_scope import account_no_of
from invoices.api.serializers.usage import UsedUnitsField, record_reader
from invoices.aria.arguments import PlanScope, UserIdField
from invoices.aria.documents import number
from invoices.services.lists.usage_history import UsageHistoryRequest, unapplied_credit, usage_history
from invoices.services.planning.previewing import rate_unbilled_usage
from invoices.services.usage.loading import RECORDS_AT_ONCE, UsageResult, load_usage
from invoices.services.usage.removal import remove_usage, usage_nos

ADD, REMOVE = ROW_RIGHTS["add", "invoices.usage"], ROW_RIGHTS["delete", "invoices.usage"]
USAGE_NAMES = {
    "record_id": "client_record_id",
    "service": "usage_type",
    "client_service_id": "usage_type_code",
    "plan_instance": "plan_instance_no",
    "units": "usage_units",
    "used_at": "usage_date",
    "description": "comments",
}
"""Aria's field names, by ours."""

NOT_SUPPORTED = (
    "master_plan_instance_no",
    "client_master_plan_instance_id",
    "client_plan_instance_id",
    "billable_units",
    "amt",
    "rate",
    "telco_from",
    "telco_to",
    "exclude_from_billing",
    "exclusion_comments",
    "qualifier_1",
    "qualifier_2",
    "qualifier_3",
    "qualifier_4",
    "parent_usage_rec_no",
    "caller_id",
)
MOST_DISCARDED = 1000


class UsageRow(GivenSerializer):
    """A usage record. A type of usage is a service. Without a date it is used now; without an id it gets a new one."""

    acct_no = LongField(no_such=NO_ACCOUNT, required=False)
    client_acct_id = serializers.CharField(max_length=50, required=False)
    userid = UserIdField()
    plan_instance_no = LongField(no_such=NO_PLAN_INSTANCE, required=False)
    usage_type = LongField(required=False)
    usage_type_code = serializers.CharField(max_length=100, required=False)
    usage_units = UsedUnitsField()
    usage_date = serializers.CharField(max_length=40, required=False)
    client_record_id = serializers.CharField(max_length=100, required=False)
    comments = serializers.CharField(max_length=200, required=False)

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if len({values[name] for name in ("client_acct_id", "userid") if name in values}) > 1:
            raise serializers.ValidationError({"userid": "It differs from client_acct_id. Give one of them."})
        return values


class RecordUsageArguments(UsageRow, AccountArguments):
    """record_usage."""

    client_receipt_id = ReceiptIdField()
    unsupported = NOT_SUPPORTED


class BulkUsageArguments(GivenSerializer):
    """bulk_record_usage."""

    usage_recs = rows_of(UsageRow(), most=RECORDS_AT_ONCE)
    client_receipt_id = ReceiptIdField()


class UsageHistoryArguments(PlanScope):
    """get_usage_history. A plan instance of -1, or none, means all."""

    specified_usage_type_no = LongField(required=False)
    specified_usage_type_code = serializers.CharField(max_length=100, required=False)
    date_range_start = DayField(required=False)
    date_range_end = DayField(required=False)
    invoice_no = LongField(required=False)
    limit = LongField(max_digits=4, required=False, default=999)
    offset = LongField(max_digits=9, required=False, default=0)

    without_effect = ("locale_no", "locale_name", "retrieve_excluded_usage")
    unsupported = (
        "invoice_line_item",
        "usage_qualifier_1",
        "usage_qualifier_2",
        "usage_qualifier_3",
        "usage_qualifier_4",
    )

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not 1 <= values["limit"] <= 999:
            raise serializers.ValidationError({"limit": "From 1 to 999."})
        if values["offset"] < 0:
            raise serializers.ValidationError({"offset": "From 0."})
        return values


class UnbilledUsageArguments(AccountArguments):
    """get_unbilled_usage_summary."""

    without_effect = (
        "locale_no",
        "locale_name",
        "retrieve_excluded_usage",
        "usage_details_flag",
        "include_all_usage_unit_thresholds",
    )
    unsupported = (
        "master_plan_instance_id",
        "client_master_plan_instance_id",
        "plan_no",
        "usage_type_no",
        "usage_type_cd",
    )


class UsageNumberRow(GivenSerializer):
    usage_record_no = LongField()


class UsageIdRow(GivenSerializer):
    client_record_id = serializers.CharField(max_length=100)


class DiscardUsageArguments(GivenSerializer):
    """discard_usage, of records by number or by the client's id. The reason and comment are kept in the events."""

    usage_record_nos = rows_of(UsageNumberRow(), most=MOST_DISCARDED, required=False)
    client_record_ids = rows_of(UsageIdRow(), most=MOST_DISCARDED, required=False)
    exclusion_reason_cd = LongField(max_digits=4, required=False)
    exclusion_comment = serializers.CharField(max_length=500, required=False, default="")


UNBILLED = (
    "currency_cd",
    "acct_no",
    "client_acct_id",
    "ptd_balance_amount",
    "unapp_svc_credit_bal_amount",
    "unbilled_usage_rec",
)

_records = method_call(
    RecordUsageArguments,
    outputs=("usage_rec_no",),
    names=USAGE_NAMES,
    refused_act="usage.refused",
    right=ADD,
    answer=lambda call, number_of: {"usage_rec_no": number_of},
    is_one_transaction=True,
)
_records_many = method_call(
    BulkUsageArguments, outputs=("error_records",), refused_act="usage.refused", right=ADD, is_one_transaction=True
)
_shows = method_call(UsageHistoryArguments, outputs=("usage_history_recs",), refused_act="usage.refused", writes=never)
_sums_up = method_call(UnbilledUsageArguments, outputs=UNBILLED, refused_act="usage.refused", writes=never)
_discards = method_call(DiscardUsageArguments, outputs=("failed_records",), refused_act="usage.refused", right=REMOVE)


class UsageMethods:
    @_records
    def record_usage(self, call: Call) -> int | None:
        return _record(call)

    @_records
    def record_usage_m(self, call: Call) -> int | None:
        return _record(call)

    @_records_many
    def bulk_record_usage(self, call: Call) -> Mapping[str, Any]:
        return _record_many(call)

    @_records_many
    def bulk_record_usage_m(self, call: Call) -> Mapping[str, Any]:
        return _record_many(call)

    @_shows
    def get_usage_history(self, call: Call) -> Mapping[str, Any]:
        return _history(call)

    @_shows
    def get_usage_history_m(self, call: Call) -> Mapping[str, Any]:
        return _history(call)

    @_sums_up
    def get_unbilled_usage_summary(self, call: Call) -> Mapping[str, Any]:
        return _unbilled(call)

    @_sums_up
    def get_unbilled_usage_summary_m(self, call: Call) -> Mapping[str, Any]:
        return _unbilled(call)

    @_discards
    def discard_usage(self, call: Call) -> Mapping[str, Any]:
        return _discard(call)

    @_discards
    def discard_usage_m(self, call: Call) -> Mapping[str, Any]:
        return _discard(call)


def _load(call: Call, rows: list[Mapping[str, Any]]) -> list[UsageResult]:
    read, now = record_reader(call.client), local_time(call.client)
    records = [read(_record_of(row, f"{now:%Y-%m-%dT%H:%M:%S}")) for row in rows]
    return load_usage(client=call.client, records=records, now=now, caller=call.caller)


def _record_of(row: Mapping[str, Any], now: str) -> dict[str, Any]:
    """Return a record under our names, as the usage resource reads it."""
    used_at = row.get("usage_date", now)
    values = {ours: row[name] for ours, name in USAGE_NAMES.items() if name in row}
    return {
        **values,
        "record_id": row.get("client_record_id") or f"aria-{secrets.token_hex(12)}",
        "acct_no": row.get("acct_no"),
        "client_acct_id": row.get("client_acct_id") or row.get("userid"),
        "units": str(row["usage_units"]),
        "used_at": f"{used_at}T00:00:00" if len(used_at) == len("2026-01-31") else used_at,
    }


def _record(call: Call) -> int | None:
    (result,) = _load(call, [call.arguments])
    if result.error is not None:
        raise result.error
    return result.usage_no


def _record_many(call: Call) -> Mapping[str, Any]:
    """Return the records that were refused. The others are stored."""
    rows = call.arguments["usage_recs"]
    results = _load(call, rows)
    failed = [(row, one.error) for row, one in zip(rows, results, strict=True) if one.error is not None]
    return {"error_records": [_error_row(row, error.renamed(USAGE_NAMES)) for row, error in failed]}


def _error_row(row: Mapping[str, Any], error: BillingError) -> dict[str, Any]:
    return {
        "out_client_record_id": row.get("client_record_id"),
        "acct_no": row.get("acct_no"),
        "record_error_code": error.code.number,
        "record_error_msg": error.message,
    }


def _history(call: Call) -> Mapping[str, Any]:
    arguments = call.arguments
    instance_no = arguments.get("master_plan_instance_no")
    request = UsageHistoryRequest(
        service_no=arguments.get("specified_usage_type_no"),
        client_service_id=arguments.get("specified_usage_type_code"),
        plan_instance_no=None if instance_no == -1 else instance_no,
        start=arguments.get("date_range_start"),
        end=arguments.get("date_range_end"),
        invoice_no=arguments.get("invoice_no"),
        limit=arguments["limit"],
        offset=arguments["offset"],
    )
    return {"usage_history_recs": [_usage_row(row) for row in usage_history(account_no_of(call), request)]}


def _usage_row(row: Any) -> dict[str, Any]:
    return {
        "billable_acct_no": row.account_id,
        "incurring_acct_no": row.account_id,
        "client_billable_acct_id": row.account.client_acct_id or None,
        "client_incurring_acct_id": row.account.client_acct_id or None,
        "plan_instance_id": row.plan_instance_id,
        "usage_type_no": row.service_id,
        "usage_type_description": row.service.name,
        "usage_type_code": row.service.client_service_id,
        "usage_date": str(row.used_on),
        "usage_time": f"{row.local_used_at:%H:%M:%S}",
        "units": float(row.units),
        "recorded_units": float(row.units),
        "invoice_no": row.invoice_id,
        "comments": row.description or None,
        "usage_rec_no": row.pk,
        "client_record_id": row.record_id,
        "is_excluded": "false",
    }


def _unbilled(call: Call) -> Mapping[str, Any]:
    account = Account.objects.get(pk=account_no_of(call))
    unbilled = rate_unbilled_usage(client=call.client, account_no=account.pk, today=today(call.client))
    return {
        "currency_cd": account.currency,
        "acct_no": account.pk,
        "client_acct_id": account.client_acct_id or None,
        "ptd_balance_amount": number(unbilled.amount, account.currency),
        "unapp_svc_credit_bal_amount": number(unapplied_credit(account.pk, today(call.client)), account.currency),
        "unbilled_usage_rec": [
            {
                "plan_instance_id": line.plan_instance_id,
                "usage_type_no": line.service_id,
                "usage_type_description": line.description,
                "usage_date": str(line.period_end),
                "units": float(line.units or 0),
                "specific_record_charge_amount": number(line.amount, account.currency),
                "pre_rated_rate": float(line.rate_per_unit or 0),
                "recorded_units": float(line.units or 0),
            }
            for line in unbilled.lines
        ],
    }


def _discard(call: Call) -> Mapping[str, Any]:
    """Remove each record that can be removed, and return the others. Refuses (90009) a caller who may not remove usage."""
    check_may(call.caller, REMOVE)
    arguments = call.arguments
    by_number = [row["usage_record_no"] for row in arguments.get("usage_record_nos", [])]
    by_id = [row["client_record_id"] for row in arguments.get("client_record_ids", [])]
    numbers = usage_nos(call.client, by_id)
    reason = {"reason_code": arguments.get("exclusion_reason_cd"), "comments": arguments["exclusion_comment"]}
    failed = []
    for usage_no, record_id in [*((one, None) for one in by_number), *((numbers.get(one, 0), one) for one in by_id)]:
        try:
            remove_usage(client=call.client, usage_no=usage_no, caller=call.caller, why=reason)
        except BillingError as error:
            named = {"usage_record_no": usage_no or None, "client_record_id": record_id}
            failed.append({**named, "record_error_code": error.code.number, "record_error_msg": error.message})
    return {"failed_records": failed}
