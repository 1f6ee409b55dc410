"""Add, change and cancel one-time charges (orders). Each is billed once."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any

from accounts.callers import Caller
from accounts.models import Client, Service
from accounts.rights import check_may_change
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import MOST_BEFORE_TAX, WHOLE, line_amount
from invoices.models import OneTimeCharge
from invoices.services.documents.account_acts import account_act, check_will_be_billed
from invoices.services.documents.orders_due import orders_cancelled, orders_changed

ADDED, CHANGED, CANCELLED, REFUSED = "order.added", "order.changed", "order.cancelled", "order.refused"
TERMS = ("service_id", "description", "units", "rate_per_unit", "charge_date", "po_num")


def add_one_time_charge(
    *,
    client: Client,
    account_no: int,
    caller: Caller,
    today: date,
    service: Service,
    rate_per_unit: Decimal,
    charge_date: date | None = None,
    units: Decimal = Decimal(1),
    client_order_id: str = "",
    description: str = "",
    po_num: str = "",
) -> OneTimeCharge:
    """Add a charge to the account's first invoice that is made on or after its day (today if none is given), and return it.

    The same order again under the client's own id returns the existing one, even on a later day if no day is given. Refuses an
    unknown account (1009), a caller who may not order charges (90009), an account that will never be billed again (7003),
    another order with this id (90013), a service of another client (1002), and an amount that is too large (90008).
    """
    with account_act(client, account_no, caller, REFUSED) as account:
        check_may_change(caller, "add", "invoices.onetimecharge")
        check_will_be_billed(account)
        order = OneTimeCharge(
            account=account,
            service=service,
            client_order_id=client_order_id,
            description=description,
            units=units,
            rate_per_unit=rate_per_unit,
            charge_date=charge_date or today,
            po_num=po_num,
        )
        earlier = OneTimeCharge.objects.filter(account=account, client_order_id=client_order_id).first()
        if client_order_id and earlier is not None:
            order.charge_date = charge_date or earlier.charge_date
            if _terms(earlier) != _terms(order):
                raise BillingError(
                    ErrorCode.RECORD_ID_USED,
                    Detail(
                        "order {client_order_id} of the account has other values; give another client_order_id",
                        client_order_id=client_order_id,
                    ),
                    field="client_order_id",
                )
            return earlier
        _check(order)
        order.save()
        orders_changed(account)
        record_acts(client, caller, [Act(ADDED, account.pk, after=_event_values(order), row_no=order.pk)])
        return order


def change_one_time_charge(
    *,
    client: Client,
    order_no: int,
    caller: Caller,
    service: Service,
    rate_per_unit: Decimal,
    charge_date: date,
    units: Decimal,
    client_order_id: str,
    description: str,
    po_num: str,
) -> OneTimeCharge:
    """Replace the terms of an order, and return it.

    Refuses an unknown order (1002), a caller who may not change charges (90009), and an order that is on an invoice (90016).
    """
    with account_act(client, _account_of(client, order_no), caller, REFUSED) as account:
        check_may_change(caller, "change", "invoices.onetimecharge")
        order = _unbilled(order_no)
        before = _event_values(order)
        order.service, order.rate_per_unit, order.charge_date, order.units = service, rate_per_unit, charge_date, units
        order.client_order_id, order.description, order.po_num = client_order_id, description, po_num
        _check(order)
        order.save(update_fields=["service", *TERMS[1:], "client_order_id"])
        orders_changed(account)
        record_acts(client, caller, [Act(CHANGED, account.pk, before=before, after=_event_values(order))])
        return order


def cancel_one_time_charge(*, client: Client, order_no: int, caller: Caller) -> None:
    """Cancel an order. Refuses an unknown order (1002), a caller who may not remove charges (90009), and an order that is on an
    invoice, a pending one included (90016)."""
    with account_act(client, _account_of(client, order_no), caller, REFUSED) as account:
        check_may_change(caller, "delete", "invoices.onetimecharge")
        order = _unbilled(order_no)
        before = _event_values(order)
        order.delete()
        orders_changed(account)
        record_acts(client, caller, [Act(CANCELLED, account.pk, before=before)])


def cancel_held(client: Client, invoice_nos: Collection[int], caller: Caller) -> None:
    """Cancel the orders on pending invoices that are being discarded. Must be called in that transaction, under its locks."""
    orders = list(OneTimeCharge.objects.filter(invoice__in=invoice_nos).order_by("pk"))
    OneTimeCharge.objects.filter(pk__in=[order.pk for order in orders]).delete()
    orders_cancelled({order.account_id for order in orders})
    record_acts(client, caller, [Act(CANCELLED, order.account_id, before=_event_values(order)) for order in orders])


def _account_of(client: Client, order_no: int) -> int:
    account_no = OneTimeCharge.objects.filter(account__client=client, pk=order_no).values_list("account_id", flat=True).first()
    if account_no is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("order {order_no} does not exist", order_no=order_no))
    return account_no


def _unbilled(order_no: int) -> OneTimeCharge:
    """Return an order that no invoice holds. Refuses a cancelled one (1002) and one that is on an invoice (90016). Under the
    account's lock."""
    order = OneTimeCharge.objects.filter(pk=order_no).first()
    if order is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("order {order_no} does not exist", order_no=order_no))
    if order.invoice_id is not None:
        raise BillingError(
            ErrorCode.ON_AN_INVOICE,
            Detail("order {order_no} is on invoice {invoice}", order_no=order_no, invoice=order.invoice_id),
        )
    return order


def _check(order: OneTimeCharge) -> None:
    """Check that the service is the client's, and that an invoice can hold the amount. Otherwise the account could no longer be
    billed."""
    if order.service.client_id != order.account.client_id:
        raise BillingError(
            ErrorCode.NO_DATA, Detail("service {service} does not exist", service=order.service_id), field="service"
        )
    order.full_clean()
    try:
        amount = line_amount(order.rate_per_unit, order.units, WHOLE, order.account.billing_currency)
        if amount > MOST_BEFORE_TAX:
            raise BillingError(
                ErrorCode.AMOUNT_TOO_LARGE, Detail("{amount} {currency}", amount=f"{amount:f}", currency=order.account.currency)
            )
    except BillingError as error:
        raise error.within("rate_per_unit") from error


def _terms(order: OneTimeCharge) -> dict[str, Any]:
    return {name: getattr(order, name) for name in TERMS}


def _event_values(order: OneTimeCharge) -> dict[str, Any]:
    return {"order_no": order.pk, "client_order_id": order.client_order_id, **_terms(order)}
