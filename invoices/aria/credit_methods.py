"""Aria's method calls for orders, service credits and coupons."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from rest_framework import serializers

from accounts.api.fields import ReceiptIdField
from accounts.api.serializers import AccountArguments
from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import day_of, today
from accounts.models import Receipt, Service
from accounts.rights import ROW_RIGHTS
from accounts.services.named_rows import names_in, row_named
from billing_site.common.fields import DayField, FlagField, GivenSerializer, LongField, RateNumberField, TrueFalseField, rows_of
from billing_site.common.limits import LINES_AT_ONCE
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.api.account_scope import account_no_of
from invoices.api.serializers.money import MoneyField
from invoices.api.serializers.usage import UsedUnitsField
from invoices.aria.arguments import PlanScope
from invoices.aria.documents import number, order_amounts, settled_fields
from invoices.aria.unsupported import ANOTHER_PAYMENT_METHOD, ORDER, SERVICE_CREDIT
from invoices.models import Invoice, OneTimeCharge, ServiceCredit
from invoices.models.collection import PROC_FIELDS
from invoices.services.billing.coupons import redeem_coupon
from invoices.services.billing.one_off import bill_one_off, one_off_request
from invoices.services.billing.one_time_charges import NewCharge, add_one_time_charges
from invoices.services.billing.service_credits import add_service_credit, expire_service_credit
from invoices.services.documents.document_storage import content_of, stored_contents
from invoices.services.issuing.after_issue import finish_issued
from invoices.services.issuing.generate_preview import preview_invoice
from invoices.services.lists.usage_history import unapplied_credits
from invoices.services.money.ledger.open_items import charges_of

ORDER_NAMES = {"service": "client_sku", "rate_per_unit": "amount", "description": "line_comments"}
CREDIT_NAMES = {"service": "eligible_service_no", "expires_on": "credit_expiry_date", "reason": "comments"}
COUPON_NAMES = {"code": "coupon_code"}
"""Aria's field names, by ours."""


class OrderRow(GivenSerializer):
    """What is ordered: a service by the client's id of it, with its units and the price of one."""

    client_sku = serializers.CharField(max_length=100)
    units = UsedUnitsField(required=False, default=Decimal(1))
    amount = RateNumberField()
    line_comments = serializers.CharField(max_length=200, required=False, default="")


class OrderArguments(AccountArguments):
    """create_order: its lines are billed with the next invoice, or at once. With `do_write` false the answer has the amounts of
    the invoice at once, and nothing is written."""

    order_line_items = rows_of(OrderRow(), most=LINES_AT_ONCE, allow_empty=False)
    client_order_id = serializers.CharField(max_length=90, required=False, default="")
    nso_po_num = serializers.CharField(max_length=100, required=False, default="")
    bill_immediately = FlagField(required=False, default=False)
    do_write = TrueFalseField(required=False, default=True)
    client_receipt_id = ReceiptIdField()

    unsupported = (*ANOTHER_PAYMENT_METHOD, *ORDER)


class ServiceCreditArguments(AccountArguments):
    """create_advanced_service_credit_m: an amount for one service, or for all. The reason code is kept in its text."""

    amount = MoneyField()
    reason_code = LongField(max_digits=4, required=False)
    comments = serializers.CharField(max_length=150, required=False)
    eligible_service_no = LongField(required=False)
    client_eligible_service_id = serializers.CharField(max_length=100, required=False)
    credit_expiry_date = DayField(required=False)
    client_receipt_id = ReceiptIdField()

    unsupported = SERVICE_CREDIT

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not {"comments", "reason_code"} & set(values):
            raise serializers.ValidationError({"comments": "Give comments or reason_code."}, code="required")
        return values


class UnappliedArguments(PlanScope):
    """get_unapplied_service_credits_m. Credits are for the whole account."""


class CreditIdRow(GivenSerializer):
    credit_ids = LongField()


class CancelCreditsArguments(PlanScope):
    """cancel_unapplied_service_credits_m: what is left of these credits is not used any more."""

    credit_ids = rows_of(CreditIdRow(), most=100, allow_empty=False)


class CouponArguments(PlanScope):
    """apply_coupon_to_acct."""

    coupon_code = serializers.CharField(max_length=50)
    client_receipt_id = ReceiptIdField()


