"""Serializers and filters of campaigns: selection, rules, figures, and documents."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet, TextChoices
from django.utils.translation import gettext_lazy as _
from django_filters.filterset import FilterSet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.kinds import CreditTo
from billing_site.common.fields import (
    ChoicesFilter,
    DayField,
    DigitsField,
    LongField,
    LongFilter,
    ShortListField,
    TrueFalseField,
)
from billing_site.common.limits import DOCUMENT_COMMENTS_LENGTH, LINE_COMMENTS_LENGTH, PO_NUM_LENGTH
from invoices.api.serializers.money import AmountField
from invoices.api.serializers.runs import MOST_VALUES, NameOrNumberField
from invoices.services.runs.filters import MOST_ACCOUNTS
from rebills.kinds import CampaignState, ItemState, RuleChange, Statements
from rebills.models import CampaignItem, RebillCampaign
from rebills.plan.discounts import MOST_DECIMALS
from rebills.services.campaigns.campaigns import CampaignOptions
from rebills.services.campaigns.figures import (
    corrected_before,
    count_items,
    count_refused,
    falls_to_zero,
    find_outliers,
    sum_by_currency,
    sum_taxes,
    with_other_sign,
)
from rebills.services.campaigns.files import COLUMNS, FIELDS
from rebills.services.campaigns.rules import MOST_RULES
from rebills.services.campaigns.statements import count_held
from rebills.services.campaigns.undo_preview import preview_campaign_undo

MOST_CHANGES = 10_000


def _named(most: int = MOST_VALUES) -> ShortListField:
    return ShortListField(child=NameOrNumberField(max_length=100), max_length=most, required=False)


class NumberField(DigitsField):
    """A rate, factor, percentage, number of units or amount."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=20, decimal_places=MOST_DECIMALS, required=False, **options)


class SelectionArguments(serializers.Serializer):
    """Which documents are corrected. They must match each part that is not empty; within a part one value is enough.

    `services`, `plans`, `line_types`, `rate` and the charged days must match on one line.
    """

    invoices = _named(MOST_ACCOUNTS)
    accounts = _named(MOST_ACCOUNTS)
    currencies = _named()
    dated_from = DayField(required=False)
    dated_until = DayField(required=False)
    services = _named()
    plans = _named()
    line_types = _named()
    rate = NumberField()
    charged_from = DayField(required=False)
    charged_until = DayField(required=False)


class RuleArguments(serializers.Serializer):
    """One change, on the lines that match each condition which is not empty.

    `value`: the rate, factor, percentage, units or amount. `text`: the PO number or text. `number`: the contact or location, or
    the service of an added line. `decimals`: to how many decimals new rates are rounded.
    """

    change = serializers.ChoiceField(choices=RuleChange.choices)
    value = NumberField()
    text = serializers.CharField(max_length=PO_NUM_LENGTH, required=False)
    number = LongField(required=False)
    units = NumberField()
    decimals = LongField(max_digits=2, required=False)
    comments = serializers.CharField(max_length=LINE_COMMENTS_LENGTH, required=False)
    services = _named()
    plans = _named()
    line_types = _named()
    charged_from = DayField(required=False)
    charged_until = DayField(required=False)
    at_rate = NumberField()


class LineChangeArguments(serializers.Serializer):
    """A change of one line, as a row of the file of `manage.py rebill_campaign`."""

    invoice = NameOrNumberField(max_length=50)
    line = NameOrNumberField(max_length=9)
    field = serializers.ChoiceField(choices=list(FIELDS))
    value = NameOrNumberField(max_length=PO_NUM_LENGTH, allow_blank=True)


class OptionArguments(serializers.Serializer):
    """How the rebills are issued. `collect_limit` is for one rebill, `collect_total_limit` for all of one currency. So are
    the limits of refunds. `credit_to` says where payments go that the rebills free."""

    reason_code = LongField(max_digits=4)
    comments = serializers.CharField(max_length=DOCUMENT_COMMENTS_LENGTH, required=False)
    statements = serializers.ChoiceField(choices=Statements.choices, required=False)
    collect = TrueFalseField(required=False)
    collect_limit = DigitsField(max_digits=15, decimal_places=4, required=False, min_value=0)
    collect_total_limit = DigitsField(max_digits=15, decimal_places=4, required=False, min_value=0)
    keep_due_date = TrueFalseField(required=False)
    credit_to = serializers.ChoiceField(choices=CreditTo.choices, required=False)
    refund_limit = DigitsField(max_digits=15, decimal_places=4, required=False, min_value=0)
    refund_total_limit = DigitsField(max_digits=15, decimal_places=4, required=False, min_value=0)


