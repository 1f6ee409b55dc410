"""Plan invoices: read the facts, plan each account, quote the taxes. Rate usage that is on no invoice yet. Writes nothing."""

import logging
from collections import defaultdict
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.models import Client
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import total
from invoices.document import Line
from invoices.kinds import CYCLE_KINDS, InvoiceKind, InvoiceStatus
from invoices.models import Invoice
from invoices.plan import plan_charges, unbilled_usage, with_taxes
from invoices.plan.facts import AccountFacts, BillingRequest
from invoices.services.documents.outcomes import Planned, Refused
from invoices.services.documents.tax_answers import check_tax_data
from invoices.services.planning.billing_again import with_again
from invoices.services.planning.facts import Facts, read_facts
from invoices.services.planning.one_off import with_one_off
from invoices.services.planning.taxation import Quoted, basis_of, quote_taxes

logger = logging.getLogger(__name__)


def preview_invoices(
    *, client: Client, account_nos: Collection[int], request: BillingRequest, replacing: Collection[int] = ()
) -> list[Planned | Refused]:
    """Return the invoice that would be generated for each account, or its refusal, ordered by account number.

    Nothing is written, not even an event. Pending invoices in `replacing` count as discarded.
    """
    facts = read_facts(client, account_nos, replacing, alt_bill_day=_day_of_month(request.alt_bill_day))
    if request.one_off is not None:
        facts = with_one_off(facts, request.one_off)
    accounts = facts.accounts if request.again_for is None else with_again(facts.accounts, request.again_for, replacing)
    planned = [_planned(number, accounts.get(number), request) for number in sorted(set(account_nos))]
    plans = [one.plan for one in planned if isinstance(one, Planned) and one.plan.charges]
    quotes = quote_taxes(client, plans, facts.contacts, facts.locations)
    quoted = {plan.account_no: quote for plan, quote in zip(plans, quotes, strict=True)}
    return [one if isinstance(one, Refused) else _taxed(client, one, quoted.get(one.account_no), facts) for one in planned]


def regenerations(invoice_nos: Collection[int], today: date) -> dict[BillingRequest, dict[int, int]]:
    """Return the requests that regenerate pending invoices of cycles, each with the invoices that it replaces, by account."""
    rows = Invoice.objects.filter(pk__in=invoice_nos, status=InvoiceStatus.PENDING, kind__in=CYCLE_KINDS).order_by("pk")
    batches: dict[BillingRequest, dict[int, int]] = defaultdict(dict)
    for invoice_no, account_no, kind, bill_day, account_bill_day, again_for, bill_date, next_bill_date in rows.values_list(
        "pk", "account_id", "kind", "bill_day", "account__bill_day", "bills_again", "bill_date", "account__next_bill_date"
    ):
        alternate = bill_day if bill_day != account_bill_day and again_for is None else None
        # A pending invoice moves no dates, so only a final one is before the account's next bill date.
        is_early = next_bill_date is not None and bill_date < next_bill_date
        final = kind == InvoiceKind.RECURRING and again_for is None and is_early
        request = BillingRequest(
            today, kind == InvoiceKind.ADVANCE, alternate, force_pending=True, again_for=again_for, final=final
        )
        batches[request][account_no] = invoice_no
    return batches


def why_not_regenerated(client: Client, invoice_nos: Collection[int], today: date) -> dict[int, BillingError]:
    """Return the pending invoices of cycles that cannot be regenerated now, with the refusal. The tax engine is not asked."""
    refused: dict[int, BillingError] = {}
    for request, replacing in regenerations(invoice_nos, today).items():
        alternate = _day_of_month(request.alt_bill_day)
        accounts = read_facts(client, list(replacing), list(replacing.values()), alt_bill_day=alternate).accounts
        if request.again_for is not None:
            accounts = with_again(accounts, request.again_for, list(replacing.values()))
        for account_no, invoice_no in replacing.items():
            planned = _planned(account_no, accounts.get(account_no), request)
            if isinstance(planned, Refused):
                refused[invoice_no] = planned.error
    return refused


def _day_of_month(alt_bill_day: int | None) -> int | None:
    """Ignore an out-of-range alternate bill day here. `check_billable` refuses it (5020)."""
    return alt_bill_day if alt_bill_day is not None and 1 <= alt_bill_day <= 31 else None


def _planned(account_no: int, facts: AccountFacts | None, request: BillingRequest) -> Planned | Refused:
    try:
        if facts is None:
            raise BillingError(
                ErrorCode.ACCOUNT_NOT_FOUND, Detail("acct_no {account_no}", account_no=account_no), field="acct_no"
            )
        return Planned(account_no, plan_charges(facts, request))
    except BillingError as error:
        return Refused(account_no, error)
    except Exception:
        logger.exception("planning failed for account %s", account_no)
        return Refused(account_no, BillingError(ErrorCode.UNEXPECTED))


def _taxed(client: Client, planned: Planned | Refused, quote: Quoted | BillingError | None, facts: Facts) -> Planned | Refused:
    if isinstance(planned, Refused) or quote is None:
        return planned
    if isinstance(quote, BillingError):
        return Refused(planned.account_no, quote)
    try:
        check_tax_data(client, quote.answer)
        basis = basis_of(client, planned.plan, facts.contacts, facts.locations)
        plan = with_taxes(planned.plan, quote.taxes, basis)._replace(tax_answer=quote.answer)
        return Planned(planned.account_no, plan)
    except BillingError as error:
        return Refused(planned.account_no, error)


class UnbilledUsage(NamedTuple):
    """Usage lines as if every cycle ended on this day, and their sum before tax."""

    account_no: int
    currency: str
    through: date
    lines: tuple[Line, ...]
    amount: Decimal


def rate_unbilled_usage(*, client: Client, account_no: int, today: date) -> UnbilledUsage:
    """Return the account's unbilled usage through today, at its prices. Writes nothing. Refuses an unknown account (1009)."""
    facts = read_facts(client, [account_no], past_pending=True).accounts.get(account_no)
    if facts is None:
        raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, Detail("acct_no {account_no}", account_no=account_no), field="acct_no")
    lines = unbilled_usage(facts, today)
    return UnbilledUsage(account_no, facts.state.currency.code, today, lines, total(line.amount for line in lines))