class Ordered(NamedTuple):
    """The first line of an order, and the invoice that bills it at once. None if nothing was written."""

    order_no: int | None = None
    invoice_no: int | None = None


_orders = method_call(
    OrderArguments,
    outputs=(
        *("order_no", "transaction_id", "invoice_no", "invoicing_error_code_2", "invoicing_error_msg"),
        *("total_charges_before_tax", "total_tax_charges", "total_charges_after_tax", "total_credit"),
        *("cart_invoice_line_items", "tax_details", "third_party_errors", "proc_initial_auth_txn_id"),
        *("statement_error_cd", "statement_error_msg", *PROC_FIELDS),
    ),
    names=ORDER_NAMES,
    refused_act="order.refused",
    right=ROW_RIGHTS["add", "invoices.onetimecharge"],
    writes=lambda arguments: arguments["do_write"],
    resume=lambda call, receipt: _finish_order(call, receipt),
    answer=lambda call, ordered: _ordered(call, ordered),
)


class OrderMethods:
    @_orders
    def create_order(self, call: Call) -> Ordered:
        return _order(call)

    @_orders
    def create_order_m(self, call: Call) -> Ordered:
        return _order(call)


class ServiceCreditMethods:
    @method_call(
        ServiceCreditArguments,
        outputs=("credit_id",),
        names=CREDIT_NAMES,
        refused_act="credit.refused",
        right=ROW_RIGHTS["add", "invoices.servicecredit"],
        resume=lambda call, receipt: receipt.row_no,
        answer=lambda call, credit_no: {"credit_id": credit_no},
    )
    def create_advanced_service_credit_m(self, call: Call) -> int:
        """Our addition: `credit_id`."""
        arguments = call.arguments
        account_no = account_no_of(call)
        credit = add_service_credit(
            client=call.client,
            account_no=account_no,
            caller=call.caller,
            today=today(call.client),
            amount=arguments["amount"],
            reason=arguments.get("comments") or f"Reason {arguments['reason_code']}",
            service=_eligible_service(call),
            expires_on=arguments.get("credit_expiry_date"),
        )
        return int(credit.pk)

    @method_call(UnappliedArguments, outputs=("unapplied_service_credits_details",), refused_act="credit.refused", writes=never)
    def get_unapplied_service_credits_m(self, call: Call) -> Mapping[str, Any]:
        rows = unapplied_credits(account_no_of(call), today(call.client))
        return {"unapplied_service_credits_details": [_credit_row(row) for row in rows]}

    @method_call(
        CancelCreditsArguments,
        outputs=(),
        names={"expires_on": "credit_ids"},
        refused_act="credit.refused",
        right=ROW_RIGHTS["change", "invoices.servicecredit"],
        answer=lambda call, nothing: {},
    )
    def cancel_unapplied_service_credits_m(self, call: Call) -> None:
        """Let the credits expire yesterday: all of them, or none if one cannot."""
        numbers = [row["credit_ids"] for row in call.arguments["credit_ids"]]
        own = set(ServiceCredit.objects.filter(account=account_no_of(call), pk__in=numbers).values_list("pk", flat=True))
        for credit_no in numbers:
            if credit_no not in own:
                detail = Detail("credit_ids: service credit {credit_no} does not exist", credit_no=credit_no)
                raise BillingError(ErrorCode.NO_DATA, detail, field="credit_ids")
        day = today(call.client) - timedelta(days=1)
        with transaction.atomic():
            for credit_no in numbers:
                expire_service_credit(client=call.client, credit_no=credit_no, caller=call.caller, expires_on=day)


_redeems = method_call(
    CouponArguments,
    outputs=("user_success_msg",),
    names=COUPON_NAMES,
    refused_act="coupon.refused",
    right=ROW_RIGHTS["add", "invoices.couponredemption"],
    answer=lambda call, nothing: {"user_success_msg": f"Coupon {call.arguments['coupon_code']} was applied"},
)


class CouponMethods:
    @_redeems
    def apply_coupon_to_acct(self, call: Call) -> None:
        _redeem(call)

    @_redeems
    def apply_coupon_to_acct_m(self, call: Call) -> None:
        _redeem(call)


