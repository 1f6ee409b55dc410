"""Estimate the taxes of charges that nobody has ordered, at an address that no contact has. Writes nothing."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.kinds import TaxRounding
from accounts.models import Client, PlanCharge, Service
from billing_site.common.currencies import currency_of
from billing_site.common.places import is_region
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import MOST_BEFORE_TAX, WHOLE, line_amount, total
from invoices.plan.tax_answers import answer_to
from invoices.services.documents.tax_answers import check_tax_data
from invoices.services.lists.catalogue import calculated, priced_charges
from invoices.services.planning.taxation import ask_engine, own_address
from invoices.tax_engines.protocol import LineTax, TaxableLine, TaxAddress, TaxAddresses, TaxRequest


class EstimatedCharge(NamedTuple):
    """A service with its units. Without a rate, it costs the list price that its plan has for it."""

    service: Service
    units: Decimal
    rate: Decimal | None = None
    plan_no: int | None = None


def estimate_taxes(
    *, client: Client, charges: Sequence[EstimatedCharge], address: TaxAddress, currency: str, today: date
) -> tuple[LineTax, ...]:
    """Return the taxes of these charges today, at an address, in the order of the tax engine.

    The number of queries does not depend on the number of charges. Refuses a region that the country does not have (1016), a
    charge without a price (90011), an amount that is
    too large (90008), incomplete tax data if the client's setting says so (90075), and what the tax engine refuses (90004).
    """
    if not is_region(address.country, address.region):
        detail = Detail("region: {country} has no region {region}", country=address.country, region=address.region[:60])
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="region")
    prices = _list_prices(charges, currency, today)
    lines = []
    own = own_address(client)
    for place, charge in enumerate(charges, 1):
        location = charge.service.location
        seller = own if location is None else TaxAddress(*(getattr(location, name) for name in TaxAddress._fields))
        amount = prices[place - 1] if charge.rate is None else _amount(charge.rate, charge.units, currency)
        addresses = TaxAddresses(seller, seller, address, address)
        lines.append(TaxableLine(place, amount, charge.service.tax_category, charge.service.tax_inclusive, addresses))
    request = TaxRequest(currency_of(currency), today, client.tax_rounding == TaxRounding.LINE, tuple(lines))
    (quote,) = ask_engine(client, [request])
    if isinstance(quote, BillingError):
        raise quote
    check_tax_data(client, answer_to(request.lines, quote, has_buyer=True))
    return quote.taxes


def _amount(rate: Decimal, units: Decimal, currency: str) -> Decimal:
    amount = line_amount(rate, units, WHOLE, currency_of(currency))
    if abs(amount) > MOST_BEFORE_TAX:
        raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, Detail("{amount} {currency}", amount=amount, currency=currency))
    return amount


def _list_prices(charges: Sequence[EstimatedCharge], currency: str, today: date) -> dict[int, Decimal]:
    """Return the amounts of the charges without a rate, by place."""
    wanted = {place: one for place, one in enumerate(charges) if one.rate is None}
    if not wanted:
        return {}
    plans = {one.plan_no for one in wanted.values()}
    rows = PlanCharge.objects.filter(plan__in=[number for number in plans if number is not None])
    priced = priced_charges(rows, today)
    amounts: dict[int, Decimal] = {}
    for place, one in wanted.items():
        found = [row for row in priced if (row.charge.plan_id, row.charge.service_id) == (one.plan_no, one.service.pk)]
        rated = [calculated(row, one.units, currency, today).rated for row in found]
        if not rated or None in rated:
            detail = Detail(
                "service {service} has no list price in {currency}", service=one.service.client_service_id, currency=currency
            )
            raise BillingError(ErrorCode.NO_RATE, detail)
        amounts[place] = total(line.amount for line in rated if line is not None)
    return amounts