class CampaignArguments(OptionArguments):
    """A campaign: `selection` or `changes` say which documents, `rules` and `changes` what is changed on them."""

    name = serializers.CharField(max_length=100)
    selection = SelectionArguments(required=False)
    rules = ShortListField(child=RuleArguments(), max_length=MOST_RULES, required=False)
    changes = ShortListField(child=LineChangeArguments(), max_length=MOST_CHANGES, required=False)


class RecheckArguments(serializers.Serializer):
    """Which issued invoices are compared with what they would be today."""

    selection = SelectionArguments()


class CorrectionArguments(OptionArguments):
    """How the differences of a recheck are corrected."""

    name = serializers.CharField(max_length=100)


class RulesArguments(serializers.Serializer):
    """New rules of a campaign, in the place of its rules."""

    rules = ShortListField(child=RuleArguments(), max_length=MOST_RULES, allow_empty=False)


class CampaignApprovalArguments(serializers.Serializer):
    """`fingerprint`: that of the preview which was seen; of an undo, that of `undo`."""

    fingerprint = serializers.CharField(max_length=64)


def options_of(arguments: Mapping[str, Any]) -> CampaignOptions:
    """Return the options of a body."""
    return CampaignOptions(
        reason_code=arguments["reason_code"],
        comments=arguments.get("comments", ""),
        statements=Statements(arguments.get("statements", Statements.HELD)),
        collect=arguments.get("collect", False),
        collect_limit=arguments.get("collect_limit"),
        collect_total_limit=arguments.get("collect_total_limit"),
        keeps_due_date=arguments.get("keep_due_date"),
        credit_to=arguments.get("credit_to", ""),
        refund_limit=arguments.get("refund_limit"),
        refund_total_limit=arguments.get("refund_total_limit"),
    )


def numbered_changes(arguments: Mapping[str, Any]) -> list[tuple[int, Mapping[str, str]]]:
    """Return the changes of a body as rows, numbered from 1."""
    return [
        (place, {name: str(one[name]).strip() for name in COLUMNS}) for place, one in enumerate(arguments.get("changes", ()), 1)
    ]


class CampaignTotalsSerializer(serializers.Serializer):
    currency = serializers.ReadOnlyField()
    documents = serializers.ReadOnlyField()
    total_before = AmountField()
    total_after = AmountField()
    difference = AmountField()
    tax_before = AmountField()
    tax_after = AmountField()
    carried = AmountField()
    collected = AmountField()
    refunded = AmountField()
    left_as_credit = AmountField()
    to_other_invoices = AmountField()
    due = AmountField()


class TaxTotalsSerializer(serializers.Serializer):
    currency = serializers.ReadOnlyField()
    authority = serializers.ReadOnlyField()
    jurisdiction = serializers.ReadOnlyField()
    percent = serializers.CharField(read_only=True)
    before = AmountField()
    after = AmountField()
    difference = AmountField()


class RefusedDocumentsSerializer(serializers.Serializer):
    error_code = serializers.ReadOnlyField()
    message = serializers.ReadOnlyField()
    documents = serializers.ReadOnlyField()


class CampaignSerializer(serializers.ModelSerializer):
    keep_due_date = serializers.BooleanField(source="keeps_due_date", read_only=True, allow_null=True)
    credit_to = serializers.ChoiceField(choices=CreditTo.choices, allow_blank=True, read_only=True)

    class Meta:
        model = RebillCampaign
        fields: Any = (
            *("id", "name", "state", "is_recheck", "selection", "rules", "reason_code", "comments", "statements"),
            *("collect", "collect_limit", "collect_total_limit", "credit_to", "refund_limit", "refund_total_limit"),
            *("keep_due_date", "built_by", "built_at", "previewed_at"),
            *("fingerprint", "approved_by", "approved_at", "started_at", "finished_at", "stop_reason"),
        )
        read_only_fields = fields


class UndoTotalsSerializer(serializers.Serializer):
    currency = serializers.CharField()
    documents = serializers.IntegerField()
    balance_change = AmountField()
    paid = AmountField()


class CampaignUndoSerializer(serializers.Serializer):
    """What undoing a campaign would do: how many rebills, by how much balances change, and what payments pay of the rebills
    now. The approval of the undo needs the fingerprint."""

    totals = UndoTotalsSerializer(many=True)
    fingerprint = serializers.CharField()