def _order(call: Call) -> Ordered:
    arguments = call.arguments
    if not arguments["do_write"]:
        return Ordered()
    by: dict[str, Any] = {"client": call.client, "caller": call.caller, "today": today(call.client)}
    account_no, charges = account_no_of(call), _charges(call)
    if arguments["bill_immediately"]:
        invoice_no = bill_one_off(account_no=account_no, charges=charges, **by)
        return Ordered(_first_order(invoice_no), invoice_no)
    return Ordered(int(add_one_time_charges(account_no=account_no, charges=charges, **by)[0].pk))


def _charges(call: Call) -> list[NewCharge]:
    """Return the lines of an order, by one query. Its id is that of the first line; the others have their place added."""
    arguments = call.arguments
    rows = arguments["order_line_items"]
    found = Service.objects.filter(client=call.client, client_service_id__in={row["client_sku"] for row in rows})
    services = {one.client_service_id: one for one in found}
    charges = []
    for place, row in enumerate(rows, 1):
        if row["client_sku"] not in services:
            detail = Detail("{field} {value} does not exist", field="client_sku", value=row["client_sku"])
            raise BillingError(ErrorCode.NO_DATA, detail, field="client_sku")
        own = arguments["client_order_id"]
        charges.append(
            NewCharge(
                service=services[row["client_sku"]],
                rate_per_unit=row["amount"],
                units=row["units"],
                description=row["line_comments"],
                po_num=arguments["nso_po_num"],
                client_order_id=f"{own}/{place}" if own and place > 1 else own,
            )
        )
    return charges


def _first_order(invoice_no: int) -> int | None:
    """Return the first order that an invoice bills."""
    orders = OneTimeCharge.objects.filter(invoice=invoice_no).order_by("pk")
    return orders.values_list("pk", flat=True).first()


def _finish_order(call: Call, receipt: Receipt) -> Ordered:
    """Finish an interrupted call: collect and send the invoice that bills the order at once, if that is not done yet."""
    if receipt.invoice_no is None:
        return Ordered(receipt.row_no)
    finish_issued(call.client, [receipt.invoice_no], call.caller, today(call.client))
    return Ordered(_first_order(receipt.invoice_no), receipt.invoice_no)


def _ordered(call: Call, ordered: Ordered) -> Mapping[str, Any]:
    """Return the order, and the amounts of the invoice that bills it at once, or that a preview would."""
    if ordered.invoice_no is not None:
        invoice = Invoice.objects.get(pk=ordered.invoice_no)
        content = stored_contents([invoice.pk])[invoice.pk]
        settled, charge = settled_fields(invoice, "cd"), charges_of([invoice.pk]).get(invoice.pk)
        return {
            "order_no": ordered.order_no,
            "transaction_id": None if charge is None else charge.entry_no,
            "invoice_no": invoice.pk,
            "invoicing_error_code_2": settled.pop("collection_error_cd"),
            "invoicing_error_msg": settled.pop("collection_error_msg"),
            **order_amounts(content),
            **settled,
        }
    if ordered.order_no is not None:
        return {"order_no": ordered.order_no}
    request = one_off_request(
        client=call.client, account_no=account_no_of(call), today=today(call.client), charges=_charges(call)
    )
    seen = preview_invoice(client=call.client, account_no=account_no_of(call), request=request)
    return order_amounts(content_of(call.client, seen.plan))


def _redeem(call: Call) -> None:
    code, day = call.arguments["coupon_code"], today(call.client)
    redeem_coupon(client=call.client, account_no=account_no_of(call), caller=call.caller, code=code, today=day)


def _eligible_service(call: Call) -> Service | None:
    """Return the service that a credit is for, or None: for all. Refuses one that does not exist (1002), and names of different
    services (1016)."""
    columns = {"eligible_service_no": "pk", "client_eligible_service_id": "client_service_id"}
    services = Service.objects.filter(client=call.client)
    service: Service | None = row_named(services, names_in(call.arguments, columns))
    return service


def _credit_row(credit: Any) -> dict[str, Any]:
    currency, service = credit.account.currency, credit.service
    return {
        "create_date": str(day_of(credit.account.client, credit.created_at)),
        "initial_amount": number(credit.amount, currency),
        "amount_left_to_apply": number(credit.amount - credit.used, currency),
        "comments": credit.reason,
        "currency_cd": currency,
        "eligible_service_no": service.pk if service else None,
        "eligible_service_name": service.name if service else None,
        "client_eligible_service_id": service.client_service_id if service else None,
        "out_acct_no": credit.account_id,
        "credit_id_2": credit.pk,
    }
