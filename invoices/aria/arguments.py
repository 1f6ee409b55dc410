"""Arguments of Aria's method calls for invoices, except gen_invoice and gen_rb_m: names, types and lengths as on its pages."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework.fields import empty

from accounts.api.fields import NO_ACCOUNT, NO_INVOICE, NO_PLAN_INSTANCE, NO_TRANSACTION, ReceiptIdField
from accounts.api.serializers import AccountArguments
from accounts.validators import validate_currency
from billing_site.common.fields import DayField, FlagField, GivenSerializer, LongField, TrueFalseField, rows_of
from invoices.api.serializers.documents import GenInvoiceArguments, validate_client_notes
from invoices.api.serializers.money import MoneyField, TransHistoryArguments, VoidInvoiceArguments
from invoices.aria.unsupported import ANOTHER_PAYMENT_METHOD, COLLECTION, EXTERNAL_PAYMENT
from invoices.kinds import ReasonType

OLDEST_FIRST = 1
MOST_INVOICES = 100
"""Limit of invoices that one payment pays or one call collects."""


def validate_oldest_first(method: int) -> None:
    """Refuse an Aria `payment_application_method` other than 1, the oldest invoice first."""
    if method != OLDEST_FIRST:
        raise serializers.ValidationError(f"Only {OLDEST_FIRST} (oldest first); others are not supported here.")


class UserIdField(serializers.CharField):
    """An account by Aria's user id, which is `client_acct_id` here."""

    def __init__(self) -> None:
        super().__init__(max_length=50, required=False)


class TextField(serializers.CharField):
    """An optional text of at most this length."""

    def __init__(self, length: int) -> None:
        super().__init__(max_length=length, required=False)


class CurrencyField(serializers.CharField):
    """A currency by its three letters, in lower case."""

    def __init__(self) -> None:
        super().__init__(max_length=3)

    def run_validation(self, data: Any = empty) -> Any:
        code = super().run_validation(data)
        try:
            validate_currency(code)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error
        return code


class InvoiceRow(GivenSerializer):
    invoice_no = LongField(no_such=NO_INVOICE)


class ChargeRow(GivenSerializer):
    specific_charge_transaction_id = LongField(no_such=NO_TRANSACTION)


class OneArray(serializers.Serializer):
    """Accepts at most one of the arrays that say what is paid."""

    arrays = ("invoice_no", "specific_invoices_list", "specific_charge_transaction_id")

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        sent = [name for name in self.arrays if values.get(name)]
        if len(sent) > 1:
            raise serializers.ValidationError({sent[1]: f"Give {' or '.join(sent)}, not both."})
        return values


class PlanScope(AccountArguments):
    """An account, and its plan instance or billing group.

    Here an account is billed as a whole: any of its plan instances stands for all of them. Billing groups are not supported.
    """

    master_plan_instance_no = LongField(no_such=NO_PLAN_INSTANCE, required=False)
    client_master_plan_instance_id = serializers.CharField(max_length=100, required=False)
    billing_group_no = LongField(required=False)
    client_billing_group_id = serializers.CharField(max_length=100, required=False)


class GenInvoiceMArguments(PlanScope, GenInvoiceArguments):
    combine_invoices = LongField(no_such="combine_invoices", required=False)


class PendingInvoiceArguments(AccountArguments):
    """get_pending_invoice_no."""


class PendingInvoiceMArguments(PlanScope):
    """get_pending_invoice_no_m."""


class ManagePendingArguments(PlanScope):
    """manage_pending_invoice: the invoice by number, or the account's pending one. The default directive approves it."""

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
    unsupported = ANOTHER_PAYMENT_METHOD

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not {"invoice_no", "acct_no", "client_acct_id"} & set(values):
            raise serializers.ValidationError({"invoice_no": "Give invoice_no or acct_no."}, code="required")
        return values


class InvoiceDetailsArguments(GivenSerializer):
    """get_invoice_details."""

    acct_no = LongField(no_such=NO_ACCOUNT)
    src_transaction_id = LongField(no_such=NO_INVOICE)


