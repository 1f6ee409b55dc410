"""Ask the client's tax engine for the taxes of planned documents, before any transaction begins."""

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

from django.db import Error

from accounts.kinds import TaxRounding
from accounts.models import Client
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import rounded
from invoices.plan import InvoicePlan
from invoices.plan.tax_answers import TaxAnswer, answer_to, exempt_answer
from invoices.tax_basis import TaxBasis
from invoices.tax_engines import engine_named
from invoices.tax_engines.protocol import LineTax, TaxableLine, TaxAddress, TaxAddresses, TaxFailure, TaxQuote, TaxRequest

logger = logging.getLogger(__name__)


class Quoted(NamedTuple):
    """The taxes of a document, and which tax data was missing."""

    taxes: tuple[LineTax, ...]
    answer: TaxAnswer


def quote_taxes(
    client: Client, plans: Sequence[InvoicePlan], contacts: dict[int, TaxAddress], locations: dict[int, TaxAddress]
) -> list[Quoted | BillingError]:
    """Return one quote or refusal per plan, in the order given. The engine is not asked about exempt customers."""
    exemptions = [plan.facts.exemption_on(plan.tax_date) for plan in plans]
    asking = {
        place: _request(client, plan, contacts, locations) for place, plan in enumerate(plans) if exemptions[place] is None
    }
    answers = dict(zip(asking, ask_engine(client, list(asking.values())), strict=True))
    quotes: list[Quoted | BillingError] = []
    for place, (plan, exemption) in enumerate(zip(plans, exemptions, strict=True)):
        has_buyer = bool(plan.facts.bill_to)
        if exemption is not None:
            quotes.append(Quoted((), exempt_answer(exemption, has_buyer=has_buyer)))
        else:
            quotes.append(_quoted(asking[place], answers[place], has_buyer=has_buyer))
    return quotes


def _quoted(request: TaxRequest, answer: TaxQuote | BillingError, *, has_buyer: bool) -> Quoted | BillingError:
    if isinstance(answer, BillingError):
        return answer
    return Quoted(answer.taxes, answer_to(request.lines, answer, has_buyer=has_buyer))


def ask_engine(client: Client, requests: Sequence[TaxRequest]) -> list[TaxQuote | BillingError]:
    """Return one quote or refusal per request, in the order given. If the engine fails, every document is refused (90004): none
    is issued untaxed."""
    if not requests:
        return []
    try:
        answers = engine_named(client.tax_engine).quote(client.pk, requests)
    except Error:
        # Our own database failed, not the engine.
        raise
    except Exception as error:
        logger.exception("tax engine %s failed", client.tax_engine)
        answers = [TaxFailure(type(error).__name__, "the tax engine raised an error")] * len(requests)
    return [_checked(request, answer) for request, answer in zip(requests, answers, strict=True)]


def _request(
    client: Client, plan: InvoicePlan, contacts: dict[int, TaxAddress], locations: dict[int, TaxAddress]
) -> TaxRequest:
    bill_to, ship_to = (
        contacts[number] if number is not None else None
        for number in (plan.facts.bill_to_contact_no, plan.facts.taxed_contact_no)
    )
    own = own_address(client)
    return TaxRequest(
        currency=plan.facts.state.currency,
        tax_date=plan.tax_date,
        per_line=client.tax_rounding == TaxRounding.LINE,
        lines=tuple(
            TaxableLine(
                line.line_no,
                plan.left[line.line_no],
                line.tax_category,
                line.line_no in plan.gross_lines,
                _addresses(locations.get(line.bill_from_location_id or 0, own), bill_to, ship_to),
            )
            for line in plan.lines
            if line.line_no in plan.left
        ),
    )


def basis_of(
    client: Client, plan: InvoicePlan, contacts: Mapping[int, TaxAddress], locations: Mapping[int, TaxAddress]
) -> TaxBasis:
    """Return the data that the taxes of a plan are calculated from. It is stored with the document."""
    lines = [line for line in plan.lines if line.line_no in plan.left]
    named = {plan.facts.bill_to_contact_no, plan.facts.taxed_contact_no}
    placed = {line.bill_from_location_id for line in lines}
    return TaxBasis(
        client.tax_engine,
        client.tax_rounding == TaxRounding.LINE,
        {number: contacts[number] for number in sorted(number for number in named if number is not None)},
        {number: locations[number] for number in sorted(number for number in placed if number is not None)},
        tuple(line.line_no for line in lines if line.line_no in plan.gross_lines),
    )


def place_of(client: Client) -> Callable[[TaxAddress], Hashable]:
    """Return the function that gives the parts of an address that the client's tax engine uses. By default these are all
    parts."""
    place: Callable[[TaxAddress], Hashable] = getattr(engine_named(client.tax_engine), "place", tuple)
    return place


def own_address(client: Client) -> TaxAddress:
    """Return the client's address. Services without a location are billed and supplied from it."""
    return TaxAddress(*(getattr(client, name) for name in TaxAddress._fields))


def _addresses(location: TaxAddress, bill_to: TaxAddress | None, ship_to: TaxAddress | None) -> TaxAddresses:
    """A service is both billed and supplied from its location."""
    return TaxAddresses(location, location, bill_to, ship_to)


def _checked(request: TaxRequest, answer: TaxQuote | TaxFailure) -> TaxQuote | BillingError:
    """Check an engine's answer: it may tax only requested lines, in valid amounts. Otherwise it is a failure (90004)."""
    if isinstance(answer, TaxFailure):
        return _failure(answer.error_code, answer.error_msg)
    requested = {line.line_no for line in request.lines}
    strange = sorted(set(answer.unanswered) - requested)
    if strange:
        return _failure("bad-answer", f"it reports no answer for line {strange[0]}, which was not in the request")
    for tax in answer.taxes:
        if tax.line_no not in requested:
            return _failure("bad-answer", f"it taxed line {tax.line_no}, which was not in the request")
        if tax.amount != rounded(tax.amount, request.currency):
            return _failure(
                "bad-answer", f"tax of {tax.amount} on line {tax.line_no} is not a valid amount in {request.currency}"
            )
    return answer


def _failure(error_code: str, error_msg: str) -> BillingError:
    row = {"error_class": "taxation", "error_code": error_code, "error_msg": error_msg}
    return BillingError(ErrorCode.TAXATION_FAILED, error_msg, third_party_errors=(row,))
