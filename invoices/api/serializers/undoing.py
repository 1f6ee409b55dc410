"""Serializers of the undo of a void, a credit memo, a write-off, a dispute or a refund."""

from rest_framework import serializers

from invoices.api.serializers.money import PlannedAmountField, ReasonArguments, amount_text
from invoices.models import Invoice
from invoices.services.correcting.memo_undoing import UndoMemoPlan, undo_memo_needs_approval
from invoices.services.correcting.void_undoing import UndoVoidPlan, undo_void_needs_approval


class UndoVoidArguments(ReasonArguments):
    """Why a void or a transaction is undone. `reason_code` is one of the reasons of voids. `fingerprint` binds the act to its
    preview."""

    fingerprint = serializers.CharField(max_length=64, required=False, allow_blank=True)


class OpenAfterSerializer(serializers.Serializer):
    """What is open on an invoice before and after the undo."""

    invoice_no = serializers.IntegerField(source="invoice.pk")
    document_number = serializers.CharField(source="invoice.document_number")
    due_before = PlannedAmountField(source="before")
    due_after = PlannedAmountField(source="after")


class UndoVoidPreviewSerializer(serializers.Serializer):
    """What undoing a void would do. `due` has the invoice to restore first, then other invoices whose open amounts change.
    `context` has the currency and the client."""

    invoice_no = serializers.IntegerField(source="voided.pk")
    acct_no = serializers.IntegerField(source="voided.account_id")
    currency = serializers.CharField(source="voided.currency")
    total_amount = PlannedAmountField(source="voided.total_amount")
    due = OpenAfterSerializer(many=True)
    balance_before = PlannedAmountField()
    balance_after = PlannedAmountField()
    waits_for_approval = serializers.SerializerMethodField()
    fingerprint = serializers.CharField(source="seen")

    def get_waits_for_approval(self, plan: UndoVoidPlan) -> bool:
        return undo_void_needs_approval(self.context["client"], plan)


class UndoTransactionPreviewSerializer(serializers.Serializer):
    """What undoing a write-off, dispute or refund would do. `due` has the invoices whose open amounts change. `context` has the
    currency."""

    transaction_id = serializers.IntegerField(source="entry.pk")
    kind = serializers.CharField(source="entry.kind")
    acct_no = serializers.IntegerField(source="entry.account_id")
    currency = serializers.CharField(source="entry.account.currency")
    due = OpenAfterSerializer(many=True)
    balance_before = PlannedAmountField()
    balance_after = PlannedAmountField()
    fingerprint = serializers.CharField(source="seen")


class UndoMemoArguments(ReasonArguments):
    """Why a credit memo is undone. `reason_code` is one of the reasons of credit memos. `fingerprint` binds the act to its
    preview."""

    fingerprint = serializers.CharField(max_length=64, required=False, allow_blank=True)


class UndoMemoPreviewSerializer(serializers.Serializer):
    """What undoing a credit memo would do. `due` has its invoice first, then other invoices whose open amounts change.
    `context` has the currency and the client."""

    memo_no = serializers.IntegerField(source="memo.pk")
    invoice_no = serializers.IntegerField(source="invoice.pk")
    acct_no = serializers.IntegerField(source="memo.account_id")
    currency = serializers.CharField(source="memo.currency")
    total_amount = PlannedAmountField(source="memo.total_amount")
    due = OpenAfterSerializer(many=True)
    balance_before = PlannedAmountField()
    balance_after = PlannedAmountField()
    waits_for_approval = serializers.SerializerMethodField()
    fingerprint = serializers.CharField(source="seen")

    def get_waits_for_approval(self, plan: UndoMemoPlan) -> bool:
        return undo_memo_needs_approval(self.context["client"], plan)


class DocumentAmountField(serializers.ReadOnlyField):
    """An amount of a document as text, in the precision of its currency."""

    def get_attribute(self, instance: Invoice) -> str:
        return amount_text(getattr(instance, self.source or ""), instance.currency)


class UndoneDocumentSerializer(serializers.ModelSerializer):
    """A document of an undo: one that is undone, or a reversal."""

    invoice_no = serializers.IntegerField(source="pk")
    corrects = serializers.IntegerField(source="corrects_id", allow_null=True)
    net_amount = DocumentAmountField()
    tax_amount = DocumentAmountField()
    total_amount = DocumentAmountField()

    class Meta:
        model = Invoice
        fields = ("invoice_no", "kind", "status", "document_number", "corrects", "net_amount", "tax_amount", "total_amount")


class UndoneMemoSerializer(serializers.Serializer):
    """An undone credit memo. `invoice_no` is the invoice that it credited; `reversal` offsets the memo."""

    memo_no = serializers.IntegerField(source="memo.pk")
    invoice_no = serializers.IntegerField(source="memo.corrects_id")
    acct_no = serializers.IntegerField(source="memo.account_id")
    currency = serializers.CharField(source="memo.currency")
    status = serializers.CharField(source="memo.status")
    reversal = UndoneDocumentSerializer()
