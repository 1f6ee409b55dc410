"""Serializers of billing runs, their outcomes and filters."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.api.fields import OwnRowField
from accounts.models import Client
from billing_site.common.fields import DayField, DigitsField, LongField, ShortListField, TrueFalseField
from invoices.api.serializers.money import AmountField
from invoices.kinds import RunMode
from invoices.models import BillingRun, RunFilter, RunOutcome
from invoices.services.runs.comparisons import comparisons_of
from invoices.services.runs.figures import count_flags, count_refusals, count_results, pending_of_run, run_totals
from invoices.services.runs.filters import MOST_ACCOUNTS
from invoices.services.runs.left_out import left_out_of
from invoices.services.runs.limits import LIMITS

LONGEST_VALUE = 100
MOST_VALUES = 1000


class NameOrNumberField(serializers.CharField):
    """A text or number. Stored values are shown as they are."""

    def to_representation(self, value: Any) -> Any:
        return value


def _values(most: int = MOST_VALUES) -> ShortListField:
    return ShortListField(child=NameOrNumberField(max_length=LONGEST_VALUE), max_length=most, required=False)


class FilterArguments(serializers.Serializer):
    """Which accounts are billed. They must match each part that is not empty; within a part one value is enough."""

    due_until = DayField(required=False, allow_null=True, help_text="Accounts whose next bill date is on this day or before.")
    bill_days = _values()
    accounts = ShortListField(
        child=NameOrNumberField(max_length=LONGEST_VALUE),
        max_length=MOST_ACCOUNTS,
        required=False,
        allow_empty=False,
        help_text="Account numbers or client_acct_ids, each once. Leave it out to bill all: an empty list is refused.",
    )
    plans = _values()
    currencies = _values()
    countries = _values()
    regions = _values()
    payment_methods = _values()


class LimitField(DigitsField):
    """A limit of a run. null: no limit, also if the client has one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 15, "decimal_places": 4, "required": False, "allow_null": True, **options})


class RunArguments(serializers.Serializer):
    """What a run bills, how, and when it stops. A limit that is left out is the client's."""

    filter = FilterArguments(required=False)
    filter_name = serializers.CharField(max_length=100, required=False, help_text="A saved filter, instead of `filter`.")
    mode = serializers.ChoiceField(choices=RunMode.choices, required=False)
    stop_above_refusals = LongField(max_digits=9, required=False, allow_null=True)
    stop_above_refused_percent = LimitField(decimal_places=2, max_digits=5, max_value=100)
    stop_above_percent_of_last = LimitField(decimal_places=2, max_digits=7)
    stop_above_invoice = LimitField()


class RunCreationArguments(RunArguments):
    """`compared_with` is a finished dry run. The run gets its filter and mode, and is compared with it."""

    compared_with = OwnRowField(queryset=BillingRun.objects.all(), required=False, allow_null=True)


class RetryArguments(serializers.Serializer):
    """`only_failed`: not the accounts that a rule has refused, only those that something was in the way of."""

    only_failed = TrueFalseField(required=False, default=False)


def limits_of(client: Client, arguments: Mapping[str, Any]) -> dict[str, Decimal | int | None]:
    """The limits of a new run: those of the body, and the client's for the others."""
    return {name: arguments[name] if name in arguments else getattr(client, name) for name in LIMITS}


class BillingRunSerializer(serializers.ModelSerializer):
    class Meta:
        model = BillingRun
        fields: Any = (
            *("id", "bill_date", "state", "mode", "is_dry_run", "filter", "compared_with"),
            *LIMITS,
            *("started_by", "started_at", "finished_at", "stop_reason"),
        )
        read_only_fields: Any = LIMITS


class RunTotalsSerializer(serializers.Serializer):
    currency = serializers.ReadOnlyField()
    invoices = serializers.ReadOnlyField()
    net_amount = AmountField()
    tax_amount = AmountField()
    total_amount = AmountField()


class RefusedSerializer(serializers.Serializer):
    error_code = serializers.ReadOnlyField()
    message = serializers.ReadOnlyField()
    accounts = serializers.ReadOnlyField()


class LeftOutSerializer(serializers.Serializer):
    """An account that the filter lists and the run does not take in, with its next bill date now."""

    acct_no = serializers.ReadOnlyField()
    client_acct_id = serializers.ReadOnlyField()
    next_bill_date = serializers.ReadOnlyField()
    reason = serializers.ReadOnlyField(source="reason.value")


