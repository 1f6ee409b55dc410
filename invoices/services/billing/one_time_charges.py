"""Add, change and cancel one-time charges (orders). Each is billed once."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Account, Client, Service
from accounts.rights import check_may_change
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import MOST_BEFORE_TAX, WHOLE, line_amount
from invoices.models import OneTimeCharge
from invoices.plan import InvoicePlan
from invoices.plan.facts import LineReferences
from invoices.services.documents.account_acts import account_act, check_will_be_billed
from invoices.services.documents.orders_due import orders_cancelled, orders_changed

ADDED, CHANGED, CANCELLED, REFUSED = "order.added", "order.changed", "order.cancelled", "order.refused"
TERMS = ("service_id", "description", "units", "rate_per_unit", "charge_date", "po_num", *LineReferences._fields)


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
    order_line: str = "",
    accounting_reference: str = "",
    object_reference: str = "",
) -> OneTimeCharge:
    """Add a charge to the account's first invoice that is made on or after its day (today if none is given), and return it.

    The same order again under the client's own id returns the existing one, even on a later day if no day is given. Refuses an
    unknown account (1009), a caller who may not order charges (90009), an account that will never be billed again (7003),
    another order with this id (90013), a service of another client (1002), and an amount that is too large (90008).
    """
    with account_act(client, account_no, caller, REFUSED) as account:
        check_may_change(caller, "add", "invoices.onetimecharge")
        order = planned_order(
            account,
            today=today,
            service=service,
            rate_per_unit=rate_per_unit,
            charge_date=charge_date,
            units=units,
            client_order_id=client_order_id,
            description=description,
            po_num=po_num,
            order_line=order_line,
            accounting_reference=accounting_reference,
            object_reference=object_reference,
        )
        if order.pk is not None:
            return order
        order.save()
        orders_changed(account)
        record_acts(client, caller, [Act(ADDED, account.pk, after=_event_values(order), row_no=order.pk)])
        return order


class NewCharge(NamedTuple):
    """A charge to be ordered. Below zero it reduces the others."""

    service: Service
    rate_per_unit: Decimal
    units: Decimal = Decimal(1)
    description: str = ""
    po_num: str = ""
    client_order_id: str = ""
    order_line: str = ""
    accounting_reference: str = ""
    object_reference: str = ""


def add_one_time_charges(
    *, client: Client, account_no: int, caller: Caller, today: date, charges: Sequence[NewCharge]
) -> list[OneTimeCharge]:
    """Add charges to the account's next invoice in one act, and return them in the order given.

    The number of statements does not depend on the number of charges. Stored charges with the same ids and terms are returned.
    Refuses as `add_one_time_charge`, all or nothing.
    """
    with account_act(client, account_no, caller, REFUSED) as account:
        check_may_change(caller, "add", "invoices.onetimecharge")
        check_will_be_billed(account)
        orders = [OneTimeCharge(account=account, charge_date=today, **one._asdict()) for one in charges]
        ids = [one.client_order_id for one in orders if one.client_order_id]
        stored = {one.client_order_id: one for one in OneTimeCharge.objects.filter(account=account, client_order_id__in=ids)}
        for order in orders:
            earlier = stored.get(order.client_order_id)
            if ids.count(order.client_order_id) > 1:
                raise id_used(order.client_order_id)
            if earlier is not None:
                order.charge_date = earlier.charge_date
                if _terms(earlier) != _terms(order):
                    raise id_used(order.client_order_id)
            check_terms(order)
        new = [order for order in orders if order.client_order_id not in stored]
        _store(client, caller, new)
        if new:
            orders_changed(account)
        return [stored.get(order.client_order_id, order) for order in orders]


def _store(client: Client, caller: Caller, orders: Sequence[OneTimeCharge]) -> None:
    """Store new orders and their events, by one statement each."""
    OneTimeCharge.objects.bulk_create(orders)
    record_acts(
        client, caller, [Act(ADDED, one.account_id, after=_event_values(one), row_no=one.pk) for one in orders], timezone.now()
    )


def id_used(client_order_id: str) -> BillingError:
    """Return the refusal of an order under an id that another order of the account has."""
    detail = Detail(
        "order {client_order_id} of the account has other values; give another client_order_id", client_order_id=client_order_id
    )
    return BillingError(ErrorCode.RECORD_ID_USED, detail, field="client_order_id")


def planned_order(
    account: Account, *, today: date, charge_date: date | None, client_order_id: str, **terms: Any
) -> OneTimeCharge:
    """Return a charge as `add_one_time_charge` would store it, or the stored one with its id. Writes nothing. Refuses the same,
    rights aside."""
    check_will_be_billed(account)
    order = OneTimeCharge(account=account, client_order_id=client_order_id, charge_date=charge_date or today, **terms)
    earlier = OneTimeCharge.objects.filter(account=account, client_order_id=client_order_id).first()
    if client_order_id and earlier is not None:
        order.charge_date = charge_date or earlier.charge_date
        if _terms(earlier) != _terms(order):
            raise id_used(client_order_id)
        return earlier
    check_order(order)
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
    references: LineReferences | None = None,
) -> OneTimeCharge:
    """Replace the terms of an order, and return it. Without `references` it keeps its own.

    Refuses an unknown order (1002), a caller who may not change charges (90009), and an order that is on an invoice (90016).
    """
    with account_act(client, _account_of(client, order_no), caller, REFUSED) as account:
        check_may_change(caller, "change", "invoices.onetimecharge")
        before = _event_values(unbilled_order(order_no))
        order = planned_order_change(
            order_no,
            service=service,
            rate_per_unit=rate_per_unit,
            charge_date=charge_date,
            units=units,
            client_order_id=client_order_id,
            description=description,
            po_num=po_num,
            **({} if references is None else references._asdict()),
        )
        order.save(update_fields=["service", *TERMS[1:], "client_order_id"])
        orders_changed(account)
        record_acts(client, caller, [Act(CHANGED, account.pk, before=before, after=_event_values(order))])
        return order


def planned_order_change(order_no: int, **terms: Any) -> OneTimeCharge:
    """Return an order with other terms, as `change_one_time_charge` would store it. Writes nothing. Refuses the same, rights
    aside."""
    order = unbilled_order(order_no)
    for name, value in terms.items():
        setattr(order, name, value)
    check_order(order)
    return order


def cancel_one_time_charge(*, client: Client, order_no: int, caller: Caller) -> None:
    """Cancel an order. Refuses an unknown order (1002), a caller who may not remove charges (90009), and an order that is on an
    invoice, a pending one included (90016)."""
    with account_act(client, _account_of(client, order_no), caller, REFUSED) as account:
        check_may_change(caller, "delete", "invoices.onetimecharge")
        order = unbilled_order(order_no)
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


def with_stored_orders(client: Client, caller: Caller, plan: InvoicePlan) -> InvoicePlan:
    """Store the new charges of a plan that bills them at once, and return the plan with their numbers.

    Must be called in the transaction that writes the document, under the account's lock.
    """
    account_no = plan.account_no
    orders_of = {
        one.order_no: OneTimeCharge(
            account_id=account_no,
            service_id=one.service.service_no,
            client_order_id=one.client_order_id,
            description=one.description,
            units=one.units,
            rate_per_unit=one.rate,
            charge_date=one.charge_date,
            po_num=one.po_num,
            **one.references._asdict(),
        )
        for one in plan.facts.orders
        if one.order_no < 0
    }
    _store(client, caller, list(orders_of.values()))
    numbers = {number: order.pk for number, order in orders_of.items()}
    lines = tuple(replace(line, order_no=numbers.get(line.order_no or 0, line.order_no)) for line in plan.lines)
    orders = tuple(numbers.get(number, number) for number in plan.claims.orders)
    return plan._replace(lines=lines, claims=plan.claims._replace(orders=orders))


def _account_of(client: Client, order_no: int) -> int:
    account_no = OneTimeCharge.objects.filter(account__client=client, pk=order_no).values_list("account_id", flat=True).first()
    if account_no is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("order {order_no} does not exist", order_no=order_no))
    return account_no


def unbilled_order(order_no: int) -> OneTimeCharge:
    """Return an order that no invoice holds. Refuses a cancelled one (1002) and one that is on an invoice (90016)."""
    order = OneTimeCharge.objects.filter(pk=order_no).first()
    if order is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("order {order_no} does not exist", order_no=order_no))
    if order.invoice_id is not None:
        raise BillingError(
            ErrorCode.ON_AN_INVOICE,
            Detail("order {order_no} is on invoice {invoice}", order_no=order_no, invoice=order.invoice_id),
        )
    return order


def check_order(order: OneTimeCharge) -> None:
    """Check a row as a whole, and its terms as `check_terms` does."""
    check_terms(order)
    order.full_clean()


def check_terms(order: OneTimeCharge) -> None:
    """Check the values of a charge without a query, that the service is the client's, and that an invoice can hold the amount.
    Otherwise the account could no longer be billed."""
    if order.service.client_id != order.account.client_id:
        raise BillingError(
            ErrorCode.NO_DATA, Detail("service {service} does not exist", service=order.service_id), field="service"
        )
    order.clean_fields(exclude=["account", "service"])
    try:
        amount = line_amount(order.rate_per_unit, order.units, WHOLE, order.account.billing_currency)
        if amount > MOST_BEFORE_TAX:
            raise BillingError(
                ErrorCode.AMOUNT_TOO_LARGE, Detail("{amount} {currency}", amount=amount, currency=order.account.currency)
            )
    except BillingError as error:
        raise error.within("rate_per_unit") from error


def _terms(order: OneTimeCharge) -> dict[str, Any]:
    return {name: getattr(order, name) for name in TERMS}


def _event_values(order: OneTimeCharge) -> dict[str, Any]:
    return {"order_no": order.pk, "client_order_id": order.client_order_id, **_terms(order)}
