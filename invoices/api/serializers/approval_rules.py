"""Serializers of approval rules, their trial, and who stands in for whom."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from accounts.api.fields import IdentityName, OwnRowField
from accounts.api.serializers import RowSerializer
from accounts.models import Plan
from accounts.staff import name_of, name_of_user
from billing_site.common.fields import DayField, LongField, ShortListField
from billing_site.common.limits import COMMENTS_LENGTH
from invoices.kinds import Flag
from invoices.models import ApprovalRule, ApprovalRules, GivenApproval, StandIn
from invoices.services.approving.rule_trial import USUAL_DAYS, Trial, TriedRule
from invoices.services.approving.rules import MOST_RULES, RULED_KINDS, TERMS
from invoices.services.planning.rule_matching import Ruled

LONGEST_TRIAL = 1000


class WordsField(serializers.MultipleChoiceField):
    """A list of words of a fixed list. Stored as text, separated by commas, in the order of the list."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            self.fail("not_a_list", input_type=type(data).__name__)
        chosen = super().to_internal_value(data)
        return ",".join(word for word in self.choices if word in chosen)

    def to_representation(self, value: Any) -> Any:
        return value.split(",") if value else []


class RuleSerializer(RowSerializer):
    """A rule. Its conditions must all apply; those that are empty always do, but only `kinds` must name rebills. The first rule
    that applies decides."""

    kinds = WordsField(choices=[one.value for one in RULED_KINDS], required=False)
    flags = WordsField(choices=Flag.values, required=False)
    plan = OwnRowField(queryset=Plan.objects, required=False, allow_null=True)
    approvers = LongField(max_digits=2, required=False)

    class Meta:
        model = ApprovalRule
        fields = ("position", *TERMS)
        read_only_fields = ("position",)


class NewRulesArguments(serializers.Serializer):
    """All rules of the new version, in the order in which they are tried on a document. `comments` say why they change."""

    rules = ShortListField(child=RuleSerializer(), allow_empty=False, max_length=MOST_RULES)
    comments = serializers.CharField(max_length=COMMENTS_LENGTH, required=False, allow_blank=True)


class RulesSerializer(RowSerializer):
    """A version of the approval rules."""

    made_by = IdentityName()
    switched_by = IdentityName()
    rules = RuleSerializer(many=True, source="rows")

    class Meta:
        model = ApprovalRules
        fields = ("id", "version", "is_on", "comments", "made_by", "made_at", "switched_by", "switched_at", "rules")


class TrialArguments(serializers.Serializer):
    """The number of days of the past, 90 if it is not given."""

    days = serializers.IntegerField(min_value=1, max_value=LONGEST_TRIAL, required=False, default=USUAL_DAYS)


class TriedRuleSerializer(serializers.Serializer):
    """What came of the documents that a rule decides about. `rule` is null for those that no rule decides about."""

    rule = serializers.SerializerMethodField()
    documents = serializers.IntegerField()
    by_itself = serializers.IntegerField()
    rebilled = serializers.IntegerField()
    credited = serializers.IntegerField()
    voided = serializers.IntegerField()
    discarded = serializers.IntegerField()

    def get_rule(self, tried: TriedRule) -> str | None:
        return tried.rule.name if tried.rule else None


class TrialSerializer(serializers.Serializer):
    """A version tried on the documents that were pending in the last days. `not_pending` were issued without approval, so the
    rules could not be tried on them."""

    days = serializers.IntegerField()
    total = serializers.SerializerMethodField()
    rules = TriedRuleSerializer(many=True)
    not_pending = serializers.IntegerField()

    def get_total(self, trial: Trial) -> dict[str, int]:
        counts = dict(TriedRuleSerializer(trial.total).data)
        counts.pop("rule")
        return counts


class StopArguments(serializers.Serializer):
    reason = serializers.CharField(max_length=COMMENTS_LENGTH, required=False, allow_blank=True)


class GivenApprovalSerializer(serializers.Serializer):
    """An approval by one person. `given_by` is their name."""

    given_by = serializers.SerializerMethodField()
    given_at = serializers.DateTimeField()

    def get_given_by(self, given: GivenApproval) -> str:
        return name_of(given.given_by)


class ApprovalSerializer(serializers.Serializer):
    """How a document is approved under the rules that are on. Without a rule, one person with the right approves it.

    `approves_at`: when it approves by itself; null if it does not, or was stopped. `needs_person`: four eyes apply, so it never
    does. `approvers`: how many people must approve it; `given` are the approvals that count.
    """

    rule = serializers.CharField(source="rule.name", allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    approves_at = serializers.SerializerMethodField()
    needs_person = serializers.BooleanField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    stopped_by = serializers.SerializerMethodField()
    reason = serializers.CharField()
    role = serializers.CharField(source="rule.role")
    approvers = serializers.IntegerField(source="rule.approvers")
    escalated_at = serializers.DateTimeField(allow_null=True)

    def get_approves_at(self, ruled: Ruled) -> str | None:
        if ruled.approves_at is None or not ruled.is_automatic:
            return None
        return serializers.DateTimeField().to_representation(ruled.approves_at)

    def get_stopped_by(self, ruled: Ruled) -> str:
        return name_of(ruled.stopped_by)


class DocumentApprovalSerializer(serializers.Serializer):
    """The rule that decides about a pending document, null if none does, and the approvals that it has."""

    rule = ApprovalSerializer(allow_null=True)
    given = GivenApprovalSerializer(many=True)


class StandInSerializer(RowSerializer):
    """A member of staff who is away, and who approves in their role meanwhile. Both by name."""

    person = serializers.SerializerMethodField()
    stand_in = serializers.SerializerMethodField()
    set_by = IdentityName()

    class Meta:
        model = StandIn
        fields = ("id", "person", "stand_in", "first_day", "last_day", "set_by", "set_at")

    def get_person(self, row: StandIn) -> str:
        return name_of_user(row.person)

    def get_stand_in(self, row: StandIn) -> str:
        return name_of_user(row.stand_in)


class StandInArguments(serializers.Serializer):
    """The user names of who is away and who stands in, and the days."""

    person = serializers.CharField(max_length=150)
    stand_in = serializers.CharField(max_length=150)
    first_day = DayField()
    last_day = DayField()