class BillingRunDetailSerializer(BillingRunSerializer):
    """A billing run with results counted from its outcomes, totals from its invoices, and what differs from earlier runs."""

    counts = serializers.SerializerMethodField()
    pending = serializers.SerializerMethodField()
    refused = serializers.SerializerMethodField()
    flags = serializers.SerializerMethodField()
    totals = serializers.SerializerMethodField()
    differences = serializers.SerializerMethodField()
    left_out = serializers.SerializerMethodField()

    class Meta(BillingRunSerializer.Meta):
        fields = (
            *BillingRunSerializer.Meta.fields,
            "counts",
            "pending",
            "refused",
            "flags",
            "totals",
            "differences",
            "left_out",
        )

    def get_counts(self, run: BillingRun) -> dict[str, int]:
        return {result.value: count for result, count in count_results(run).items()}

    def get_pending(self, run: BillingRun) -> int:
        """How many of its invoices are pending."""
        return pending_of_run(run)

    def get_refused(self, run: BillingRun) -> list[dict[str, Any]]:
        return list(RefusedSerializer(count_refusals(run), many=True).data)

    def get_flags(self, run: BillingRun) -> dict[str, int]:
        """How many of its invoices have each flag. Of a run: lack an address (no_address) or a tax rate (no_rate). Of a dry
        run: all flags that they would have."""
        return {flag.value: count for flag, count in count_flags(run).items()}

    def get_totals(self, run: BillingRun) -> list[dict[str, Any]]:
        return list(RunTotalsSerializer(run_totals(run), many=True).data)

    def get_left_out(self, run: BillingRun) -> dict[str, Any]:
        """How many accounts the filter lists by name that the run does not take in, because they are not due or do not match
        its other parts, and the first 100 of them."""
        found = left_out_of(run)
        return {"count": found.accounts, "accounts": list(LeftOutSerializer(found.first, many=True).data)}

    def get_differences(self, run: BillingRun) -> list[dict[str, Any]]:
        """How the run differs from its dry run and from the last one like it: above 0 is more, below is less."""
        return [
            {
                "run": earlier.pk,
                "is_dry_run": earlier.is_dry_run,
                "accounts": found.accounts,
                "invoices": found.invoiced,
                "refused": found.refused,
                "refusals": [{"error_code": code, "accounts": count} for code, count in found.refusals.items()],
                "totals": [{"currency": currency, "total_amount": str(amount)} for currency, amount in found.totals.items()],
            }
            for earlier, found in comparisons_of(run)
        ]


class OutcomeAmountField(AmountField):
    """An amount of the invoice, or of the one that would be generated."""

    def get_attribute(self, instance: Any) -> str | None:
        return super().get_attribute(instance.invoice or instance)


class RunOutcomeSerializer(serializers.ModelSerializer):
    """What a run did for an account, or would do. Only a dry run has the previous total, the change and the flags."""

    acct_no = serializers.ReadOnlyField(source="account_id")
    invoice_no = serializers.ReadOnlyField(source="invoice_id")
    error_msg = serializers.ReadOnlyField(source="message")
    currency = serializers.SerializerMethodField()
    net_amount = OutcomeAmountField()
    tax_amount = OutcomeAmountField()
    total_amount = OutcomeAmountField()
    previous_total = AmountField()
    change_amount = AmountField()
    flags = serializers.ReadOnlyField()

    class Meta:
        model = RunOutcome
        fields: Any = (
            *("acct_no", "result", "invoice_no", "error_code", "error_msg", "other_run"),
            *("currency", "net_amount", "tax_amount", "total_amount", "previous_total", "change_amount", "flags"),
        )

    def get_currency(self, outcome: RunOutcome) -> str:
        return (outcome.invoice or outcome).currency


class RunFilterSerializer(serializers.ModelSerializer):
    """A filter that is saved by a name. One that has the name already is replaced."""

    filter = FilterArguments()

    class Meta:
        model = RunFilter
        fields = ("id", "name", "filter")
        read_only_fields = ("id",)

    def to_representation(self, saved: RunFilter) -> dict[str, Any]:
        return {"id": saved.pk, "name": saved.name, "filter": saved.filter}
