"""Serializers of what is kept of audits and of decisions on many documents."""

from typing import Any

from rest_framework import serializers

from invoices.kinds import DecisionResult
from invoices.models import AuditFinding, AuditRun, Decision, DecisionOutcome


class AuditSerializer(serializers.ModelSerializer):
    """An audit of the client: how many rows it has checked, and how many findings it has."""

    class Meta:
        model = AuditRun
        fields: Any = ("id", "asked_by", "started_at", "finished_at", "rows", "findings_count")


class AuditFindingSerializer(serializers.ModelSerializer):
    """A rule that is broken, and how."""

    rule = serializers.ReadOnlyField(source="audit")
    finding = serializers.ReadOnlyField(source="words")

    class Meta:
        model = AuditFinding
        fields: Any = ("id", "rule", "finding")


class DecisionSerializer(serializers.ModelSerializer):
    """A decision of a member of staff on many documents, with the number of documents by result."""

    decided_by = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField()

    class Meta:
        model = Decision
        fields: Any = ("id", "act", "decided_by", "made_at", "reason", "client_notes", "custom_status_label", "counts")

    def get_decided_by(self, decision: Decision) -> str:
        return f"staff:{decision.staff_id}"

    def get_counts(self, decision: Any) -> dict[str, int]:
        """The number of documents by result: waiting, done, refused and failed."""
        return {result.value: getattr(decision, result.value) for result in DecisionResult}


class DecisionOutcomeSerializer(serializers.ModelSerializer):
    """What a decision did with a document. `new_invoice_no` has taken its place."""

    invoice_no = serializers.ReadOnlyField(source="invoice_id")
    new_invoice_no = serializers.ReadOnlyField(source="new_invoice_id")
    error_msg = serializers.ReadOnlyField(source="message")

    class Meta:
        model = DecisionOutcome
        fields: Any = ("id", "invoice_no", "result", "new_invoice_no", "error_code", "error_msg")
