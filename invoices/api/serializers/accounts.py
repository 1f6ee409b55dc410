"""Accounts in the CSV file of the back office's list."""

from rest_framework import serializers

from invoices.api.serializers.money import AmountField
from invoices.services.lists.accounts import AccountRow


class AccountRowSerializer(serializers.Serializer):
    acct_no = serializers.ReadOnlyField()
    client_acct_id = serializers.ReadOnlyField()
    name = serializers.ReadOnlyField()
    company = serializers.ReadOnlyField()
    status = serializers.ReadOnlyField()
    status_text = serializers.ReadOnlyField()
    currency = serializers.ReadOnlyField()
    is_test = serializers.ReadOnlyField()
    approval_required = serializers.ReadOnlyField()
    plans = serializers.SerializerMethodField()
    next_bill_date = serializers.ReadOnlyField()
    balance = AmountField()
    pending_invoice = serializers.ReadOnlyField()

    def get_plans(self, row: AccountRow) -> str:
        return "; ".join(row.plans)