class CampaignDetailSerializer(CampaignSerializer):
    """A campaign with what its documents add up to."""

    counts = serializers.SerializerMethodField()
    totals = serializers.SerializerMethodField()
    taxes = serializers.SerializerMethodField()
    refused = serializers.SerializerMethodField()
    outliers = serializers.SerializerMethodField()
    statements_held = serializers.SerializerMethodField()
    undo = serializers.SerializerMethodField()

    class Meta(CampaignSerializer.Meta):
        fields = (
            *CampaignSerializer.Meta.fields,
            *("counts", "totals", "taxes", "refused", "outliers", "statements_held", "undo"),
        )
        read_only_fields = fields

    def get_counts(self, campaign: RebillCampaign) -> dict[str, int]:
        return {state.value: count for state, count in count_items(campaign).items()}

    def get_totals(self, campaign: RebillCampaign) -> list[dict[str, Any]]:
        return list(CampaignTotalsSerializer(sum_by_currency(campaign), many=True).data)

    def get_taxes(self, campaign: RebillCampaign) -> list[dict[str, Any]]:
        return list(TaxTotalsSerializer(sum_taxes(campaign), many=True).data)

    def get_refused(self, campaign: RebillCampaign) -> list[dict[str, Any]]:
        return list(RefusedDocumentsSerializer(count_refused(campaign), many=True).data)

    def get_outliers(self, campaign: RebillCampaign) -> dict[str, Any]:
        """The documents with the largest differences; how many have a difference with another sign than the sum of their
        currency; how many fall to zero; how many are rebills of another campaign, and so are corrected a second time."""
        found = find_outliers(campaign)
        largest = list(CampaignItemSerializer(found.largest, many=True).data)
        return {"largest": largest, **{name: getattr(found, name) for name in Outlier.values}}

    def get_statements_held(self, campaign: RebillCampaign) -> int:
        """How many issued rebills have no statement yet."""
        return count_held(campaign)

    @extend_schema_field(CampaignUndoSerializer(allow_null=True))
    def get_undo(self, campaign: RebillCampaign) -> Any:
        """What the undo that was asked for would do now, by currency. Null if none was asked for."""
        if campaign.state != CampaignState.UNDO_ASKED:
            return None
        return CampaignUndoSerializer(preview_campaign_undo(campaign)).data


class CampaignItemSerializer(serializers.ModelSerializer):
    """One document of a campaign: what its rebill would be, or is, and why it was refused."""

    invoice_no = serializers.ReadOnlyField(source="invoice_id")
    document_number = serializers.ReadOnlyField(source="invoice.document_number")
    acct_no = serializers.ReadOnlyField(source="account_id")
    client_acct_id = serializers.ReadOnlyField(source="account.client_acct_id")
    rebill_no = serializers.ReadOnlyField(source="rebill_id")
    total_before = AmountField()
    tax_before = AmountField()
    total_after = AmountField()
    tax_after = AmountField()
    difference = AmountField()
    carried = AmountField()
    collected = AmountField()
    refunded = AmountField()
    left_as_credit = AmountField()
    to_other_invoices = AmountField()
    due = AmountField()
    error_msg = serializers.ReadOnlyField(source="message")

    class Meta:
        model = CampaignItem
        fields: Any = (
            *("id", "invoice_no", "document_number", "acct_no", "client_acct_id", "state", "currency"),
            *("total_before", "tax_before", "total_after", "tax_after", "difference", "carried", "is_collected", "collected"),
            *("keeps_credit", "refunded", "left_as_credit", "to_other_invoices", "due", "rebill_no", "error_code", "error_msg"),
        )
        read_only_fields = fields


class Outlier(TextChoices):
    """What can stand out about a document."""

    OTHER_SIGN = "other_sign", _("Changes in the other direction")
    ZERO = "zero", _("Falls to zero")
    CORRECTED_BEFORE = "corrected_before", _("Corrected by a campaign before")


class CampaignItemFilter(FilterSet):
    state = ChoicesFilter(ItemState)
    error_code = LongFilter("error_code")
    acct_no = LongFilter("account")
    outlier = ChoicesFilter(Outlier, field_name="pk", method="filter_outlier")

    class Meta:
        model = CampaignItem
        fields = ()

    def filter_outlier(self, rows: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        """Keep documents that stand out in one of these ways."""
        if not value:
            return rows
        first = rows.select_related("campaign").first()
        if first is None:
            return rows
        found = {
            Outlier.OTHER_SIGN: with_other_sign(first.campaign),
            Outlier.ZERO: falls_to_zero(),
            Outlier.CORRECTED_BEFORE: corrected_before(),
        }
        condition = found[Outlier(value[0])]
        for one in value[1:]:
            condition |= found[Outlier(one)]
        return rows.filter(condition)
