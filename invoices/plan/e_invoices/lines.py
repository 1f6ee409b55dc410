"""PURE: the lines of an electronic invoice: quantity, price, item."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from django.utils.translation import gettext as _

from accounts.company_numbers import GTIN_SCHEME, identifier
from accounts.unit_codes import PIECE
from billing_site.common.currencies import Currency
from invoices.calculation import ONE, ZERO, exact_share, rounded
from invoices.document import PRICE_PLACES, Document, Line
from invoices.plan.clean_texts import clean
from invoices.plan.e_invoices.facts import NO_ITEM, EInvoiceFacts, Terms
from invoices.plan.e_invoices.parts import Written, WrittenLine, sum_of
from invoices.plan.e_invoices.texts import money, object_of, plain, rate_text

MOST_PLACES = Decimal("1E-10")


def lines_of(facts: EInvoiceFacts, written: Written) -> Iterator[Terms]:
    """Yield the lines. If they have several PO numbers, each line names its own."""
    names_order = len(orders_of(facts.document)) > 1
    for one in written.lines:
        yield _line(facts, one, names_order=names_order)


def _line(facts: EInvoiceFacts, written: WrittenLine, *, names_order: bool) -> Terms:
    line, part, currency = written.line, written.part, facts.document.currency
    priced = _priced(line, part.amount + sum_of(written.allowances), currency)
    item = facts.items.get(line.service_id or 0, NO_ITEM)
    number = identifier(item.number)
    order = _("PO number: %(number)s") % {"number": line.po_num} if line.po_num and names_order else ""
    note = "; ".join(filter(None, (line.plan_name, line.proration_text, line.explanation, order, line.comments)))
    return {
        "BT-126": written.number,
        "BT-127-00": [{"BT-127": clean(note)}] if note else [],
        "BT-128": object_of(line.object_reference),
        "BT-129": plain(priced.quantity),
        "BT-130": priced.unit_code,
        "BT-131": money(part.amount, currency),
        "BT-132": clean(line.order_line),
        "BT-133": clean(line.accounting_reference),
        "BT-134": line.period_start,
        "BT-135": line.period_end,
        "BG-27": [
            {"amount": money(one.amount, currency), "reason": clean(one.text), "reason_code": "95"}
            for one in written.allowances
        ],
        "BT-146": plain(priced.price),
        **_discounted(line, priced),
        "BT-149": "" if priced.price_units == ONE else plain(priced.price_units),
        "BT-151": part.vat.category.value,
        "BT-152": rate_text(part.vat),
        "BT-153": clean(part.text) or "-",
        "BT-155": clean(item.code),
        "BT-156": clean(item.buyer_number),
        "BT-157": clean(number.number),
        "BT-157-1": number.scheme or (GTIN_SCHEME if number.number else ""),
        "BT-158": _classified(item.classifications),
        "BT-159": item.origin_country,
    }


def _discounted(line: Line, priced: "Priced") -> Terms:
    """Return the list price and what is taken off it, if the line has its own lower price."""
    if line.list_rate_per_unit is None or line.price is None or priced.price != line.price:
        return {}
    gross = (line.list_rate_per_unit * priced.price_units).quantize(PRICE_PLACES)
    if gross <= priced.price:
        return {}
    return {"BT-147-00": [{"BT-147": plain(gross - priced.price)}], "BT-148": plain(gross)}


def _classified(classifications: str) -> Terms:
    """Return the codes that classify an item, by list and, without a version, by None."""
    codes = (part.strip().partition(":") for part in classifications.split(",") if part.strip())
    return {list_code: {None: code} for list_code, _colon, code in codes}


class Priced(NamedTuple):
    """How many units a line has, and the price of `price_units` of them."""

    quantity: Decimal
    price: Decimal
    unit_code: str = PIECE
    price_units: Decimal = ONE

    def amount(self, currency: Currency) -> Decimal:
        return rounded(exact_share(self.price, self.quantity, self.price_units), currency)


def _priced(line: Line, net: Decimal, currency: Currency) -> Priced:
    """Return units and net price if they make up the amount, else one piece at the amount. A price is never negative, so a
    line that gives money back has a negative quantity."""
    if line.units and line.rate_per_unit is not None:
        units = line.units if net >= ZERO else -line.units
        base = line.price_units or ONE
        exact = [(rate * base).quantize(MOST_PLACES) for rate in (abs(line.rate_per_unit), net / units)]
        prices = [abs(line.price or ZERO), *exact]
        tried = (Priced(units, price, line.unit_code or PIECE, base) for price in prices)
        found = next((one for one in tried if one.amount(currency) == net), None)
        if found is not None:
            return found
    return Priced(ONE, net) if net >= ZERO else Priced(-ONE, -net)


def orders_of(document: Document) -> list[str]:
    """Return the PO numbers of the lines, each once, in their order."""
    return list(dict.fromkeys(line.po_num for line in document.lines if line.po_num))
