"""Serializers of acts that need a second person."""

from rest_framework import serializers

from accounts.api.fields import IdentityName
from billing_site.common.fields import LongField
from invoices.api.serializers.money import amount_text
from invoices.models import RequestedAct


class RequestedActSerializer(serializers.ModelSerializer):
    """`result_no` is the document or transaction that an approved act created. For a void it is the voiding transaction."""

    acct_no = LongField(source="account_id", read_only=True)
    invoice_no = LongField(source="invoice_id", read_only=True, allow_null=True)
    transaction_id = LongField(source="transaction_no", read_only=True, allow_null=True)
    amount = serializers.SerializerMethodField()
    reason_code = serializers.IntegerField(source="arguments.reason_code", read_only=True)
    comments = serializers.CharField(source="arguments.comments", read_only=True)
    requested_by_name = IdentityName(source="requested_by")
    decided_by_name = IdentityName(source="decided_by")

    class Meta:
        model = RequestedAct
        fields = (
            "id",
            "kind",
            "acct_no",
            "invoice_no",
            "transaction_id",
            "amount",
            "currency",
            "reason_code",
            "comments",
            "state",
            "requested_by",
            "requested_by_name",
            "requested_at",
            "decided_by",
            "decided_by_name",
            "decided_at",
            "result_no",
        )
        read_only_fields = fields

    def get_amount(self, act: RequestedAct) -> str:
        return amount_text(act.amount, act.currency)
