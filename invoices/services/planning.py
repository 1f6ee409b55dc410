"""From account numbers to plans: read the facts, plan each account, quote the taxes. Writes nothing."""

import logging
from collections.abc import Collection

from accounts.models import Client
from billing_site.errors import BillingError, ErrorCode
from invoices.plan import plan_charges, with_taxes
from invoices.plan.facts import AccountFacts, BillingRequest
from invoices.services.facts import read_facts
from invoices.services.outcomes import Outcome
from invoices.services.taxation import quote_taxes
from invoices.tax_engines.protocol import TaxQuote

logger = logging.getLogger(__name__)


def preview_invoices(
    *, client: Client, account_nos: Collection[int], request: BillingRequest, replacing: Collection[int] = ()
) -> list[Outcome]:
    """The invoice that would be generated now for each account, to the cent, or why there would be none.

    In the order of the account numbers. Not even an event is written. Pending invoices in `replacing` are taken as discarded.
    """
    facts = read_facts(client, account_nos, replacing, alt_bill_day=_day_of_month(request.alt_bill_day))
    outcomes = [_planned(number, facts.accounts.get(number), request) for number in sorted(set(account_nos))]
    plans = [outcome.plan for outcome in outcomes if outcome.plan is not None and outcome.plan.lines]
    quotes = quote_taxes(client, plans, facts.contacts, facts.locations)
    quoted = {plan.account_no: quote for plan, quote in zip(plans, quotes, strict=True)}
    return [_taxed(outcome, quoted.get(outcome.account_no or 0)) for outcome in outcomes]


def _day_of_month(alt_bill_day: int | None) -> int | None:
    """An alternate bill day that is none is refused when the account is planned, not when it is read."""
    return alt_bill_day if alt_bill_day is not None and 1 <= alt_bill_day <= 31 else None


def _planned(account_no: int, facts: AccountFacts | None, request: BillingRequest) -> Outcome:
    try:
        if facts is None:
            raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, f"acct_no {account_no}", field="acct_no")
        return Outcome(account_no, plan=plan_charges(facts, request))
    except BillingError as error:
        return Outcome(account_no, error=error)
    except Exception:
        logger.exception("planning failed for account %s", account_no)
        return Outcome(account_no, error=BillingError(ErrorCode.UNEXPECTED))


def _taxed(outcome: Outcome, quote: TaxQuote | BillingError | None) -> Outcome:
    if outcome.plan is None or quote is None:
        return outcome
    if isinstance(quote, BillingError):
        return Outcome(outcome.account_no, error=quote)
    try:
        return outcome._replace(plan=with_taxes(outcome.plan, quote.taxes))
    except BillingError as error:
        return Outcome(outcome.account_no, error=error)
