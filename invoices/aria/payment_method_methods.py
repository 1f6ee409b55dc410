"""Aria's method call that adds and changes payment methods, and collects by them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from rest_framework import serializers

from accounts.api.fields import ReceiptIdField
from accounts.api.serializers import AccountArguments
from accounts.aria.method_calls import Call, method_call
from accounts.clock import today
from accounts.kinds import ELECTRONIC_METHODS, PaymentMethodType
from accounts.models import PaymentMethod, Receipt
from accounts.receipts import use
from accounts.rights import ROW_RIGHTS
from accounts.services.accounts import lock_account
from billing_site.common.fields import FlagField, GivenSerializer, LongField, TrueFalseField
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.api.account_scope import account_no_of
from invoices.aria.arguments import TextField
from invoices.aria.documents import collection_error, proc_fields
from invoices.services.collecting.collecting import collect_account_by
from invoices.services.documents.collection_results import Collected
from invoices.services.documents.rights import check_may_collect
from invoices.services.money.payment_methods import add_payment_method, change_payment_method

METHOD_NAMES = {
    "type": "pay_method_type",
    "token": "bill_agreement_id",
    "label": "pay_method_name",
    "is_disabled": "disabled_ind",
}
"""Aria's field names, by ours."""

CARD, ELECTRONIC_CHECK, TOKENIZED_CARD, DIRECT_DEBIT = 1, 2, 13, 26
METHOD_TYPES = {
    CARD: PaymentMethodType.CARD,
    ELECTRONIC_CHECK: PaymentMethodType.ELECTRONIC_CHECK,
    TOKENIZED_CARD: PaymentMethodType.CARD,
    DIRECT_DEBIT: PaymentMethodType.BANK_TRANSFER,
}
"""Aria's numbers of payment methods. Cards and bank accounts are known by the gateway's token, `bill_agreement_id`."""


def validate_method_type(type: int) -> None:
    if type not in METHOD_TYPES:
        known = ", ".join(map(str, METHOD_TYPES))
        raise serializers.ValidationError(f"Give one of {known}; others are not supported here.")


class NewMethodRow(GivenSerializer):
    """A payment method by the gateway's token. Card and bank numbers are never taken."""

    pay_method_type = LongField(max_digits=8, validators=[validate_method_type])
    bill_agreement_id = TextField(200)
    pay_method_name = TextField(100)


class ChangeMethodArguments(AccountArguments):
    """update_payment_method_m: with a number, a method gets another name, or is disabled. Without one, a method is added by the
    gateway's token. With `do_collect`, what is open on the account is collected by it."""

    payment_method_no = LongField(max_digits=19, required=False)
    disabled_ind = FlagField(required=False)
    pay_method_name = TextField(100)
    pay_method_type = LongField(max_digits=8, required=False, validators=[validate_method_type])
    bill_agreement_id = TextField(200)
    do_collect = TrueFalseField(required=False, default=False)
    client_receipt_id = ReceiptIdField()

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        fixed = [name for name in ("pay_method_type", "bill_agreement_id") if name in values]
        if "payment_method_no" in values and fixed:
            raise serializers.ValidationError(
                {fixed[0]: "It never changes: leave payment_method_no out, to add another method."}
            )
        if "payment_method_no" not in values and "pay_method_type" not in values:
            raise serializers.ValidationError({"pay_method_type": "Give it, or payment_method_no."}, code="required")
        if values["do_collect"]:
            _check_can_collect(values)
        return values


def _check_can_collect(values: Mapping[str, Any]) -> None:
    """Refuse to collect by a method that is disabled or has no token."""
    if values.get("disabled_ind"):
        raise serializers.ValidationError({"do_collect": "Nothing is collected by a payment method that is disabled."})
    if "payment_method_no" not in values and "bill_agreement_id" not in values:
        raise serializers.ValidationError({"bill_agreement_id": "Give it, to collect."}, code="required")


