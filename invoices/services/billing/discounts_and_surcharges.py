"""Add and change coupons and surcharges with the services that they apply to. Issued documents keep what they have."""

from collections.abc import Collection, Mapping
from copy import copy
from typing import Any

from django.db import transaction

from accounts.callers import Caller
from accounts.models import Client, Service
from accounts.rights import check_may_change
from accounts.services.changing import add_row, change_row, planned_values
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.models import Coupon, Surcharge
from invoices.services.billing.coupons import check_limits, check_limits_of

Row = Coupon | Surcharge


def check_new(row: Row, services: Collection[Service]) -> None:
    """Refuse a new coupon or surcharge as `add_with_services` would, rights aside. Writes nothing."""
    _check_services(row.client, _all_services(row, services))
    row.full_clean()


def check_changed(row: Row, values: Mapping[str, Any], services: Collection[Service]) -> None:
    """Refuse a change as `change_with_services` would, rights aside. Writes nothing and locks nothing."""
    planned = copy(row)
    for name, value in planned_values(row, values).items():
        setattr(planned, name, value)
    _check_services(row.client, _all_services(planned, services))
    if isinstance(planned, Coupon):
        check_limits_of(planned)


@transaction.atomic
def add_with_services(row: Row, services: Collection[Service], *, caller: Caller) -> Row:
    """Store a new coupon or surcharge with the services it applies to, and return it. No services: all services.

    Refuses (90009) a caller who may not add such rows, (1002) a service of another client, and what the model refuses.
    """
    check_may_change(caller, "add", row._meta.label_lower)
    _check_services(row.client, _all_services(row, services))
    stored: Row = add_row(row, caller=caller)
    if services:
        stored.services.set(services)
    return stored


@transaction.atomic
def change_with_services(row: Row, values: Mapping[str, Any], services: Collection[Service], *, caller: Caller) -> list[str]:
    """Write the values and services of a locked coupon or surcharge that differ, and return the names of what has changed.

    Refuses (90009) a caller who may not change such rows, (1002) a service of another client, and for a coupon (1016) limits
    below what is used and (90007) a currency that accounts with the coupon do not have.
    """
    changed = change_row(row, values, caller=caller)
    _check_services(row.client, _all_services(row, services))
    if isinstance(row, Coupon):
        check_limits(row)
    if {service.pk for service in services} != set(row.services.values_list("pk", flat=True)):
        row.services.set(services)
        changed.append("services")
    return changed


def _all_services(row: Row, services: Collection[Service]) -> list[tuple[str, Service]]:
    own = [("service", row.service)] if isinstance(row, Surcharge) and row.service_id is not None else []
    return [*own, *(("services", service) for service in services)]


def _check_services(client: Client, services: Collection[tuple[str, Service]]) -> None:
    for field, service in services:
        if service.client_id != client.pk:
            raise BillingError(ErrorCode.NO_DATA, Detail("{field} {value}", field=field, value=service.pk), field=field)