class InvoiceOfAccountArguments(PlanScope):
    """An invoice of an account, for get_invoice_details_m and others. The texts are in the client's language."""

    invoice_no = LongField(no_such=NO_INVOICE)

    without_effect = ("locale_no", "locale_name")
    unsupported = ("client_cm_seq_id",)


class InvoiceHistoryArguments(GivenSerializer):
    """get_acct_invoice_history."""

    acct_no = LongField(no_such=NO_ACCOUNT)
    start_bill_date = DayField(required=False)
    end_bill_date = DayField(required=False)
    include_voided = TrueFalseField(required=False, default=False)


class InvoiceHistoryMArguments(PlanScope):
    """get_invoice_history_m. A plan instance of -1, or none, means all. Aria has two names for it."""

    user_id = UserIdField()
    master_plan_instance_id = LongField(no_such=NO_PLAN_INSTANCE, required=False)
    start_bill_date = DayField(required=False)
    end_bill_date = DayField(required=False)
    include_voided = TrueFalseField(required=False, default=False)
    rb_option = LongField(required=False, default=0)

    def validate_rb_option(self, option: int) -> int:
        if option not in (0, 1, 2):
            raise serializers.ValidationError("0, 1 or 2.")
        return option


class VoidMArguments(AccountArguments, VoidInvoiceArguments):
    """void_invoice_m. The account is named by either field."""


class StatementOfInvoiceArguments(InvoiceOfAccountArguments):
    """get_statement_for_invoice. With `do_encoding` the statement is encoded in base 64; a PDF always is."""

    do_encoding = TrueFalseField(required=False, default=False)
    mime_type = serializers.ChoiceField(choices=("text/html", "application/pdf"), required=False, default="text/html")


class CollectArguments(OneArray):
    """Collect what is due, or what is due on the named invoices, or a part of it."""

    amount_to_collect = MoneyField(required=False)
    specific_invoices_list = rows_of(InvoiceRow(), most=MOST_INVOICES, required=False)
    specific_charge_transaction_id = rows_of(ChargeRow(), most=MOST_INVOICES, required=False)
    payment_application_method = LongField(required=False, validators=[validate_oldest_first])
    client_receipt_id = ReceiptIdField()

    unsupported = COLLECTION


class CollectFromAccountArguments(CollectArguments, GivenSerializer):
    """collect_from_account."""

    account_no = LongField(no_such=NO_ACCOUNT)


class CollectFromAccountMArguments(CollectArguments, AccountArguments):
    """collect_from_account_m."""


class ExternalPaymentArguments(OneArray, AccountArguments):
    """record_external_payment. Without a named invoice it pays the oldest, which is Aria's `payment_application_method` 1."""

    account_no = LongField(no_such=NO_ACCOUNT, required=False)
    payment_amount = MoneyField()
    reference_code = serializers.CharField(max_length=32)
    comments = serializers.CharField(max_length=200, required=False, default="")
    payment_received_date = DayField(required=False)
    payment_application_method = LongField(required=False, validators=[validate_oldest_first])
    invoice_no = rows_of(InvoiceRow(), most=MOST_INVOICES, required=False)
    specific_charge_transaction_id = rows_of(ChargeRow(), most=MOST_INVOICES, required=False)
    client_receipt_id = ReceiptIdField()

    unsupported = EXTERNAL_PAYMENT


class TransHistoryMArguments(PlanScope, TransHistoryArguments):
    """get_acct_trans_history_m. The account is named by either field."""

    account_no = LongField(no_such=NO_ACCOUNT, required=False)

    unsupported = ("filter_seq_statement_id", "filter_statement_no")


class ReasonCodesArguments(GivenSerializer):
    """get_reason_code_m: the reasons of a type, or all."""

    reason_code_type = serializers.ChoiceField(choices=ReasonType.choices, required=False)
    reason_code = LongField(max_digits=4, required=False)


class NewReasonCodeArguments(GivenSerializer):
    """create_reason_code_m. Our addition: client_receipt_id."""

    reason_code_type = serializers.ChoiceField(choices=ReasonType.choices)
    reason_code = LongField(max_digits=4)
    reason_code_name = serializers.CharField(max_length=100)
    client_receipt_id = ReceiptIdField()
