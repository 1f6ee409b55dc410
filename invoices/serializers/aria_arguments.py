"""What Aria's method calls of invoices take, beside gen_invoice and gen_rb_m: names, types and lengths as on its pages."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from accounts.fields import (
    NO_ACCOUNT,
    NO_INVOICE,
    NO_PLAN_INSTANCE,
    DayField,
    FlagField,
    GivenSerializer,
    LongField,
    ReceiptIdField,
    ShortListField,
    TrueFalseField,
)
from accounts.serializers import AccountArguments
from invoices.kinds import ReasonType
from invoices.serializers.documents import GenInvoiceArguments, validate_client_notes
from invoices.serializers.money import MoneyField, TransHistoryArguments, VoidInvoiceArguments

MOST_INVOICES = 100
"""That one payment pays."""


class PlanScope(AccountArguments):
    """An account, and the plan instance or billing group of it that is meant. Ours: an account is billed whole, so one of its
    plan instances stands for all of them, and there are no billing groups."""

    master_plan_instance_no = LongField(no_such=NO_PLAN_INSTANCE, required=False)
    client_master_plan_instance_id = serializers.CharField(max_length=100, required=False)
    billing_group_no = LongField(required=False)
    client_billing_group_id = serializers.CharField(max_length=100, required=False)


class GenInvoiceMArguments(PlanScope, GenInvoiceArguments):
    combine_invoices = LongField(no_such="combine_invoices", required=False)


class PendingInvoiceArguments(AccountArguments):
    """get_pending_invoice_no."""


class ManagePendingArguments(PlanScope):
    """manage_pending_invoice: the invoice by its number, or the account's pending one. Without a directive it is approved."""

    acct_no = LongField(no_such=NO_ACCOUNT, required=False)
    invoice_no = LongField(no_such=NO_INVOICE, required=False)
    action_directive = LongField(no_such="action_directive", required=False, default=1)
    alt_collect_on_approve = FlagField(required=False, allow_null=True)
    alt_send_statement_on_approve = FlagField(required=False, allow_null=True)
    cancel_orders_on_discard = FlagField(required=False, default=False)
    client_receipt_id = ReceiptIdField()
    custom_status_label = serializers.CharField(max_length=100, required=False)
    client_notes = serializers.CharField(required=False, validators=[validate_client_notes])

    needs_account = False

    def validate(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if not {"invoice_no", "acct_no", "client_acct_id"} & set(asked):
            raise serializers.ValidationError({"invoice_no": "invoice_no or acct_no is needed."}, code="required")
        return asked


class InvoiceDetailsArguments(GivenSerializer):
    """get_invoice_details."""

    acct_no = LongField(no_such=NO_ACCOUNT)
    src_transaction_id = LongField(no_such=NO_INVOICE)


class InvoiceOfAccountArguments(AccountArguments):
    """An invoice of an account: get_invoice_details_m and others."""

    invoice_no = LongField(no_such=NO_INVOICE)


class InvoiceHistoryArguments(GivenSerializer):
    """get_acct_invoice_history."""

    acct_no = LongField(no_such=NO_ACCOUNT)
    start_bill_date = DayField(required=False)
    end_bill_date = DayField(required=False)
    include_voided = TrueFalseField(required=False, default=False)


class InvoiceHistoryMArguments(PlanScope):
    """get_invoice_history_m. `master_plan_instance_no` -1 means all."""

    master_plan_instance_no = LongField(no_such=NO_PLAN_INSTANCE)
    start_bill_date = DayField(required=False)
    end_bill_date = DayField(required=False)
    include_voided = TrueFalseField(required=False, default=False)
    rb_option = LongField(required=False, default=0)

    def validate_rb_option(self, option: int) -> int:
        if option not in (0, 1, 2):
            raise serializers.ValidationError("0, 1 or 2.")
        return option


class VoidMArguments(AccountArguments, VoidInvoiceArguments):
    """void_invoice_m: the account by either name."""


class StatementOfInvoiceArguments(InvoiceOfAccountArguments):
    """get_statement_for_invoice. With `do_encoding` the statement comes in base 64."""

    do_encoding = TrueFalseField(required=False, default=False)


class CollectFromAccountArguments(GivenSerializer):
    """collect_from_account. Ours: an amount is that which is due; parts of it are not collected."""

    account_no = LongField(no_such=NO_ACCOUNT)
    amount_to_collect = MoneyField(required=False)
    client_receipt_id = ReceiptIdField()


class CollectFromAccountMArguments(AccountArguments):
    amount_to_collect = MoneyField(required=False)
    client_receipt_id = ReceiptIdField()


class ExternalPaymentArguments(AccountArguments):
    """record_external_payment."""

    payment_amount = MoneyField()
    reference_code = serializers.CharField(max_length=32)
    comments = serializers.CharField(max_length=200, required=False, default="")
    payment_received_date = DayField(required=False)
    invoice_no = ShortListField(child=LongField(no_such=NO_INVOICE), max_length=MOST_INVOICES, required=False)
    client_receipt_id = ReceiptIdField()

    def to_internal_value(self, data: Any) -> Any:
        """One invoice may come as a number, not as a list."""
        if isinstance(data, Mapping) and "invoice_no" in data and not isinstance(data["invoice_no"], list):
            data = {**data, "invoice_no": str(data["invoice_no"]).split("|", MOST_INVOICES)}
        return super().to_internal_value(data)


class TransHistoryMArguments(AccountArguments, TransHistoryArguments):
    """get_acct_trans_history_m: the account by either name."""

    account_no = LongField(no_such=NO_ACCOUNT, required=False)


class ReasonCodesArguments(GivenSerializer):
    """get_reason_code_m: reasons of a type, or of all."""

    reason_code_type = serializers.ChoiceField(choices=ReasonType.choices, required=False)
    reason_code = LongField(max_digits=4, required=False)


class NewReasonCodeArguments(GivenSerializer):
    """create_reason_code_m. Ours: client_receipt_id."""

    reason_code_type = serializers.ChoiceField(choices=ReasonType.choices)
    reason_code = LongField(max_digits=4)
    reason_code_name = serializers.CharField(max_length=100)
    client_receipt_id = ReceiptIdField()