class ChangedMethod(NamedTuple):
    """The payment method that a call added or changed. `collected` is None if the call does not collect."""

    number: int
    collected: Sequence[Collected] | None


class PaymentMethodMethods:
    @method_call(
        ChangeMethodArguments,
        outputs=("seq_no", "collection_info", "proc_fraud_filtering_info", "bill_contact_no_2", "cc_auth_details"),
        names=METHOD_NAMES,
        refused_act="payment_method.refused",
        right=ROW_RIGHTS["change", "accounts.paymentmethod"],
        resume=lambda call, receipt: _resume(call, receipt),
        answer=lambda call, changed: _changed_fields(changed),
    )
    def update_payment_method_m(self, call: Call) -> ChangedMethod:
        if call.arguments["do_collect"]:
            check_may_collect(call.caller)
        add = "payment_method_no" not in call.arguments
        number = _add(call) if add else _change(call)
        return ChangedMethod(number, _collect(call, number))


def _add(call: Call) -> int:
    arguments = call.arguments
    return int(add_method(call, account_no_of(call), arguments, is_disabled=arguments.get("disabled_ind", False)).pk)


def add_method(call: Call, account_no: int, row: Mapping[str, Any], *, is_disabled: bool = False) -> PaymentMethod:
    """Add the payment method that a row describes."""
    return add_payment_method(
        client=call.client,
        account_no=account_no,
        caller=call.caller,
        type=METHOD_TYPES[row["pay_method_type"]],
        token=row.get("bill_agreement_id", ""),
        label=row.get("pay_method_name", ""),
        is_disabled=is_disabled,
    )


@transaction.atomic
def _change(call: Call) -> int:
    account_no, arguments = account_no_of(call), call.arguments
    names = (("label", "pay_method_name"), ("is_disabled", "disabled_ind"))
    changes = {name: arguments[sent] for name, sent in names if sent in arguments}
    lock_account(account_no)
    method = _method(account_no, arguments["payment_method_no"])
    change_payment_method(method, changes, caller=call.caller)
    if arguments["do_collect"] and (method.is_disabled or not method.token or method.type not in ELECTRONIC_METHODS):
        raise BillingError(ErrorCode.NO_ELECTRONIC_METHOD, field="payment_method_no")
    use(call.client, call.caller.receipt, row_no=method.pk)
    return int(method.pk)


def _method(account_no: int, number: int) -> PaymentMethod:
    """Return a payment method of the account. Refuses one that does not exist (1002)."""
    method = PaymentMethod.objects.filter(account=account_no, pk=number).first()
    if method is None:
        detail = Detail("payment_method_no {number} is not on account {account_no}", number=number, account_no=account_no)
        raise BillingError(ErrorCode.NO_DATA, detail, field="payment_method_no")
    return method


def _collect(call: Call, number: int) -> list[Collected] | None:
    """Collect what is open on the account by this payment method, if the call says so."""
    if not call.arguments["do_collect"]:
        return None
    return collect_account_by(
        client=call.client, account_no=account_no_of(call), method_no=number, caller=call.caller, today=today(call.client)
    )


def _resume(call: Call, receipt: Receipt) -> ChangedMethod:
    number = int(receipt.row_no or 0)
    return ChangedMethod(number, _collect(call, number))


def _changed_fields(changed: ChangedMethod) -> Mapping[str, Any]:
    """Return the number, and a row for each invoice that was to be collected. What failed is told there: the method stays."""
    rows = changed.collected
    return {"seq_no": changed.number, "collection_info": None if rows is None else [_collection_row(one) for one in rows]}


def _collection_row(one: Collected) -> dict[str, Any]:
    """Return the result for one invoice. Our addition: `invoice_no`. Accounts have no billing groups."""
    error = {"collection_error_code": 0, "collection_error_msg": None}
    if one.error is not None:
        error = collection_error(one.error.code, one.error.message)
    return {
        "bill_group_no": None,
        "client_bill_group_id": None,
        "invoice_no": one.invoice_no,
        **error,
        **proc_fields(one.attempt),
    }
